"""Cameras and stages of python-microscope: its own simulated ones, and some that misbehave."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices import Camera, list_cameras, list_motors, open_camera, open_motor
from napari_beadscope.devices.registry import absolute_id
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.audit import audit
from napari_beadscope.testing.cameras import CameraContract, buffer_for, read
from napari_beadscope.testing.motors import MotorContract

CAMERA = "microscope:microscope.simulators.SimulatedCamera"
STAGE = "microscope:microscope.simulators.SimulatedStage"
LIMITS = {"arguments": {"limits": {"x": [-50, 50], "z": [0, 200]}}}
SMALL = {"arguments": {"sensor_shape": (128, 96)}, "fps": 1000}
_PATIENCE_S = 60.0


def quick(options: dict[str, Any] | None = None, camera_id: str = CAMERA) -> Camera:
    """Return an open camera of 96 x 128 px with short exposures."""
    camera = open_camera(camera_id, {**SMALL, **(options or {})})
    camera.open()
    camera.set("exposure_ms", 1)
    return camera


class TestCamera(CameraContract):
    @pytest.fixture
    def camera(self) -> Camera:
        return open_camera(CAMERA, SMALL)


class TestStage(MotorContract):
    @pytest.fixture
    def motor(self) -> Any:
        return open_motor(f"{STAGE}:z", LIMITS)


class TestStageInItsOwnUnit(MotorContract):
    @pytest.fixture
    def motor(self) -> Any:
        return open_motor(f"{STAGE}:x", {**LIMITS, "um_per_unit": 0.1})


# --- which there are ------------------------------------------------------------------------


def test_they_are_listed() -> None:
    assert {one.id: one.available for one in list_cameras()}["microscope:CLASS"]
    assert {one.id: one.available for one in list_motors()}["microscope:CLASS:AXIS"]


@pytest.mark.parametrize(
    ("camera_id", "words"),
    [
        ("microscope:nonsense", "names no class of python-microscope: write it as microscope:pa"),
        ("microscope:no.such.Camera", r"no\.such cannot be imported .*ModuleNotFoundError"),
        ("microscope:microscope.simulators.NoCamera", "no class NoCamera in microscope.simul"),
        ("microscope:microscope.simulators.SimulatedStage", "is no camera of python-microscope"),
    ],
)
def test_a_wrong_class_is_answered_in_one_sentence(camera_id: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_camera(camera_id).open()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"speed": 1}, r"option speed of the camera .* is 1: .*options are arguments"),
        ({"fps": 0}, "option fps of the camera"),
    ],
)
def test_wrong_options_are_answered_in_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_camera(CAMERA, options)


# --- cameras --------------------------------------------------------------------------------


def test_exposure_roi_binning_and_settings_of_its_own_reach_the_camera() -> None:
    with quick() as camera:
        device = camera._device  # type: ignore[attr-defined]
        camera.start()
        numbers = [read(camera, buffer_for(camera)).frame]
        camera.set("exposure_ms", 2)
        assert device.get_exposure_time() == pytest.approx(0.002)
        camera.set("roi", "16,32,48,64")
        assert tuple(device.get_roi()) == (32, 16, 64, 48)
        assert camera.format.shape == (48, 64)
        numbers.append(read(camera, buffer_for(camera)).frame)
        camera.set("binning", "2")
        assert camera.format.shape == (24, 32)
        camera.set("image data type", "uint16")
        assert camera.format.dtype == "uint16"
        camera.set("image pattern", "white")
        image = buffer_for(camera)
        numbers.append(read(camera, image).frame)
        assert image[-1, -1] == 65535
        camera.set("gain", 12.0)
        assert device.get_setting("gain") == 12
    assert numbers == [0, 1, 2]  # no test frame takes a number


def test_pixels_that_are_no_whole_numbers_are_refused_and_the_camera_stays_as_it_was() -> None:
    with quick() as camera:
        camera.start()
        with pytest.raises(DeviceError, match="sends 96 × 128 float64: set it to monochrome"):
            camera.set("image data type", "float")
        assert camera.get("image data type") == "uint8"
        read(camera, buffer_for(camera))


OWN = """
import time
import numpy as np
from microscope import AxisLimits, DeviceError
from microscope.simulators import SimulatedController
from microscope.simulators import SimulatedCamera, SimulatedStage, SimulatedStageAxis

class Flaky(SimulatedCamera):
    '''Says that every third frame failed.'''
    def _fetch_data(self):
        if self._acquiring and self._triggered > 0 and self._sent % 3 == 2:
            self._sent += 1
            raise DeviceError("frame lost on the bus")
        return super()._fetch_data()

class Unplugged(SimulatedCamera):
    '''Is not there.'''
    def __init__(self):
        raise OSError("no camera on the bus")

    def __del__(self):
        pass

class Silent(SimulatedCamera):
    '''Sends some frames, then nothing.'''
    def _fetch_data(self):
        return super()._fetch_data() if self._sent < 4 else None

    def _do_enable(self):
        sent = self._sent
        super()._do_enable()
        self._sent = sent
        return True

class Slow(SimulatedStage):
    '''Its moves return when they have ended.'''
    def __init__(self, **more):
        super().__init__({"z": AxisLimits(0, 100)}, **more)
        self._axes = {"z": SlowAxis(AxisLimits(0, 100))}

class SlowAxis(SimulatedStageAxis):
    def move_to(self, pos):
        time.sleep(0.5)
        super().move_to(pos)

class Chain(SimulatedController):
    def __init__(self, port):
        stage = SimulatedStage({"z": AxisLimits(0, 300)})
        super().__init__({"1": stage, "lamp": SimulatedCamera()})

class Homing(SimulatedStage):
    def may_move_on_enable(self):
        return True

class Broken(Slow):
    def __init__(self, **more):
        super().__init__(**more)
        class Axis(SlowAxis):
            def move_to(self, pos):
                raise OSError("port closed")
        self._axes = {"z": Axis(self.axes["z"].limits)}
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    """ID of the file with devices of one's own, less the class."""
    (tmp_path / "lab.py").write_text(OWN, encoding="utf-8")
    return f"microscope:{tmp_path}/lab.py"


def test_a_camera_that_is_not_there_is_told_in_the_words_of_its_library(own: str) -> None:
    with pytest.raises(DeviceError, match=r"Unplugged cannot be opened .OSError: no camera on th"):
        open_camera(f"{own}:Unplugged").open()


def test_frames_that_fail_are_skipped(own: str) -> None:
    with quick(camera_id=f"{own}:Flaky") as camera:
        camera.start()
        numbers = [read(camera, buffer_for(camera)).frame for _ in range(12)]
    assert numbers == sorted(set(numbers))


def test_a_camera_that_falls_silent_is_lost(own: str) -> None:
    with quick({"patience_s": 0.1}, f"{own}:Silent") as camera:
        camera.start()
        out = buffer_for(camera)

        def read_on() -> None:
            while True:
                camera.read_into(out, 0.05)

        with pytest.raises(DeviceError, match=r"Silent does not answer any more \(a frame did not"):
            read_on()


def test_recordings_have_every_frame(tmp_path: Path) -> None:
    with Scope(CAMERA, options=SMALL, settings={"engine.ring_mb": 32}) as scope:
        scope.set_camera(exposure_ms=1, fps=200)
        scope.record(tmp_path / "r", "full", frames=60)
    recording = open_recording(tmp_path / "r")
    assert audit(tmp_path / "r") == []
    assert list(recording.frame_numbers) == list(range(60))
    assert list(recording.gaps) == []


# --- stages ---------------------------------------------------------------------------------


def test_a_stage_that_returns_only_when_it_has_arrived_keeps_nobody_waiting(own: str) -> None:
    with open_motor(f"{own}:Slow:z") as motor:
        began = time.monotonic()
        for target in (10.0, 20.0, 30.0):  # the newest counts
            motor.move_to(target)
        assert time.monotonic() - began < 0.4
        assert motor.moving()
        while motor.moving():
            time.sleep(0.01)
        assert motor.position() == 30.0
        motor.move_to(40.0)
        motor.move_to(90.0)
        motor.stop()  # ends with the present move
        while motor.moving():
            time.sleep(0.01)
        assert motor.position() in (30.0, 40.0, 90.0)
    assert not any("drive" in thread.name for thread in threading.enumerate())


def test_a_stage_that_fails_says_so(own: str) -> None:
    with open_motor(f"{own}:Broken:z") as motor:
        motor.move_to(10.0)

        def ask_on() -> None:
            while True:
                motor.position()

        with pytest.raises(DeviceError, match=r"cannot be moved .OSError: port closed.: check its"):
            ask_on()


def test_a_stage_may_be_part_of_a_controller(own: str) -> None:
    with open_motor(f"{own}:Chain:z", {"arguments": {"port": "COM3"}, "part": "1"}) as motor:
        assert motor.limits == (0.0, 300.0)
        motor.move_to(120.0)
    with pytest.raises(InputError, match=r"controller without a stage named 'lamp': .* may be 1"):
        open_motor(f"{own}:Chain:z", {"arguments": {"port": "COM3"}, "part": "lamp"}).open()


def test_a_stage_that_drives_to_its_ends_needs_leave(own: str) -> None:
    with pytest.raises(DeviceError, match=r"drives to its ends .*option may_home"):
        open_motor(f"{own}:Homing:z", LIMITS).open()
    with open_motor(f"{own}:Homing:z", {**LIMITS, "may_home": True}) as motor:
        assert motor.limits == (0.0, 200.0)


@pytest.mark.parametrize(
    ("motor_id", "options", "words"),
    [
        (STAGE, LIMITS, "does not say which axis: write it as .*:AXIS"),
        (f"{STAGE}:q", LIMITS, "has no axis 'q': it has x, z"),
        (f"{STAGE}:z", {"arguments": {"limits": {"z": [0, float("inf")]}}}, "how far its axis z"),
        (f"{STAGE}:z", {"um_per_unit": 0}, "option um_per_unit of microscope:"),
        (f"{CAMERA}:z", {}, "is no stage of python-microscope"),
    ],
)
def test_wrong_stages_are_answered_in_one_sentence(
    motor_id: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        open_motor(motor_id, options).open()


def test_files_in_ids_are_told_by_their_whole_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert absolute_id("microscope:lab.py:Slow:z") == "microscope:/lab.py:Slow:z"
    assert absolute_id(f"{STAGE}:z") == f"{STAGE}:z"


def test_an_engine_drives_a_stage() -> None:
    with Scope("simulated", settings={"engine.ring_mb": 32}) as scope:
        scope.add_hardware("stage", f"{STAGE}:z", **LIMITS)
        scope.move("stage", 12.5)
        scope.wait_for(lambda s: s.motor_positions()["stage"] == pytest.approx(12.5), _PATIENCE_S)
