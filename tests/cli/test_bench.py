"""`beadscope bench track`: a tiny run has every figure; what cannot be measured is refused."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from napari_beadscope.core.types import METHODS

from .conftest import beadscope

TINY = ("bench", "track", "--seconds", 0.02, "--accuracy-beads", 12, "--lut-frames", 4)


@pytest.mark.timeout(120)
def test_a_tiny_run_has_every_figure(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    run = beadscope(
        *TINY, "--sizes", "32", "--beads", "1,3", "--parts", "table,latency,threads,rois,capture",
        "--quick", "--out", out, "--json",
    )  # fmt: skip
    data = run.data
    combinations = {(row["backend"], row["method"]) for row in data["table"]}
    assert {("cpu", method) for method in METHODS} <= combinations
    assert ("magtrack", "magtrack-compatible") in combinations
    assert len(data["table"]) == 2 * len(combinations)
    for row in data["table"]:
        assert all(isinstance(v, str) or math.isfinite(v) for v in row.values()), row
        assert row["rois_per_cpu_s"] > 0
        assert row["x_bound_px"] < 0.02
        assert row["wrong"] + row["lost"] <= 12
        if row["backend"] == "magtrack":
            assert row["ratio"] == 1.0
    assert {row["frame_ms"] > row["one_roi_us"] / 1000 for row in data["latency"]} == {True}
    assert {row["backend"] for row in data["threads"]} == {"cpu"}
    for row in data["rois"]:
        assert row["kept_small"] + row["lost_by_small_only"] >= row["kept"]
    at_centre = [row for row in data["capture"] if row["offset_px"] == 0]
    assert all(row["right"] == 1.0 for row in at_centre)
    assert data["settings"]["threads"] == 1
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(data["table"])
    assert float(rows[0]["z_rmse_nm"]) == pytest.approx(data["table"][0]["z_rmse_nm"])


@pytest.mark.timeout(120)
def test_people_get_tables(tmp_path: Path) -> None:
    run = beadscope(
        *TINY, "--sizes", "32", "--beads", "2", "--parts", "table", "--methods",
        "magtrack-compatible", "--backends", "cpu",
    )  # fmt: skip
    assert "ROI/CPU-s" in run.out
    assert "× bound" in run.out
    assert "precise" not in run.out
    assert run.out.isprintable() or "\x1b" not in run.out
    assert max(len(line) for line in run.out.splitlines()) <= 160


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--sizes", "8"), "--sizes has 8"),
        (("--sizes", "64,big"), "--sizes is '64,big'"),
        (("--beads", "0"), "--beads has 0"),
        (("--parts", "speed"), "no part 'speed'"),
        (("--backends", "abacus"), "no tracking backend 'abacus'"),
        (("--methods", "guess"), "no tracking method 'guess'"),
        (("--scene", "mars"), "no scene 'mars'"),
        (("--seconds", "0"), "--seconds is 0"),
        (("--accuracy-beads", "-3"), "--accuracy-beads is -3"),
        (("--lut-frames", "0"), "--lut-frames is 0"),
        (("--out", "/nowhere/rows.csv"), "there is no folder /nowhere"),
    ],
)
def test_bad_requests_are_refused_at_once(arguments: tuple[str, ...], says: str) -> None:
    run = beadscope("bench", "track", *arguments, code=2)
    assert says in run.err
    assert run.out == ""
    assert len(run.err.splitlines()) == 1


def test_refusals_are_json_for_machines() -> None:
    run = beadscope("bench", "track", "--scene", "mars", "--json", code=2)
    assert json.loads(run.out)["kind"] == "InputError"
