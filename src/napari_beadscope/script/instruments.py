"""Motors, and the panels and plots that users add.

Must not know Qt or napari.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_beadscope.core.commands import AddMotor, MoveMotor, RemoveMotor, StopMotor
from napari_beadscope.core.errors import BeadscopeError, DeviceError, EngineError, InputError
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import MotorInfo
from napari_beadscope.devices import absolute_id
from napari_beadscope.script.configure import number
from napari_beadscope.script.locking import Locking

_POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class MotorReading:
    """A motor's place as last published by its process.

    ``position`` and ``target`` are in the unit of ``info``, ``time_ns`` on the monotonic clock.
    """

    info: MotorInfo
    position: float
    target: float
    moving: bool
    time_ns: int


class Instruments(Locking):
    """What moves, and what users add."""

    def __init__(self, camera: str, settings: Settings) -> None:
        super().__init__(camera, settings)
        self.controls: list[tuple[str, Any]] = []
        self.timeplots: list[tuple[str, Callable[[], float], str]] = []
        self.missing_motors: dict[str, BeadscopeError] = {}  # of the settings, and why
        self._hardware: dict[str, tuple[str, dict]] = {}

    def add_hardware(self, name: str, motor: str, **options: Any) -> None:
        """Add a motor or sensor under a name of its own, in a process of its own.

        Parameters
        ----------
        name : str
            What it moves or reads. The simulated microscope obeys ``focus`` (um), ``magnet``
            (mm) and ``rotation`` (turns).
        motor : str
            An ID such as ``simulated-focus``, or a class of your own: ``my_file.py:MyMotor`` or
            ``my_package.motors:MyMotor``, which is a `Motor` or `Sensor` of `devices`.
        **options
            What that takes; for a class of your own, the arguments of its ``__init__``.

        Raises
        ------
        InputError
            The name is taken, there is no such motor, or an option is not valid.
        DeviceError
            It cannot be opened.
        """
        motor = absolute_id(motor)
        if self._hardware.get(name) == (motor, options) and name in self._kept_motors():
            return  # the settings have brought it
        if name in self._hardware:
            raise InputError(f"there is a motor named {name!r} already", "choose another name")
        if self._client is not None:
            self._ask(AddMotor(name, motor, options))
        self._hardware[name] = (motor, options)

    def _kept_motors(self) -> dict[str, Any]:
        return dict(self.settings.hardware.motors or {})

    def remove_hardware(self, name: str) -> None:
        """Halt a motor or sensor, end its process and forget it; its name is free again.

        Raises
        ------
        InputError
            There is no such motor.
        StateError
            A recording is on, or something holds the motor: a lock, a Z-LUT sweep.
        """
        if self._client is not None:
            self._ask(RemoveMotor(name))
        elif name not in self._hardware:
            raise InputError(f"there is no motor named {name!r}", "see what was added")
        self._hardware.pop(name, None)

    def move(
        self,
        motor: str,
        target: float,
        *,
        wait: bool = True,
        timeout_s: float = 60.0,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Send a motor to `target` in its own unit, and by default wait until it has arrived.

        Parameters
        ----------
        motor : str
            Its name.
        target : float
            Where to, in its unit.
        wait : bool
            Whether to return only when it is there.
        timeout_s : float
            How long to wait.
        cancelled : callable, optional
            Asked while waiting; once it returns True the motor is halted where it is.

        Raises
        ------
        InputError
            There is no such motor.
        DeviceError
            `target` is beyond its limits, or it was stopped, sent elsewhere or died on the way.
        EngineError
            It is not there after `timeout_s`.
        """
        goal = number("target", target)
        losses = self._view.losses(f"motor-{motor}")
        self._ask(MoveMotor(motor, goal))
        deadline = time.monotonic() + timeout_s
        while wait:
            now = self._view.motor(motor)
            if self._view.losses(f"motor-{motor}") != losses:
                raise DeviceError(
                    f"the {motor} motor's process died on the way to {goal:g}",
                    "look where the motor is, then move it again",
                )
            if now["target"] != goal:
                raise DeviceError(
                    f"the {motor} motor was stopped or sent elsewhere on the way to {goal:g}",
                    "move it again",
                )
            if not now["moving"]:
                return
            if cancelled is not None and cancelled():
                self.stop_motor(motor)
                return
            if time.monotonic() > deadline:
                raise EngineError(f"motor {motor!r} is not there after {timeout_s:g} s", "stop it")
            time.sleep(_POLL_S)

    def stop_motor(self, motor: str) -> None:
        """Halt a motor where it is."""
        self._ask(StopMotor(motor))

    def stop_motors(self) -> None:
        """Halt every motor; raise the first error when all have been told."""
        errors = []
        for info in self._view.motors:
            try:
                self.stop_motor(info.name)
            except BeadscopeError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def motors(self) -> tuple[MotorReading, ...]:
        """Return every motor: unit, limits, where it is, where it goes, whether it moves."""
        self._attached()
        readings = []
        for info in self._view.motors:
            if not info.unit:  # it has never been ready
                continue
            now = self._view.motor(info.name)
            moving, time_ns = bool(now["moving"]), int(now["time_ns"])
            readings.append(MotorReading(info, now["position"], now["target"], moving, time_ns))
        return tuple(readings)

    def motor_positions(self) -> dict[str, float]:
        """Return the latest position of each motor that has been ready, in its own unit."""
        known = [info.name for info in self._view.motors if info.unit]
        return {name: self._view.motor(name)["position"] for name in known}

    def motor_history(self, motor: str, since_ns: int = 0) -> np.ndarray:
        """Return a motor's recent positions, oldest first: ten minutes of rest, 40 s of travel.

        Parameters
        ----------
        motor : str
            Its name.
        since_ns : int
            Only what was sampled after this time on the monotonic clock, that of frames' stamps.

        Returns
        -------
        ndarray (n,)
            With fields ``time_ns`` (int64, monotonic clock) and ``value`` (float64, its unit).
            Between two samples it moved steadily: 200 samples a second on the way, 10 at rest.

        Raises
        ------
        InputError
            There is no such motor.
        """
        self._attached()
        return self._view.motor_history(motor, since_ns)

    def add_control(self, name: str, control: Any) -> None:
        """Add a panel of your own to the docks of a viewer that shows this Scope.

        Parameters
        ----------
        name : str
            Of its dock; one of the same name is replaced.
        control : Any
            A Qt or magicgui widget, or a function that returns one; if it has a parameter, it
            gets this Scope. It is called where Qt may be used, when the viewer is there.
        """
        self.controls.append((name, control))

    def add_timeplot(self, name: str, source: Callable[[], float], unit: str = "") -> None:
        """Add a quantity of your own to what a viewer that shows this Scope plots against time.

        Parameters
        ----------
        name : str
            What the plot is called; one of the same name is replaced.
        source : callable
            Returns its value now. It is called ten times a second, in a thread of its own.
        unit : str
            Put on the axis.
        """
        self.timeplots.append((name, source, unit))
