"""The steps for cells: from files to tables, one position at a time and as a batch."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from napari_beadscope.batch.planning import open_plan
from napari_beadscope.batch.run import run_batch
from napari_beadscope.batch.service import BatchError
from napari_beadscope.batch.services import open_service
from napari_beadscope.batch.source import open_source
from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.testing.cell_scores import best, matches
from napari_beadscope.testing.cells import DARK, SyntheticCells, write_cells

STEPS = ("segment", "align", "correct", "track", "extract")
ROLES = {"phase": (0,), "fluorescence": (1,)}
FRAMES = 8


@pytest.fixture(scope="module")
def scene() -> SyntheticCells:
    return SyntheticCells(frames=FRAMES, size_px=(200, 220), cells=6, divisions=2, seed=4)


@pytest.fixture(scope="module")
def file(scene: SyntheticCells, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cells(tmp_path_factory.mktemp("cells") / "cells.ome.tif", scene)


def process(
    file: Path,
    folder: Path,
    *,
    steps: tuple[str, ...] = STEPS,
    chunk_frames: int | None = None,
    settings: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, tuple[Path, ...]]:
    made: dict[str, tuple[Path, ...]] = {}
    chosen = {"correct": {"dark": DARK}, **(settings or {})}
    with open_source(file) as source:
        for name in steps:
            service = open_service(name)
            made[name] = service.process_position(
                source,
                0,
                folder,
                service.Settings(**chosen.get(name, {})),
                plan_channels=ROLES,
                chunk_frames=chunk_frames,
                inputs=made,
            )
    return made


def rows_of(paths: tuple[Path, ...]) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in paths:
        with open(path, newline="", encoding="utf-8") as text:
            rows += csv.DictReader(text)
    return rows


@pytest.fixture(scope="module")
def made(file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, ...]]:
    return process(file, tmp_path_factory.mktemp("whole"))


def test_the_table_says_what_is_true(
    scene: SyntheticCells, made: dict[str, tuple[Path, ...]]
) -> None:
    rows = rows_of(made["extract"])
    assert list(rows[0])[:8] == [
        "position", "cell", "frame", "time_s", "y_px", "x_px", "area_px", "intensity_total_c1",
    ]  # fmt: skip
    assert {row["position"] for row in rows} == {"cells"}
    assert [int(row["frame"]) for row in rows] == sorted(int(row["frame"]) for row in rows)
    labels = tifffile.imread(made["segment"][0])
    names = {(row["frame"], row["label"]): row["cell"] for row in rows_of(made["track"])}
    table = {(row["frame"], row["cell"]): row for row in rows}
    off: list[float] = []
    area: list[float] = []
    for one in scene.truth():
        frame = int(one["frame"])
        label = matches(scene.labels(frame), labels[frame])[int(one["label"])]
        row = table[str(frame), names[str(frame), str(label)]]
        assert float(row["time_s"]) == 300 * frame
        assert np.hypot(float(row["y_px"]) - one["y_px"], float(row["x_px"]) - one["x_px"]) < 1.5
        off.append(float(row["intensity_total_c1"]) / one["intensity"] - 1)
        area.append(float(row["area_px"]) / one["area_px"] - 1)
    assert np.median(np.abs(off)) < 0.02
    assert np.abs(area).mean() < 0.1
    mothers = {row["parent"] for row in rows} - {"-1"}
    assert len(mothers) == scene.divisions
    assert min(best(scene.labels(k), labels[k]).min() for k in range(FRAMES)) > 0.5


def test_results_do_not_depend_on_how_frames_are_cut(
    file: Path, made: dict[str, tuple[Path, ...]], tmp_path: Path
) -> None:
    cut = process(file, tmp_path, chunk_frames=3)
    for step in ("align", "extract"):
        assert len(cut[step]) == 3
        assert rows_of(cut[step]) == rows_of(made[step])
    assert cut["track"][0].read_bytes() == made["track"][0].read_bytes()
    whole = tifffile.imread(made["segment"][0])
    assert np.array_equal(np.concatenate([tifffile.imread(p) for p in cut["segment"]]), whole)


def test_the_same_again_is_the_same_to_the_byte(
    file: Path, made: dict[str, tuple[Path, ...]], tmp_path: Path
) -> None:
    again = process(file, tmp_path)
    for step, paths in made.items():
        assert [p.read_bytes() for p in again[step]] == [p.read_bytes() for p in paths], step


def test_without_correction_the_background_counts(
    file: Path, made: dict[str, tuple[Path, ...]], tmp_path: Path
) -> None:
    raw = rows_of(process(file, tmp_path, steps=("segment", "track", "extract"))["extract"])
    corrected = rows_of(made["extract"])
    assert float(raw[0]["intensity_mean_c1"]) > 200 + float(corrected[0]["intensity_mean_c1"])
    assert raw[0]["background_c1"] == "nan"


def test_a_feature_of_ones_own_is_a_column(file: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text("def twice(frame):\n    return {'twice_px': 2 * frame.area_px}\n")
    settings = {"extract": {"features": ["intensity", f"{own}:twice"]}}
    rows = rows_of(process(file, tmp_path, settings=settings)["extract"])
    assert all(float(row["twice_px"]) == 2 * float(row["area_px"]) for row in rows)
    service = open_service("extract")
    assert service.files(service.Settings(**settings["extract"])) == (own,)


def test_a_flat_field_from_a_file(scene: SyntheticCells, file: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.tif"
    tifffile.imwrite(flat, (1000 * scene.light[1]).astype(np.float32))
    settings = {"correct": {"flat_field": str(flat)}}
    rows = rows_of(process(file, tmp_path / "out", settings=settings)["extract"])
    own = rows_of(process(file, tmp_path / "own")["extract"])
    pairs = zip(rows, own, strict=True)
    ratio = [float(a["intensity_total_c1"]) / float(b["intensity_total_c1"]) for a, b in pairs]
    assert np.mean(ratio) == pytest.approx(1, abs=0.02)
    tifffile.imwrite(flat, np.ones((64, 64), np.float32))
    with pytest.raises(InputError, match="64 × 64 px"):
        process(file, tmp_path / "wrong", settings=settings)


def test_what_is_missing_is_said(file: Path, tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="put that step into the plan"):
        process(file, tmp_path, steps=("track",))
    with pytest.raises(BatchError, match="no channel 5"):
        process(file, tmp_path, steps=("segment",), settings={"segment": {"channel": 5}})
    with pytest.raises(BeadscopeError, match="offset as dark"):
        process(
            file,
            tmp_path,
            steps=("segment", "correct"),
            settings={"correct": {"dark": 5000.0}},
        )
    with pytest.raises(InputError, match="phase"):
        open_service("segment").channels({}, open_service("segment").Settings())
    with pytest.raises(InputError, match="fluorescence"):
        open_service("correct").channels({}, open_service("correct").Settings())
    with pytest.raises(ValueError, match="no feature is called 'colour'"):
        open_service("extract").Settings(features=["colour"])


def test_a_frame_that_cannot_be_segmented_is_named(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).normal(100, 3, (4, 64, 64)).astype(np.float32)
    frames[2, 5, 5] = np.nan
    path = tmp_path / "nan.tif"
    tifffile.imwrite(path, frames, photometric="minisblack", metadata={"axes": "TYX"})
    with pytest.raises(BatchError, match=r"channel 0, frame 2 of .*nan\.tif: .*NaN"):
        process(path, tmp_path / "out", steps=("segment",), chunk_frames=1)
    first = tifffile.imread(tmp_path / "out" / "nan" / "segment" / "000000-000000.tif")
    assert first.shape[-2:] == (64, 64)
    assert first.max() == 0


def test_a_batch_of_two_positions(
    file: Path, made: dict[str, tuple[Path, ...]], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        shutil.copy(file, tmp_path / f"{name}.ome.tif")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        yaml.safe_dump(
            {
                "inputs": ["a.ome.tif", {"path": "b.ome.tif", "frames": "2-6"}],
                "output": "out",
                "channels": {"phase": 0, "fluorescence": [1]},
                "steps": ["segment", "align", {"correct": {"dark": DARK}}, "track", "extract"],
                "chunk_frames": 3,
                "workers": {"cpu": 2, "gpu": 0},
            }
        )
    )
    ending = run_batch(open_plan(plan))
    assert (ending.state, ending.failed) == ("complete", 0)
    rows = rows_of((tmp_path / "out" / "tables" / "extract.csv",))
    alone = rows_of(made["extract"])
    whole = [{**row, "position": "cells"} for row in rows if row["position"] == "a"]
    assert whole == alone
    part = [row for row in rows if row["position"] == "b"]
    assert len(part) + len(whole) == len(rows)
    said = ("frame", "time_s", "area_px", "intensity_total_c1")
    assert sorted([row[name] for name in said] for row in part) == sorted(
        [row[name] for name in said] for row in alone if 2 <= int(row["frame"]) <= 6
    ), "frames keep their numbers and times"
