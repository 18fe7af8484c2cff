"""The supervisor's side of the tables that its workers write: signs of life, motors' positions.

Owns which worker has which row of the table of health, and that a row that is free is empty. Must
not know what anybody decides by them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from napari_beadscope.core.messages import Shared
from napari_beadscope.engine.config import (
    HEALTH_FIELDS,
    MOTOR_FIELDS,
    health_spec,
    motor_history_spec,
    motor_spec,
)
from napari_beadscope.ring import HistoryTable, LatestTable


class WorkerTables:
    """Created by the engine; each row is written by its worker."""

    def __init__(self, shared: Shared) -> None:
        self._health = LatestTable.create(health_spec(shared.health))
        self._motors = LatestTable.create(motor_spec(shared.motors))
        self._history = HistoryTable.create(motor_history_spec(shared.motor_history))
        self._rows: dict[str, int] = {}

    def row_of(self, worker: str) -> int:
        """Return a worker's row in the table of health, its own from now on."""
        if worker not in self._rows:
            taken = set(self._rows.values())
            self._rows[worker] = next(row for row in range(len(taken) + 1) if row not in taken)
        return self._rows[worker]

    def health(self, worker: str) -> dict[str, float]:
        """Return a worker's signs of life; zeros before it has begun."""
        return self._health.read(self.row_of(worker))

    def ages_s(self) -> dict[str, float]:
        """Return how old each worker's last sign of life is, 0 before the first."""
        now = time.monotonic_ns()
        beats = {name: self._health.read(row)["heartbeat_ns"] for name, row in self._rows.items()}
        return {name: (now - beat) * 1e-9 if beat else 0.0 for name, beat in beats.items()}

    def moving(self, motor_rows: Mapping[str, int]) -> frozenset[str]:
        """Return which of the motors are under way."""
        return frozenset(n for n, row in motor_rows.items() if self._motors.read(row)["moving"])

    def forget(self, worker: str, motor_row: int) -> None:
        """Empty the rows of a motor that was removed, for whoever comes next."""
        row = self._rows.pop(worker, None)
        if row is not None:
            self._health.write(row, **{name: 0 for name, _ in HEALTH_FIELDS})
        self._motors.write(motor_row, **{name: 0 for name, _ in MOTOR_FIELDS})
        self._history.clear(motor_row)
