"""Motors that only keep time: a position is computed when asked for.

Owns travel at constant speed within limits. Must not know what the motor moves.
"""

from __future__ import annotations

import math
import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.lifetime import Opening


class MotorOptions(BaseModel):
    """Speed, range and start of a simulated motor, in its unit.

    Examples
    --------
    >>> MotorOptions(speed=5).speed
    5.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    speed: float = Field(10.0, gt=0, le=1e6, description="speed, unit/s")
    low: float = Field(-50.0, description="lowest position, unit")
    high: float = Field(50.0, description="highest position, unit")
    start: float = Field(0.0, description="position when opened, unit")


class FocusOptions(MotorOptions):
    """Those of a focus motor, um."""

    speed: float = Field(20.0, gt=0, le=1e6, description="speed, um/s")
    low: float = Field(-50.0, description="lowest position, um")
    high: float = Field(50.0, description="highest position, um")
    start: float = Field(0.0, description="position when opened, um")


class MagnetOptions(MotorOptions):
    """Those of a magnet motor, mm."""

    speed: float = Field(2.0, gt=0, le=1e6, description="speed, mm/s")
    low: float = Field(0.0, description="lowest position, mm")
    high: float = Field(10.0, description="highest position, mm")
    start: float = Field(0.0, description="position when opened, mm")


class SimulatedMotor(Opening):
    """One axis that travels at constant speed.

    Parameters
    ----------
    name, unit : str
        ``focus`` in ``um``, or ``magnet`` in ``mm``.
    options : MotorOptions
        Speed, limits and start, in that unit.

    Examples
    --------
    >>> with open_focus("", {"speed": 1e6}) as motor:
    ...     motor.move_to(3)
    ...     while motor.moving():
    ...         pass
    ...     motor.position()
    3.0
    """

    def __init__(self, name: str, unit: str, options: MotorOptions) -> None:
        self.name, self.unit = name, unit
        self.limits = (options.low, options.high)
        if not options.low <= options.start <= options.high:
            raise InputError(
                f"the {name} motor's start {options.start:g} is outside its limits",
                f"choose from {options.low:g} to {options.high:g} {unit}",
            )
        self._speed = options.speed
        self._from = self._target = float(options.start)
        self._left_at_ns = 0
        self._opened = False

    def open(self) -> None:
        """Make the motor ready."""
        self._opened = True

    def close(self) -> None:
        """Halt and release the motor; it stays where it is."""
        if self._opened:
            self.stop()
        self._opened = False

    def move_to(self, target: float) -> None:
        """Start to travel to `target` from wherever it is now."""
        if not self._opened:
            raise DeviceError(f"the {self.name} motor is not open", "open it first")
        low, high = self.limits
        if not (math.isfinite(target) and low <= target <= high):
            raise DeviceError(
                f"the {self.name} motor cannot go to {target:g} {self.unit}",
                f"choose from {low:g} to {high:g} {self.unit}",
            )
        here = self.position()
        self._from, self._target, self._left_at_ns = here, float(target), time.monotonic_ns()

    def position(self) -> float:
        """Return where it is now."""
        way = self._target - self._from
        done = (time.monotonic_ns() - self._left_at_ns) / 1e9 * self._speed
        return self._target if done >= abs(way) else self._from + math.copysign(done, way)

    def moving(self) -> bool:
        """Whether it is still on its way."""
        return self.position() != self._target

    def stop(self) -> None:
        """Halt where it is."""
        self._from = self._target = self.position()

    def resume_at(self, position: float) -> None:
        """Rest at `position`, as a stage does whose controller is started anew."""
        low, high = self.limits
        self._from = self._target = min(max(float(position), low), high)


def _motor(
    name: str, unit: str, model: type[MotorOptions], argument: str, options: dict[str, Any]
) -> SimulatedMotor:
    if argument:
        raise InputError(
            f"there is one kind of simulated {name} motor, and none called {argument!r}",
            f"write its ID as simulated-{name}",
        )
    try:
        return SimulatedMotor(name, unit, model.model_validate(options))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"option {where} of the simulated {name} motor is {first['input']!r}",
            f"{first['msg']}; options are {', '.join(MotorOptions.model_fields)}",
        ) from error


def open_focus(argument: str, options: dict[str, Any]) -> SimulatedMotor:
    """Return a focus motor in um: up raises the focal plane, so beads sink towards it."""
    return _motor("focus", "um", FocusOptions, argument, options)


def open_magnet(argument: str, options: dict[str, Any]) -> SimulatedMotor:
    """Return a magnet motor in mm: up is nearer to the sample, more force."""
    return _motor("magnet", "mm", MagnetOptions, argument, options)
