"""A microscope of Micro-Manager, run by the engine: real core, real loop, processes that die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError
from napari_beadscope.core.messages import CameraBack, CameraLost, WorkerLost
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording

BEADS = {"Camera.Mode": "Fluorescent Beads", "Camera.BeadDensity": "30", "Camera.Exposure": "10"}
OPTIONS = {"properties": BEADS, "buffer_mb": 32}
START_UM = 10.0
PATIENCE_S = 90.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def microscope() -> Iterator[Scope]:
    scope = Scope("micromanager:demo", options=OPTIONS, settings={"engine.ring_mb": 64})
    scope.add_hardware("focus", "micromanager:demo:Z", low=0, high=50)
    scope.add_hardware("across", "micromanager:demo:XY:x")
    with scope:
        yield scope


def pid_of(scope: Scope, name: str) -> int:
    return next(worker.pid for worker in scope.status().workers if worker.name == name)


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_frames_of_the_full_rate_reach_the_disk(microscope: Scope, tmp_path: Path) -> None:
    microscope.set_camera(exposure_ms=1)
    recording = open_recording(microscope.record(tmp_path / "fast", "full", frames=400))
    assert len(recording.frames) == 400
    numbers = recording.frame_numbers
    missing = np.setdiff1d(np.arange(numbers[0], numbers[-1]), numbers)
    told = [n for gap in recording.gaps for n in range(gap.first, gap.last + 1)]
    assert missing.tolist() == told
    assert np.asarray(recording.frames[-1]).any()


def test_an_roi_of_the_sensor_is_streamed(microscope: Scope, tmp_path: Path) -> None:
    microscope.set_camera(roi="100,60,128,200")
    recording = open_recording(microscope.record(tmp_path / "part", "full", frames=20))
    assert recording.frames.shape == (20, 128, 200)
    microscope.set_camera(roi="full")
    wait(lambda: microscope.format.shape == (512, 512))


def test_wrong_parameters_are_one_sentence(microscope: Scope) -> None:
    with pytest.raises(DeviceError, match=r"exposure_ms cannot be -3.0: choose a number from 0 to"):
        microscope.set_camera(exposure_ms=-3)
    with pytest.raises(InputError, match="has no stage Nix: choose from Z, XY:x, XY:y"):
        microscope.add_hardware("nix", "micromanager:demo:Nix")
    with pytest.raises(DeviceError, match="the stage Z is in use by process"):
        microscope.add_hardware("focus too", "micromanager:demo")
    with pytest.raises(DeviceError, match="the Z motor cannot go to 51 um: choose from 0 to 50"):
        microscope.move("focus", 51)


def test_the_focus_lock_closes_over_the_stage(microscope: Scope, tmp_path: Path) -> None:
    scope = microscope
    scope.set_camera(exposure_ms=10)
    scope.move("focus", START_UM)
    scope.start_live()
    bead = scope.find_beads(size_px=48, max_beads=1)[0].bead
    folder = tmp_path / "zlut"
    scope.sweep_zlut(low_um=-1.5, high_um=1.5, step_nm=150, frames_per_step=3, folder=folder)
    assert scope.motor_positions()["focus"] == START_UM
    for target_nm in (600.0, -600.0):
        scope.set_z_lock(bead=bead, target_nm=target_nm)
        scope.wait_for(
            lambda it, target=target_nm: (
                it.locks.z_state.target_nm == target
                and it.locks.z_state.phase == "locked"
                and abs(it.locks.z_state.error_nm) < 20
            ),
            PATIENCE_S,
        )
        moved_nm = (START_UM - scope.motor_positions()["focus"]) * 1000
        assert moved_nm == pytest.approx(target_nm, abs=50)
    scope.set_z_lock(False)


def test_xy_lock_follows_what_the_stage_moves(microscope: Scope) -> None:
    scope = microscope
    scope.start_live()
    scope.find_beads(size_px=48, max_beads=3)
    begun = {bead.bead: bead.roi.x0 for bead in scope.beads}
    scope.set_xy_lock(interval_s=0.1)
    for step in range(1, 6):
        scope.move("across", 2.0 * step)
        time.sleep(0.3)
    moved = lambda: [abs(bead.roi.x0 - begun[bead.bead]) for bead in scope.beads]  # noqa: E731
    wait(lambda: max(moved()) >= 5)
    scope.set_xy_lock(False)
    scope.move("across", 0)


def test_the_process_with_the_devices_is_killed(microscope: Scope) -> None:
    scope = microscope
    scope.start_live()
    told: list[object] = []
    forget = scope.on_event(told.append)
    scope.move("focus", 7)
    killed = pid_of(scope, "camera"), pid_of(scope, "motor-focus")
    os.kill(killed[0], signal.SIGKILL)

    def again() -> bool:
        workers = {worker.name: worker for worker in scope.status().workers}
        new = [workers["camera"].pid, workers["motor-focus"].pid, workers["motor-across"].pid]
        ready = all(
            workers[name].state in ("READY", "RUNNING")
            for name in ("camera", "motor-focus", "motor-across")
        )
        return ready and not set(killed) & set(new)

    wait(again)
    frames = scope.status().frames
    wait(lambda: scope.status().frames > frames + 10)
    lost = [event for event in told if isinstance(event, WorkerLost)]
    assert "camera" in [event.name for event in lost]
    why = [event.why for event in lost if event.name == "motor-focus"]
    assert any("MMConfig_demo.cfg has ended" in each for each in why)
    assert not any(isinstance(event, CameraLost | CameraBack) for event in told)
    forget()
    # these simulated stages keep their place in memory only: they begin at 0 again
    scope.move("focus", 3)
    assert scope.motor_positions()["focus"] == 3


def test_a_killed_stage_process_is_replaced_and_the_camera_goes_on(microscope: Scope) -> None:
    scope = microscope
    scope.start_live()
    scope.move("focus", 9)
    camera, stage = pid_of(scope, "camera"), pid_of(scope, "motor-focus")
    os.kill(stage, signal.SIGKILL)
    wait(lambda: pid_of(scope, "motor-focus") not in (stage, 0))

    def moves() -> bool:
        try:
            scope.move("focus", 11)
        except BeadscopeError:  # it starts still
            return False
        return True

    wait(moves)
    assert scope.motor_positions()["focus"] == 11
    assert pid_of(scope, "camera") == camera
