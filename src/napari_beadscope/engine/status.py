"""The supervisor's status board: rates and counts out of the shared tables, for front ends."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from napari_beadscope.core.messages import (
    Event,
    FramesDropped,
    Shared,
    Status,
    StatusChanged,
    Welcome,
    WorkerStatus,
)
from napari_beadscope.core.session_state import State, Worker, WorkerState
from napari_beadscope.engine.config import WORKER_STATES
from napari_beadscope.engine.memory import MemoryMeter
from napari_beadscope.engine.worker_tables import WorkerTables
from napari_beadscope.ring import FrameWriter, TrackWriter

_WINDOW_S = 1.0


class StatusBoard:
    """Turns counters into a `Status`; rates are over the last second."""

    def __init__(self, tables: WorkerTables, tracks: tuple[TrackWriter, ...]) -> None:
        self._tables = tables
        self._tracks = tracks
        self._ring: FrameWriter | None = None
        self._samples: deque[tuple[float, int, int, int]] = deque()
        self._due = 0.0
        self._lost = (0, 0)
        self._memory = MemoryMeter()
        self._late_us: deque[tuple[float, int]] = deque()

    def watch(self, ring: FrameWriter) -> None:
        """Take the counts from this ring from now on."""
        self._ring = ring
        self._lost = (ring.dropped, ring.missed)

    def events(self, state: State, rate_hz: float) -> Iterator[Event]:
        """Return what is to be announced now: at most `rate_hz` times a second."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + 1 / rate_hz
        lost = (self._ring.dropped, self._ring.missed) if self._ring is not None else (0, 0)
        if lost > self._lost:
            yield FramesDropped(sum(lost) - sum(self._lost), sum(lost), lost[1] - self._lost[1])
            self._lost = lost
        yield StatusChanged(self.status(state))

    def status(self, state: State) -> Status:
        """Return everything that a status line shows."""
        head = self._ring.head if self._ring is not None else 0
        dropped = self._ring.dropped if self._ring is not None else 0
        missed = self._ring.missed if self._ring is not None else 0
        health = {name: self._tables.health(name) for name in state.workers}
        rows = sum(ring.head for ring in self._tracks)
        recorder = health.get("recorder", {})
        fps, tracked, _ = self._rates(head + dropped, self._tracked(state, health), 0)
        recording, stream = state.recording, state.stream
        cursors = self._ring.active_readers() if self._ring is not None else {}
        own = self._memory.own_bytes(int(one["pid"]) for one in health.values())
        trackers = [health[name] for name in state.trackers if name in health]
        return Status(
            phase=state.phase.value,
            streaming=state.streaming,
            camera_id=state.camera_id,
            can_wait=stream.can_wait if stream else False,
            width_px=stream.format.width_px if stream else 0,
            height_px=stream.format.height_px if stream else 0,
            dtype=stream.format.dtype if stream else "",
            nominal_fps=stream.fps if stream else 0.0,
            fps=fps,
            frames=head,
            dropped=dropped + missed,
            missed=missed,
            backlog=max((head - cursor for cursor in cursors.values()), default=0),
            tracked_fps=tracked,
            rows=rows,
            pool=state.pool,
            pool_busy=sum(int(one["busy"]) for one in trackers),
            recording=recording.task.folder if recording else "",
            mode=recording.mode.value if recording else "",
            recorded_frames=int(recorder.get("frames", 0)) if recording else 0,
            recorded_s=time.monotonic() - recording.since_s if recording else 0.0,
            disk_left_bytes=_disk_left(recording.task.folder if recording else ""),
            write_bytes_per_s=_write_rate(state, fps),
            tracking=state.tracking,
            workers=tuple(
                _worker_status(worker, health[name], own) for name, worker in state.workers.items()
            ),
            latency_ms=self._latency_ms(trackers if tracked > 0 else []),
            gpu_used_bytes=max((int(one["gpu_used"]) for one in trackers), default=0),
            gpu_total_bytes=max((int(one["gpu_total"]) for one in trackers), default=0),
            memory_bytes=sum(own.values()) + self._shared_bytes(),
            memory_left_bytes=self._memory.left_bytes,
            camera_lost=state.loss.why if state.loss else "",
            camera_lost_s=time.monotonic() - state.loss_since_s if state.loss else 0.0,
        )

    def welcome(self, state: State, session: str, shared: Shared, settings: dict) -> Welcome:
        """Return what a front end is told first; `settings` are those the engine began with."""
        return Welcome(
            session,
            state.camera_id,
            os.getpid(),
            shared,
            state.stream,
            state.beads,
            state.calibration,
            state.motor_infos,
            state.streaming,
            state.recording.task.folder if state.recording else "",
            state.annotations,
            state.locks,
            state.settings or settings,
        )

    def _latency_ms(self, trackers: list[dict]) -> float:
        """Return the median over the last second of the slowest tracker's latency."""
        now = time.monotonic()
        late = max((int(one["latency_us"]) for one in trackers), default=0)
        if late > 0:
            self._late_us.append((now, late))
        while self._late_us and now - self._late_us[0][0] > _WINDOW_S:
            self._late_us.popleft()
        if not self._late_us:
            return -1.0
        return round(statistics.median(value for _, value in self._late_us) / 1000, 2)

    def _shared_bytes(self) -> int:
        frames = 0 if self._ring is None else self._ring.spec.nbytes
        return frames + sum(ring.spec.nbytes for ring in self._tracks)

    def _tracked(self, state: State, health: dict) -> int:
        return sum(int(health[name]["tracked"]) for name in state.trackers if name in health)

    def _rates(self, *counts: int) -> tuple[float, ...]:
        """Return each count's rate per second over the window."""
        now = time.monotonic()
        self._samples.append((now, *counts))  # type: ignore[arg-type]
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()
        first = self._samples[0]
        elapsed = now - first[0]
        if elapsed <= 0:
            return (0.0,) * len(counts)
        return tuple((count - old) / elapsed for count, old in zip(counts, first[1:], strict=True))


def _worker_status(worker: Worker, health: dict, own: dict[int, int]) -> WorkerStatus:
    state = worker.state.value
    if worker.state is WorkerState.READY:
        state = WORKER_STATES[max(1, int(health["state"]))]
    beat = health["heartbeat_ns"]
    age = (time.monotonic_ns() - beat) * 1e-9 if beat else 0.0
    return WorkerStatus(
        worker.name,
        int(health["pid"]),
        state,
        bool(health["busy"]),
        worker.restarts,
        max(0.0, age),
        own.get(int(health["pid"]), 0),
    )


def _disk_left(folder: str) -> int:
    path = Path(folder) if folder else None
    if path is None or not path.exists():
        return -1
    return shutil.disk_usage(path).free


def _write_rate(state: State, fps: float) -> float:
    """Return the bytes per second that the present recording puts on disk, about."""
    recording, stream = state.recording, state.stream
    if recording is None or stream is None:
        return 0.0
    rate = 0.0
    if recording.mode.video:
        rate += stream.format.nbytes * fps
    if recording.mode.rois:
        item = 2 if stream.format.dtype == "uint16" else 1
        rate += sum(bead.roi.size**2 for bead in recording.task.beads) * item * fps
    if recording.mode.tracks:
        rate += 80.0 * len(recording.task.beads) * fps
    return rate
