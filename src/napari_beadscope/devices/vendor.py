"""What the cameras of all vendors have in common: numbers, times, steps, and being lost.

Owns how a device's own frame counter and clock become a `FrameStamp`, and how a wish becomes
what a device can be set to. Must not know any vendor's library.
"""

from __future__ import annotations

import logging
import math
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.window import Window
from napari_beadscope.devices.camera import Property

_NS = 1_000_000_000
#: How long a fastest delivery says how far a device's clock is from ours. Clocks of cameras
#: drift by up to 50 ppm, which are 0.5 ms in this time.
_CLOCK_WINDOW_NS = 10 * _NS


class FrameCounter:
    """Numbers frames by the device's own counter, so that a lost frame shows as a jump.

    Numbers begin at 0 and are never used twice, whatever the device does with its counter.

    Parameters
    ----------
    lowest, highest : int
        Values between which the device's counter goes round; a `highest` of 0: it never does.
        The block IDs of GigE Vision go from 1 to 65535, and then to 1 again.

    Examples
    --------
    >>> counter = FrameCounter(lowest=1, highest=65535)
    >>> [counter.number(block) for block in (65533, 65534, 1, 4)]
    [0, 1, 3, 6]
    >>> counter.restart()
    >>> counter.number(1)
    7
    """

    def __init__(self, lowest: int = 0, highest: int = 0) -> None:
        self._period = highest - lowest + 1 if highest else 0
        self._counted: int | None = None
        self._number = -1

    @property
    def last(self) -> int:
        """The number given last; -1 if none was."""
        return self._number

    def number(self, counted: int) -> int:
        """Return the number of the frame for which the device counted `counted`."""
        step = 1
        if self._counted is not None:
            step = counted - self._counted
            if self._period:
                step %= self._period
            if step < 1:  # a device that was reset counts from its beginning again
                step = 1
        self._counted = counted
        self._number += step
        return self._number

    def lose(self, frames: int = 1) -> None:
        """Leave out the numbers of frames that the device counts nowhere, but tells as lost."""
        self._number += frames

    def restart(self) -> None:
        """Say that the device begins to count anew: its next value means the next number."""
        self._counted = None


class DeviceClock:
    """Times of a device's clock on the monotonic clock of this machine.

    A frame arrives late by what its transfer and this machine take; the device's own times do
    not have that jitter. The distance of the clocks is taken from the frame that came with the
    least delay within the last 10 to 20 s, so that it follows clocks that drift. Times neither
    fall nor lie in the future.

    Parameters
    ----------
    tick_ns : float
        Length of a tick of the device's clock, ns.

    Examples
    --------
    Frames every 10 ms, of which the second was held up by 4 ms:

    >>> clock = DeviceClock()
    >>> [clock.monotonic_ns(at * 1_000_000, (at + late) * 1_000_000) // 1_000_000
    ...  for at, late in ((0, 500), (10, 504), (20, 500))]
    [500, 510, 520]
    """

    def __init__(self, tick_ns: float = 1.0) -> None:
        self._tick_ns = tick_ns
        self.restart()
        self._last_ns = 0

    def restart(self) -> None:
        """Forget how far the clocks are apart, as after the device was reset."""
        self._least: int | None = None  # arrival minus device time, in this window
        self._least_before: int | None = None  # and in the one before
        self._window_end_ns = 0
        self._device_ns = 0

    def monotonic_ns(self, ticks: int, arrived_ns: int) -> int:
        """Return when the device took what it stamped with `ticks` and arrived at `arrived_ns`."""
        device_ns = round(ticks * self._tick_ns)
        if device_ns < self._device_ns:
            self.restart()
        self._device_ns = device_ns
        apart = arrived_ns - device_ns
        if arrived_ns >= self._window_end_ns:
            self._least_before, self._least = self._least, None
            self._window_end_ns = arrived_ns + _CLOCK_WINDOW_NS
        self._least = apart if self._least is None else min(self._least, apart)
        before = self._least if self._least_before is None else self._least_before
        taken_ns = device_ns + min(self._least, before)
        self._last_ns = max(self._last_ns, min(taken_ns, arrived_ns))
        return self._last_ns


@dataclass(frozen=True, slots=True)
class Steps:
    """The values a device can be set to: from `minimum` in steps to at most `maximum`.

    A `step` of 0 means any value between.

    Examples
    --------
    >>> Steps(16, 100, 8).nearest(30), Steps(16, 100, 8).nearest(1000), Steps(0, 1).nearest(0.3)
    (32.0, 96.0, 0.3)
    """

    minimum: float
    maximum: float
    step: float = 0.0

    def nearest(self, value: float) -> float:
        """Return what of it is nearest to `value`."""
        inside = min(max(float(value), float(self.minimum)), float(self.maximum))
        if not self.step:
            return inside
        most = math.floor((self.maximum - self.minimum) / self.step + 1e-9)
        steps = min(round((inside - self.minimum) / self.step), most)
        return float(self.minimum + steps * self.step)

    def property(self, name: str, unit: str, value: float, scale: float = 1.0) -> Property:
        """Return the property of that name, its numbers being those of the device times `scale`.

        A `value` that the device tells outside its own range, which devices do, widens it.

        Examples
        --------
        >>> Steps(20, 1e6).property("exposure_ms", "ms", 5000, 1e-3).maximum
        1000.0
        """
        low, high = min(self.minimum, value), max(self.maximum, value)
        low, high, value = (float(f"{number * scale:.9g}") for number in (low, high, value))
        return Property(name, unit, "float", low, high, (), value)


@dataclass(frozen=True, slots=True)
class SensorSteps:
    """What windows of its sensor a camera can read out, all in px of the sensor.

    Examples
    --------
    >>> steps = SensorSteps(Window(0, 0, 1024, 1280), least=(16, 32), size=(2, 16), place=(2, 16))
    >>> steps.nearest(Window(101, 203, 99, 119)).text
    '100,208,100,112'
    >>> steps.nearest(Window(1000, 0, 1, 1)).text
    '1000,0,16,32'
    """

    sensor: Window
    least: tuple[int, int] = (1, 1)
    size: tuple[int, int] = (1, 1)
    place: tuple[int, int] = (1, 1)

    def nearest(self, wanted: Window) -> Window:
        """Return the window nearest to `wanted` that the camera can read out, never outside it.

        The size is rounded to the nearest step, then the place to the nearest at which a window
        of that size lies on the sensor.
        """
        height = int(Steps(self.least[0], self.sensor.height, self.size[0]).nearest(wanted.height))
        width = int(Steps(self.least[1], self.sensor.width, self.size[1]).nearest(wanted.width))
        y0 = int(Steps(0, self.sensor.height - height, self.place[0]).nearest(wanted.y0))
        x0 = int(Steps(0, self.sensor.width - width, self.place[1]).nearest(wanted.x0))
        return Window(y0, x0, height, width, wanted.binning)

    def property(self, window: Window) -> Property:
        """Return the property ``roi`` of a camera that reads out `window`."""
        high, wide = self.least
        return Property("roi", "px", "roi", high, wide, (self.sensor.text,), window.text)


def vendor_library(name: str) -> Any:
    """Import and return a library, without what it does to the process beside that.

    Types made with SWIG warn while they are made, and where warnings are errors that ends the
    process. Others let the root logger take every message, which slows down all that logs.

    Examples
    --------
    >>> vendor_library("math").floor(1.5)
    1
    """
    root = logging.getLogger()
    level = root.level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(name)
    finally:
        root.setLevel(level)


def camera_lost(label: str, why: str = "") -> DeviceError:
    """Return the error of a camera that was there and does not answer any more.

    Examples
    --------
    >>> str(camera_lost("Basler acA1300 (123)"))
    'the camera Basler acA1300 (123) does not answer any more: check its cable and its power'
    """
    why = f" ({why})" if why else ""
    return DeviceError(
        f"the camera {label} does not answer any more{why}", "check its cable and its power"
    )
