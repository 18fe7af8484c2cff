"""Rules of the session state machine for recordings: arm, begin, run, finish.

Every participant first claims all frames from now on (`Arm`); when all have, the latest claim is
the first frame for everybody (`Begin`). The end is one frame number for everybody too (`End`).
So a recording is the same frames in every file, and it is announced when that is true.
Knows nothing of other commands, nor of how workers are restarted.
"""

from __future__ import annotations

from dataclasses import replace

from napari_beadscope.core.commands import StartRecording
from napari_beadscope.core.errors import (
    BeadscopeError,
    DeviceError,
    EngineError,
    StateError,
    StorageError,
    TrackingError,
)
from napari_beadscope.core.messages import AcquisitionChanged, LiveChanged
from napari_beadscope.core.orders import (
    Abort,
    Arm,
    Armed,
    Began,
    Begin,
    End,
    Finished,
    RecordingFailed,
    RunCamera,
    Untracked,
)
from napari_beadscope.core.session_checks import check_recording
from napari_beadscope.core.session_state import (
    MakeStream,
    Recording,
    RecordingPhase,
    ReleaseClaims,
    State,
)
from napari_beadscope.core.session_turn import Asker, Turn
from napari_beadscope.core.types import TrackerTask

_OPEN = -1
_PREPARING = (RecordingPhase.ARMING, RecordingPhase.BEGINNING)


def begin(turn: Turn, asker: Asker, command: StartRecording) -> None:
    """Check the command and arm every participant."""
    state = turn.state
    mode = check_recording(state, command)
    participants = {"recorder", *(state.trackers if mode.tracks else ())}
    failed = [n for n in state.workers if n.startswith("tracker-") and n not in state.trackers]
    task = TrackerTask(
        state.beads,
        state.calibration,
        state.backend,
        state.method,
        mode,
        command.folder,
        state.profiles,
    )
    turn.set(
        recording=Recording(
            turn.number(),
            task,
            {
                "note": command.note,
                "frames": command.frames,
                "seconds": command.seconds,
                "asked_s": turn.now_s,
                "backend": state.tracking.backend,
            },
            RecordingPhase.ARMING,
            turn.now_s,
            frozenset(participants),
            untracked=tuple((name, "its process had failed for good") for name in failed)
            if mode.tracks
            else (),
            frames=command.frames,
            seconds=command.seconds,
            starts_camera=not state.streaming,
            asker=asker,
        ),
        last_recording_done=False,
    )
    for name in sorted(participants):
        _arm(turn, name, resume=False)


def heard(turn: Turn, name: str, report: Armed | Began | Finished | RecordingFailed) -> None:
    """Note a participant's answer; go on when all have answered."""
    recording = turn.state.recording
    if recording is None or name not in recording.participants - recording.finished:
        return
    if report.number not in (0, recording.number):  # about one that was given up
        return
    match report, recording.phase:
        case RecordingFailed(what, remedy, frames, rows), _:
            _failed(turn, StorageError(what, remedy), frames, rows)
        case Armed(_, seq), RecordingPhase.ARMING:
            turn.recording(answered=recording.answered | {name}, seqs=(*recording.seqs, seq))
            _begin_if_armed(turn)
        case Began(), RecordingPhase.BEGINNING:
            turn.recording(answered=recording.answered | {name})
            _run_if_begun(turn)
        case Finished(error=error), RecordingPhase.ARMING if error:
            kind = StorageError if name == "recorder" else TrackingError
            _abort(turn, kind(error))
        case _, RecordingPhase.ARMING:
            return
        case Finished(error=error), _ if error and name != "recorder":
            lost(turn, name, error)
        case Finished(_, frames, rows, error), _:
            _finished(turn, name, frames, rows, error)


def finish(turn: Turn, stop: int, error: BeadscopeError | None = None) -> None:
    """Set the end of the recording, if it has none yet, and let everyone drain up to it.

    Parameters
    ----------
    turn : Turn
        The present one.
    stop : int
        The first ``seq`` that does not belong to it any more.
    error : BeadscopeError, optional
        Why it ends early.
    """
    recording = turn.state.recording
    if recording is None or recording.phase is RecordingPhase.FINISHING:
        return
    if recording.phase is RecordingPhase.ARMING:
        why = StateError("the recording was stopped before it began", "start it again")
        _abort(turn, error or why)
        return
    if error is not None:
        turn.recording(error=str(error))
    if recording.phase is RecordingPhase.BEGINNING:  # it is announced as on before it is off
        wanted = stop if recording.wanted_stop < 0 else min(stop, recording.wanted_stop)
        turn.recording(wanted_stop=wanted)
        return
    stop = max(recording.first, stop if recording.stop < 0 else min(stop, recording.stop))
    turn.recording(phase=RecordingPhase.FINISHING, stop=stop, since_s=turn.now_s)
    for name in sorted(recording.participants - recording.finished):
        turn.tell(name, End(recording.number, stop))
    _close_if_finished(turn)


def end(turn: Turn, asker: Asker) -> None:
    """End the recording because a front end asked for it."""
    recording = turn.state.recording
    if recording is None:
        raise StateError("nothing is being recorded", "start a recording first")
    turn.recording(stop_askers=(*recording.stop_askers, asker))
    finish(turn, turn.head)


def tick(turn: Turn) -> None:
    """End a recording that has reached its limit; give up who can't arm, begin or drain."""
    recording = turn.state.recording
    if recording is None:
        return
    age = turn.now_s - recording.since_s
    if recording.phase is RecordingPhase.RUNNING:
        over = recording.seconds > 0 and age >= recording.seconds
        if over or 0 <= recording.stop <= turn.head:
            finish(turn, turn.head)
    elif age > turn.state.limits.finish_timeout_s:
        _give_up_slow(turn, age)


def rejoin(turn: Turn, name: str) -> None:
    """Put a restarted worker back to where its predecessor died."""
    recording = turn.state.recording
    if recording is None or name not in recording.participants - recording.finished:
        return
    if recording.phase is RecordingPhase.ARMING:
        _arm(turn, name, resume=False)
        return
    _arm(turn, name, resume=True)
    turn.tell(name, Begin(recording.number, recording.first, recording.stop))
    if name == "recorder":
        _tell_untracked(turn)
    if recording.phase is RecordingPhase.FINISHING:
        turn.tell(name, End(recording.number, recording.stop))


def interrupted(turn: Turn, name: str) -> None:
    """Note that a participant died and will be back: what it had answered counts no more."""
    recording = turn.state.recording
    if recording is not None:
        turn.recording(answered=recording.answered - {name})


def lost(turn: Turn, name: str, why: str) -> None:
    """Go on without a worker that will not come back, or has nothing to give."""
    recording = turn.state.recording
    if recording is None:
        return
    if name == "camera":
        finish(turn, turn.head, DeviceError(f"the camera process failed for good ({why})"))
    elif name not in recording.participants - recording.finished:
        return
    elif name == "recorder":
        folder = recording.task.folder
        error = StorageError(
            f"the recorder process failed for good ({why}); what was saved is in {folder}",
            f"run: beadscope recover {folder}",
        )
        _failed(turn, error, 0, 0)
    elif recording.phase is RecordingPhase.ARMING:
        _abort(turn, EngineError(f"the {name} process failed ({why})", "start it again"))
    else:
        _go_on_without(turn, name, why)


def holds_claim(state: State, name: str) -> bool:
    """Return whether frames are kept for a worker, so that its successor loses none."""
    recording = state.recording
    return (
        recording is not None
        and recording.phase is not RecordingPhase.ARMING
        and name in recording.participants - recording.finished
    )


def _arm(turn: Turn, name: str, *, resume: bool) -> None:
    recording = turn.state.recording
    assert recording is not None
    task = recording.task
    if name != "recorder":  # the XY-lock may have moved ROIs; movies keep those of the first frame
        task = replace(task, beads=turn.state.beads)
    turn.tell(name, Arm(recording.number, task, recording.header, resume))


def _begin_if_armed(turn: Turn) -> None:
    recording = turn.state.recording
    assert recording is not None
    if recording.answered != recording.participants:
        return
    first = max(recording.seqs)
    stop = first + recording.frames if recording.frames else _OPEN
    turn.recording(phase=RecordingPhase.BEGINNING, first=first, stop=stop, answered=frozenset())
    for name in sorted(recording.participants):
        turn.tell(name, Begin(recording.number, first, stop))
    _tell_untracked(turn)


def _tell_untracked(turn: Turn) -> None:
    recording = turn.state.recording
    assert recording is not None
    for name, why in recording.untracked:
        turn.tell("recorder", Untracked(int(name.removeprefix("tracker-")), why))


def _run_if_begun(turn: Turn) -> None:
    recording = turn.state.recording
    assert recording is not None
    if recording.phase is not RecordingPhase.BEGINNING:
        return
    if not recording.answered | recording.finished >= recording.participants:
        return
    turn.recording(phase=RecordingPhase.RUNNING, since_s=turn.now_s, answered=frozenset())
    stopped = turn.state.is_stopping or recording.wanted_stop >= 0
    if recording.starts_camera and not turn.state.streaming and not stopped:
        turn.set(streaming=True)
        turn.tell("camera", RunCamera(True))
        turn.publish(LiveChanged(True))
    turn.publish(AcquisitionChanged(True, recording.task.folder, recording.mode.value))
    turn.reply(recording.asker)
    if recording.wanted_stop >= 0:
        finish(turn, recording.wanted_stop)
    elif recording.finished:
        finish(turn, turn.head)


def _finished(turn: Turn, name: str, frames: int, rows: int, error: str) -> None:
    recording = turn.state.recording
    assert recording is not None
    if name == "recorder":
        turn.recording(saved_frames=frames, saved_rows=rows, error=error or recording.error)
    turn.recording(finished=recording.finished | {name})
    if recording.phase is RecordingPhase.RUNNING:  # it reached the limit by itself
        finish(turn, turn.head)
    else:
        _run_if_begun(turn)
        _close_if_finished(turn)


def _go_on_without(turn: Turn, name: str, why: str) -> None:
    """Leave a tracker's share of the frames untracked."""
    recording = turn.state.recording
    assert recording is not None
    turn.recording(
        participants=recording.participants - {name},
        untracked=(*recording.untracked, (name, why)),
    )
    if "recorder" not in recording.finished:
        turn.tell("recorder", Untracked(int(name.removeprefix("tracker-")), why))
    turn.tell(name, Abort())
    _run_if_begun(turn)
    _close_if_finished(turn)


def _give_up_slow(turn: Turn, age: float) -> None:
    recording = turn.state.recording
    assert recording is not None
    done = recording.answered | recording.finished
    slow = sorted(recording.participants - done)
    verb = "get ready for" if recording.phase in _PREPARING else "finish"
    for name in slow:
        turn.kill(name, f"did not {verb} the recording in {age:.0f} s")
    if recording.phase in _PREPARING:
        what = f"{' and '.join(slow)} did not get ready to record in {age:.0f} s"
        _abort(turn, EngineError(what, "start it again"))
        return
    turn.recording(since_s=turn.now_s)
    trackers = [name for name in slow if name != "recorder"]
    for name in trackers:
        _go_on_without(turn, name, f"it did not finish in {age:.0f} s")
    if not trackers:  # else the recorder may only have waited for their rows
        lost(turn, "recorder", f"it did not finish in {age:.0f} s")


def _close_if_finished(turn: Turn) -> None:
    recording = turn.state.recording
    if recording is None or recording.phase is not RecordingPhase.FINISHING:
        return
    if recording.finished >= recording.participants:
        _close(turn)


def _failed(turn: Turn, error: BeadscopeError, frames: int, rows: int) -> None:
    recording = turn.state.recording
    assert recording is not None
    if recording.phase in _PREPARING:
        _abort(turn, error)
        return
    turn.recording(saved_frames=frames, saved_rows=rows, error=str(error))
    for name in sorted(recording.participants - recording.finished - {"recorder"}):
        turn.tell(name, Abort())
    _close(turn)


def _close(turn: Turn) -> None:
    recording = turn.state.recording
    assert recording is not None
    turn.set(recording=None, last_recording_done=True)
    folder, frames, rows = recording.task.folder, recording.saved_frames, recording.saved_rows
    turn.publish(
        AcquisitionChanged(False, folder, recording.mode.value, frames, rows, recording.error)
    )
    value = {"folder": folder, "frames": frames, "rows": rows, "error": recording.error}
    for asker in recording.stop_askers:
        turn.reply(asker, value=value)
    _let_go(turn, recording)


def _abort(turn: Turn, error: BeadscopeError) -> None:
    recording = turn.state.recording
    assert recording is not None
    for name in sorted(recording.participants - recording.finished):
        turn.tell(name, Abort())
    turn.set(recording=None)
    for asker in (recording.asker, *recording.stop_askers):
        turn.reply(asker, error)
    _let_go(turn, recording)


def _let_go(turn: Turn, recording: Recording) -> None:
    """Free what was kept for participants that are not there to do it themselves."""
    turn.set(alone_since_s=turn.now_s)
    for name in sorted(recording.participants):
        if not turn.state.is_ready(name):
            turn.do(ReleaseClaims(name))
    report = turn.state.waiting_format
    if report is not None and report.format is not None and not turn.state.is_stopping:
        turn.set(waiting_format=None)
        turn.do(MakeStream(report.format, report.fps, report.can_wait, report.window))
