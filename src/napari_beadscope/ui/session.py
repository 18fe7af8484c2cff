"""One viewer's link to one engine.

Owns the `Scope`, the lane of jobs that talk to it and the watch that looks at it, and keeps
the model true. Must not know Qt, napari or any layer. All methods are for the GUI thread;
whatever may take longer than 50 ms runs as a job.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from psygnal import Signal

from napari_beadscope.core import messages as events
from napari_beadscope.core.errors import BeadscopeError, StateError
from napari_beadscope.core.types import Annotation, Bead
from napari_beadscope.ui.bead_edits import BeadEdits
from napari_beadscope.ui.fresh_engine import set_up
from napari_beadscope.ui.jobs import Job, JobLane, Launch, Outcome
from napari_beadscope.ui.lock_watch import LockWatch
from napari_beadscope.ui.long_jobs import LongJobs
from napari_beadscope.ui.messages import (
    end_of_engine,
    message_of_error,
    message_of_event,
    with_message,
)
from napari_beadscope.ui.model import Message, Phase, SessionModel
from napari_beadscope.ui.other_engines import OtherEngines
from napari_beadscope.ui.ports import ScopePort, ScopeSource
from napari_beadscope.ui.watch import EngineWatch, Overlay

T = TypeVar("T")
#: An engine that has not answered for this long is shown as silent.
SILENT_AFTER_S = 2.0
_QUICK = ("Setting", "Looking", "Reading", "Stopping")


class Session:
    """All that docks of one viewer share.

    Parameters
    ----------
    scopes : ScopeSource
        Where engines come from.
    launch : callable
        Runs one job, see `JobLane`.
    report : callable
        Shows a `Message` to the user at once.

    Attributes
    ----------
    heard : Signal
        Every event of the engine, on the GUI thread.
    jobs : LongJobs
        Long work that can be followed and cancelled.
    edits : BeadEdits
        The beads as the user wants them, with Undo.
    """

    heard = Signal(object)

    def __init__(
        self, scopes: ScopeSource, launch: Launch, report: Callable[[Message], None]
    ) -> None:
        self.model = SessionModel()
        self._scopes = scopes
        self._report = report
        self.launch = launch
        self.others = OtherEngines(self, scopes)
        self._lane = JobLane(launch, self._set_busy)
        self.jobs = LongJobs(self.model, launch, lambda: self._scope, self.fail, self.say)
        self.edits = BeadEdits(self)
        self._locks = LockWatch(self.model, self.say)
        self.heard.connect(self._locks.heard)
        self._scope: ScopePort | None = None
        self._started_with: tuple[str, dict[str, Any]] | None = None
        self._watch: EngineWatch | None = None
        self._recording_since_s = 0.0
        self._recording_confirmed = False
        self._ended: Path | None = None  # the recording whose end was taken over last
        self._closed = False

    # what there is

    @property
    def scope(self) -> ScopePort | None:
        """The engine's facade, None without an engine."""
        return self._scope

    @property
    def attached(self) -> bool:
        """Whether the engine was started elsewhere, with options that nobody here knows."""
        return self._scope is not None and self._started_with is None

    @property
    def watch(self) -> EngineWatch | None:
        """What was seen of the engine, None without one."""
        return self._watch

    @property
    def overlay(self) -> Overlay | None:
        """Newest positions and trails."""
        return None if self._watch is None else self._watch.overlay

    # the engine

    def start_live(self) -> None:
        """Start the chosen camera, and its engine if need be; then `model.live` is True."""
        wanted = (self.model.camera_id, dict(self.model.options))
        self._submit(
            "Starting the camera",
            lambda: self._start_work(wanted),
            self._entered_live,
            self.look_for_engines,  # another engine may be why
        )

    def stop_live(self) -> None:
        """Stop to show frames; the camera stops too unless a recording needs it."""
        self.model.live = False
        scope = self._scope
        if scope is not None and self.model.recording is None:
            self._submit("Stopping the camera", scope.stop_live, lambda _: None)

    def attach(self, engine_id: str) -> None:
        """Attach to a running engine and show its frames."""

        def work() -> ScopePort:
            scope = self._scopes.attach(engine_id)
            if self._closed:
                scope.detach()
            return scope

        def done(scope: ScopePort) -> None:
            self._let_go()
            self._adopt(scope, None)
            self._submit(
                "Reading the engine's state",
                lambda: (scope.status(), tuple(scope.beads), tuple(scope.camera_properties())),
                self._entered_attached,
            )

        self._submit("Attaching to the running engine", work, done, self.look_for_engines)

    def look_for_engines(self) -> None:
        """Fill `model.engines` with the engines that run on this machine."""
        self.others.look()

    def close(self) -> None:
        """Let go of the engine, which goes on; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        for lane in (self._lane, self.jobs, self.others):
            lane.close()
        self.model.live = False
        self._let_go()

    # commands

    def on_scope(
        self,
        label: str,
        work: Callable[[ScopePort], T],
        done: Callable[[T], None] | None = None,
        undo: Callable[[], None] | None = None,
    ) -> None:
        """Run ``work(scope)`` as a job and give its value to `done`; call `undo` if it fails."""

        def run() -> T:
            if self._scope is None:
                raise StateError("the camera is not running", "press Live first")
            return work(self._scope)

        self._submit(label, run, done or (lambda _: None), undo)

    def run(self, label: str, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run ``work()``, which needs no engine, as a job and give its value to `done`."""
        self._submit(label, work, done)

    def set_beads(
        self, beads: tuple[Bead, ...], annotations: dict[int, Annotation] | None = None
    ) -> None:
        """Track `beads`; without an engine they are kept for the next start.

        Beads that stay keep their annotations, unless `annotations` gives those of all.
        """
        self.edits.edit(beads, said=annotations)

    def took_beads(self, beads: tuple[Bead, ...]) -> None:
        """Take over beads that the engine already tracks."""
        self._took_beads(beads)

    def started_recording(self, path: Path) -> None:
        """Take over a recording that has just begun."""
        self._recording_since_s = time.monotonic()
        self._recording_confirmed = False
        self.model.recorded_s = 0.0
        self.model.recording = Path(path)

    def stopped_recording(self, path: Path | None) -> None:
        """Take over that the recording has ended."""
        self._ended = Path(path) if path is not None else self.model.recording
        self.model.last_recording = self._ended
        self.model.recording = None

    def say(self, message: Message) -> None:
        """Keep `message` and show it."""
        self.model.messages = with_message(self.model.messages, message)
        self._report(message)

    def fail(self, error: BaseException, traceback_text: str = "", doing: str = "") -> None:
        """Keep and show an error."""
        self.say(message_of_error(error, traceback_text, doing))
        self._resend("beads")

    def clear_messages(self) -> None:
        """Forget all messages."""
        self.model.messages = ()

    # the clock

    def tick(self) -> None:
        """Take over what the watch has seen; called by the view's timer."""
        watch = self._watch
        if watch is None:
            return
        if watch.gone is not None:
            self._lost(watch.gone)
            return
        for event in watch.take_events():
            self._take_event(event)
        if watch.status is not None and watch.status is not self.model.status:
            self._take_status(watch.status)
        age_s = watch.answer_age_s
        self.model.answer_age_s = 0.0 if age_s < SILENT_AFTER_S else float(round(age_s))

    # inside

    def _submit(
        self,
        label: str,
        work: Callable[[], T],
        done: Callable[[T], None],
        undo: Callable[[], None] | None = None,
    ) -> None:
        def failed(outcome: Outcome) -> None:
            if undo is not None:
                undo()
            if self.model.phase is Phase.STARTING:
                self.model.phase = Phase.NONE if self._scope is None else Phase.READY
            if outcome.error is not None:
                self.fail(outcome.error, outcome.traceback, label)
            self._resend("live")

        self._lane.submit(Job(label, work, done, failed, quick=label.startswith(_QUICK)))

    def _set_busy(self, label: str) -> None:
        self.model.busy = label
        if label == "Starting the camera" and self._scope is None:
            self.model.phase = Phase.STARTING

    def _start_work(self, wanted: tuple[str, dict[str, Any]]) -> tuple[ScopePort, Any]:
        scope = self._scope
        if scope is None:
            self.others.refuse(wanted[0])
        elif self._started_with not in (None, wanted):
            if self.model.recording is not None:
                raise StateError(
                    "the camera cannot be changed while recording", "stop the recording first"
                )
            if self._watch is not None:
                self._watch.close()
                self._watch = None
            self._scope = None
            scope.stop()
            scope = None
        if scope is not None:
            scope.start_live()
            return scope, tuple(scope.camera_properties())
        scope = self._scopes.create(*wanted)
        scope.start()
        try:
            if self._closed:
                scope.detach()
            else:
                set_up(scope, self.model)
            self._started_with = wanted
            return scope, tuple(scope.camera_properties())
        except BeadscopeError:
            scope.stop()
            raise

    def _entered_live(self, value: tuple[ScopePort, Any]) -> None:
        scope, properties = value
        if scope is not self._scope:
            self._let_go()
            self._adopt(scope, self._started_with)
            self._took_beads(tuple(scope.beads))
        self.model.properties = properties
        self.model.phase = Phase.READY
        self.model.live = True

    def _entered_attached(self, value: tuple[Any, tuple[Bead, ...], tuple[Any, ...]]) -> None:
        status, beads, self.model.properties = value
        self._took_beads(beads)
        if self._scope is not None:
            self.model.calibration = self._scope.calibration
        self.model.method = status.tracking.method
        self._take_status(status)
        self.model.phase = Phase.READY
        self.model.live = status.streaming

    def _adopt(self, scope: ScopePort, started_with: tuple[str, dict[str, Any]] | None) -> None:
        self._scope = scope
        self._started_with = started_with
        self.model.status = None
        self.model.settings_in_use = scope.settings
        self._watch = EngineWatch(scope)
        self._locks.take(scope.locks)

    def _let_go(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._scope is not None:
            self._scope.detach()
            self._scope = None
            self.model.settings_in_use = None

    def _lost(self, error: Exception) -> None:
        error = end_of_engine(error, self.model.recording)
        self._let_go()
        self._started_with = None
        self.model.live = False
        self.model.recording = None
        self.model.phase = Phase.LOST
        self._locks.take(None)
        self.model.status = None
        self.fail(error, doing="Talking to the engine")

    def _took_beads(self, beads: tuple[Bead, ...]) -> None:
        if self._watch is not None:
            self._watch.keep(frozenset(bead.bead for bead in beads))
        ids = {bead.bead for bead in beads}
        self.model.beads = tuple(beads)
        self.model.selected = self.model.selected & ids
        said = self.model.annotations if self._scope is None else self._scope.annotations
        self.model.annotations = {bead: text for bead, text in said.items() if bead in ids}

    def _take_event(self, event: Any) -> None:
        message = message_of_event(event)
        if message is not None:
            self.say(message)
        self.heard.emit(event)
        match event:
            case events.BeadsChanged(beads=beads):
                self._took_beads(tuple(beads))
            case events.AnnotationsChanged(annotations=annotations):
                self.model.annotations = annotations
            case events.CalibrationChanged(calibration=calibration):
                self.model.calibration = calibration
            case events.TrackingChanged(tracking=tracking):
                self.model.method = tracking.method
            case events.FramesDropped(count=count, missed=missed):
                full = "ring full: disk or trackers too slow"
                self.model.drop_reason = full if count > missed else "never came from the camera"
            case events.LiveChanged(streaming=False) if self.model.recording is None:
                self.model.live = False
            case events.AcquisitionChanged(on=False) if self.model.recording is not None:
                self.stopped_recording(self.model.recording)

    def _take_status(self, status: Any) -> None:
        self.model.status = status
        recording = Path(status.recording) if status.recording else None
        # A status may be older than the command that has just changed what it tells.
        if "recording" not in self.model.busy:
            self._compare_recording(recording, status)
        if not self.model.method:  # the settings' choice
            self.model.method = status.tracking.method
        if self.model.recording is not None:
            self.model.recorded_s = round(time.monotonic() - self._recording_since_s, 1)

    def _compare_recording(self, recording: Path | None, status: Any) -> None:
        known = self.model.recording
        if recording is not None and recording == known:
            self._recording_confirmed = True
        elif recording is not None and known is None and recording != self._ended:
            self.started_recording(recording)
            self._recording_since_s -= status.recorded_s
        elif recording is None and known is not None and self._recording_confirmed:
            self.stopped_recording(known)

    def _resend(self, name: str) -> None:
        """Emit a field's signal although it is unchanged, so that views fall back to it."""
        getattr(self.model.events, name).emit(getattr(self.model, name))
