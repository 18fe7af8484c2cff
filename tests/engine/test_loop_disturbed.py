"""What disturbs a ramp under the locks: darkness, a bead that is gone, a motor's limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.types import Annotation, Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope
from napari_beadscope.script.simulated_zlut import simulated_zlut
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.audit import audit

OPTIONS = {
    "height_px": 320, "width_px": 320, "beads": 3, "stuck_beads": 2, "fps": 50, "seed": 5,
    "margin_px": 50.0, "spacing_px": 80.0, "drift_nm": 0.0, "drift_z_nm": 0.0,
    "debris_per_mpx": 0.0, "drift_rate_z_nm_per_s": 20.0,
}  # fmt: skip
ROI_PX = 56
LIT_MS, DARK_MS = 0.2, 0.001
EMPTY = 7
WAIT_S = 40.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scope]:
    """An engine that is live, with two references, a tethered bead, and a place without a bead."""
    microscope = SimulatedMicroscope(OPTIONS)
    places = [*microscope.bead_positions_px(), _far_from(microscope.bead_positions_px())]
    path = tmp_path_factory.mktemp("zlut") / "zlut.txt"
    simulated_zlut(microscope, ROI_PX).save(path)
    scope = Scope("simulated", options=OPTIONS, settings={"engine.ring_mb": 64})
    scope.add_hardware("focus", "simulated-focus")
    scope.add_hardware("magnet", "simulated-magnet", speed=20.0, high=8.0)
    with scope:
        scope.set_calibration(100.0, path)
        scope.start_live()
        rois = [Roi.around(y, x, ROI_PX) for x, y in places]
        ids = (0, 1, 2, EMPTY)
        scope.set_beads([Bead(bead, roi) for bead, roi in zip(ids, rois, strict=True)])
        scope.set_annotations({0: Annotation(reference=True), 1: Annotation(reference=True)})
        scope.set_xy_lock()  # starts the process of the locks
        yield scope


def _far_from(places: np.ndarray) -> tuple[float, float]:
    """Return the place x, y whose ROI is in the frame and farthest from all beads."""
    spots = np.stack(np.meshgrid(np.arange(40, 280, 10), np.arange(40, 280, 10)), -1).reshape(-1, 2)
    apart = np.hypot(*(spots[:, None] - places[None]).transpose(2, 0, 1)).min(axis=1)
    x, y = spots[int(apart.argmax())].tolist()
    return x, y


@pytest.fixture
def scope(running: Scope) -> Iterator[Scope]:
    """It holds the references."""
    running.set_camera(exposure_ms=LIT_MS)
    running.move("magnet", 0.0)
    running.set_xy_lock(interval_s=0.5)
    running.set_z_lock(bead="reference", interval_s=0.1, patience_s=600)
    running.wait_for("focus locked", WAIT_S)
    yield running
    if running.status().recording:
        running.stop_recording()
    running.set_z_lock(False)
    running.set_xy_lock(False)


def test_in_the_dark_the_focus_waits_and_goes_on_when_there_is_light(scope: Scope) -> None:
    target_nm = scope.locks.z_state.target_nm
    scope.set_camera(exposure_ms=DARK_MS)
    scope.wait_for(lambda it: it.locks.z_state.phase == "held", WAIT_S)
    assert scope.locks.z_state.why.startswith("no reference bead can be measured")
    scope.wait_for(lambda it: len(it.locks.xy_state.held) == 4, WAIT_S)
    focus_um = scope.motor_positions()["focus"]
    scope.move("magnet", 3.0)  # the ramp goes on
    assert scope.motor_positions()["focus"] == focus_um
    scope.set_camera(exposure_ms=LIT_MS)
    scope.wait_for("focus locked", WAIT_S)
    scope.wait_for(lambda it: abs(it.locks.z_state.error_nm) < 25, WAIT_S)
    assert scope.locks.z_state.target_nm == target_nm
    scope.wait_for(lambda it: [one.bead for one in it.locks.xy_state.held] == [EMPTY], WAIT_S)


def test_darkness_that_lasts_ends_the_z_lock_and_nothing_else(scope: Scope) -> None:
    scope.set_z_lock(bead="reference", interval_s=0.1, patience_s=0.5)
    scope.wait_for("focus locked", WAIT_S)
    scope.set_camera(exposure_ms=DARK_MS)
    scope.wait_for(lambda it: it.locks.z is None, WAIT_S)
    assert scope.locks.z_state.phase == "stopped"
    assert scope.locks.z_state.why == "no reference bead can be measured, for 0.5 s"
    assert scope.locks.xy is not None
    scope.move("magnet", 1.0)
    scope.move("focus", 0.0)  # it is free again


def test_a_bead_that_is_gone_is_named_and_the_others_are_held(scope: Scope, tmp_path: Path) -> None:
    scope.start_recording(tmp_path / "r", "track")
    looks = scope.locks.xy_state.looks
    scope.wait_for(lambda it: it.locks.xy_state.looks > looks + 1, WAIT_S)
    scope.wait_for(lambda it: it.locks.xy_state.followed == (0, 1, 2), WAIT_S)
    assert [(one.bead, one.why) for one in scope.locks.xy_state.held] == [(EMPTY, "it is lost")]
    scope.stop_recording()
    assert audit(tmp_path / "r") == []
    rows = open_recording(tmp_path / "r").tracks
    assert (rows["reason"][rows["bead"] == EMPTY] != 0).all()
    assert (rows["reason"][rows["bead"] != EMPTY] == 0).mean() > 0.95


def test_beyond_the_magnets_limit_is_refused_and_the_experiment_goes_on(
    scope: Scope, tmp_path: Path
) -> None:
    scope.start_recording(tmp_path / "r", "track")
    scope.move("magnet", 8.0)
    with pytest.raises(DeviceError, match="cannot go to 9 mm: choose from 0 to 8 mm"):
        scope.move("magnet", 9.0)
    assert scope.motor_positions()["magnet"] == pytest.approx(8.0)
    assert scope.status().recording
    corrections = scope.locks.z_state.corrections
    scope.wait_for(lambda it: it.locks.z_state.corrections > corrections + 2, WAIT_S)
    assert scope.locks.z is not None
