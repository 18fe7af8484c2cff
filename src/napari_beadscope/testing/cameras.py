"""What every camera must do, as tests that any implementation can inherit.

Owns the contract of `napari_beadscope.devices.camera`. Must not know any device. A camera of
one's own is tested by a class that gives it as a fixture, not yet opened::

    class TestMyCamera(CameraContract):
        @pytest.fixture
        def camera(self):
            return MyCamera()
"""

from __future__ import annotations

import gc
import math
import re
import time
import weakref
from itertools import pairwise

import numpy as np
import pytest

from napari_beadscope.core.errors import BeadscopeError, DeviceError
from napari_beadscope.core.types import FrameStamp
from napari_beadscope.core.window import Window
from napari_beadscope.devices.camera import Camera, EndOfStream, window_of

_PATIENCE_S = 5.0


def buffer_for(camera: Camera) -> np.ndarray:
    """Return an array that one frame of an open camera fits into."""
    return np.zeros(camera.format.shape, camera.format.dtype)


def read(camera: Camera, out: np.ndarray) -> FrameStamp:
    """Return the stamp of the next frame; fail if none comes in time."""
    stamp = camera.read_into(out, _PATIENCE_S)
    assert stamp is not None, f"no frame within {_PATIENCE_S} s"
    return stamp


class CameraContract:
    """Inherit and define the fixture ``camera``: a camera, not yet opened, of at least 4 frames.

    Attributes
    ----------
    finite : bool
        True if the camera ends by itself within 1000 frames.
    """

    finite = False

    def test_says_what_it_is(self, camera: Camera) -> None:
        """It has all names of the Protocol, with values of the right type."""
        assert isinstance(camera.can_wait, bool)
        assert isinstance(camera.lock_name, str)
        with camera:
            assert isinstance(camera, Camera)
            assert camera.fps >= 0

    def test_opens_and_closes_any_number_of_times(self, camera: Camera) -> None:
        """Open, close, stop are idempotent; closing before opening is fine; it opens again."""
        camera.close()
        for _ in range(2):
            camera.open()
            camera.open()
            camera.start()
            read(camera, buffer_for(camera))
            camera.stop()
            camera.stop()
            camera.close()
            camera.close()

    def test_format_is_that_of_the_frames(self, camera: Camera) -> None:
        """The format is uint8 or uint16 of at least one pixel, and every pixel is written."""
        with camera:
            camera.start()
            form = camera.format
            assert form.dtype in ("uint8", "uint16")
            assert min(form.shape) > 0
            dark, bright = buffer_for(camera), buffer_for(camera)
            bright[...] = np.iinfo(form.dtype).max
            read(camera, dark)
            read(camera, bright)
            assert dark.any()
            assert not (bright == np.iinfo(form.dtype).max).all()

    def test_frames_are_counted_and_timed(self, camera: Camera) -> None:
        """Frame numbers rise from 0 on, times on the monotonic clock do not fall."""
        with camera:
            camera.start()
            out = buffer_for(camera)
            stamps = [read(camera, out) for _ in range(4)]
            now_ns = time.monotonic_ns()
        numbers = [stamp.frame for stamp in stamps]
        times = [stamp.time_ns for stamp in stamps]
        assert numbers[0] >= 0
        assert all(a < b for a, b in pairwise(numbers))
        assert times == sorted(times)
        assert now_ns - 60e9 < times[0]
        assert times[-1] <= now_ns + 1e9

    def test_reading_needs_start(self, camera: Camera) -> None:
        """Before start and after stop, reading is an error, not an endless wait."""
        with camera:
            out = buffer_for(camera)
            with pytest.raises(DeviceError):
                camera.read_into(out, 0.1)
            camera.start()
            before = read(camera, out).frame
            camera.stop()
            with pytest.raises(DeviceError):
                camera.read_into(out, 0.1)
            camera.start()
            assert read(camera, out).frame > before

    def test_buffer_must_fit(self, camera: Camera) -> None:
        """A buffer of another shape or dtype, or a read-only one, is an error."""
        with camera:
            camera.start()
            good = buffer_for(camera)
            frozen = good.copy()
            frozen.flags.writeable = False
            for bad in (good[:, :-1], good.astype(np.float32), good[None], frozen):
                with pytest.raises(DeviceError):
                    camera.read_into(bad, 0.1)
            read(camera, good)

    def test_strided_buffer_is_filled(self, camera: Camera) -> None:
        """A slot that is part of a larger block gets the frame, its surroundings stay."""
        with camera:
            camera.start()
            height, width = camera.format.shape
            block = np.zeros((3, height, width), camera.format.dtype)
            read(camera, block[1])
            assert block[1].any()
            assert not block[0].any()
            assert not block[2].any()

    def test_keeps_no_buffer(self, camera: Camera) -> None:
        """The array is let go of, so that its memory can be a slot of a ring."""
        with camera:
            camera.start()
            out = buffer_for(camera)
            alive = weakref.ref(out)
            read(camera, out)
            del out
            gc.collect()
            assert alive() is None

    def test_timeout_is_kept(self, camera: Camera) -> None:
        """A read that finds nothing returns None about when it was told to."""
        with camera:
            camera.start()
            out = buffer_for(camera)
            read(camera, out)
            began = time.monotonic()
            assert isinstance(camera.read_into(out, 0.0), FrameStamp | None)
            assert time.monotonic() - began < 1.0

    def test_waits_only_if_it_says_so(self, camera: Camera) -> None:
        """A camera that can wait loses nothing to a slow reader."""
        with camera:
            camera.start()
            out = buffer_for(camera)
            first = read(camera, out).frame
            time.sleep(0.05)
            if camera.can_wait:
                assert [read(camera, out).frame for _ in range(2)] == [first + 1, first + 2]
            else:
                assert read(camera, out).frame > first

    def test_properties_are_consistent(self, camera: Camera) -> None:
        """Each property can be read, lies in its range and can be set to what it is."""
        with camera:
            names = [item.name for item in camera.properties()]
            assert len(set(names)) == len(names)
            for item in camera.properties():
                assert item.kind in ("float", "choice", "roi")
                assert item.check(item.value) == item.value == camera.get(item.name)
                camera.set(item.name, item.value)
                assert camera.get(item.name) == item.value

    def test_properties_refuse_nonsense(self, camera: Camera) -> None:
        """Unknown names and values outside the range are errors that change nothing."""
        with camera:
            with pytest.raises(DeviceError):
                camera.get("no such property")
            with pytest.raises(DeviceError):
                camera.set("no such property", 1)
            for item in camera.properties():
                nonsense: tuple[float | str, ...] = _outside(item.minimum, item.maximum)
                for bad in ("nonsense", *nonsense):
                    if f"{bad}".removesuffix(".0") in item.choices:
                        continue
                    with pytest.raises(DeviceError, match=re.escape(item.name)):
                        camera.set(item.name, bad)
                assert camera.get(item.name) == item.value

    def test_properties_change_while_running(self, camera: Camera) -> None:
        """Setting a property does not disturb the stream."""
        with camera:
            camera.start()
            out = buffer_for(camera)
            before = read(camera, out).frame
            for item in camera.properties():
                camera.set(item.name, item.value)
            assert read(camera, out).frame > before

    def test_frames_are_those_of_the_window(self, camera: Camera) -> None:
        """With an ROI or binning the format is that of the window, and so are the frames."""
        with camera:
            camera.start()
            known = {item.name: item for item in camera.properties()}
            numbers = [read(camera, buffer_for(camera)).frame]
            if "roi" in known:
                assert known["roi"].kind == "roi"
                whole = Window.parse(known["roi"].choices[0])
                high, wide = (
                    round(least) for least in (known["roi"].minimum, known["roi"].maximum)
                )
                small = (max(high, whole.height // 2), max(wide, whole.width // 2))
                camera.set("roi", f"{whole.height - small[0]},{whole.width - small[1]},"
                           f"{small[0]},{small[1]}")  # fmt: skip
                assert camera.format.shape == window_of(camera).shape
                numbers.append(read(camera, buffer_for(camera)).frame)
                camera.set("roi", "full")
                assert window_of(camera) == whole
            for binning in known["binning"].choices if "binning" in known else ():
                camera.set("binning", binning)
                assert window_of(camera).binning == int(binning)
                assert camera.format.shape == window_of(camera).shape
                numbers.append(read(camera, buffer_for(camera)).frame)
            assert all(a < b for a, b in pairwise(numbers))

    def test_ends_only_if_finite(self, camera: Camera) -> None:
        """A finite source says that it has ended, as often as it is asked."""
        if not self.finite:
            return
        with camera:
            camera.start()
            out = buffer_for(camera)
            for _ in range(2):
                with pytest.raises(EndOfStream):
                    _read_on(camera, out, 1000)

    def test_errors_name_a_remedy(self, camera: Camera) -> None:
        """What a user may see says what to do about it."""
        with camera:
            with pytest.raises(BeadscopeError) as caught:
                camera.read_into(buffer_for(camera), 0.1)
            assert caught.value.remedy


def _read_on(camera: Camera, out: np.ndarray, frames: int) -> None:
    for _ in range(frames):
        read(camera, out)


def _outside(low: float, high: float) -> tuple[float, ...]:
    margin = 1.0 + abs(high - low)
    return (low - margin, high + margin, math.inf, math.nan)
