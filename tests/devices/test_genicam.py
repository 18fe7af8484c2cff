"""GenICam cameras through a GenTL producer: the one that comes with the genicam package."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices import Camera, find_cameras, open_camera
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.cameras import CameraContract, buffer_for, read

ID = "genicam:VikyTL_DEV_red"


@pytest.fixture(autouse=True)
def _producer(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec("genicam")
    assert found is not None
    assert found.origin is not None
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(Path(found.origin).parent))


class TestGenicam(CameraContract):
    @pytest.fixture
    def camera(self) -> Camera:
        return open_camera(ID, {"nodes": {"AcquisitionFrameRate": 200}})


def test_cameras_of_the_producer_are_found() -> None:
    found = {camera.id: camera for camera in find_cameras()}
    assert {ID, "genicam:VikyTL_DEV_green", "genicam:VikyTL_DEV_blue"} <= set(found)
    assert found[ID].available
    assert "Viky" in found[ID].label


def test_without_a_producer_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("", str(tmp_path)):
        monkeypatch.setenv("GENICAM_GENTL64_PATH", folder)
        found = {camera.id: camera for camera in find_cameras()}
        assert "no GenTL producer is installed" in found["genicam:DEVICE"].why_not
        with pytest.raises(DeviceError, match="let GENICAM_GENTL64_PATH name the folder"):
            open_camera(ID).open()


def test_a_producer_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken.cti").write_text("this is no library")
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"no GenTL producer \(broken\.cti\) knows a camera"):
        open_camera(ID).open()


def test_a_wrong_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(DeviceError, match=r"'77': connected are genicam:VikyTL_DEV_red, gen"):
        open_camera("genicam:77").open()


def test_a_serial_number_is_a_name_too() -> None:
    with open_camera("genicam:2") as camera:
        camera.start()
        read(camera, buffer_for(camera))


def test_frames_the_producer_had_no_room_for_are_jumps() -> None:
    with open_camera(ID, {"buffers": 8, "nodes": {"AcquisitionFrameRate": 200}}) as camera:
        camera.start()
        out = buffer_for(camera)
        first = read(camera, out).frame
        time.sleep(1.0)
        numbers = [read(camera, out).frame for _ in range(20)]
    steps = np.diff([first, *numbers])
    assert steps.min() >= 1
    assert steps.max() > 20


def test_size_and_rate_reach_the_camera() -> None:
    with open_camera(ID) as camera:
        camera.start()
        camera.set("fps", 150)
        assert camera.fps == 150
        camera.set("roi", "0,0,160,240")
        assert camera.format.shape == (160, 240)
        image = buffer_for(camera)
        read(camera, image)
        assert image.any()
        for name, bad in (("fps", 1000), ("roi", "0,0,9,9"), ("fps", "fast")):
            with pytest.raises(DeviceError, match=name):
                camera.set(name, bad)
        with pytest.raises(DeviceError, match="no property 'exposure_ms'"):
            camera.set("exposure_ms", 1)


def test_ctrl_c_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    with open_camera(ID) as camera:
        camera.start()
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before


def test_an_engine_records_and_goes_on_after_its_camera_process_was_killed(
    tmp_path: Path,
) -> None:
    with Scope(ID, options={"nodes": {"AcquisitionFrameRate": 200}}) as scope:
        scope.start_live()
        folder = scope.record(tmp_path / "full", mode="full", frames=300)
        recording = open_recording(folder)
        numbers = recording.frame_numbers
        lost = sum(gap.last - gap.first + 1 for gap in recording.gaps)
        assert numbers[-1] - numbers[0] + 1 == len(numbers) + lost
        assert len(recording.frames) == len(numbers) > 0
        before = scope.status()
        pid = next(worker.pid for worker in before.workers if worker.name == "camera")
        os.kill(pid, signal.SIGKILL)
        scope.wait_for(lambda scope: scope.status().frames > before.frames + 50, 30)
