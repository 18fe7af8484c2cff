"""ROI and binning while the engine runs: new rings, beads that follow, truth in every frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError, StateError
from napari_beadscope.core.messages import BeadsChanged, CalibrationChanged, StreamChanged
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording

FIELD: dict[str, Any] = {
    "height_px": 256, "width_px": 320, "beads": 5, "fps": 100, "seed": 6, "drift_nm": 0.0,
}  # fmt: skip
ROI_PX = 48
PART = "32,48,208,256"


@pytest.fixture
def scope() -> Iterator[Scope]:
    """The whole sensor, live, with an ROI around each bead; some fit into the smaller window."""
    places = SimulatedMicroscope({**FIELD, "roi": PART}).bead_positions_px()
    inside = [Roi.around(y, x, ROI_PX).inside((208, 256)) for x, y in places]
    assert 2 <= sum(inside) < FIELD["beads"]
    places = SimulatedMicroscope(FIELD).bead_positions_px()
    with Scope("simulated", options=FIELD, settings={"engine.ring_mb": 32}) as scope:
        scope.start_live()
        scope.set_beads([Bead(k, Roi.around(y, x, ROI_PX)) for k, (x, y) in enumerate(places)])
        yield scope


def fresh(scope: Scope, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
    """Return the next frame that the camera brings."""
    old = scope.latest_frame()
    for frame in scope.frames():
        if (old is None or frame.frame != old.frame) and wanted(frame):
            return frame
    raise AssertionError


def wait_for_rows(scope: Scope, count: int) -> np.ndarray:
    end = time.monotonic() + 20
    while True:
        rows = scope.tracks()
        if len(rows) >= count:
            return rows
        assert time.monotonic() < end, f"{len(rows)} rows only"
        time.sleep(0.02)


def check_rows(rows: np.ndarray, options: dict[str, Any]) -> None:
    """Every row is where the bead of that ID was in that frame."""
    microscope = SimulatedMicroscope(options)
    numbers, place = np.unique(rows["frame"], return_inverse=True)
    truth = microscope.truth(numbers)[place, rows["bead"]]
    good = rows["reason"] == 0
    assert good.mean() > 0.8
    error = np.hypot(rows["x_px"] - truth[:, 0], rows["y_px"] - truth[:, 1])[good]
    assert error.max() < 0.5
    assert np.median(error) < 0.1


def test_frames_and_beads_are_right_in_every_window(scope: Scope) -> None:
    before = {bead.bead: bead.roi for bead in scope.beads}
    seen = [fresh(scope).frame]
    heard: list[Any] = []
    unsubscribe = scope.on_event(heard.append)
    for name, value, roi, binning in (
        ("roi", PART, PART, 1),
        ("binning", 2, PART, 2),
        ("roi", "full", "full", 2),
        ("binning", 1, "full", 1),
    ):
        scope.set_camera(**{name: value})
        options = {**FIELD, "roi": "" if roi == "full" else roi, "binning": binning}
        assert scope.format == SimulatedMicroscope(options).format
        frame = fresh(scope)
        assert np.array_equal(frame.image, SimulatedMicroscope(options).render(frame.frame))
        seen.append(frame.frame)
        values = {item["name"]: item["value"] for item in scope.camera_properties()}
        assert values["binning"] == str(binning)
    unsubscribe()
    assert seen == sorted(set(seen))  # frame numbers go on
    left = {bead.bead for bead in scope.beads}
    assert left < set(before)
    for bead in scope.beads:  # and back where they were, but for the rounding of binned px
        old = before[bead.bead]
        assert bead.roi.size == old.size
        assert np.abs(np.subtract(bead.roi.centre_px, old.centre_px)).max() <= 2
    said = [event.why for event in heard if isinstance(event, BeadsChanged) and event.why]
    (sentence,) = said
    assert all(str(gone) in sentence for gone in set(before) - left)
    sizes = [e.calibration.nm_per_px for e in heard if isinstance(e, CalibrationChanged)]
    assert sizes == [200.0, 100.0]
    assert sum(isinstance(event, StreamChanged) for event in heard) == 4


def test_tracks_are_of_the_present_frames_only_and_true(scope: Scope) -> None:
    check_rows(wait_for_rows(scope, 50), FIELD)
    for roi, binning in ((PART, 1), (PART, 2)):
        scope.set_camera(roi=roi, binning=binning)
        rows = wait_for_rows(scope, 60)
        check_rows(rows, {**FIELD, "roi": roi, "binning": binning})
    status = scope.status()
    assert status.dropped == 0
    assert all(worker.restarts == 0 for worker in status.workers)


def test_a_recording_of_a_window_is_that_window(scope: Scope, tmp_path: Path) -> None:
    scope.set_camera(roi=PART)
    recording = open_recording(scope.record(tmp_path / "r", "track+full", frames=30))
    options = {**FIELD, "roi": PART}
    manifest = recording.manifest
    assert manifest.frame_format.shape == (208, 256)
    assert manifest.camera.properties["roi"] == PART
    microscope = SimulatedMicroscope(options)
    numbers = manifest.first_frame + recording.frame_numbers
    assert len(numbers) == 30
    for k in (0, 29):
        assert np.array_equal(recording.frames[k], microscope.render(int(numbers[k])))
    rows = recording.tracks
    truth = microscope.truth(numbers)[
        np.searchsorted(recording.frame_numbers, rows["frame"]), rows["bead"]
    ]
    good = rows["reason"] == 0
    assert np.hypot(rows["x_px"] - truth[:, 0], rows["y_px"] - truth[:, 1])[good].max() < 0.5


def test_the_window_stays_while_recording(scope: Scope, tmp_path: Path) -> None:
    form = scope.format
    scope.start_recording(tmp_path / "r", "full")
    with pytest.raises(StateError, match="cannot change the camera while recording"):
        scope.set_camera(roi=PART)
    with pytest.raises(StateError, match="stop the recording first"):
        scope.set_camera(binning=2)
    assert scope.format == form
    scope.stop_recording()


def test_impossible_windows_change_nothing(scope: Scope) -> None:
    form, beads = scope.format, scope.beads
    for bad, why in (("0,0,300,64", "not inside the sensor of 320 x 256"), ("x", "give y0,x0")):
        with pytest.raises(DeviceError, match=why):
            scope.set_camera(roi=bad)
    with pytest.raises(DeviceError, match="choose one of 1, 2, 4"):
        scope.set_camera(binning=3)
    assert (scope.format, scope.beads) == (form, beads)
    fresh(scope)


def test_a_camera_that_was_killed_comes_back_with_its_window(scope: Scope) -> None:
    import os
    import signal

    scope.set_camera(roi=PART, binning=2)
    frame = fresh(scope)
    (camera,) = [worker for worker in scope.status().workers if worker.name == "camera"]
    os.kill(camera.pid, signal.SIGKILL)
    scope.wait_for(lambda s: any(w.name == "camera" and w.restarts for w in s.status().workers), 20)
    later = fresh(scope, lambda new: new.frame > frame.frame)
    assert later.image.shape == (104, 128)
    assert {item["name"]: item["value"] for item in scope.camera_properties()}["roi"] == PART
    rows = wait_for_rows(scope, 60)
    assert rows["frame"].max() > frame.frame


def test_windows_change_while_the_camera_is_paused(scope: Scope) -> None:
    scope.stop_live()
    scope.set_camera(roi=PART)
    assert scope.format.shape == (208, 256)
    assert scope.latest_frame() is None
    scope.start_live()
    assert fresh(scope).image.shape == (208, 256)


def test_many_changes_in_a_row(scope: Scope) -> None:
    for k in range(12):
        scope.set_camera(roi=f"{4 * k},{5 * k},{160 + 4 * k},{192 + 4 * k}")
    options = {**FIELD, "roi": "44,55,204,236"}
    frame = fresh(scope)
    assert np.array_equal(frame.image, SimulatedMicroscope(options).render(frame.frame))
    assert all(worker.restarts == 0 for worker in scope.status().workers if worker.name != "camera")
