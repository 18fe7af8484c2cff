"""The locks of a running engine: over the simulated microscope's drift, with everything real."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_beadscope.core.errors import InputError, StateError
from napari_beadscope.core.locks import Locks, XYLock
from napari_beadscope.core.messages import LocksChanged
from napari_beadscope.core.types import Annotation, Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope
from napari_beadscope.script.simulated_zlut import simulated_zlut
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.audit import audit
from napari_beadscope.testing.engines import worker_pid

# Drifts by some 25 nm/s in z and 400 nm/s in x and y for the first half minute.
OPTIONS = {
    "height_px": 320, "width_px": 320, "beads": 3, "fps": 100, "seed": 5, "margin_px": 110.0,
    "spacing_px": 70.0, "drift_z_nm": 400.0, "drift_nm": 8000.0, "debris_per_mpx": 0.0,
}  # fmt: skip
ROI_PX = 56
MICROSCOPE = SimulatedMicroscope(OPTIONS)
BEADS = tuple(
    Bead(k, Roi.around(y, x, ROI_PX)) for k, (x, y) in enumerate(MICROSCOPE.bead_positions_px())
)
HOLD = Annotation(reference=True)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def zlut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Z-LUT of the microscope."""
    path = tmp_path_factory.mktemp("zlut") / "zlut.txt"
    simulated_zlut(MICROSCOPE, ROI_PX).save(path)
    return path


@pytest.fixture
def scope(zlut: Path) -> Iterator[Scope]:
    """A live engine whose stage drifts, with a focus motor and a Z-LUT."""
    made = Scope("simulated", options=OPTIONS, settings={"engine.ring_mb": 64})
    made.add_hardware("focus", "simulated-focus")
    with made:
        made.set_calibration(100.0, zlut)
        made.start_live()
        made.set_beads(BEADS)
        yield made


def heights(scope: Scope, seconds: float) -> np.ndarray:
    """Mean height of each bead over a time from now on, nm."""
    time.sleep(seconds)
    rows = scope.tracks()
    rows = rows[rows["time_ns"] > time.monotonic_ns() - int(seconds * 1e9)]
    rows = rows[rows["reason"] == 0]
    return np.array([np.nanmean(rows["z_nm"][rows["bead"] == one.bead]) for one in BEADS])


def test_drift_is_held_with_the_z_lock_and_not_without(scope: Scope) -> None:
    scope.set_xy_lock(interval_s=0.2)  # the stage drifts sideways, too
    start = heights(scope, 1.5)
    time.sleep(4)
    free = heights(scope, 1.5) - start
    assert np.abs(free).min() > 60
    scope.set_annotations({0: HOLD, 1: HOLD})
    scope.set_z_lock(bead="reference", gain=0.5)
    scope.wait_for(lambda s: s.locks.z_state.corrections > 5)
    start = heights(scope, 1.5)
    time.sleep(4)
    held = heights(scope, 1.5) - start
    assert np.abs(np.mean(held)) < 0.25 * np.abs(np.mean(free))
    assert np.abs(held).max() < 40  # the third is no reference: it is the stage that is held
    state = scope.locks.z_state
    assert (state.phase, state.why) == ("locked", "")
    assert scope.motor_positions()["focus"] == pytest.approx(sum_of_drift(scope) / 1000, abs=0.25)


def sum_of_drift(scope: Scope) -> float:
    """How far the stage has drifted in z by now, nm; about what the focus must have done."""
    frame = scope.latest_frame()
    assert frame is not None
    return float(MICROSCOPE._motion.drift_nm(frame.frame)[2])


def test_rois_follow_their_beads_through_a_recording(scope: Scope, tmp_path: Path) -> None:
    scope.set_xy_lock(interval_s=0.25, window=10)
    scope.wait_for(lambda s: s.locks.xy_state.looks > 1)
    begun = scope.beads
    folder = scope.start_recording(tmp_path / "r", "track+rois", seconds=9)
    scope.wait_recorded(30)
    assert scope.locks.xy_state.held == ()
    assert scope.locks.locked == {0, 1, 2}
    moved = [abs(a.roi.x0 - b.roi.x0) + abs(a.roi.y0 - b.roi.y0)
             for a, b in zip(begun, scope.beads, strict=True)]  # fmt: skip
    assert min(moved) > 25  # out of an ROI that stays
    assert [bead.bead for bead in scope.beads] == [0, 1, 2]
    assert audit(folder) == []
    recording = open_recording(folder)
    rows = recording.tracks
    assert len(rows) == 3 * len(recording.frame_numbers)
    assert (rows["reason"] == 0).mean() > 0.999
    first = recording.manifest.first_frame
    truth = MICROSCOPE.truth(np.unique(rows["frame"]) + first)
    for bead in range(3):
        mine = rows[rows["bead"] == bead]
        off = np.hypot(*(truth[:, bead, :2] - np.stack([mine["x_px"], mine["y_px"]], 1)).T)
        assert np.median(off) < 0.1
        assert off.max() < 1
    # Bead movies keep the place that the manifest gives, and the manifest says that ROIs moved.
    assert "XY-lock moves ROIs" in " ".join(recording.manifest.notes)
    y0, x0 = recording.beads[0].roi.y0, recording.beads[0].roi.x0
    frame = MICROSCOPE.render(int(recording.frame_numbers[-1]) + first)
    movie = recording.roi_movie(0)
    assert np.array_equal(movie[-1], frame[y0 : y0 + ROI_PX, x0 : x0 + ROI_PX])


def test_one_look_on_demand(scope: Scope) -> None:
    time.sleep(3)
    before = scope.beads
    state = scope.execute_xy_lock(max_step_px=3)
    assert state.moved == 3
    assert state.step_px == 3
    assert scope.beads != before
    assert scope.locks.xy is None
    edge = (*scope.beads[:2], Bead(8, Roi(0, 0, ROI_PX)))
    scope.set_beads(edge)
    time.sleep(0.3)
    held = {one.bead: one.why for one in scope.execute_xy_lock().held}
    assert set(held) == {8}  # nothing is there


def test_what_cannot_be_held_is_refused_in_words(zlut: Path) -> None:
    with Scope("simulated", options=OPTIONS) as scope:
        with pytest.raises(StateError, match="there are none: find or add beads"):
            scope.set_xy_lock()
        with pytest.raises(StateError, match="there is no Z-LUT: load or measure"):
            scope.set_z_lock()
        scope.set_beads(BEADS)
        scope.set_calibration(100.0, zlut)
        with pytest.raises(StateError, match="no bead is marked as reference"):
            scope.set_z_lock()
        with pytest.raises(InputError, match="there is no bead 7"):
            scope.set_z_lock(bead=7)
        with pytest.raises(StateError, match="no motor 'focus' to focus with: add one first"):
            scope.set_z_lock(bead=0)
        scope.add_hardware("focus", "simulated-focus")
        with pytest.raises(InputError, match=r"gain of the Z-lock is 9: give 0\.01 to 1\.5"):
            scope.set_z_lock(bead=0, gain=9)
        with pytest.raises(InputError, match=r"window is 2\.5: give a whole number"):
            scope.set_xy_lock(window=2.5)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="bead is 'all'"):
            scope.set_z_lock(bead="all")  # type: ignore[arg-type]
        assert scope.locks == Locks()
        assert "control" not in {worker.name for worker in scope.status().workers}


def test_the_motor_has_one_master_and_what_is_held_must_stay(scope: Scope, zlut: Path) -> None:
    heard: list[Locks] = []
    scope.on_event(lambda e: heard.append(e.locks) if isinstance(e, LocksChanged) else None)

    def lock() -> None:
        scope.set_z_lock(bead=1)
        scope.wait_for(lambda s: s.locks.z_state.phase == "locked")

    def stopped(why: str) -> None:
        scope.wait_for(lambda s: s.locks.z is None)
        assert scope.locks.z_state.phase == "stopped"
        assert why in scope.locks.z_state.why

    lock()
    with pytest.raises(StateError, match="the Z-lock holds the focus motor"):
        scope.move("focus", 1.0)
    scope.stop_motor("focus")
    stopped("told to stop")
    lock()
    scope.set_calibration(zlut="")
    stopped("another Z-LUT")
    scope.set_calibration(zlut=zlut)
    lock()
    scope.set_beads(BEADS[:1])
    stopped("bead 1 is gone")
    scope.set_beads(BEADS)
    lock()
    scope.set_z_lock(False)
    assert scope.locks.z_state.phase == "off"
    scope.move("focus", 0.1)
    assert any(locks.z_state.phase == "locked" for locks in heard)


def test_a_limit_of_the_motor_ends_the_z_lock(zlut: Path) -> None:
    made = Scope("simulated", options=OPTIONS)
    made.add_hardware("focus", "simulated-focus", low=-0.01, high=0.01)
    with made as scope:
        scope.set_calibration(100.0, zlut)
        scope.start_live()
        scope.set_beads(BEADS)
        scope.set_z_lock(bead=0, target_nm=1000.0)
        scope.wait_for(lambda s: s.locks.z_state.phase == "stopped")
        assert "at its limit: it goes from -0.01 to 0.01 um" in scope.locks.z_state.why
        assert scope.locks.z is None
        scope.move("focus", 0.0)


def test_locks_are_the_engines_own(scope: Scope) -> None:
    scope.set_xy_lock(interval_s=0.5, max_step_px=4)
    other = Scope.attach(scope.engine.engine_id)
    try:
        assert other.locks.xy == XYLock(0.5, 4.0, 10)
        other.set_xy_lock(window=5)  # what is not given stays
        scope.wait_for(lambda s: s.locks.xy == XYLock(0.5, 4.0, 5))
        other.set_xy_lock(False)
        scope.wait_for(lambda s: s.locks.xy is None)
        assert scope.locks.locked == frozenset()
    finally:
        other.detach()


def test_a_motor_that_dies_ends_the_z_lock(scope: Scope) -> None:
    scope.set_z_lock(bead=0)
    scope.wait_for(lambda s: s.locks.z_state.phase == "locked")
    psutil.Process(worker_pid(scope, "motor-focus")).kill()
    scope.wait_for(lambda s: s.locks.z is None)
    assert scope.locks.z_state.why == "the focus motor's process ended"
    worker_pid(scope, "motor-focus")
    scope.move("focus", 0.0)
