"""An axis of a stage of python-microscope as a motor.

Owns moves in a thread of their own, since most of its stages return only when they have arrived.
Must not know engines.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices.microscope.target import Target, failure
from napari_beadscope.devices.motor import MotorBase
from napari_beadscope.devices.options import checked_options

#: A stage that is not where it was sent and has not moved for so long does not come nearer.
_STILL_S = 0.25


class StageOptions(BaseModel):
    """Options of an axis of a stage.

    Examples
    --------
    >>> StageOptions(arguments={"port": "COM3"}).um_per_unit
    1.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    arguments: dict[str, Any] = Field({}, description="arguments of the stage's class")
    part: str = Field("", description="if the class is a controller, the name of its stage")
    um_per_unit: float = Field(1.0, gt=0, description="length of the stage's own unit, um")
    low: float = Field(0.0, description="lowest position; low and high 0: the stage's own, um")
    high: float = Field(0.0, description="highest position; low and high 0: the stage's own, um")
    tolerance: float = Field(0.05, gt=0, description="it has arrived when it is so near, um")
    settle_s: float = Field(0.0, ge=0, le=60, description="time it takes to come to rest, s")
    may_home: bool = Field(False, description="it may drive to its ends when it is switched on")


class StageMotor(MotorBase):
    """One axis of a stage.

    python-microscope has no command to stop. One that moves in the background is sent to where it
    is; one whose ``move_to`` waits until it has arrived ends the present move, and its position
    is that from before until then.

    Parameters
    ----------
    target : Target
        Its class and axis.
    options : StageOptions
        Arguments, unit and limits.
    """

    unit = "um"

    def __init__(self, target: Target, options: StageOptions) -> None:
        if not target.axis:
            raise InputError(
                f"microscope:{target.cls} does not say which axis",
                f"write it as microscope:{target.cls}:AXIS, such as :z",
            )
        self.name = target.axis
        self.settle_s = options.settle_s
        self.limits = (options.low, options.high)
        self._target, self._options = target, options
        self._device: Any = None
        self._made: Any = None  # the device, or the controller that it is a part of
        self._axis: Any = None
        self._lock = threading.Lock()
        self._next: float | None = None  # where to go when the present move has ended, um
        self._driving = False
        self._failed: Exception | None = None
        self._sent = 0.0
        self._seen, self._seen_s = 0.0, 0.0

    def connect(self) -> None:
        """Make the stage and switch it on."""
        self._failed, self._next, self._driving = None, None, False
        options = self._options
        self._device, self._made = self._target.make("Stage", options.arguments, options.part)
        try:
            self._switch_on()
        except BaseException:
            self.disconnect()
            raise

    def _switch_on(self) -> None:
        device, label = self._device, self._target.cls
        try:
            homes = device.may_move_on_enable()
            if homes and not self._options.may_home:
                raise DeviceError(
                    f"{label} drives to its ends when it is switched on",
                    "clear its way, then allow that with the option may_home",
                )
            device.enable()
            axes = dict(device.axes)
        except DeviceError:
            raise
        except Exception as error:
            raise failure(label, "cannot be switched on", error) from error
        if self._target.axis not in axes:
            known = ", ".join(axes) or "none"
            raise InputError(f"{label} has no axis {self._target.axis!r}", f"it has {known}")
        self._axis = axes[self._target.axis]
        self.limits = self._limits()
        self._seen = self._sent = self._read()

    def _limits(self) -> tuple[float, float]:
        options, (low, high) = self._options, self._axis.limits
        if (options.low, options.high) != (0.0, 0.0):
            return options.low, options.high
        if not (math.isfinite(low) and math.isfinite(high)):
            raise InputError(
                f"{self._target.cls} does not tell how far its axis {self.name} may go",
                "give its limits with the options low and high, in um",
            )
        return low * options.um_per_unit, high * options.um_per_unit

    def disconnect(self) -> None:
        """Switch it off."""
        made, self._made, self._device, self._axis = self._made, None, None, None
        if made is not None:
            with contextlib.suppress(Exception):  # it may be gone
                made.shutdown()

    def go(self, target: float) -> None:
        """Start to move, or remember where to go after the present move."""
        with self._lock:
            self._next = self._sent = target
            self._seen_s = time.monotonic()
            if self._driving:
                return
            self._driving = True
        threading.Thread(target=self._drive, args=(self._axis,), daemon=True).start()

    def _drive(self, axis: Any) -> None:
        while True:
            with self._lock:
                target, self._next = self._next, None
                if target is None:
                    self._driving = False
                    return
            try:
                axis.move_to(target / self._options.um_per_unit)
            except Exception as error:  # noqa: BLE001  told by whoever asks where it is
                self._failed = error

    def position(self) -> float:
        """Return where it is; while a move keeps the stage busy, where that began."""
        if self._failed is not None:
            raise failure(self._target.cls, "cannot be moved", self._failed) from self._failed
        if self._driving:
            return self._seen
        here = self._read()
        if here != self._seen:
            self._seen, self._seen_s = here, time.monotonic()
        return here

    def _read(self) -> float:
        try:
            return float(self._axis.position) * self._options.um_per_unit
        except Exception as error:
            raise failure(self._target.cls, "does not tell where it is", error) from error

    def travelling(self) -> bool:
        """Return whether a move is on, or it still comes nearer."""
        here = self.position()
        if self._driving:
            return True
        near = abs(here - self._sent) <= self._options.tolerance
        return not near and time.monotonic() - self._seen_s < _STILL_S

    def halt(self) -> None:
        """Forget where to go next; send a stage that is on its way to where it is."""
        with self._lock:
            self._next = None
            driving = self._driving
        if not driving and self._failed is None and self.travelling():
            self.go(self._read())


def open_stage(argument: str, options: dict[str, Any]) -> StageMotor:
    """Return an axis of a stage of python-microscope; what the registry calls."""
    target = Target.parse(argument)
    return StageMotor(target, checked_options(StageOptions, options, f"microscope:{argument}"))
