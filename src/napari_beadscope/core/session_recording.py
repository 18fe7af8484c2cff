"""Rules of the session state machine for recordings: arm, begin, run, finish.

Every participant first claims all frames from now on (`Arm`); when all have, the latest claim is
the first frame for everybody (`Begin`). The end is one frame number for everybody too (`End`).
So a recording is the same frames in every file, and it is announced when that is true.
"""

from __future__ import annotations

from napari_beadscope.core.errors import EngineError, InputError, StateError, StorageError
from napari_beadscope.core.messages import AcquisitionChanged, LiveChanged, StartRecording
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
from napari_beadscope.core.session_state import (
    Kill,
    Recording,
    RecordingPhase,
    ReleaseClaims,
    WorkerState,
)
from napari_beadscope.core.session_turn import Asker, Turn
from napari_beadscope.core.types import AcquisitionMode, TrackerTask

_UNBOUND = -1


def begin(turn: Turn, asker: Asker, command: StartRecording) -> None:
    """Check the command and arm every participant."""
    state = turn.state
    mode = _mode(command.mode)
    if state.recording is not None:
        raise StateError(
            f"a recording into {state.recording.task.folder} is on", "stop that one first"
        )
    if state.stream is None:
        raise StateError("the camera is not ready yet", "wait until start-up has ended")
    if (mode.tracks or mode.rois) and not state.beads:
        raise StateError(f"mode {mode.value} needs beads, and there are none", "find or add beads")
    if command.frames < 0 or command.seconds < 0:
        raise InputError("frames and seconds must not be negative", "use 0 for no limit")
    participants = {"recorder", *(state.trackers if mode.tracks else ())}
    for name in participants:
        if state.workers[name].state is not WorkerState.READY:
            raise StateError(f"the {name} process is not ready", "try again in a moment")
    task = TrackerTask(
        state.beads, state.calibration, state.backend, mode, command.folder, state.profiles
    )
    turn.set(
        recording=Recording(
            task,
            {"note": command.note, "frames": command.frames, "seconds": command.seconds},
            RecordingPhase.ARMING,
            turn.now_s,
            frozenset(participants),
            frames=command.frames,
            seconds=command.seconds,
            starts_camera=not state.streaming,
            asker=asker,
        ),
        last_recording_done=False,
    )
    for name in sorted(participants):
        _arm(turn, name, resume=False)


def heard(turn: Turn, name: str, report: object) -> None:
    """Note a participant's answer; go on when all have answered."""
    recording = turn.state.recording
    if recording is None or name not in recording.participants:
        return
    match report, recording.phase:
        case Armed(_, seq), RecordingPhase.ARMING:
            turn.recording(answered=recording.answered | {name}, seqs=(*recording.seqs, seq))
            _begin_if_armed(turn)
        case Began(), RecordingPhase.BEGINNING:
            turn.recording(answered=recording.answered | {name})
            _run_if_begun(turn)
        case Finished(_, frames, rows, error), _:
            _finished(turn, name, frames, rows, error)
        case RecordingFailed(what, remedy, frames, rows), _:
            _failed(turn, what, remedy, frames, rows)


def finish(turn: Turn, stop: int) -> None:
    """Set the end of the recording, if it has none yet, and let everyone drain up to it."""
    recording = turn.state.recording
    if recording is None or recording.phase is RecordingPhase.FINISHING:
        return
    if recording.phase is RecordingPhase.ARMING:
        _abort(turn, StateError("the recording was stopped before it began", "start it again"))
        return
    stop = max(recording.first, stop if recording.stop < 0 else min(stop, recording.stop))
    turn.recording(
        phase=RecordingPhase.FINISHING, stop=stop, since_s=turn.now_s, answered=frozenset()
    )
    for name in sorted(recording.participants):
        if turn.state.workers[name].state is WorkerState.READY:
            turn.tell(name, End(0, stop))
        elif turn.state.workers[name].state in (WorkerState.FAILED, WorkerState.GONE):
            _finished(turn, name, 0, 0, "")


def end(turn: Turn, asker: Asker) -> None:
    """End the recording because a front end asked for it."""
    recording = turn.state.recording
    if recording is None:
        raise StateError("nothing is being recorded", "start a recording first")
    turn.recording(stop_askers=(*recording.stop_askers, asker))
    finish(turn, turn.head)


def stream_ended(turn: Turn, seq: int) -> None:
    """End the recording where a finite source ended."""
    finish(turn, seq)


def tick(turn: Turn) -> None:
    """End a recording that has reached its limit; give up one that can't drain."""
    recording = turn.state.recording
    if recording is None:
        return
    age = turn.now_s - recording.since_s
    if recording.phase is RecordingPhase.RUNNING:
        over = recording.seconds > 0 and age >= recording.seconds
        if over or 0 <= recording.stop <= turn.head:
            finish(turn, turn.head)
    elif age > turn.state.limits.finish_timeout_s:
        slow = sorted(recording.participants - recording.answered)
        for name in slow:
            if turn.state.workers[name].alive:
                turn.worker(name, killed_for=f"did not finish the recording in {age:.0f} s")
                turn.do(Kill(name))
        turn.recording(since_s=turn.now_s)


def rejoin(turn: Turn, name: str) -> None:
    """Put a restarted worker back to where its predecessor died."""
    recording = turn.state.recording
    if recording is None or name not in recording.participants:
        return
    if recording.phase is RecordingPhase.ARMING:
        _arm(turn, name, resume=False)
        return
    if recording.phase is RecordingPhase.FINISHING and name in recording.answered:
        return
    _arm(turn, name, resume=True)
    turn.tell(name, Begin(0, recording.first, recording.stop))
    if recording.phase is RecordingPhase.FINISHING:
        turn.tell(name, End(0, recording.stop))


def interrupted(turn: Turn, name: str) -> None:
    """Note that a participant died and will be back: what it had answered counts no more."""
    recording = turn.state.recording
    if recording is None or name not in recording.participants:
        return
    if recording.phase is not RecordingPhase.FINISHING:
        turn.recording(answered=recording.answered - {name})


def lost(turn: Turn, name: str, why: str) -> None:
    """Go on without a worker that will not come back."""
    recording = turn.state.recording
    if recording is None:
        return
    if name == "camera":
        finish(turn, turn.head)
    elif name == "recorder":
        _failed(
            turn,
            f"the recorder process failed for good ({why}); what was saved is in "
            f"{recording.task.folder}",
            f"run: beadscope recover {recording.task.folder}",
            0,
            0,
        )
    elif name in recording.participants:
        if recording.phase is RecordingPhase.ARMING:
            _abort(turn, EngineError(f"the {name} process failed ({why})", "start it again"))
            return
        turn.do(ReleaseClaims(name))
        if turn.state.workers["recorder"].state is WorkerState.READY:
            turn.tell("recorder", Untracked(int(name.removeprefix("tracker-")), why))
        if recording.phase is RecordingPhase.FINISHING:
            _finished(turn, name, 0, 0, "")
        else:
            turn.recording(participants=recording.participants - {name})
            _run_if_begun(turn)


def _mode(name: str) -> AcquisitionMode:
    try:
        return AcquisitionMode(name)
    except ValueError:
        known = ", ".join(mode.value for mode in AcquisitionMode)
        raise InputError(f"there is no acquisition mode {name!r}", f"use one of {known}") from None


def _arm(turn: Turn, name: str, *, resume: bool) -> None:
    recording = turn.state.recording
    assert recording is not None
    turn.tell(name, Arm(turn.number(), recording.task, recording.header, resume))


def _begin_if_armed(turn: Turn) -> None:
    recording = turn.state.recording
    assert recording is not None
    if recording.answered != recording.participants:
        return
    first = max(recording.seqs)
    stop = first + recording.frames if recording.frames else _UNBOUND
    turn.recording(phase=RecordingPhase.BEGINNING, first=first, stop=stop, answered=frozenset())
    for name in sorted(recording.participants):
        turn.tell(name, Begin(turn.number(), first, stop))


def _run_if_begun(turn: Turn) -> None:
    recording = turn.state.recording
    assert recording is not None
    if (
        recording.phase is not RecordingPhase.BEGINNING
        or not recording.answered >= recording.participants
    ):
        return
    turn.recording(phase=RecordingPhase.RUNNING, since_s=turn.now_s, answered=frozenset())
    if recording.starts_camera and not turn.state.streaming:
        turn.set(streaming=True)
        turn.tell("camera", RunCamera(True))
        turn.publish(LiveChanged(True))
    turn.publish(AcquisitionChanged(True, recording.task.folder, recording.mode.value))
    turn.reply(recording.asker)


def _finished(turn: Turn, name: str, frames: int, rows: int, error: str) -> None:
    recording = turn.state.recording
    if recording is None:
        return
    if recording.phase is RecordingPhase.ARMING:
        if error:
            _abort(turn, StorageError(error))
        return
    changes: dict = {"answered": recording.answered | {name}}
    if recording.phase is not RecordingPhase.FINISHING:  # it reached the limit by itself
        finish(turn, turn.head)
        changes = {"answered": frozenset({name})}
    if name == "recorder":
        changes |= {"saved_frames": frames, "saved_rows": rows, "error": error}
    turn.recording(**changes)
    recording = turn.state.recording
    assert recording is not None
    if recording.answered >= recording.participants:
        _close(turn)


def _close(turn: Turn) -> None:
    recording = turn.state.recording
    assert recording is not None
    turn.set(recording=None, last_recording_done=True, alone_since_s=turn.now_s)
    turn.publish(
        AcquisitionChanged(
            False,
            recording.task.folder,
            recording.mode.value,
            recording.saved_frames,
            recording.saved_rows,
            recording.error,
        )
    )
    value = {
        "folder": recording.task.folder,
        "frames": recording.saved_frames,
        "rows": recording.saved_rows,
        "error": recording.error,
    }
    for asker in recording.stop_askers:
        turn.reply(asker, value=value)


def _failed(turn: Turn, what: str, remedy: str, frames: int, rows: int) -> None:
    recording = turn.state.recording
    assert recording is not None
    error = StorageError(what, remedy)
    if recording.phase in (RecordingPhase.ARMING, RecordingPhase.BEGINNING):
        _abort(turn, error)
        return
    turn.recording(saved_frames=frames, saved_rows=rows, error=str(error))
    for name in sorted(recording.participants - {"recorder"}):
        if turn.state.workers[name].alive:
            turn.tell(name, Abort())
    _close(turn)


def _abort(turn: Turn, error: StateError | EngineError | StorageError) -> None:
    recording = turn.state.recording
    assert recording is not None
    for name in sorted(recording.participants):
        if turn.state.workers[name].alive:
            turn.tell(name, Abort())
    turn.set(recording=None)
    turn.reply(recording.asker, error)
    for asker in recording.stop_askers:
        turn.reply(asker, error)
