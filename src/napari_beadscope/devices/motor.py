"""What all motors and sensors have in common, so that a new one is thirty lines.

Owns opening once, limits and settling. Must not know any device.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.lifetime import Opening
from napari_beadscope.devices.camera import Motor, Sensor

_LONGEST_UNIT = 16


def reach_of(motor: Motor | Sensor) -> tuple[str, tuple[float, float]]:
    """Return unit and limits of an open motor, (0, 0) for a sensor, which has none.

    Raises
    ------
    DeviceError
        They are none: the class of a user's own says something else.
    """
    unit, limits = motor.unit, (0.0, 0.0)
    if not isinstance(unit, str) or not 0 < len(unit) <= _LONGEST_UNIT:
        raise DeviceError(
            f"the unit of {motor.name} is {unit!r}", "let its class say a short one, such as 'um'"
        )
    if isinstance(motor, Sensor):
        return unit, limits
    try:
        low, high = limits = (float(motor.limits[0]), float(motor.limits[1]))
    except (TypeError, ValueError, IndexError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise DeviceError(
            f"the limits of {motor.name} are {motor.limits!r}",
            "let its class say the lowest and the highest position",
        )
    return unit, limits


class _Connecting(Opening):
    """What is connected when it is opened, and once only."""

    name = ""
    _is_open = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in vars(cls):
            cls.name = cls.__name__.lower()

    def connect(self) -> None:
        """Get hold of the device; here there is nothing to do."""

    def disconnect(self) -> None:
        """Let go of the device; here there is nothing to do."""

    def open(self) -> None:
        """Connect; does nothing if it has."""
        if not self._is_open:
            self.connect()
            self._is_open = True

    def close(self) -> None:
        """Disconnect; does nothing if closed."""
        if self._is_open:
            self._is_open = False
            self.disconnect()


class SensorBase(_Connecting):
    """A `Sensor` for which a subclass says how to `read`; like a `MotorBase` otherwise.

    Examples
    --------
    >>> class Barometer(SensorBase):
    ...     unit = "hPa"
    ...     def read(self):
    ...         return 1013.0
    >>> with Barometer() as barometer:
    ...     barometer.name, barometer.read()
    ('barometer', 1013.0)
    """

    unit = ""

    @abstractmethod
    def read(self) -> float:
        """Return the present value."""


class MotorBase(_Connecting):
    """A `Motor` for which a subclass says how to `go`, where it is, if it travels, and `halt`.

    `connect` and `disconnect` are there for what has to be opened. Whatever of these raises is
    reported with its name; an error of `position` or `travelling` means that the device is gone:
    the motor's process ends and a new one connects to it.

    Attributes
    ----------
    name : str
        What it is called in messages; the class's name in small letters unless it says otherwise.
    unit : str
        Of positions and limits: ``um`` or ``mm`` for what moves along a line, so that it can
        focus; else anything, such as ``turn``.
    limits : tuple of float
        Lowest and highest target; `connect` may ask the device for them.
    settle_s : float
        For how long it still counts as moving after it has stopped travelling.

    Examples
    --------
    >>> class Lift(MotorBase):
    ...     unit, limits, height = "mm", (0.0, 5.0), 0.0
    ...     def go(self, target):
    ...         self.height = target
    ...     def position(self):
    ...         return self.height
    ...     def travelling(self):
    ...         return False
    ...     def halt(self):
    ...         pass
    >>> with Lift() as lift:
    ...     lift.move_to(3)
    ...     lift.position()
    ...     lift.move_to(6)
    Traceback (most recent call last):
    ...
    napari_beadscope.core.errors.DeviceError: the lift motor cannot go to 6 mm: \
choose from 0 to 5 mm
    """

    unit = "mm"
    limits: tuple[float, float] = (0.0, 1.0)
    settle_s = 0.0
    _travelled_s = -math.inf  # when it was last seen to travel

    # what a subclass says

    @abstractmethod
    def go(self, target: float) -> None:
        """Start to move to `target`, which is within the limits, and return at once."""

    @abstractmethod
    def position(self) -> float:
        """Return where it is."""

    @abstractmethod
    def travelling(self) -> bool:
        """Return whether it is on its way."""

    @abstractmethod
    def halt(self) -> None:
        """Stay where it is."""

    # what that gives

    def close(self) -> None:
        """Halt and disconnect; does nothing if closed."""
        try:
            if self._is_open:
                self.halt()
        finally:
            super().close()

    def move_to(self, target: float) -> None:
        """Start to move and return at once; DeviceError outside the limits or when closed."""
        if not self._is_open:
            raise DeviceError(f"the {self.name} motor is not open", "open it first")
        low, high = self.limits
        if not (math.isfinite(target) and low <= target <= high):
            raise DeviceError(
                f"the {self.name} motor cannot go to {target:g} {self.unit}",
                f"choose from {low:g} to {high:g} {self.unit}",
            )
        self.go(float(target))
        self._travelled_s = time.monotonic()

    def moving(self) -> bool:
        """Return whether it travels or has not settled yet."""
        now_s = time.monotonic()
        if self.travelling():
            self._travelled_s = now_s
            return True
        return now_s - self._travelled_s < self.settle_s

    def stop(self) -> None:
        """Halt where it is."""
        self.halt()
        self._travelled_s = -math.inf
