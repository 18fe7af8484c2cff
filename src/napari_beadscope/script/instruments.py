"""Motors, and the panels and plots that users add.

Must not know Qt or napari.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from napari_beadscope.core.commands import (
    AddMotor,
    MoveMotor,
)
from napari_beadscope.core.errors import EngineError, InputError
from napari_beadscope.core.settings import Settings
from napari_beadscope.script.configure import number
from napari_beadscope.script.link import Link


class Instruments(Link):
    """What moves, and what users add."""

    def __init__(self, camera: str, settings: Settings) -> None:
        super().__init__(camera, settings)
        self.controls: list[tuple[str, Any]] = []
        self.timeplots: list[tuple[str, Callable[[], float]]] = []
        self._hardware: dict[str, tuple[str, dict]] = {}

    def add_hardware(self, name: str, motor: str, **options: Any) -> None:
        """Add a motor under a name of its own, in a process of its own.

        Parameters
        ----------
        name : str
            What it moves. The simulated microscope obeys ``focus`` (um) and ``magnet`` (mm).
        motor : str
            A motor ID such as ``simulated-focus``.
        """
        if name in self._hardware:
            raise InputError(f"there is a motor named {name!r} already", "choose another name")
        if self._client is not None:
            self._ask(AddMotor(name, motor, options))
        self._hardware[name] = (motor, options)

    def move(
        self, motor: str, target: float, *, wait: bool = True, timeout_s: float = 60.0
    ) -> None:
        """Send a motor to `target` in its own unit, and by default wait until it has arrived."""
        self._ask(MoveMotor(motor, number("target", target)))
        if not wait:
            return
        deadline = time.monotonic() + timeout_s
        while self._view.motor(motor)["moving"]:
            if time.monotonic() > deadline:
                raise EngineError(f"motor {motor!r} is not there after {timeout_s:g} s", "stop it")
            time.sleep(0.005)

    def motor_positions(self) -> dict[str, float]:
        """Return the latest position of each motor, in its own unit."""
        return {name: self._view.motor(name)["position"] for name in self._view.motors}

    def add_control(self, name: str, control: Any) -> None:
        """Add a panel of your own, a widget or what makes one, to the docks of this Scope."""
        self.controls.append((name, control))

    def add_timeplot(self, name: str, source: Callable[[], float]) -> None:
        """Add a quantity of your own, read from `source`, to what the docks plot against time."""
        self.timeplots.append((name, source))
