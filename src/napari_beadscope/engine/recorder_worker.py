"""The recorder process: frame ring and track rings into the files of a recording.

A frame or row is released in the rings only after it is in its file, so a killed recorder's
successor goes on without a loss.
"""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import BeadscopeError, StorageError
from napari_beadscope.core.orders import (
    Abort,
    Arm,
    Armed,
    Began,
    Begin,
    End,
    Finished,
    KnowAnnotations,
    KnowMotors,
    Order,
    Ready,
    RecordingFailed,
    Remark,
    SetTask,
    Untracked,
)
from napari_beadscope.core.types import Annotation, FrameStamp, TrackerTask
from napari_beadscope.engine.config import RECORDER_CLAIM, WorkerConfig
from napari_beadscope.engine.motor_log import MotorLog
from napari_beadscope.engine.row_merge import RowMerge
from napari_beadscope.engine.worker import FrameWorker
from napari_beadscope.ring import FrameReader, TrackReader, TrackRingSpec
from napari_beadscope.storage import Manifest, RecordingWriter
from napari_beadscope.storage.annotations import ANNOTATIONS_NAME, write_annotations
from napari_beadscope.storage.lock import WritingLock
from napari_beadscope.storage.opening import discard
from napari_beadscope.tracking.backend import backend_name

_LOG = logging.getLogger(__name__)
_IDLE_PAUSE_S = 0.05
_POLL_S = 0.002
_BATCH_BYTES = 32 * 2**20
_BATCH_FRAMES = 256
_WRITE_LEASE_S = 10.0
_FINISH_LEASE_S = 600.0
_QUIET_S = 0.3
_ORPHAN_WAIT_S = 5.0


class RecorderWorker(FrameWorker):
    """Writes one recording at a time; its end is the one place where a recording is complete."""

    def __init__(self, config: WorkerConfig) -> None:
        super().__init__(config)
        shared = config.shared
        self._tracks = tuple(
            TrackReader.attach(TrackRingSpec(name, shared.track_rows), writable=True)
            for name in shared.track_rings
        )
        self._motors = MotorLog(shared)
        self._writer: RecordingWriter | None = None
        self._merge: RowMerge | None = None
        self._began = False
        self._next = 0
        self._stop = -1
        self._quiet = (-1, 0.0)
        self._number = 0
        self._annotations: dict[int, Annotation] = {}
        self._untracked = ""  # why frames are left without tracks

    def open(self) -> None:
        """Report readiness."""
        self.report(Ready())

    def obey(self, order: Order) -> None:
        """Carry out an order."""
        match order:
            case SetTask():
                pass
            case Arm():
                self._arm(order)
            case Begin(number, first, stop):
                self._begin(number, first, stop)
            case End(_, stop):
                self._stop = max(stop, self._next)  # what is on disk already belongs to it
            case Untracked(tracker, why):
                self._give_up_tracker(tracker, why)
            case KnowAnnotations(annotations):
                self._annotate(annotations)
            case KnowMotors(names, units):
                self._motors.know(names, units)
            case Remark(text):
                if self._writer is not None:
                    last = self._writer.last_frame
                    where = "" if last is None else f"about frame {last}: "
                    self._writer.manifest.notes.append(where + text)
            case Abort():
                self._abort()
            case _:
                super().obey(order)

    def turn(self) -> float:
        """Write what there is."""
        if self._writer is None or self._ring is None:
            return _IDLE_PAUSE_S
        if not self._began:
            return _POLL_S
        wrote = 0
        try:
            wrote = self._write_frames(self._ring, self._writer)
            is_complete = self._is_complete()  # asked first: rows that come now are written next
            if self._merge is not None:
                wrote += self._merge.write(self._writer, self._next)
            self._motors.write(self._writer)
            self.beat(frames=self._writer.frames_written, rows=self._writer.rows_written)
            if is_complete and not wrote:
                self._finish()
        except BeadscopeError as error:
            self._fail(error)
        return 0.0 if wrote else _POLL_S

    def orphaned(self) -> bool:
        """Finish what is in the rings, and the files."""
        if self._writer is None or self._ring is None:
            return True
        if not self._began:
            self._abort()
            return True
        head, now = self._ring.head, time.monotonic()
        if self._stop < 0:
            if head != self._quiet[0]:
                self._quiet = (head, now)
            elif now - self._quiet[1] > _QUIET_S:
                self._stop, self._quiet = head, (head, now)
        elif self._merge is not None and now - self._quiet[1] > _ORPHAN_WAIT_S:
            for tracker in self._merge.unfinished(self._stop):
                self._give_up_tracker(tracker, "the tracker did not finish in time")
        return False

    def close(self) -> None:
        """Close the files as they are; unfinished ones can be resumed or recovered."""
        if self._writer is not None:
            self._writer.close()
        super().close()
        self._motors.close()
        for ring in self._tracks:
            ring.close()

    # a recording's life

    def _arm(self, order: Arm) -> None:
        assert self._ring is not None
        task = order.task
        assert task.mode is not None
        self.beat(_WRITE_LEASE_S)
        self._number, self._untracked = order.number, ""
        try:
            if order.resume:
                self._writer = self._resume(Path(task.folder))
            else:
                self._writer = self._create(Path(task.folder), order)
        except BeadscopeError as error:
            self.report(RecordingFailed(error.what, error.remedy, number=self._number))
            return
        except (OSError, ValueError) as error:  # one bad request must not end the recorder
            what = f"cannot record into {task.folder!r} ({error})"
            self.report(RecordingFailed(what, "choose another folder", number=self._number))
            return
        if self._writer is None:
            return
        if not order.resume:
            self._ring.register(RECORDER_CLAIM)
        self._next = self._ring.cursor(RECORDER_CLAIM)  # stands also when the claim was let go of
        self._merge = None
        if task.mode.tracks:
            self._merge = RowMerge(self._tracks, resume=order.resume)
        self._began, self._stop, self._quiet = False, -1, (-1, 0.0)
        self.report(Armed(order.number, self._next))

    def _create(self, folder: Path, order: Arm) -> RecordingWriter:
        """Begin a recording; what a predecessor that died at it has left is put aside."""
        begun = _begun_since(folder, float(order.header.get("asked_s", math.inf)))
        if begun is not None:
            discard(folder, begun, WritingLock.take(folder))
        return RecordingWriter.create(folder, self._manifest(order))

    def _resume(self, folder: Path) -> RecordingWriter | None:
        """Go on with a recording; None if the dead predecessor had come to its end."""
        try:
            return RecordingWriter.resume(folder)
        except StorageError:
            manifest = Manifest.load(folder)
            if manifest.state != "complete":
                raise
        self._let_go("FINISHED")
        self.report(Finished(self._number, manifest.frames_written, manifest.rows_written))
        return None

    def _manifest(self, order: Arm) -> Manifest:
        assert self.stream is not None
        task, header = order.task, order.header
        assert task.mode is not None
        settings = self.settings
        recording = settings.get("recording", {})
        manifest = Manifest.new(
            mode=task.mode,
            format=self.stream.format,
            beads=task.beads,
            calibration=task.calibration,
            fps=self.stream.fps,
            camera_id=self.config.engine.camera_id,
            camera_properties=header.get("properties", {}),
            backend=_backend(task, header) if task.mode.tracks else "",
            method=task.method if task.mode.tracks else "",
            settings=settings,
            name=Path(task.folder).name,
            profiles=task.mode.tracks and bool(recording.get("profiles", False)),
        )
        manifest.camera.options = dict(self.config.engine.camera_options)
        manifest.video_file_bytes = int(recording.get("video_file_gb", 4.0) * 1e9)
        manifest.min_free_bytes = int(recording.get("min_free_gb", 1.0) * 1e9)
        if header.get("note"):
            manifest.notes.append(str(header["note"]))
        return manifest

    def _begin(self, number: int, first: int, stop: int) -> None:
        if self._writer is None:  # it could not be armed, which was reported
            return
        self._next = max(self._next, first)
        self._began, self._stop = True, stop
        self._motors.begin()
        if self._annotations:
            self._annotate(self._annotations)
        if self._merge is not None:
            self._merge.begin(first)
        self.report(Began(number))
        self.state("RUNNING")

    def _annotate(self, annotations: dict[int, Annotation]) -> None:
        """Keep what is said about the beads, in the recording too if one is on."""
        self._annotations = annotations
        if self._writer is None or not self._began:
            return
        beads = {bead.bead for bead in self._writer.manifest.beads}
        said = {bead: text for bead, text in annotations.items() if bead in beads}
        try:
            write_annotations(self._writer.folder / ANNOTATIONS_NAME, said, sync=False)
        except StorageError as error:  # no reason to lose frames
            _LOG.warning("what is said about the beads could not be saved: %s", error)

    def _is_complete(self) -> bool:
        if self._stop < 0 or self._next < self._stop:
            return False
        assert self._ring is not None
        self._ring.unregister(RECORDER_CLAIM)  # tells the trackers that its cursor is the end
        return self._merge is None or not self._merge.unfinished(self._stop)

    def _finish(self) -> None:
        assert self._writer is not None
        self.beat(_FINISH_LEASE_S)
        writer = self._writer
        note = "the engine's supervisor died; the recording ends there" if self.is_orphan else ""
        self._name_untracked(writer)
        self._motors.write(writer, last=True)
        writer.finish(note=note)
        self._let_go("FINISHED")
        self.report(Finished(self._number, writer.frames_written, writer.rows_written))

    def _fail(self, error: BeadscopeError) -> None:
        """Close the files properly after an error that more tries would not mend."""
        writer = self._writer
        assert writer is not None
        self.beat(_FINISH_LEASE_S)
        _LOG.error("recording stopped: %s", error)
        self._name_untracked(writer)
        self._end_early(writer, f"stopped early: {error}")
        self._let_go("READY")
        saved = (writer.frames_written, writer.rows_written, self._number)
        self.report(RecordingFailed(error.what, error.remedy, *saved))

    def _abort(self) -> None:
        if self._writer is not None:
            began = "stopped early" if self._began else "stopped before the first frame"
            self._end_early(self._writer, began)
        self._let_go("READY")

    def _end_early(self, writer: RecordingWriter, note: str) -> None:
        self._motors.write(writer, last=True)
        try:
            writer.finish(note=note)
        except BeadscopeError as error:
            _LOG.error("the files could not be completed: %s", error)
            writer.close()

    def _name_untracked(self, writer: RecordingWriter) -> None:
        """Say why frames have no tracks, if it is known."""
        first, last = writer.manifest.first_frame, writer.last_frame
        if self._untracked and first is not None and last is not None:
            writer.note_untracked(first, last, self._untracked)

    def _let_go(self, state: str) -> None:
        self._writer = None
        self._began = False
        if self._ring is not None:
            self._ring.unregister(RECORDER_CLAIM)
        for ring in self._tracks:
            ring.release_reader()
        self.state(state)

    def _give_up_tracker(self, tracker: int, why: str) -> None:
        if self._merge is None or self._writer is None:
            return
        _LOG.warning("frames that tracker %d had are left untracked: %s", tracker, why)
        self._merge.give_up(tracker)
        self._untracked = f"tracker {tracker} was given up: {why}"

    # data

    def _write_frames(self, ring: FrameReader, writer: RecordingWriter) -> int:
        stop = ring.head if self._stop < 0 else min(ring.head, self._stop)
        most = max(1, min(_BATCH_FRAMES, _BATCH_BYTES // ring.spec.format.nbytes))
        views: list[np.ndarray] = []
        stamps: list[FrameStamp] = []
        newest = writer.last_frame if writer.last_frame is not None else -1
        seq = self._next
        while seq < stop and len(views) < most:
            found = ring.view(seq)
            if found is None:
                break
            if found[1].frame > newest:  # a successor may be handed what is on disk already
                views.append(found[0])
                stamps.append(found[1])
            seq += 1
        if seq == self._next:
            return 0
        if views:
            self.beat(_WRITE_LEASE_S, busy=1)
            writer.write_frames(views, stamps)
        ring.advance(RECORDER_CLAIM, seq)
        self._next = seq
        self.beat(busy=0)
        return len(views) or 1


def _backend(task: TrackerTask, header: dict) -> str:
    """Return the backend that the trackers have said they use, or what they were asked for."""
    return str(header.get("backend") or "") or backend_name(task.backend, task.method)


def _begun_since(folder: Path, since_s: float) -> Manifest | None:
    """Return the manifest of an empty recording that was begun after a monotonic time."""
    try:
        manifest = Manifest.load(folder)
    except StorageError:
        return None
    is_empty = manifest.state == "open" and manifest.first_frame is None
    if is_empty and manifest.clock is not None and manifest.clock.monotonic_ns * 1e-9 >= since_s:
        return manifest
    return None
