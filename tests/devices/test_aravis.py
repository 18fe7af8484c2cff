"""GigE Vision cameras through Aravis: its fake one, a process that is killed and restarted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices import Camera, list_cameras, open_camera
from napari_beadscope.devices.aravis import library
from napari_beadscope.devices.aravis.camera import find_aravis
from napari_beadscope.testing.aravis import FakeGigeCamera
from napari_beadscope.testing.cameras import CameraContract, buffer_for, read


@pytest.fixture
def fake() -> Iterator[FakeGigeCamera]:
    with FakeGigeCamera() as fake:
        yield fake


@pytest.fixture
def camera(fake: FakeGigeCamera) -> Iterator[Camera]:
    """An open camera with small frames."""
    with open_camera(fake.id) as camera:
        camera.set("roi", "0,0,240,320")
        yield camera


class TestAravis(CameraContract):
    @pytest.fixture
    def camera(self, fake: FakeGigeCamera) -> Camera:
        return open_camera(fake.id)


def until_it_says(camera: Camera, words: str) -> None:
    """Read until the camera says that it is lost; the test's time limit ends it."""

    def read_on() -> None:
        while True:
            camera.read_into(out, 0.1)

    out = buffer_for(camera)
    with pytest.raises(DeviceError, match=words):
        read_on()


# --- discovery ------------------------------------------------------------------------------


def test_a_camera_is_found_and_opened_by_its_id(fake: FakeGigeCamera) -> None:
    (one,) = find_aravis()
    assert one.id == "aravis:Aravis-Fake-BEADSCOPE"
    assert one.available
    assert one.label == "Aravis Fake (BEADSCOPE) at 127.0.0.1"
    with open_camera(one.id) as camera:
        camera.start()
        read(camera, buffer_for(camera))


def test_without_a_camera_that_is_said(fake: FakeGigeCamera) -> None:
    fake.unplug()
    assert find_aravis() == ()
    with pytest.raises(DeviceError, match=r"aravis:GV77 does not answer .*: check its power"):
        open_camera("aravis:GV77").open()


def test_without_the_library_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(library, "_NAMES", ("no-such-library.so",))
    library.load.cache_clear()
    try:
        (info,) = [camera for camera in list_cameras() if camera.id == "aravis:DEVICE"]
        assert "Aravis library (version 0.8) is not installed: install it" in info.why_not
        with pytest.raises(DeviceError, match=r"apt install libaravis-0\.8-0"):
            open_camera("aravis:127.0.0.1")
    finally:
        library.load.cache_clear()


# --- settings -------------------------------------------------------------------------------


def test_exposure_rate_roi_and_pixel_format_reach_the_camera(camera: Camera) -> None:
    camera.start()
    numbers = [read(camera, buffer_for(camera)).frame]
    camera.set("fps", 100)
    camera.set("exposure_ms", 0.5)
    assert camera.fps == 100
    assert camera.get("exposure_ms") == 0.5
    image = buffer_for(camera)
    numbers += [read(camera, image).frame for _ in range(50)]
    dark = image.mean()
    camera.set("exposure_ms", 5)
    while image.mean() < 2 * dark:  # the test's time limit ends it
        numbers.append(read(camera, image).frame)
    camera.set("roi", "100,200,64,128")
    assert camera.format.shape == (64, 128)
    numbers.append(read(camera, buffer_for(camera)).frame)
    camera.set("pixel_format", "Mono16")
    assert camera.format.dtype == "uint16"
    image = buffer_for(camera)
    numbers.append(read(camera, image).frame)
    assert image.any()
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("exposure_ms", -1, "exposure_ms cannot be -1: choose a number from 0.01 to 10000 ms"),
        ("fps", "fast", "fps cannot be 'fast': choose a number from 0.1 to 1000 1/s"),
        ("roi", "0,0,99999,10", "not inside the sensor of 2048 x 2048 px"),
        ("pixel_format", "BayerRG8", "choose one of Mono8, Mono16"),
        ("colour", 1, "has no property 'colour'"),
    ],
)
def test_wrong_parameters_are_answered_in_one_sentence(
    camera: Camera, name: str, value: float | str, words: str
) -> None:
    with pytest.raises(DeviceError, match=words):
        camera.set(name, value)
    camera.start()
    read(camera, buffer_for(camera))


def test_nodes_can_be_set_on_opening(fake: FakeGigeCamera) -> None:
    options = {"nodes": {"Width": 96, "Height": 64, "ExposureTimeAbs": 2000.0}, "buffers": 8}
    with open_camera(fake.id, options) as camera:
        assert camera.format.shape == (64, 96)
        assert camera.get("exposure_ms") == 2.0
    with pytest.raises(DeviceError, match="no node 'Foo' that can be set"):
        open_camera(fake.id, {"nodes": {"Foo": 1}}).open()


# --- frames ---------------------------------------------------------------------------------


def test_frames_are_numbered_without_gaps_over_stop_and_start(camera: Camera) -> None:
    camera.set("fps", 50)
    out = buffer_for(camera)
    numbers = []
    for _ in range(3):
        camera.start()
        numbers += [read(camera, out).frame for _ in range(5)]
        camera.stop()
    assert numbers == sorted(set(numbers))


def test_a_frame_with_lost_packets_is_left_out_with_its_number() -> None:
    with FakeGigeCamera(lost_packets=10) as fake, open_camera(fake.id) as camera:
        camera.set("roi", "0,0,240,320")
        camera.set("fps", 50)
        camera.start()
        out = buffer_for(camera)
        stamps = [read(camera, out) for _ in range(60)]
    steps = np.diff([stamp.frame for stamp in stamps])
    assert steps.min() == 1
    assert 1 < steps.max() < 1000
    assert all(a.time_ns < b.time_ns for a, b in pairwise(stamps))


# --- being lost -----------------------------------------------------------------------------


def test_a_camera_that_is_unplugged_is_told_and_can_be_opened_again(
    fake: FakeGigeCamera,
) -> None:
    camera = open_camera(fake.id)
    camera.open()
    camera.start()
    read(camera, buffer_for(camera))
    fake.unplug()
    until_it_says(camera, "aravis:127.0.0.1 does not answer any more: check its cable")
    camera.close()
    with pytest.raises(DeviceError, match="does not answer"):
        camera.open()
    fake.plug_in()
    with camera:
        camera.start()
        read(camera, buffer_for(camera))


def test_a_camera_in_use_is_refused(
    camera: Camera, fake: FakeGigeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_beadscope.devices.aravis.camera._CONTROL_PATIENCE_S", 0.5)
    with pytest.raises(DeviceError, match="in use by another program: close that one"):
        open_camera(fake.id).open()
    camera.start()
    read(camera, buffer_for(camera))


def test_a_program_that_was_killed_does_not_keep_the_camera(fake: FakeGigeCamera) -> None:
    holds = (
        "import time; from napari_beadscope.devices import open_camera\n"
        f"camera = open_camera({fake.id!r}); camera.open(); print('open', flush=True)\n"
        "time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", holds], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        other.kill()
    with open_camera(fake.id) as camera:
        camera.start()
        read(camera, buffer_for(camera))
