"""A motor's process: moves when told, and keeps its latest positions in tables for everyone."""

from __future__ import annotations

import time
from contextlib import ExitStack

from napari_beadscope.core.errors import BeadscopeError, EngineError
from napari_beadscope.core.orders import Attach, Halt, Move, Order, Ready, SetTask
from napari_beadscope.devices import Motor, ResumableMotor, open_motor
from napari_beadscope.engine.config import WorkerConfig, motor_history_spec, motor_spec
from napari_beadscope.engine.worker import Worker
from napari_beadscope.ring import HistoryTable, LatestTable

_MOVING_PAUSE_S = 0.005
_RESTING_PAUSE_S = 0.1


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
        self._motor: Motor

    def open(self) -> None:
        """Open the motor and report its unit and limits."""
        self._motor = open_motor(self.config.device, dict(self.config.device_options))
        self._held.callback(self._motor.close)
        self._motor.open()
        before = self._table.read(self._row)
        if before["time_ns"] and isinstance(self._motor, ResumableMotor):
            self._motor.resume_at(before["position"])
        self._target = self._motor.position()
        self._publish()
        self.report(Ready(unit=self._motor.unit, limits=self._motor.limits))

    def obey(self, order: Order) -> None:
        """Carry out an order."""
        match order:
            case Move(number, target):
                self._publish()  # where the way begins
                try:
                    self._motor.move_to(target)
                except BeadscopeError as error:
                    self.done(number, error)
                else:
                    self._target = target
                    self._publish()
                    self.done(number)
            case Halt(number):
                try:
                    self._motor.stop()
                except BeadscopeError as error:
                    self.done(number, error)
                else:
                    self._target = self._motor.position()
                    self._publish()
                    self.done(number)
            case Attach() | SetTask():
                pass
            case _:
                raise EngineError(f"{self.config.name} does not know {type(order).__name__}")

    def turn(self) -> float:
        """Publish the position."""
        return _MOVING_PAUSE_S if self._publish() else _RESTING_PAUSE_S

    def close(self) -> None:
        """Halt and close the motor."""
        self._held.close()
        self._table.close()
        self._history.close()

    def _publish(self) -> bool:
        moving = self._motor.moving()
        position = self._motor.position()
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
