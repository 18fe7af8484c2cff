"""Micro-Manager's own simulated camera and stages, through its real core."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError
from napari_beadscope.devices import (
    Camera,
    Motor,
    absolute_id,
    find_cameras,
    find_motors,
    open_camera,
    open_motor,
)
from napari_beadscope.devices.micromanager.camera import MicroManagerCamera
from napari_beadscope.ring import sweep
from napari_beadscope.testing.cameras import CameraContract, buffer_for, read
from napari_beadscope.testing.motors import MotorContract

SLOW_TABLE = {"XY.Velocity": "0.05"}  # mm/s
PATIENCE_S = 30.0


def demo(**properties: str) -> MicroManagerCamera:
    camera = open_camera("micromanager:demo", {"buffer_mb": 16, "properties": properties})
    assert isinstance(camera, MicroManagerCamera)
    return camera


class TestCamera(CameraContract):
    @pytest.fixture
    def camera(self) -> Camera:
        return demo()


class TestSmallCamera(CameraContract):
    @pytest.fixture
    def camera(self) -> Camera:
        shape = {"Camera.OnCameraCCDXSize": "120", "Camera.OnCameraCCDYSize": "96"}
        return demo(**shape, **{"Camera.PixelType": "8bit", "Camera.Mode": "Fluorescent Beads"})


class TestFocusStage(MotorContract):
    @pytest.fixture
    def motor(self) -> Motor:
        return open_motor("micromanager:demo")


@pytest.mark.parametrize("axis", ["x", "y"])
class TestTableWithCamera(MotorContract):
    tolerance = 0.02  # steps of 15 nm

    @pytest.fixture
    def motor(self, axis: str) -> Iterator[Any]:
        with demo():
            yield open_motor(f"micromanager:demo:XY:{axis}", {"low": -200, "high": 200})


# --- finding --------------------------------------------------------------------------------


def test_simulated_devices_are_found() -> None:
    assert "micromanager:demo" in {camera.id for camera in find_cameras() if camera.available}
    assert "micromanager:demo:Z" in {motor.id for motor in find_motors()}


def test_stages_are_found_once_they_are_loaded() -> None:
    with demo():
        found = {motor.id: motor for motor in find_motors()}
    assert found["micromanager:demo:Z"].usual_name == "focus"
    assert found["micromanager:demo:XY:x"].usual_name == "x"
    assert "XY y of simulated devices" in found["micromanager:demo:XY:y"].label


def test_a_relative_path_means_the_same_everywhere() -> None:
    here = str(Path("left.cfg").absolute())
    assert absolute_id("micromanager:left.cfg:XY:x") == f"micromanager:{here}:XY:x"
    assert absolute_id("micromanager:demo:Z") == "micromanager:demo:Z"


def test_a_file_of_ones_own_with_two_cameras(tmp_path: Path) -> None:
    path = tmp_path / "my scope.cfg"
    path.write_text(
        "Device,Left,DemoCamera,DCam\nDevice,Right,DemoCamera,DCam\nDevice,Piezo,DemoCamera,DStage\n"
        "Property,Core,Initialize,1\nProperty,Core,Camera,Left\nProperty,Core,Focus,Piezo\n"
    )
    with open_camera(f"micromanager:{path}") as left:
        assert isinstance(left, MicroManagerCamera)
        assert left._core.getCameraDevice() == "Left"
        with open_motor(f"micromanager:{path}") as motor:
            assert motor.name == "Piezo"
    with open_camera(f"micromanager:{path}:Right") as right:
        right.start()
        read(right, buffer_for(right))
    with pytest.raises(InputError, match="no camera 'Middle': choose from Left, Right"):
        open_camera(f"micromanager:{path}:Middle").open()


# --- frames ---------------------------------------------------------------------------------


def test_frames_that_were_overwritten_are_missing_numbers() -> None:
    options = {"buffer_mb": 2, "properties": {"Camera.Exposure": "2"}}
    with open_camera("micromanager:demo", options) as camera:
        camera.start()
        out = buffer_for(camera)
        first = read(camera, out)
        time.sleep(0.5)
        stamps = [read(camera, out) for _ in range(20)]
        steps = np.diff([first.frame, *(stamp.frame for stamp in stamps)])
    assert steps.max() > 10, "the buffer holds 4 frames, in half a second come more"
    passed_s = (stamps[-1].time_ns - first.time_ns) * 1e-9
    came = stamps[-1].frame - first.frame
    assert came <= passed_s / 0.002 + 2, "not more than the exposure allows"


def test_unread_frames_are_lost_by_a_stop_and_counted() -> None:
    with demo() as camera:
        camera.start()
        out = buffer_for(camera)
        before = read(camera, out)
        end = time.monotonic() + PATIENCE_S
        while camera._core.getRemainingImageCount() < 5:
            assert time.monotonic() < end
            time.sleep(0.01)
        camera.set("binning", 2)
        camera.set("binning", 1)
        after = read(camera, buffer_for(camera))
    assert after.frame > before.frame + 5


def test_times_follow_the_camera() -> None:
    with demo() as camera:
        camera.set("exposure_ms", 20)
        assert camera.fps == 50
        camera.start()
        out = buffer_for(camera)
        stamps = [read(camera, out) for _ in range(25)]
    frames = np.array([stamp.frame for stamp in stamps])
    times = np.array([stamp.time_ns for stamp in stamps])
    period_ms = np.polyfit(frames, times * 1e-6, 1)[0]
    assert 19 < period_ms < 40


def test_a_camera_that_stops_by_itself_is_lost() -> None:
    with demo() as camera:
        camera.start()
        out = buffer_for(camera)
        core = camera._core
        core.stopSequenceAcquisition()
        while core.getRemainingImageCount():
            read(camera, out)
        with pytest.raises(DeviceError, match="the camera Camera does not answer any more"):
            camera.read_into(out, 0.01)


# --- settings -------------------------------------------------------------------------------


def test_exposure_roi_and_binning_reach_the_camera() -> None:
    with demo() as camera:
        core = camera._core
        camera.start()
        camera.set("exposure_ms", 7.5)
        camera.set("binning", 2)
        camera.set("roi", "101,200,64,80")
        assert camera.get("roi") == "100,200,64,80"  # whole pixels of 2 x 2
        assert core.getExposure() == 7.5
        assert tuple(core.getROI()) == (100, 50, 40, 32)
        assert read(camera, buffer_for(camera)).frame >= 0
        camera.set("binning", 1)
        assert camera.get("roi") == "100,200,64,80"
        assert tuple(core.getROI()) == (200, 100, 80, 64)


def test_presets_shutters_and_switches_are_properties() -> None:
    with demo() as camera:
        core = camera._core
        camera.set("preset Channel", "FITC")
        assert core.getStateLabel("Dichroic") == camera.get("Dichroic") == "Q505LP"
        camera.set("Objective", "Nikon 20X Plan Fluor ELWD")
        assert core.getState("Objective") == 3
        camera.set("auto shutter", "off")
        camera.set("White Light Shutter", "open")
        assert core.getShutterOpen("White Light Shutter")
        camera.set("Gain", 2.4)
        assert core.getProperty("Camera", "Gain") == "2"


def test_a_preset_that_changes_the_frames_is_followed() -> None:
    with demo() as camera:
        camera.start()
        camera.set("preset Camera", "LowRes")
        assert camera.format.shape == (128, 128)
        assert camera.get("binning") == "4"
        read(camera, buffer_for(camera))


def test_frames_that_cannot_be_tracked_are_refused_and_nothing_changes() -> None:
    with demo() as camera:
        camera.start()
        with pytest.raises(DeviceError, match="4 channels in 4 bytes: choose a pixel type"):
            camera.set("PixelType", "32bitRGB")
        assert camera.get("PixelType") == "16bit"
        read(camera, buffer_for(camera))


# --- what is wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("camera_id", "options", "sentence"),
    [
        ("micromanager:", {}, "says not which: write it as micromanager:FILE.cfg"),
        ("micromanager:scope.txt", {}, "names no configuration of Micro-Manager"),
        ("micromanager:/no/such.cfg", {}, "there is no configuration file /no/such.cfg"),
        ("micromanager:demo", {"buffer": 3}, "option buffer of the camera micromanager:demo is 3"),
        ("micromanager:demo:Nix", {}, "has no camera 'Nix': choose from Camera"),
        ("micromanager:demo", {"properties": {"Camera.Nix": "1"}}, "no property 'Camera.Nix'"),
        ("micromanager:demo", {"properties": {"Camera.Mode": "x"}}, "Camera.Mode cannot be 'x'"),
    ],
)
def test_wrong_parameters_of_a_camera(
    camera_id: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BeadscopeError, match=sentence) as caught:
        open_camera(camera_id, options).open()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("motor_id", "options", "sentence"),
    [
        ("micromanager:demo:Nix", {}, "has no stage Nix: choose from Z, XY:x, XY:y"),
        ("micromanager:demo:XY", {}, "has no stage XY: choose from Z, XY:x, XY:y"),
        ("micromanager:demo:Z", {"speed": 3}, "option speed of the stage micromanager:demo:Z"),
        ("micromanager:demo:Z", {"low": 5, "high": 1}, "limits of the Z motor are 5 and 1 um"),
    ],
)
def test_wrong_parameters_of_a_stage(motor_id: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BeadscopeError, match=sentence):
        open_motor(motor_id, options).open()
    with open_motor("micromanager:demo:Z") as motor:  # nothing of it stays open
        assert motor.position() == 0


def test_a_file_that_does_not_load_is_told_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.cfg"
    path.write_text("Device,Camera,NoSuchAdapter,DCam\n")
    with pytest.raises(DeviceError, match=r"cannot load .*broken.cfg \(Line 1: .*NoSuchAdapter"):
        open_camera(f"micromanager:{path}").open()


def test_limits_are_around_where_a_stage_stands_unless_given() -> None:
    with demo() as camera:
        camera._core.setPosition("Z", 200)
        with open_motor("micromanager:demo", {"travel": 30}) as motor:
            assert motor.limits == (170, 230)
        with open_motor("micromanager:demo", {"low": 0, "high": 260}) as motor:
            assert motor.limits == (0, 260)


# --- one core, many processes ---------------------------------------------------------------

CHILD = """
import sys, time
from napari_beadscope.devices import open_camera, open_motor
{open}
with device:
    {then}
    print("open", flush=True)
    time.sleep(600)
"""


class Child:
    """A process of its own with a device."""

    def __init__(self, opened: str, then: str = "pass") -> None:
        code = CHILD.format(open=f"device = {opened}", then=then)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "open\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def children() -> Iterator[list[Child]]:
    made: list[Child] = []
    yield made
    for child in made:
        child.kill()
    sweep()


def test_a_stage_in_another_process_moves_what_the_camera_sees(children: list[Child]) -> None:
    opened = 'open_camera("micromanager:demo")'
    children.append(Child(opened))
    with open_motor("micromanager:demo:Z") as here:
        here.move_to(12.5)
        children.append(Child('open_motor("micromanager:demo:XY:x")', "device.move_to(3)"))
        assert here.position() == 12.5
        with pytest.raises(DeviceError, match="stage XY x is in use by process"):
            open_motor("micromanager:demo:XY:x").open()


def test_when_the_process_with_the_core_is_killed_stages_say_so_and_reconnect(
    children: list[Child],
) -> None:
    children.append(Child('open_camera("micromanager:demo")'))
    motor = open_motor("micromanager:demo:Z")
    with motor:
        motor.move_to(4)
        children[0].kill()
        with pytest.raises(DeviceError, match=r"Z motor is lost: .*MMConfig_demo.cfg has ended"):
            motor.position()
    with motor:  # the devices are loaded again, here
        assert motor.position() == 0
        motor.move_to(1)


def test_a_stage_whose_process_is_killed_stands_still(children: list[Child]) -> None:
    with demo(**SLOW_TABLE) as camera:
        core = camera._core
        children.append(
            Child('open_motor("micromanager:demo:XY:x", {"travel": 1e4})', "device.move_to(9000)")
        )
        assert core.deviceBusy("XY")
        children[0].kill()
        end = time.monotonic() + PATIENCE_S
        while core.deviceBusy("XY"):
            assert time.monotonic() < end, "nobody has halted it"
            time.sleep(0.01)
        assert core.getXPosition("XY") < 8000
        with open_motor("micromanager:demo:XY:x") as motor:  # which is free again
            assert not motor.moving()


def test_two_axes_of_one_stage_are_moved_and_halted_each_by_itself() -> None:
    options = {"travel": 1e4}
    with (
        demo(**SLOW_TABLE),
        open_motor("micromanager:demo:XY:x", options) as x,
        open_motor("micromanager:demo:XY:y", options) as y,
    ):
        x.move_to(20)
        assert not y.moving()
        y.move_to(9000)
        x.stop()
        assert not x.moving()
        assert y.moving()
        goal = x.position() + 3
        x.move_to(goal)
        assert y.moving()
        y.stop()
        assert not y.moving()
        end = time.monotonic() + PATIENCE_S
        while x.moving():
            assert time.monotonic() < end
        assert x.position() == pytest.approx(goal, abs=0.02)


def test_the_camera_takes_the_core_over_from_a_stage(children: list[Child]) -> None:
    motor = open_motor("micromanager:demo:Z")
    with motor:
        motor.move_to(3)
        children.append(Child('open_camera("micromanager:demo")'))
        with pytest.raises(DeviceError, match="Z motor is lost"):
            motor.position()
    with motor:
        motor.move_to(7)
        assert motor.position() == 7


def test_a_second_camera_process_is_refused(children: list[Child]) -> None:
    children.append(Child('open_camera("micromanager:demo")'))
    pid = children[0].process.pid
    with pytest.raises(DeviceError, match=rf"in use by another process \({pid}\): stop it there"):
        demo().open()


def test_strangers_are_turned_away() -> None:
    import json
    from multiprocessing import AuthenticationError
    from multiprocessing.connection import Client

    from napari_beadscope.devices.micromanager.address import Address

    with demo() as camera, open_motor("micromanager:demo:Z") as motor:
        path = Address.parse("demo").configuration().word
        assert path.stat().st_mode & 0o077 == 0
        word = json.loads(path.read_text())
        with pytest.raises(AuthenticationError):
            Client(word["address"], authkey=b"guess")
        with Client(word["address"], authkey=bytes.fromhex(word["secret"])) as rubbish:
            rubbish.send_bytes(b"\xc1 rubbish")
            with pytest.raises((EOFError, OSError)):
                rubbish.recv_bytes()
        motor.move_to(2)
        assert motor.position() == 2
        assert camera.format.shape == (512, 512)


def test_without_micromanager_the_remedy_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MICROMANAGER_PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"MMConfig_demo.cfg: run 'mmcore install', or let"):
        demo()
    monkeypatch.setattr("pymmcore_plus.find_micromanager", lambda: None)
    with pytest.raises(DeviceError, match=r"no device adapters of .*: run 'mmcore install'"):
        demo()
