"""Basler cameras: pylon's own emulated ones, which fail frames when told to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices import Camera, find_cameras, open_camera
from napari_beadscope.devices.pylon.camera import PylonCamera
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.cameras import CameraContract, buffer_for, read

ID = "pylon:0815-0000"
SMALL = "0,0,240,320"


@pytest.fixture(autouse=True)
def _two_emulated_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLON_CAMEMU", "2")


class TestPylon(CameraContract):
    @pytest.fixture
    def camera(self) -> Camera:
        return open_camera(ID)


class TestPylonOf12Bits(CameraContract):
    @pytest.fixture
    def camera(self) -> Camera:
        return open_camera(ID, {"nodes": {"PixelFormat": "Mono12", "Width": 96, "Height": 64}})


def test_emulated_cameras_are_found() -> None:
    found = {camera.id: camera for camera in find_cameras()}
    assert {ID, "pylon:0815-0001"} <= set(found)
    assert found[ID].available
    assert found[ID].label == "Basler Emulation"


def test_without_a_camera_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLON_CAMEMU", "0")
    found = {camera.id: camera for camera in find_cameras()}
    assert found["pylon:SERIAL"].why_not == "none is connected"
    with pytest.raises(DeviceError, match=r"serial number '0815-0000': none is connected: check"):
        open_camera(ID).open()


def test_a_wrong_serial_number_is_answered_with_those_there_are() -> None:
    with pytest.raises(DeviceError, match=r"'77': connected are pylon:0815-0000, pylon:0815-0001"):
        open_camera("pylon:77").open()


def test_failed_buffers_are_lost_frames(tmp_path: Path) -> None:
    with open_camera(ID) as camera:
        assert isinstance(camera, PylonCamera)
        camera.set("roi", SMALL)
        camera.start()
        out = buffer_for(camera)
        before = [read(camera, out).frame for _ in range(5)]
        raw = camera._camera
        raw.ForceFailedBufferCount.Value = 7
        raw.ForceFailedBuffer.Execute()
        numbers = before + [read(camera, out).frame for _ in range(40)]
    steps = np.diff(numbers)
    assert set(steps) == {1, 8}
    assert list(steps).count(8) == 1


def test_exposure_roi_and_pixel_format_reach_the_camera() -> None:
    with open_camera(ID) as camera:
        assert isinstance(camera, PylonCamera)
        raw = camera._camera
        camera.start()
        numbers = [read(camera, buffer_for(camera)).frame]
        camera.set("exposure_ms", 0.5)
        assert raw.ExposureTimeAbs.Value == 500
        camera.set("fps", 250)
        assert camera.fps == 250
        camera.set("roi", "100,200,240,320")
        place = (raw.OffsetY.Value, raw.OffsetX.Value, raw.Height.Value, raw.Width.Value)
        assert place == (100, 200, 240, 320)
        numbers.append(read(camera, buffer_for(camera)).frame)
        camera.set("pixel_format", "Mono16")
        assert camera.format.dtype == "uint16"
        image = buffer_for(camera)
        numbers.append(read(camera, image).frame)
        assert image.max() > 255
    assert numbers == sorted(set(numbers))


def test_a_camera_left_triggered_by_another_program_streams() -> None:
    from pypylon import pylon

    factory = pylon.TlFactory.GetInstance()
    other = pylon.InstantCamera(factory.CreateDevice(factory.EnumerateDevices()[0]))
    other.Open()
    other.TriggerMode.Value = "On"
    other.ExposureAuto.Value = "Continuous"
    other.PixelFormat.Value = "BayerRG8"
    other.Close()
    with open_camera(ID) as camera:
        camera.start()
        assert camera.format.dtype == "uint8"
        assert buffer_for(camera).shape == (1040, 1024)
        assert read(camera, buffer_for(camera)).frame >= 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nodes": {"Foo": 1}}, "no node 'Foo' that can be set"),
        ({"nodes": {"Width": "wide"}}, "does not take 'wide' for its Width"),
        ({"nodes": {"ExposureTimeAbs": 1e12}}, "does not take 1000000000000.0 for its ExposureTi"),
        ({"nodes": {"TriggerMode": "Maybe"}}, "does not take 'Maybe' for its TriggerMode"),
    ],
)
def test_wrong_nodes_are_named_and_the_camera_stays_free(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(DeviceError, match=words):
        open_camera(ID, options).open()
    with open_camera(ID) as camera:
        camera.start()
        read(camera, buffer_for(camera))


@pytest.mark.parametrize("options", [{"buffers": 1}, {"buffer": 9}, {"nodes": 3}])
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"option {next(iter(options))} of the camera {ID} is"):
        open_camera(ID, options)


def test_an_engine_records_at_full_rate_and_counts_what_failed(tmp_path: Path) -> None:
    nodes = {"Width": 320, "Height": 240, "ExposureTimeAbs": 100, "AcquisitionFrameRateAbs": 5000}
    with Scope(ID, options={"buffers": 512, "nodes": nodes}) as scope:
        scope.start_live()
        folder = scope.record(tmp_path / "full", mode="full", frames=2000)
        status = scope.status()
    recording = open_recording(folder)
    numbers = recording.frame_numbers
    lost = sum(gap.last - gap.first + 1 for gap in recording.gaps)
    assert numbers[-1] - numbers[0] + 1 == len(numbers) + lost
    assert len(recording.frames) == len(numbers) > 0
    assert np.all(np.diff(recording.times_s) >= 0)
    assert recording.frames[0].shape == (240, 320)
    assert recording.frames[0].any()
    assert status.fps > 100


def test_a_camera_process_that_is_killed_is_back(tmp_path: Path) -> None:
    with Scope(ID, options={"nodes": {"Width": 320, "Height": 240}}) as scope:
        scope.set_camera(exposure_ms=2.0, fps=200)
        scope.start_live()
        scope.wait_for(lambda scope: scope.status().frames > 20, 30)
        before = scope.status()
        pid = next(worker.pid for worker in before.workers if worker.name == "camera")
        os.kill(pid, 9)
        scope.wait_for(lambda scope: scope.status().frames > before.frames + 100, 30)
        worker = next(one for one in scope.status().workers if one.name == "camera")
        assert worker.pid != pid
        values = {one["name"]: one["value"] for one in scope.camera_properties()}
    assert values["exposure_ms"] == 2.0
    assert values["fps"] == 200
