"""Trails, fields and the estimates, without napari."""

from __future__ import annotations

import numpy as np

from napari_beadscope.core.types import TRACK_ROW, AcquisitionMode, FrameFormat
from napari_beadscope.ui.presenters.disk import bytes_per_second
from napari_beadscope.ui.presenters.options import option_fields
from napari_beadscope.ui.trails import Trails


def rows_of(frames: range, beads: int, fps: float = 100.0) -> np.ndarray:
    rows = np.zeros(len(frames) * beads, TRACK_ROW)
    rows["frame"] = np.repeat(list(frames), beads)
    rows["time_ns"] = rows["frame"] * int(1e9 / fps)
    rows["bead"] = np.tile(np.arange(beads), len(frames))
    rows["x_px"], rows["y_px"] = 10.0 + rows["bead"], rows["frame"]
    return rows


def test_trails_stay_below_the_limit_and_reach_back_the_window() -> None:
    trails = Trails(window_s=10.0, max_vertices=2000)
    for start in range(0, 3000, 50):
        trails.add(rows_of(range(start, start + 50), 20))
    vertices = trails.vertices()
    assert 1000 <= len(vertices) <= 2000
    assert vertices[:, 2].max() >= 2980
    assert vertices[:, 2].min() < 2999 - 900
    assert (vertices[:, 1] == 0).all()
    for bead in range(20):
        assert (np.diff(vertices[vertices[:, 0] == bead, 2]) > 0).all()


def test_trails_leave_out_lost_positions_but_tell_the_newest() -> None:
    trails = Trails()
    rows = rows_of(range(3), 2)
    rows["x_px"][rows["bead"] == 1] = np.nan
    rows["reason"][rows["bead"] == 1] = 5
    trails.add(rows)
    assert set(trails.vertices()[:, 0]) == {0.0}
    newest = trails.newest()
    assert newest.bead.tolist() == [0, 1]
    assert newest.frame.tolist() == [2, 2]
    assert newest.reason.tolist() == [0, 5]


def test_trails_forget_removed_beads() -> None:
    trails = Trails()
    trails.add(rows_of(range(5), 3))
    trails.keep({1})
    assert trails.newest().bead.tolist() == [1]
    assert set(trails.vertices()[:, 0]) == {1.0}


def test_option_fields_carry_the_ranges_of_the_device() -> None:
    fields = {field.name: field for field in option_fields("simulated")}
    assert fields["dtype"].choices == ("uint8", "uint16")
    assert fields["fps"].unit == "fps"
    assert fields["beads"].minimum == 0
    assert fields["width_px"].value == 512
    assert option_fields("unknown") == ()


def test_data_rate_of_each_mode() -> None:
    frame = FrameFormat(100, 200, "uint16")
    rate = {mode: bytes_per_second(mode, frame, 10.0, [50, 50]) for mode in AcquisitionMode}
    assert rate[AcquisitionMode.FULL] == 100 * 200 * 2 * 10
    assert rate[AcquisitionMode.ROIS] == 2 * 50 * 50 * 2 * 10
    assert rate[AcquisitionMode.TRACK] > 0
    full = rate[AcquisitionMode.FULL] + rate[AcquisitionMode.TRACK]
    assert rate[AcquisitionMode.TRACK_FULL] == full
