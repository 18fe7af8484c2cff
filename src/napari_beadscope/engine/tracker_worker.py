"""A tracker process: its share of the frames, every Nth, into rows in its own track ring.

Live it takes the newest frame; while tracks are saved it takes every one of its share.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.messages import Stream, Tracking
from napari_beadscope.core.orders import (
    Abort,
    Arm,
    Armed,
    Began,
    Begin,
    End,
    Finished,
    MoveRois,
    Order,
    Ready,
    SetTask,
)
from napari_beadscope.core.types import TRACK_ROW, FrameStamp, TrackerTask
from napari_beadscope.engine.config import RECORDER_CLAIM, WorkerConfig
from napari_beadscope.engine.gpu_lock import gpu_lock
from napari_beadscope.engine.worker import FrameWorker
from napari_beadscope.ring import FrameReader, TrackRingSpec, TrackWriter
from napari_beadscope.tracking import Backend, ZLut
from napari_beadscope.tracking.choice import Choice, choose_backend, few_for_gpu
from napari_beadscope.tracking.gpu_memory import memory_in_use
from napari_beadscope.tracking.rows import to_rows

_LOG = logging.getLogger(__name__)
_IDLE_PAUSE_S = 0.05
_POLL_S = 0.001
_COMPILE_LEASE_S = 300.0
_SPARE_CORES = 1  # the camera's
_CAMERA_FIRST_S = 2.0  # as long as a camera may still be on its way, it has the cores
_USUAL_SIZE_PX, _USUAL_DTYPE = 64, "uint8"
_QUIET_S = 0.3
_STREAMING_S = 1.0
_GPU_LEASE_S = 30.0
_ORPHAN_WAIT_S = 5.0


class TrackerWorker(FrameWorker):
    """Tracker ``k`` of ``n`` works on the frames whose sequence number is ``k`` modulo ``n``."""

    def __init__(self, config: WorkerConfig) -> None:
        super().__init__(config)
        self._index = int(config.name.partition("-")[2])
        self._count = config.engine.limits.trackers
        self._claim = RECORDER_CLAIM + 1 + self._index
        self._rows = TrackWriter.attach(
            TrackRingSpec(config.shared.track_rings[self._index], config.shared.track_rows)
        )
        self._task = TrackerTask()
        self._backend: Backend | None = None
        self._choice: Choice | None = None
        self._chosen_for = ("", "", False)
        self._told = Tracking()
        self._zlut: ZLut | None = None
        self._warm: tuple = ()
        self._warm_up_at = math.inf
        self._saving = self._begun = self._resumed = self._ending = False
        self._stop = -1
        self._next = 0
        self._quiet: tuple[int, float] = (-1, 0.0)
        self._total = self._tracked = self._number = self._gpu_due_ns = 0

    def open(self) -> None:
        """Report readiness; backends are opened with the first task or stream."""
        self.report(Ready())
        self._warm_up_at = time.monotonic() + _CAMERA_FIRST_S

    def attach(self, stream: Stream) -> None:
        """Attach to the frame ring; what to track in its frames is told next."""
        super().attach(stream)
        assert self._ring is not None
        self._task = replace(self._task, beads=())
        self._next = self._mine(self._ring.head)
        self._warm_up_at = 0.0

    def obey(self, order: Order) -> None:
        """Carry out an order."""
        match order:
            case SetTask(number, task):
                self._set_task(number, task)
            case MoveRois(beads):
                if [bead.bead for bead in beads] == [bead.bead for bead in self._task.beads]:
                    self._task = replace(self._task, beads=beads)
            case Arm(number, task, _, resume):
                self._arm(number, task, resume)
            case Begin(number, first, stop):
                self._next = max(self._mine(first), self._next if self._resumed else 0)
                self._begun, self._stop = True, stop
                self.report(Began(number))
                self.state("RUNNING")
            case End(_, stop):
                self._stop, self._ending = stop, True
            case Abort():
                self._leave("READY")
            case _:
                super().obey(order)

    def turn(self) -> float:
        """Track what there is."""
        if time.monotonic() > self._warm_up_at:
            self._warm_up_early()
        ring = self._ring
        if ring is None or self._backend is None:
            return _IDLE_PAUSE_S
        if not self._saving:
            return self._track_newest(ring)
        if not self._begun:
            return _POLL_S
        stop, is_last = self._end(ring)
        if is_last and self._next >= stop <= ring.head:
            self._finish(stop)
            return 0.0
        batch = self._collect(ring, min(ring.head, stop))
        if batch:
            self._track_batch(ring, batch)
            return 0.0
        return _POLL_S

    def orphaned(self) -> bool:
        """Finish what the camera has left in the ring, if it is being saved."""
        if not self._begun or self._ring is None:
            return True
        if self._stop < 0:
            head = self._ring.head
            if head != self._quiet[0]:
                self._quiet = (head, time.monotonic())
            elif time.monotonic() - self._quiet[1] > _QUIET_S:
                self._stop = head
        return False

    def close(self) -> None:
        """Let go of the rings; a claim stays for the successor, if there is one."""
        super().close()
        self._rows.close()

    # tasks

    def _set_task(self, number: int, task: TrackerTask) -> None:
        try:
            self._prepare(task)
        except BeadscopeError as error:
            self.done(number, error)
        else:
            self.done(number)

    def _prepare(self, task: TrackerTask) -> None:
        """Open backend and Z-LUT and do everything slow now."""
        size = task.beads[0].roi.size if task.beads else 0
        zlut = None
        if task.calibration.zlut:
            zlut = ZLut.load(Path(task.calibration.zlut))
            if size:
                zlut.check_matches(size)
        backend = self._open(task)
        if size and self.stream is not None:
            self._warm_up(backend, size, self.stream.format.dtype, task.calibration.zlut, zlut)
        elif not self._warm and self.stream is not None:
            self._warm_up_at = 0.0
        self._task, self._zlut = task, zlut

    def _open(self, task: TrackerTask) -> Backend:
        """Return the backend that the task asks for, the present one if it is that."""
        beads = len(task.beads)
        asked = (task.backend, task.method, few_for_gpu(beads))
        if self._backend is None or self._chosen_for != asked:
            choice = choose_backend(
                task.backend,
                method=task.method,
                spare=_SPARE_CORES,
                sharers=self._count,
                beads=beads,
            )
            if self._backend is None or choice != self._choice:
                self._backend, self._choice, self._warm = choice.open(), choice, ()
            self._chosen_for = asked
        return self._backend

    def _warm_up_early(self) -> None:
        """Get the kernels ready before there are beads, so that tracking can start at once."""
        self._warm_up_at = math.inf
        if self._warm:
            return
        dtype = self.stream.format.dtype if self.stream is not None else _USUAL_DTYPE
        try:
            backend = self._open(self._task)
            self._warm_up(backend, _USUAL_SIZE_PX, dtype, "", None)
        except BeadscopeError as error:  # the task that needs it will say so
            _LOG.debug("not warmed up: %s", error)

    def _warm_up(
        self, backend: Backend, size: int, dtype: str, path: str, zlut: ZLut | None
    ) -> None:
        """Let the backend compile and load what such ROIs need; say so while it does."""
        warm = (size, dtype, path)
        if warm == self._warm:
            return
        if not self._warm:
            self._tell(backend, "compiling kernels")
        began = time.perf_counter()
        self.beat(_COMPILE_LEASE_S)
        with self.may_be_cut_short():
            backend.warm_up(size, dtype, zlut)
        self.beat()
        _LOG.debug("backend warmed up in %.2f s", time.perf_counter() - began)
        self._warm = warm
        self._tell(backend)

    def _tell(self, backend: Backend, step: str = "") -> None:
        """Tell everybody which backend tracks, and why, if that is news."""
        assert self._choice is not None
        why = getattr(backend, "note", "") or self._choice.why
        tracking = Tracking(backend.name, backend.device, backend.method, why, step)
        if tracking != self._told:
            self._told = tracking
            self.report(tracking)

    def _arm(self, number: int, task: TrackerTask, resume: bool) -> None:
        assert self._ring is not None
        try:
            self._prepare(task)
        except BeadscopeError as error:
            self.report(Finished(number, error=str(error)))
            return
        self._number = number
        self._resumed = resume and self._ring.is_registered(self._claim)
        if self._resumed:
            # Rows are published before the claim advances: what is done must not be done twice.
            self._next = self._mine(max(self._ring.cursor(self._claim), self._rows.done))
        else:
            self._ring.register(self._claim)
        self._saving, self._begun, self._ending, self._stop = True, False, False, -1
        self._quiet = (-1, 0.0)
        self.report(Armed(number, self._ring.cursor(self._claim)))

    def _end(self, ring: FrameReader) -> tuple[int, bool]:
        """Return up to which frame to track, and whether that is the end of the recording.

        The recorder may have written some frames more by the time it is told to end. It lets go
        of its claim at the last one, and that is the end for the trackers too.
        """
        if self._stop < 0:
            return ring.head, False
        if not self._ending:
            return self._stop, True
        is_last = not ring.is_registered(RECORDER_CLAIM)
        return max(self._stop, ring.cursor(RECORDER_CLAIM)), is_last

    def _finish(self, stop: int) -> None:
        self._publish(np.empty(0, TRACK_ROW), stop)
        self.report(Finished(self._number))
        self._leave("FINISHED")
        if self.is_orphan:
            self._backend = None

    def _leave(self, state: str) -> None:
        if self._ring is not None:
            self._ring.unregister(self._claim)
            self._next = self._mine(self._ring.head)
        self._saving = self._begun = self._resumed = False
        self.state(state)

    # frames

    def _mine(self, seq: int) -> int:
        """Return the first sequence number of this tracker's share at or after `seq`."""
        return seq + (self._index - seq) % self._count

    def _collect(self, ring: FrameReader, stop: int) -> list[tuple[int, FrameStamp, np.ndarray]]:
        """Return the crops of the next frames of the share before `stop`, at most a batch."""
        assert self._choice is not None
        limit = max(1, self._choice.batch_rois // max(1, len(self._task.beads)))
        batch: list[tuple[int, FrameStamp, np.ndarray]] = []
        for seq in range(self._next, stop, self._count):
            if len(batch) == limit:
                break
            found = ring.view(seq)
            if found is None:
                break
            batch.append((seq, found[1], self._crops(found[0])))
        return batch

    def _crops(self, frame: np.ndarray) -> np.ndarray:
        beads = self._task.beads
        size = beads[0].roi.size if beads else 1
        crops = np.empty((len(beads), size, size), frame.dtype)
        for crop, bead in zip(crops, beads, strict=True):
            crop[...] = bead.roi.crop(frame)
        return crops

    def _track_newest(self, ring: FrameReader) -> float:
        seq = self._mine(ring.head - self._count) if ring.head >= self._count else -1
        if seq < self._next or not self._task.beads:
            return self._pause(ring.head)
        found = ring.view(seq)
        if found is not None:
            crops = self._crops(found[0])
            if ring.holds(seq):
                self._publish(self._track([(seq, found[1], crops)]), seq + 1, found[1].time_ns)
        self._next = seq + self._count
        return 0.0

    def _pause(self, head: int) -> float:
        """Return how long to sleep while there is nothing new: little while frames come."""
        if head != self._quiet[0]:
            self._quiet = (head, time.monotonic())
        is_streaming = time.monotonic() - self._quiet[1] < _STREAMING_S
        return 2 * _POLL_S if is_streaming and self._task.beads else _IDLE_PAUSE_S

    def _track_batch(
        self, ring: FrameReader, batch: list[tuple[int, FrameStamp, np.ndarray]]
    ) -> None:
        rows = self._track(batch)
        following = batch[-1][0] + self._count
        self._publish(rows, following, batch[0][1].time_ns)
        ring.advance(self._claim, following)
        self._next = following

    def _publish(self, rows: np.ndarray, done: int, exposed_ns: int = 0) -> None:
        """Append rows, waiting for the recorder while its claim leaves no room."""
        give_up_s = math.inf
        while not self._rows.append(rows, done):
            self.beat()
            time.sleep(_POLL_S)
            if self.is_cut_off:  # nobody restarts a recorder that died too
                give_up_s = min(give_up_s, time.monotonic() + _ORPHAN_WAIT_S)
            if time.monotonic() > give_up_s:
                break
        self._total += len(rows)
        self.beat(rows=self._total, frames=done, tracked=self._tracked, busy=0)
        if exposed_ns and len(rows):
            self._measure(exposed_ns)

    def _measure(self, exposed_ns: int) -> None:
        """Show how late the newest rows are, and once a second how full the GPU is."""
        now_ns = time.monotonic_ns()
        values = {"latency_us": (now_ns - exposed_ns) // 1000}
        if self._backend is not None and now_ns >= self._gpu_due_ns:
            self._gpu_due_ns = now_ns + 1_000_000_000
            used, total = memory_in_use(self._backend.device)
            values |= {"gpu_used": used, "gpu_total": total}
        self._health.write(self.config.row, **values)

    def _track(self, batch: list[tuple[int, FrameStamp, np.ndarray]]) -> np.ndarray:
        """Return the track rows of a batch, bead after bead, frame after frame."""
        beads = self._task.beads
        if not beads:
            return np.zeros(0, TRACK_ROW)
        assert self._backend is not None
        self._tracked += len(batch)
        # Others may hold a GPU for as long as their batch takes.
        self.beat(0.0 if self._backend.device == "cpu" else _GPU_LEASE_S, busy=1)
        stack = np.concatenate([crops for _, _, crops in batch])
        lock = nullcontext() if self._backend.device == "cpu" else gpu_lock(self._backend.device)
        with lock:
            result = self._backend.track(stack, self._zlut)
        self._tell(self._backend)  # it may have had to fall back
        seqs, stamps = [seq for seq, _, _ in batch], [stamp for _, stamp, _ in batch]
        return to_rows(result, beads, seqs, stamps, profiles=self._task.profiles)
