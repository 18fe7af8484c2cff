"""Pace, buffer, properties and motors of the simulated camera; the simulated motors."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices import open_motor
from napari_beadscope.devices.simulated import SimulatedCamera, SimulatedMicroscope

SMALL: dict[str, Any] = {"height_px": 64, "width_px": 80, "beads": 2, "fps": 200, "seed": 3}


def _read(camera: SimulatedCamera, out: np.ndarray) -> tuple[int, int]:
    stamp = camera.read_into(out, 5.0)
    assert stamp is not None
    return stamp.frame, stamp.time_ns


def test_streamed_frames_are_the_rendered_ones() -> None:
    microscope = SimulatedMicroscope(SMALL)
    with SimulatedCamera(SMALL) as camera:
        camera.start()
        out = np.empty(camera.format.shape, camera.format.dtype)
        for _ in range(10):
            frame, _ = _read(camera, out)
            assert np.array_equal(out, microscope.render(frame))


def test_frames_are_due_at_the_frame_rate() -> None:
    with SimulatedCamera(SMALL) as camera:
        camera.start()
        out = np.empty(camera.format.shape, camera.format.dtype)
        stamps = [_read(camera, out) for _ in range(20)]
        taken_ns = time.monotonic_ns()
    (first, began), (last, ended) = stamps[0], stamps[-1]
    assert first == 0
    assert ended - began == pytest.approx((last - first) * 5e6, abs=2)
    assert taken_ns >= ended


def test_a_slow_reader_loses_the_oldest_and_sees_it_in_the_numbers() -> None:
    with SimulatedCamera({**SMALL, "fps": 1000, "buffer_frames": 10}) as camera:
        camera.start()
        out = np.empty(camera.format.shape, camera.format.dtype)
        frame, began = _read(camera, out)
        time.sleep(0.1)
        before = (time.monotonic_ns() - began) * 1e-6
        late, when = _read(camera, out)
        after = (time.monotonic_ns() - began) * 1e-6
        assert late - frame > 80
        assert before - 10 <= late - frame <= after - 9
        assert when - began == pytest.approx((late - frame) * 1e6, abs=2)
        assert np.array_equal(out, SimulatedMicroscope(camera.microscope.options).render(late))


def test_a_buffered_pause_loses_nothing() -> None:
    with SimulatedCamera({**SMALL, "buffer_frames": 1000}) as camera:
        camera.start()
        out = np.empty(camera.format.shape, camera.format.dtype)
        _read(camera, out)
        time.sleep(0.2)
        assert [_read(camera, out)[0] for _ in range(30)] == list(range(1, 31))


def test_timeout_before_the_next_frame_is_none() -> None:
    with SimulatedCamera({**SMALL, "fps": 2}) as camera:
        camera.start()
        out = np.empty(camera.format.shape, camera.format.dtype)
        assert _read(camera, out)[0] == 0
        assert camera.read_into(out, 0.01) is None
        assert _read(camera, out)[0] == 1


def test_motors_are_asked_once_a_frame() -> None:
    asked: list[float] = []

    def motors() -> dict[str, float]:
        asked.append(len(asked) * 0.5)
        return {"focus": asked[-1], "elsewhere": 9.0}

    microscope = SimulatedMicroscope(SMALL)
    with SimulatedCamera(SMALL, motors) as camera:
        camera.start()
        out = np.empty(camera.format.shape, camera.format.dtype)
        for focus in (0.0, 0.5, 1.0):
            frame, _ = _read(camera, out)
            assert np.array_equal(out, microscope.render(frame, focus_um=focus))
    assert len(asked) == 3


def test_exposure_acts_on_the_next_frame() -> None:
    with SimulatedCamera(SMALL) as camera:
        camera.start()
        out = np.empty(camera.format.shape, camera.format.dtype)
        _read(camera, out)
        before = out.mean()
        camera.set("exposure_ms", 0.1)
        _read(camera, out)
        assert out.mean() == pytest.approx(before / 2, rel=0.02)
        camera.set("gain", 2.0)
        _read(camera, out)
        assert out.mean() == pytest.approx(before, rel=0.02)


def test_frame_rate_changes_while_running() -> None:
    with SimulatedCamera({**SMALL, "fps": 50}) as camera:
        camera.start()
        out = np.empty(camera.format.shape, camera.format.dtype)
        before = [_read(camera, out) for _ in range(3)]
        camera.set("fps", 500)
        after = [_read(camera, out) for _ in range(4)]
        assert camera.fps == 500
    assert after[0][0] > before[-1][0]
    assert after[0][1] > before[-1][1]
    assert after[-1][1] - after[0][1] == pytest.approx((after[-1][0] - after[0][0]) * 2e6, abs=2)


def test_exposure_and_frame_rate_bound_each_other() -> None:
    with SimulatedCamera(SMALL) as camera:
        with pytest.raises(DeviceError, match=r"from 0\.001 to 5 ms"):
            camera.set("exposure_ms", 6)
        camera.set("exposure_ms", 5)
        with pytest.raises(DeviceError, match=r"from 0\.1 to 200 1/s"):
            camera.set("fps", 201)


def test_frame_numbers_go_on_after_a_pause() -> None:
    with SimulatedCamera(SMALL) as camera:
        out = np.empty(camera.format.shape, camera.format.dtype)
        last = -1
        for _ in range(3):
            camera.start()
            frame, _ = _read(camera, out)
            assert frame > last
            last = frame
            camera.stop()


def test_names_make_it_exclusive() -> None:
    assert SimulatedCamera().lock_name == ""
    assert SimulatedCamera(name="left").lock_name == "simulated:left"


def test_a_motor_takes_its_time() -> None:
    with open_motor("simulated-focus", {"speed": 20.0}) as motor:
        motor.move_to(2.0)
        began = time.monotonic()
        time.sleep(0.03)
        low, here = 20 * 0.03, motor.position()
        assert low <= here <= 20 * (time.monotonic() - began + 0.01)
        assert motor.moving()
        motor.move_to(here - 0.1)
        assert motor.position() <= here + 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"speed": 0}, "option speed"),
        ({"sped": 1}, "option sped"),
        ({"start": 99.0}, "outside its limits"),
    ],
)
def test_bad_motor_options_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_motor("simulated-focus", options)
