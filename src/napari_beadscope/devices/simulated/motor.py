"""Motors and a thermometer that only keep time: what they read is computed when asked for.

Owns travel at constant speed within limits, settling, play and noise. Must not know what the
motor moves.
"""

from __future__ import annotations

import math
import random
import time
from copy import copy
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.motor import MotorBase, SensorBase
from napari_beadscope.devices.options import checked_options

#: It has arrived when it lags by less, in its unit.
_ON_TARGET = 1e-3


class MotorOptions(BaseModel):
    """Speed, range, start and imperfections of a simulated motor, in its unit.

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
    settle_s: float = Field(0.0, ge=0, le=60, description="time constant of settling, s")
    hysteresis: float = Field(0.0, ge=0, description="play when it turns round, unit")
    noise: float = Field(0.0, ge=0, description="rms noise of its place, unit")


def _options(name: str, unit: str, speed: float, low: float, high: float) -> type[MotorOptions]:
    """Return the options of a kind of motor: its unit in their descriptions, its defaults."""
    defaults = {"speed": speed, "low": low, "high": high}
    fields: dict[str, Any] = {}
    for field, info in MotorOptions.model_fields.items():
        new = copy(info)
        new.default = defaults.get(field, info.default)
        new.description = (info.description or "").replace("unit", unit)
        fields[field] = (float, new)
    return create_model(name, __base__=MotorOptions, __module__=__name__, **fields)


FocusOptions = _options("FocusOptions", "um", 20.0, -50.0, 50.0)
MagnetOptions = _options("MagnetOptions", "mm", 2.0, 0.0, 10.0)
RotationOptions = _options("RotationOptions", "turn", 2.0, -1000.0, 1000.0)


class SimulatedMotor(MotorBase):
    """One axis that travels at constant speed.

    It lags behind by a first-order response of time constant `settle_s`. With play it comes to
    rest `hysteresis` / 2 short of its target, and a target nearer than that does not move it (the
    play operator: M. Brokate, J. Sprekels, Hysteresis and Phase Transitions, 1996, chapter 2);
    `position` is honest about both. Noise is drawn for every reading.

    Parameters
    ----------
    name, unit : str
        Such as ``focus`` in ``um``.
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
        self._options = options
        self._draw = random.Random(name)
        self._from = self._goal = float(options.start)
        self._left_at_ns = 0

    def go(self, target: float) -> None:
        """Start to travel from wherever it is now."""
        play = self._options.hysteresis / 2
        self._from = self._here()
        self._goal = min(max(self._from, target - play), target + play)
        self._left_at_ns = time.monotonic_ns()

    def _lag(self) -> tuple[float, float]:
        """Return the way that is left to travel, and by how much it lags behind besides."""
        way, tau_s = abs(self._goal - self._from), self._options.settle_s
        speed = self._options.speed
        passed_s = (time.monotonic_ns() - self._left_at_ns) / 1e9
        travel_s = min(passed_s, way / speed)
        left = way - speed * passed_s if travel_s == passed_s else 0.0
        if not tau_s:
            return left, 0.0
        lag = speed * tau_s * -math.expm1(-travel_s / tau_s)
        return left, lag * math.exp(-(passed_s - travel_s) / tau_s)

    def _here(self) -> float:
        short = sum(self._lag())
        return self._goal - math.copysign(short, self._goal - self._from) if short else self._goal

    def position(self) -> float:
        """Return where it is now."""
        here, noise = self._here(), self._options.noise
        return here + self._draw.gauss(0.0, noise) if noise else here

    def travelling(self) -> bool:
        """Whether it has not arrived yet."""
        left, lag = self._lag()
        return left > 0 or lag > _ON_TARGET

    def halt(self) -> None:
        """Halt where it is."""
        self._from = self._goal = self._here()

    def resume_at(self, position: float) -> None:
        """Rest at `position`, as a stage does whose controller is started anew."""
        low, high = self.limits
        self._from = self._goal = min(max(float(position), low), high)


class TemperatureOptions(BaseModel):
    """What a simulated thermometer reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mean: float = Field(25.0, ge=-270, le=500, description="mean temperature, °C")
    swing: float = Field(0.2, ge=0, le=100, description="half of the room's swing, °C")
    period_s: float = Field(900.0, gt=0, le=1e6, description="period of the swing, s")
    noise: float = Field(0.01, ge=0, le=10, description="rms noise of a reading, °C")


class SimulatedThermometer(SensorBase):
    """A sensor in a room that is heated and cools; the beads do not feel it.

    Examples
    --------
    >>> with open_temperature("", {"swing": 0, "noise": 0}) as sensor:
    ...     sensor.read(), sensor.unit
    (25.0, '°C')
    """

    name, unit = "temperature", "°C"

    def __init__(self, options: TemperatureOptions) -> None:
        self._options = options
        self._draw = random.Random(0)

    def read(self) -> float:
        """Return the present temperature."""
        options = self._options
        angle = 2 * math.pi * time.monotonic() / options.period_s
        return options.mean + options.swing * math.sin(angle) + self._draw.gauss(0, options.noise)


def _checked(name: str, model: type[Any], argument: str, options: dict[str, Any]) -> Any:
    if argument:
        raise InputError(
            f"there is one kind of simulated {name}, and none called {argument!r}",
            f"write its ID as simulated-{name}",
        )
    return checked_options(model, options, f"the simulated {name}")


def open_focus(argument: str, options: dict[str, Any]) -> SimulatedMotor:
    """Return a focus motor in um: up raises the focal plane, so beads sink towards it."""
    return SimulatedMotor("focus", "um", _checked("focus", FocusOptions, argument, options))


def open_magnet(argument: str, options: dict[str, Any]) -> SimulatedMotor:
    """Return a magnet motor in mm: up is nearer to the sample, more force."""
    return SimulatedMotor("magnet", "mm", _checked("magnet", MagnetOptions, argument, options))


def open_rotation(argument: str, options: dict[str, Any]) -> SimulatedMotor:
    """Return a motor that turns the magnet, in turns: it twists the tethers."""
    checked = _checked("rotation", RotationOptions, argument, options)
    return SimulatedMotor("rotation", "turn", checked)


def open_temperature(argument: str, options: dict[str, Any]) -> SimulatedThermometer:
    """Return a thermometer."""
    return SimulatedThermometer(_checked("temperature", TemperatureOptions, argument, options))
