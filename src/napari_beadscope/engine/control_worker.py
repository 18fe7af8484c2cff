"""The control process: looks at the newest track rows and proposes what the locks have to do.

It reads the track rings as any viewer does, so it holds nobody up. It decides by the laws in
`control`; the supervisor lets its proposals come true, and knows all that a successor needs.
Started when the first lock is asked for.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import msgspec
import numpy as np

from napari_beadscope.control import FocusReading, XYStep, ZLoop, follow_beads, hold_height
from napari_beadscope.core.errors import EngineError, StateError
from napari_beadscope.core.locks import LockTask, XYLock, XYState, ZState
from napari_beadscope.core.orders import (
    FocusMoved,
    LocksReport,
    LookOnce,
    Order,
    Ready,
    RoisMoved,
    SetLocks,
)
from napari_beadscope.core.types import TRACK_ROW
from napari_beadscope.engine.config import WorkerConfig, motor_spec
from napari_beadscope.engine.worker import Worker
from napari_beadscope.ring import LatestTable, TrackReader, TrackRingSpec

_LOG = logging.getLogger(__name__)
_IDLE_PAUSE_S = 0.1
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.02
_LOOKS_PER_INTERVAL = 20
_REPORT_S = 0.25
_TO_UM = {"nm": 1e-3, "um": 1.0, "mm": 1e3}


class ControlWorker(Worker):
    """Holds what it is told to hold."""

    def __init__(self, config: WorkerConfig) -> None:
        super().__init__(config)
        shared = config.shared
        self._rings = tuple(
            TrackReader.attach(TrackRingSpec(name, shared.track_rows))
            for name in shared.track_rings
        )
        self._motors = LatestTable.attach(motor_spec(shared.motors))
        self._task = LockTask()
        self._oldest = [0 for _ in self._rings]  # rows before are of another stream
        self._next = [0 for _ in self._rings]  # rows before have been given to the Z-lock
        self._xy = XYState()
        self._look_at = 0.0
        self._seen_ns = -1
        self._z = ZLoop()
        self._told: tuple[XYState, ZState] = (self._xy, self._z.state)
        self._report_at = 0.0

    def open(self) -> None:
        """Report readiness; what to hold is told then."""
        self.report(Ready())

    def obey(self, order: Order) -> None:
        """Carry out an order."""
        match order:
            case SetLocks(task):
                self._set_task(task)
            case LookOnce(number, lock):
                self._look_once(number, lock)
            case _:
                raise EngineError(f"{self.config.name} does not know {type(order).__name__}")

    def turn(self) -> float:
        """Let each lock take a step, if it is its time."""
        task = self._task
        if task.xy is not None and time.monotonic() >= self._look_at:
            self._look(task.xy)
        if task.z is not None:
            self._hold(task)
        self._tell()
        return self._pause()

    def close(self) -> None:
        """Let go of the rings."""
        self._motors.close()
        for ring in self._rings:
            ring.close()

    def _pause(self) -> float:
        task, pause = self._task, _IDLE_PAUSE_S
        if task.xy is not None:
            pause = min(pause, max(0.0, self._look_at - time.monotonic()))
        if task.z is not None:
            often = task.z.interval_s / _LOOKS_PER_INTERVAL
            pause = min(pause, min(max(often, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S))
        return max(pause, _SHORTEST_PAUSE_S)

    # what to hold

    def _set_task(self, task: LockTask) -> None:
        old, self._task = self._task, task
        if task.stream != old.stream:
            # Rows of the frame ring before, where pixels may have meant something else.
            self._oldest = [ring.head if old.stream else 0 for ring in self._rings]
            self._look_at = time.monotonic() + (task.xy.interval_s if task.xy else 0.0)
        if task.xy_number != old.xy_number:
            self._xy = XYState("starting" if task.xy else "off")
            self._look_at, self._seen_ns = 0.0, -1
        if task.z_number != old.z_number or task.stream != old.stream:
            begun = task.z_state
            if begun.phase != "starting":  # a predecessor has died, or frames are others
                begun = replace(begun, phase="starting", why="")
            self._z = ZLoop(begun)
            self._next = [ring.head for ring in self._rings]

    # XY-lock

    def _look(self, lock: XYLock) -> None:
        self._look_at = time.monotonic() + max(lock.interval_s, _SHORTEST_PAUSE_S)
        step = self._look_at_beads(lock)
        if step is None:
            self._xy = replace(self._xy, phase="waiting", why="no new frames are tracked")
            return
        self._xy = _after(self._xy, step)
        self._report_at = 0.0

    def _look_at_beads(self, lock: XYLock) -> XYStep | None:
        """Propose ROIs; return the step, or None if no frame has come since the last one."""
        rows = self._newest_rows(lock.window)
        if not len(rows) or rows["time_ns"][-1] == self._seen_ns:
            return None
        self._seen_ns = int(rows["time_ns"][-1])
        step = follow_beads(rows, self._task.beads, self._task.shape, lock)
        if step.moves:
            self.report(RoisMoved(step.moves))
        return step

    def _newest_rows(self, frames: int) -> np.ndarray:
        """Return the rows of at least the last so many frames, in the order of frames."""
        wanted = frames * max(1, len(self._task.beads))
        parts = []
        for ring, oldest in zip(self._rings, self._oldest, strict=True):
            rows, _ = ring.read(max(oldest, ring.head - wanted))
            parts.append(rows)
        rows = np.concatenate(parts) if parts else np.empty(0, TRACK_ROW)
        return rows[np.argsort(rows["time_ns"], kind="stable")]

    def _look_once(self, number: int, lock: XYLock) -> None:
        self._seen_ns = -1
        step = self._look_at_beads(lock)
        if step is None:
            error = StateError("no frame has been tracked yet", "start the live view")
            self.done(number, error)
            return
        state = _after(self._xy, step)
        if self._task.xy is not None:
            self._xy = state
        self.done(number, value=msgspec.to_builtins(state))

    # Z-lock

    def _hold(self, task: LockTask) -> None:
        assert task.z is not None
        scale = _TO_UM[task.unit]
        motor = self._motors.read(task.motor_row)
        focus = FocusReading(
            motor["target"] * scale,
            bool(motor["moving"]),
            int(motor["time_ns"]),
            (task.low * scale, task.high * scale),
        )
        before = self._z.state
        rows = self._fresh_rows()
        self._z, target = hold_height(self._z, rows, focus, task.z, task.held, time.monotonic_ns())
        if target is not None:
            self.report(FocusMoved(task.z_number, target / scale))
        now = self._z.state
        if (now.phase, now.why) != (before.phase, before.why):
            self._report_at = 0.0
            _LOG.info("Z-lock: %s%s", now.phase, f" ({now.why})" if now.why else "")

    def _fresh_rows(self) -> np.ndarray:
        parts = []
        for k, ring in enumerate(self._rings):
            if ring.head > self._next[k]:
                rows, self._next[k] = ring.read(self._next[k])
                parts.append(rows)
        if not parts:
            return np.empty(0, TRACK_ROW)
        rows = np.concatenate(parts)
        return rows[np.argsort(rows["time_ns"], kind="stable")]

    # what is told

    def _tell(self) -> None:
        """Report how the locks go when it is time to, or when something has happened."""
        now = (self._xy, self._z.state)
        if now == self._told or time.monotonic() < self._report_at:
            return
        task = self._task
        xy = now[0] if task.xy is not None and now[0] != self._told[0] else None
        z = now[1] if task.z is not None and now[1] != self._told[1] else None
        self._told = now
        if xy is None and z is None:
            return
        self._report_at = time.monotonic() + _REPORT_S
        self.report(LocksReport(task.xy_number, xy, task.z_number, z))


def _after(state: XYState, step: XYStep) -> XYState:
    return XYState(
        "on", "", step.followed, step.held, len(step.moves), step.step_px, state.looks + 1
    )
