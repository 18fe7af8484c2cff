"""An axis of a stage of Micro-Manager as a motor.

Owns limits and the talk with the process that has the core. Must not know the core.
"""

from __future__ import annotations

import contextlib
import os
from multiprocessing.connection import Connection
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices.micromanager.address import Address
from napari_beadscope.devices.micromanager.host import Host, reach
from napari_beadscope.devices.micromanager.verbs import (
    Claim,
    Go,
    Halt,
    Reading,
    Request,
    Where,
    next_answer,
    say,
)
from napari_beadscope.devices.motor import MotorBase
from napari_beadscope.devices.options import checked_options
from napari_beadscope.wire import shut

_ANSWER_S = 4.0


class StageOptions(BaseModel):
    """How far a stage may go, which Micro-Manager does not tell, and how long it takes to rest.

    Examples
    --------
    >>> StageOptions(low=0, high=300).travel
    100.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    low: float = Field(0.0, description="lowest position; low and high 0: by travel, um")
    high: float = Field(0.0, description="highest position; low and high 0: by travel, um")
    travel: float = Field(
        100.0, gt=0, le=1e6, description="limits that are so far from where it stands, um"
    )
    settle_s: float = Field(0.0, ge=0, le=60, description="time it takes to come to rest, s")


class StageMotor(MotorBase):
    """One axis of a stage.

    Parameters
    ----------
    address : Address
        Configuration, stage and axis; without a stage the one that moves the focus.
    options : StageOptions
        Its limits.
    """

    unit = "um"

    def __init__(self, address: Address, options: StageOptions) -> None:
        self.name = " ".join(part for part in (address.device, address.axis) if part) or "focus"
        self.settle_s = options.settle_s
        self._address, self._options = address, options
        self._configuration = address.configuration()
        self._connection: Connection | None = None
        self._host: Host | None = None
        self.limits = self._limits_around(0.0)

    def _limits_around(self, here: float) -> tuple[float, float]:
        low, high = self._options.low, self._options.high
        if low == high == 0:
            low, high = here - self._options.travel, here + self._options.travel
        if not low < high:
            raise InputError(
                f"the limits of the {self.name} motor are {low:g} and {high:g} um",
                "give a low that is less than high",
            )
        return low, high

    def connect(self) -> None:
        """Get the axis from the process with the core, or have the core here."""
        self._connection, self._host = reach(self._configuration)
        try:
            claim = Claim(self._address.device, self._address.axis, os.getpid())
            reading = self._ask(claim)
            self.name = reading.name
            self.limits = self._limits_around(reading.position)
            self._ask(Halt())
        except BaseException:
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """Let go of the axis, and of the core if it is here."""
        if self._connection is not None:
            shut(self._connection)
        if self._host is not None:
            self._host.close()
        self._connection = self._host = None

    def go(self, target: float) -> None:
        """Start to move."""
        self._ask(Go(target))

    def position(self) -> float:
        """Return where it is."""
        return self._ask(Where()).position

    def travelling(self) -> bool:
        """Return whether it is on its way."""
        return self._ask(Where()).moving

    def halt(self) -> None:
        """Stay where it is."""
        self._ask(Halt())

    def close(self) -> None:
        """Halt and let go; who has the core halts it by itself when we cannot say so."""
        with contextlib.suppress(DeviceError):
            super().close()

    def _ask(self, request: Request) -> Reading:
        connection = self._connection
        if connection is None:
            raise DeviceError(f"the {self.name} motor is not open", "open it first")
        try:
            say(connection, request)
            if connection.poll(_ANSWER_S):
                return next_answer(connection)
            why = f"has not answered for {_ANSWER_S:g} s"
        except (EOFError, OSError):
            why = "has ended"
        raise DeviceError(
            f"the {self.name} motor is lost: the process with the devices of"
            f" {self._configuration.path.name} {why}",
            "it is reached again when the camera or another stage has loaded them",
        )


def open_stage(argument: str, options: dict[str, Any]) -> StageMotor:
    """Return a motor for one axis of a stage; what the registry calls."""
    checked = checked_options(StageOptions, options, f"the stage micromanager:{argument}")
    return StageMotor(Address.parse(argument), checked)
