"""What a front end sees of its engine: the rings, mapped read-only, and the newest events."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_beadscope.core.errors import (
    EngineError,
    InputError,
    RingError,
    StorageError,
    named_error,
)
from napari_beadscope.core.locks import Locks
from napari_beadscope.core.messages import (
    AcquisitionChanged,
    AnnotationsChanged,
    BeadsChanged,
    CalibrationChanged,
    Event,
    LocksChanged,
    MotorsChanged,
    Progress,
    SettingsChanged,
    Status,
    StatusChanged,
    Stopping,
    Stream,
    StreamChanged,
    Welcome,
    WorkerLost,
)
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import (
    TRACK_ROW,
    Annotation,
    Bead,
    Calibration,
    FrameFormat,
    FrameStamp,
    MotorInfo,
)
from napari_beadscope.engine.config import motor_history_spec, motor_spec
from napari_beadscope.ring import (
    SAMPLE,
    FrameReader,
    FrameRingSpec,
    HistoryTable,
    LatestTable,
    TrackReader,
    TrackRingSpec,
)

_LOG = logging.getLogger(__name__)
_COPY_TRIES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A copy of a frame ``(y, x)``, the camera's number for it, and when it was exposed."""

    image: np.ndarray
    frame: int
    time_ns: int


class EngineView:
    """Follows one engine; safe to read from any thread while events come in on another."""

    def __init__(self) -> None:
        self.beads: tuple[Bead, ...] = ()
        self.annotations: dict[int, Annotation] = {}
        self.calibration = Calibration()
        self.locks = Locks()
        self.settings: Settings | None = None
        self.motors: tuple[MotorInfo, ...] = ()
        self.streaming = False
        self._changed = threading.Condition()
        self._callbacks: list[Callable[[Event], None]] = []
        self._stream: Stream | None = None
        self._ring: FrameReader | None = None
        self._tracks: tuple[TrackReader, ...] = ()
        self._motor_table: LatestTable | None = None
        self._motor_history: HistoryTable | None = None
        self._losses: Counter[str] = Counter()
        self._status: Status | None = None
        self._stopping: Stopping | None = None
        self._ended: AcquisitionChanged | None = None
        self._gone = False

    # --- incoming -----------------------------------------------------------------------

    def welcome(self, welcome: Welcome) -> None:
        """Attach to everything that the engine has."""
        shared = welcome.shared
        self._tracks = tuple(
            TrackReader.attach(TrackRingSpec(name, shared.track_rows))
            for name in shared.track_rings
        )
        self._motor_table = LatestTable.attach(motor_spec(shared.motors))
        self._motor_history = HistoryTable.attach(motor_history_spec(shared.motor_history))
        self.beads, self.calibration = welcome.beads, welcome.calibration
        self.annotations, self.locks = welcome.annotations, welcome.locks
        if welcome.settings:
            self.settings = Settings.from_dict(welcome.settings)
        self.motors, self.streaming = welcome.motors, welcome.streaming
        if welcome.stream is not None:
            self._attach(welcome.stream)

    def heard(self, event: Event | None) -> None:
        """Take an event in, and pass it on; None means that the engine is gone."""
        with self._changed:
            match event:
                case None:
                    self._gone = True
                case StatusChanged(status):
                    self._status = status
                    self.streaming = status.streaming
                case StreamChanged(stream):
                    self._attach(stream)
                case BeadsChanged(beads):
                    self.beads = beads
                case LocksChanged(locks):
                    self.locks = locks
                case SettingsChanged(settings):
                    self.settings = Settings.from_dict(settings)
                case AnnotationsChanged(annotations):
                    self.annotations = annotations
                case CalibrationChanged(calibration):
                    self.calibration = calibration
                case MotorsChanged(motors):
                    self.motors = motors
                case WorkerLost(name=name):
                    self._losses[name] += 1
                case AcquisitionChanged(on=False):
                    self._ended = event
                case Stopping():
                    self._stopping = event
                case Progress(text, fraction):
                    _LOG.info("start-up: %s (%.0f %%)", text, 100 * fraction)
            self._changed.notify_all()
            callbacks = list(self._callbacks)
        if event is None:
            return
        for callback in callbacks:
            try:
                callback(event)
            except Exception:  # noqa: BLE001  the user's code, which must not cut us off
                _LOG.exception("a callback raised on %s", type(event).__name__)

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event from now on; return what ends that."""
        with self._changed:
            self._callbacks.append(callback)

        def unsubscribe() -> None:
            with self._changed:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)

        return unsubscribe

    def close(self) -> None:
        """Let go of the rings."""
        with self._changed:
            tables = (self._motor_table, self._motor_history)
            for ring in (self._ring, *tables, *self._tracks):
                if ring is not None:
                    ring.close()
            self._ring, self._tracks = None, ()
            self._motor_table = self._motor_history = None
            self._gone = True
            self._changed.notify_all()

    # --- waiting ------------------------------------------------------------------------

    def wait_up(self, timeout_s: float) -> None:
        """Wait until every worker is ready; raise what keeps the engine from that."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_up() or self._stopping or self._gone, timeout_s)
            stop = self._stopping
            if self._is_up() and stop is None and not self._gone:
                return
        if stop is not None and stop.error:
            raise named_error(stop.error, stop.what, stop.remedy)
        why = "it ended" if stop or self._gone else f"not ready after {timeout_s:g} s"
        raise EngineError(f"the engine did not start ({why})", "look at its log")

    def forget_recording(self) -> None:
        """Forget how the last recording ended."""
        with self._changed:
            self._ended = None

    def wait_recorded(self, timeout_s: float | None) -> AcquisitionChanged:
        """Wait for the end of the recording; raise what ended it early."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._gone, timeout_s)
            ended = self._ended
        if ended is None:
            why = "the engine is gone" if self._gone else f"it still runs after {timeout_s} s"
            raise EngineError(f"the recording's end was not seen ({why})", "open its folder")
        if ended.error:
            raise StorageError(ended.error)
        return ended

    # --- reading ------------------------------------------------------------------------

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        if self._stream is None:
            raise EngineError("the camera is not ready", "wait until start-up has ended")
        return self._stream.format

    @property
    def ring(self) -> FrameReader:
        """The present frame ring; another object once the camera's format has changed."""
        if self._ring is None:
            raise EngineError("the camera is not ready", "wait until start-up has ended")
        return self._ring

    def latest_frame(self) -> Frame | None:
        """Return a copy of the newest frame."""
        buffer = np.empty(self.format.shape, self.format.dtype)
        stamp = self.copy_latest_into(buffer)
        return None if stamp is None else Frame(buffer, stamp.frame, stamp.time_ns)

    def copy_latest_into(self, buffer: np.ndarray) -> FrameStamp | None:
        """Copy the newest frame into `buffer`."""
        ring = self._ring
        if ring is None:
            return None
        if buffer.shape != ring.spec.format.shape or buffer.dtype != ring.spec.format.dtype:
            raise InputError(
                f"the buffer is {buffer.shape} {buffer.dtype}, the frames are "
                f"{ring.spec.format.shape} {ring.spec.format.dtype}",
                "make a new buffer",
            )
        for _ in range(_COPY_TRIES):
            found = ring.copy_latest(buffer)
            if found is not None:
                return found[1]
            if ring.head == 0:
                return None
        return None

    def tracks(self, since_seq: int) -> np.ndarray:
        """Return the rows after frame `since_seq` that the rings still hold, in frame order.

        Rows of frames from before the last change of their format or window are left out: their
        places are places in other frames.
        """
        if self._stream is not None:
            since_seq = max(since_seq, self._stream.first - 1)
        parts = []
        for ring in self._tracks:
            rows = ring.read_after(since_seq)
            if len(rows):
                parts.append(rows)
        if not parts:
            return np.empty(0, TRACK_ROW)
        rows = np.concatenate(parts)
        return rows[np.argsort(rows["seq"], kind="stable")]

    def motor(self, name: str) -> dict[str, float]:
        """Return a motor's latest position, target and whether it moves."""
        row, table = self._motor_row(name), self._motor_table
        if table is None:
            raise EngineError("the engine is gone", "start a new one")
        return table.read(row)

    def motor_history(self, name: str, since_ns: int) -> np.ndarray:
        """Return a motor's recent positions after `since_ns`."""
        row, table = self._motor_row(name), self._motor_history
        return np.empty(0, SAMPLE) if table is None else table.read(row, since_ns)

    def losses(self, worker: str) -> int:
        """Return how often a worker process has died since this attached."""
        return self._losses[worker]

    def _motor_row(self, name: str) -> int:
        rows = {info.name: info.row for info in self.motors}
        if name not in rows:
            known = ", ".join(rows) or "none"
            raise InputError(f"there is no motor named {name!r}", f"known motors: {known}")
        return rows[name]

    def status(self) -> Status:
        """Return the newest status, waiting for the first one."""
        with self._changed:
            self._changed.wait_for(lambda: self._status is not None or self._gone, 5.0)
            if self._status is None:
                raise EngineError("the engine sent no status", "look at its log")
            return self._status

    def worker_pids(self) -> list[int]:
        """Return the workers' process IDs as last heard, also after the end."""
        status = self._status
        return [worker.pid for worker in status.workers if worker.pid] if status else []

    def _is_up(self) -> bool:
        return self._ring is not None and self._status is not None and self._status.phase == "UP"

    def _attach(self, stream: Stream) -> None:
        """Attach to a new frame ring; readers of the old one finish their copy undisturbed."""
        try:
            spec = FrameRingSpec(stream.ring, stream.format, stream.slots)
            ring = FrameReader.attach(spec)
        except RingError as error:  # replaced already: another event is on its way
            _LOG.debug("%s", error)
            return
        self._ring, self._stream = ring, stream
