"""A motor's process: moves when told, and keeps its latest positions in tables for everyone.

A sensor's is the same, but that it does not move: it has no range.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack

from napari_beadscope.core.errors import BeadscopeError, DeviceError, EngineError, InputError
from napari_beadscope.core.orders import Attach, Halt, Move, Order, Ready, SetTask
from napari_beadscope.devices import Motor, ResumableMotor, Sensor, open_motor, reach_of
from napari_beadscope.engine.config import WorkerConfig, motor_history_spec, motor_spec
from napari_beadscope.engine.worker import Worker
from napari_beadscope.ring import HistoryTable, LatestTable

_LOG = logging.getLogger(__name__)
_MOVING_PAUSE_S = 0.005
_RESTING_PAUSE_S = 0.1
_OPEN_LEASE_S = 60.0


class MotorWorker(Worker):
    """Drives one motor; its row in the tables is its place in ``config.motors``.

    What a motor that is killed on its way leaves in the table tells its successor where it was:
    a motor that keeps its place in memory only rests there, others know better.
    """

    def __init__(self, config: WorkerConfig) -> None:
        super().__init__(config)
        self._name = config.name.removeprefix("motor-")
        self._held = ExitStack()
        self._row = config.motors.index(self._name)
        shared = config.shared
        self._table = LatestTable.attach(motor_spec(shared.motors), writable=True)
        self._history = HistoryTable.attach(motor_history_spec(shared.motor_history), writable=True)
        self._target = 0.0
        self._motor: Motor | Sensor

    def open(self) -> None:
        """Open the motor and report its unit and limits."""
        try:
            ready = self._opened()
        except BeadscopeError:
            raise
        except Exception as error:  # somebody else's code
            raise DeviceError(
                f"{self._name} cannot be used ({type(error).__name__}: {error})",
                f"look at the device and at {self.config.device}",
            ) from error
        self.report(ready)

    def _opened(self) -> Ready:
        motor = self._motor = open_motor(self.config.device, dict(self.config.device_options))
        self._held.callback(motor.close)
        self.beat(_OPEN_LEASE_S)
        motor.open()
        self.beat()
        unit, limits = reach_of(motor)
        if isinstance(motor, Sensor):
            self._publish()
            return Ready(unit=unit)
        before = self._table.read(self._row)
        if before["time_ns"] and isinstance(motor, ResumableMotor):
            motor.resume_at(before["position"])
        if before["time_ns"] and motor.moving():  # nobody waits for that any more
            motor.stop()
        self._target = motor.position()
        self._publish()
        return Ready(unit=unit, limits=limits)

    def obey(self, order: Order) -> None:
        """Carry out an order."""
        match order:
            case Move(number, target):
                self._publish()  # where the way begins
                self._answer(number, lambda motor: self._go(motor, target))
            case Halt(number):
                self._answer(number, self._halt)
            case Attach() | SetTask():
                pass
            case _:
                raise EngineError(f"{self.config.name} does not know {type(order).__name__}")

    def _answer(self, number: int, act: Callable[[Motor], None]) -> None:
        """Act and report; a class of a user's own may raise anything."""
        try:
            if isinstance(self._motor, Sensor):
                raise InputError(f"{self._name} is a sensor and does not move", "choose a motor")
            act(self._motor)
            self._publish()
        except BeadscopeError as error:
            self.done(number, error)
        except Exception as error:  # noqa: BLE001  somebody else's code; it is reported
            _LOG.exception("%s failed", self.config.device)
            what = f"the {self._name} motor failed ({type(error).__name__}: {error})"
            self.done(number, DeviceError(what, "look at the device, then try again"))
        else:
            self.done(number)

    def _go(self, motor: Motor, target: float) -> None:
        motor.move_to(target)
        self._target = target

    def _halt(self, motor: Motor) -> None:
        motor.stop()
        self._target = motor.position()

    def turn(self) -> float:
        """Publish the position."""
        return _MOVING_PAUSE_S if self._publish() else _RESTING_PAUSE_S

    def close(self) -> None:
        """Halt and close the motor."""
        self._held.close()
        self._table.close()
        self._history.close()

    def _publish(self) -> bool:
        if isinstance(self._motor, Sensor):
            moving, position = False, float(self._motor.read())
            self._target = position
        else:
            moving, position = self._motor.moving(), float(self._motor.position())
        now_ns = time.monotonic_ns()
        self._history.append(self._row, now_ns, position)
        self._table.write(
            self._row,
            position=position,
            target=self._target,
            moving=int(moving),
            time_ns=now_ns,
        )
        return moving
