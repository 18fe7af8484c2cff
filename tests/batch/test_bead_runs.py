"""Bead recordings through whole runs: plan, worker processes, tables."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from napari_beadscope.batch.beads.tables import read_tracks
from napari_beadscope.batch.plan import Plan
from napari_beadscope.batch.plan_file import PlanError
from napari_beadscope.batch.planning import open_plan
from napari_beadscope.batch.run import Ending, run_batch
from napari_beadscope.batch.services import open_service, service_names
from napari_beadscope.batch.source import PositionInfo
from napari_beadscope.batch.units import seen_by
from napari_beadscope.storage.annotations import ANNOTATIONS_NAME
from napari_beadscope.testing.bead_recordings import BeadRecording, bead_recording

STEPS = [
    {"find_beads": {"roi_size_px": 64}},
    {"track_beads": {"zlut": "lut.txt"}},
    "link_beads",
    {"drift": {"references": [0]}},
    {"smooth": {"window_frames": 5}},
    "summary",
]


@pytest.fixture(scope="module")
def taken() -> list[BeadRecording]:
    return [bead_recording(scene, frames=24) for scene in (0, 2)]


def run(folder: Path, steps: list[object], inputs: list[str], workers: int = 1) -> Ending:
    plan = {
        "inputs": inputs,
        "output": "out",
        "steps": steps,
        "frame_interval_s": 0.01,
        "nm_per_px": 100.0,
        "chunk_frames": 8,
        "workers": {"cpu": workers, "gpu": 0},
    }
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    return run_batch(open_plan(folder / "plan.yaml"))


def test_a_run_over_recordings_gives_the_truth_and_recomputes_only_what_changed(
    tmp_path: Path, taken: list[BeadRecording]
) -> None:
    inputs = []
    for number, one in enumerate(taken):
        inputs.append(one.write(tmp_path / f"rec{number}.tif").name)
    taken[0].zlut(64).save(tmp_path / "lut.txt")
    first = run(tmp_path, STEPS, inputs, workers=2)
    assert (first.state, first.done) == ("complete", 2 * (5 + 3))
    tables = {path.name: path for path in (tmp_path / "out" / "tables").glob("*.csv")}
    assert {"find_beads.csv", "link_beads.csv", "smooth.csv", "summary.csv"} <= set(tables)
    names = np.genfromtxt(
        tables["link_beads.csv"], delimiter=",", skip_header=1, usecols=0, dtype=str
    )
    rows = read_tracks(tables["link_beads.csv"])
    for number, one in enumerate(taken):
        errors, who = one.errors(rows[names == f"rec{number}"])
        assert len(who) == 6
        assert len(errors) == 6 * 24
        assert (np.sqrt(np.mean(errors**2, axis=0)) < (0.02, 0.02, 6.0)).all()
    before = tables["link_beads.csv"].read_bytes()

    smoother = [*STEPS[:4], {"smooth": {"window_frames": 9}}, "summary"]
    changed = run(tmp_path, smoother, inputs)
    assert (changed.kept, changed.done) == (14, 16)
    assert tables["link_beads.csv"].read_bytes() == before

    taken[1].zlut(64).save(tmp_path / "lut.txt")  # the same name, other heights
    other = run(tmp_path, smoother, inputs)
    assert (other.state, other.kept) == ("complete", 2)  # find_beads


def test_another_size_of_a_pixel_changes_no_unit_that_does_not_know_it() -> None:
    info = PositionInfo(
        "a", Path("/a.tif"), 0, 8, ("0",), 64, 64, "uint8", (0.0,) * 8, 100.0, "tiff"
    )
    for name in ("find_beads", "track_beads", "lookup_z", "drift", "smooth", "summary"):
        assert seen_by(open_service(name), info).nm_per_px is None
    for name in ("link_beads", "link_particles", "copy"):
        assert seen_by(open_service(name), info).nm_per_px == 100.0


def test_the_plans_in_the_docs_are_plans() -> None:
    text = (Path(__file__).parents[2] / "docs/how-to/batch-beads.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert len(blocks) == 2
    for block in blocks:
        plan = Plan.model_validate({"inputs": ["a.tif"], "output": "out", **block})
        for step in plan.steps:
            open_service(step.name).Settings.model_validate(step.settings)
            assert f"`{step.name}`" in text


def test_every_step_for_beads_is_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs/how-to/batch-beads.md").read_text(encoding="utf-8")
    ours = [name for name in service_names() if "bead" in name or "particle" in name]
    for name in (*ours, "lookup_z", "drift", "smooth", "summary", "profiles"):
        assert f"`{name}`" in text


def test_a_plan_that_lacks_a_step_is_refused_before_anything_is_done(
    tmp_path: Path, taken: list[BeadRecording]
) -> None:
    taken[0].write(tmp_path / "rec0.tif")
    with pytest.raises(PlanError, match="works on what 'find_beads' has made"):
        run(tmp_path, ["track_beads", "link_beads"], ["rec0.tif"])
    with pytest.raises(PlanError, match="'link_beads' or 'link_particles'"):
        run(tmp_path, ["find_beads", "summary"], ["rec0.tif"])
    assert not (tmp_path / "out").exists()


def test_recordings_bring_all_that_is_needed_and_annotations_count(
    tmp_path: Path, taken: list[BeadRecording]
) -> None:
    full = taken[0].record(tmp_path / "full")
    taken[0].record(tmp_path / "rois", mode="rois")
    steps = ["find_beads", "track_beads", "link_beads", "drift", "summary"]
    first = run(tmp_path, steps, ["full"])
    assert (first.state, first.failed, first.blocked) == ("failed", 1, 1)
    assert "give references in the step drift" in (
        tmp_path / "out" / "processing_results.yaml"
    ).read_text().replace("\n", " ").replace("  ", " ")
    (full / ANNOTATIONS_NAME).write_text("bead,label,good,note,reference\n11,,,,true\n")
    again = run(tmp_path, [*steps[:3], "drift", "summary"], ["full"])
    assert (again.state, again.kept) == ("complete", 0)

    movies = run(tmp_path, [*steps[:3], "summary"], ["rois"])
    assert movies.state == "complete"
    table = tmp_path / "out" / "tables" / "link_beads.csv"
    names = np.genfromtxt(table, delimiter=",", skip_header=1, usecols=0, dtype=str)
    rows = read_tracks(table)
    assert len(set(names)) == 6
    for bead in range(6):
        mine = rows[rows["bead"] == 10 + bead]
        assert len(mine) == 24
        x_px, y_px, z_nm = taken[0].truth[:, bead].T
        assert np.std(mine["x_px"] - x_px) < 0.02  # in pixels of the movie
        assert np.std(mine["y_px"] - y_px) < 0.02
        assert np.sqrt(np.mean((mine["z_nm"] - z_nm) ** 2)) < 5
