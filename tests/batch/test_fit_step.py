"""The step `fit`, on a table as another step has left it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from napari_beadscope.analysis.fits import find_model
from napari_beadscope.batch.fitting import find_series
from napari_beadscope.batch.service import BatchError, Work
from napari_beadscope.batch.services import open_service
from napari_beadscope.batch.services.fit import FitSettings
from napari_beadscope.batch.source import PositionInfo

HEAD = "position,cell,frame,time_s,area_px"


def work_on(folder: Path, parts: list[str]) -> Work:
    files = []
    for number, part in enumerate(parts):
        files.append(folder / f"{number}.csv")
        files[-1].write_text(f"{HEAD}\n{part}")
    info = PositionInfo("a", folder, 0, 20, ("0",), 8, 8, "uint8", None, None, "tiff")
    return Work(info, {}, 0, 20, folder / "fit.csv", {"extract": tuple(files)}, frames=None)


def rows(cell: int, frames: range) -> str:
    area = [100 * np.exp(0.2 * (cell + 1) * frame / 6) for frame in frames]
    return "".join(f"a,{cell},{f},{f * 600.0},{a:.5f}\n" for f, a in zip(frames, area))


def test_traces_go_over_chunks_and_cells_are_rows(tmp_path: Path) -> None:
    service = open_service("fit")
    settings = FitSettings(model="growth", y="area_px")
    parts = [
        rows(0, range(10)) + rows(1, range(10)),
        rows(1, range(10, 20)) + rows(0, range(10, 20)),
    ]
    work = work_on(tmp_path, parts)
    facts = service.process(work, settings)
    assert (facts["traces"], facts["trusted"]) == (2, 2)
    with open(work.output, newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["position"], row["cell"], row["points"]) for row in found] == [
        ("a", "0", "20"),
        ("a", "1", "20"),
    ]
    assert [float(row["rate_per_h"]) for row in found] == pytest.approx([0.2, 0.4], rel=1e-4)
    first = work.output.read_bytes()
    service.process(work, settings)
    assert work.output.read_bytes() == first


def test_a_position_without_cells_has_a_table_without_rows(tmp_path: Path) -> None:
    work = work_on(tmp_path, [""])
    facts = open_service("fit").process(work, FitSettings(model="growth", y="area_px"))
    assert facts == {"traces": 0, "trusted": 0}
    assert work.output.read_text().count("\n") == 1
    assert find_series(work.output, find_model("growth"), "", "points", "r_squared").kind == "cell"


def test_what_no_table_has_is_said(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="columns 'time_s' and 'mass': there is extract"):
        open_service("fit").process(
            work_on(tmp_path, [rows(0, range(5))]), FitSettings(model="growth", y="mass")
        )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model": "parabola"}, "no curve 'parabola'"),
        ({"model": "growth"}, "say which with 'y'"),
        ({"model": "growth", "y": "area_px", "fix": {"tau": 1}}, "no parameter 'tau'"),
        ({"model": "maturation", "bounds": {"onset_s": (2, 1)}}, "cannot lie between 2 and 1"),
    ],
)
def test_mistakes_in_a_plan_are_found_before_it_runs(settings: dict, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        FitSettings(**settings)
