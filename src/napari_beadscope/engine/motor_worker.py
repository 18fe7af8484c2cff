"""A motor's process: moves when told, and keeps its latest position in a table for everyone."""

from __future__ import annotations

import time
from contextlib import ExitStack

from napari_beadscope.core.errors import BeadscopeError, EngineError
from napari_beadscope.core.orders import Attach, Move, Order, Ready, SetTask
from napari_beadscope.devices import Motor, open_motor
from napari_beadscope.engine.config import WorkerConfig, motor_spec
from napari_beadscope.engine.worker import Worker
from napari_beadscope.ring import LatestTable

_MOVING_PAUSE_S = 0.005
_RESTING_PAUSE_S = 0.1


class MotorWorker(Worker):
    """Drives one motor; its row in the table is its place in ``config.motors``."""

    def __init__(self, config: WorkerConfig) -> None:
        super().__init__(config)
        self._name = config.name.removeprefix("motor-")
        self._held = ExitStack()
        self._row = config.motors.index(self._name)
        self._table = LatestTable.attach(motor_spec(config.shared.motors), writable=True)
        self._target = 0.0
        self._motor: Motor

    def open(self) -> None:
        """Open the motor and report its unit."""
        self._motor = open_motor(self.config.device, dict(self.config.device_options))
        self._held.callback(self._motor.close)
        self._motor.open()
        self._target = self._motor.position()
        self._publish()
        self.report(Ready(unit=self._motor.unit))

    def obey(self, order: Order) -> None:
        """Carry out an order."""
        match order:
            case Move(number, target):
                try:
                    self._motor.move_to(target)
                except BeadscopeError as error:
                    self.done(number, error)
                else:
                    self._target = target
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

    def _publish(self) -> bool:
        moving = self._motor.moving()
        self._table.write(
            self._row,
            position=self._motor.position(),
            target=self._target,
            moving=int(moving),
            time_ns=time.monotonic_ns(),
        )
        return moving
