"""Rules of the session state machine for commands: each is answered exactly once.

Knows nothing of how a recording goes on once it was asked for (`core.session_recording`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from napari_beadscope.core import (
    session_annotations,
    session_locks,
    session_motors,
    session_recording,
    session_removal,
    session_settings,
)
from napari_beadscope.core.commands import (
    AddMotor,
    Annotate,
    ClaimMotor,
    ExecuteXYLock,
    GetCamera,
    GetStatus,
    Goodbye,
    MoveMotor,
    ReleaseMotor,
    RemoveMotor,
    SetBackend,
    SetBeads,
    SetCalibration,
    SetCamera,
    SetSettings,
    SetXYLock,
    SetZLock,
    Shutdown,
    StartLive,
    StartRecording,
    StopLive,
    StopMotor,
    StopRecording,
)
from napari_beadscope.core.errors import (
    BeadscopeError,
    DeviceError,
    EngineError,
    StateError,
    named_error,
)
from napari_beadscope.core.messages import (
    BeadsChanged,
    CalibrationChanged,
    Event,
    LiveChanged,
    Request,
    Stopping,
)
from napari_beadscope.core.orders import (
    Done,
    Halt,
    ListProperties,
    Move,
    Order,
    RunCamera,
    SetProperty,
    SetTask,
)
from napari_beadscope.core.session_checks import (
    check_beads,
    check_calibration,
    check_method,
    check_motor,
    check_new_motor,
    check_not_failed,
    check_not_recording,
    check_ready,
    check_stream,
)
from napari_beadscope.core.session_state import Pending, Phase, Spawn, Worker, WorkerState
from napari_beadscope.core.session_turn import Asker, Turn

_START = -1  # number of what is pending until a motor is ready


def ask(turn: Turn, client: int, request: Request) -> None:
    """Carry out a command, or answer why not."""
    asker = (client, request.number)
    try:
        _carry_out(turn, asker, request.command)
    except BeadscopeError as error:
        turn.reply(asker, error)


def _carry_out(turn: Turn, asker: Asker, command: object) -> None:
    if isinstance(command, Shutdown):
        _shut_down(turn, asker)
        return
    if turn.state.is_stopping:
        raise StateError("the engine is stopping", "start a new one")
    match command:
        case StartLive():
            _run_camera(turn, True)
            turn.reply(asker)
        case StopLive():
            check_not_recording(turn.state, "pause the camera")
            _run_camera(turn, False)
            turn.reply(asker)
        case SetBeads() | SetCalibration() | SetBackend() | SetCamera() | SetSettings():
            _change(turn, asker, command)
        case Annotate():
            session_annotations.annotate(turn, asker, command)
        case GetCamera():
            _order(turn, asker, "camera", ListProperties)
        case AddMotor() | RemoveMotor():
            _change_motors(turn, asker, command)
        case MoveMotor(name, target):
            check_motor(turn.state, name)
            session_motors.check_free(turn.state, name, asker[0])
            _order(turn, asker, f"motor-{name}", lambda number: Move(number, target))
            session_motors.sent(turn, name, asker[0])
        case StopMotor(name):
            check_motor(turn.state, name)
            session_locks.motor_stopped(turn, name)
            session_motors.stopped(turn, name, asker[0])
            _order(turn, asker, f"motor-{name}", Halt)
        case ClaimMotor() | ReleaseMotor() | Goodbye():
            session_motors.ask(turn, asker, command)
        case SetXYLock() | SetZLock() | ExecuteXYLock():
            session_locks.ask(turn, asker, command)
        case StartRecording():
            session_recording.begin(turn, asker, command)
        case StopRecording():
            session_recording.end(turn, asker)
        case GetStatus():
            turn.reply(asker)


def begin_stop(turn: Turn, why: str, error: tuple[str, str, str] = ("", "", "")) -> None:
    """Begin the ordered shutdown; `core.session` goes on with it.

    Parameters
    ----------
    turn : Turn
        The present one.
    why : str
        Why the engine ends.
    error : tuple of str
        Class, what and remedy of the error that made it end, if there was one.
    """
    if turn.state.is_stopping:
        return
    turn.publish(Stopping(why, *error))
    turn.set(phase=Phase.STOPPING, stopping_since_s=turn.now_s)
    for name, worker in turn.state.workers.items():
        if worker.state is WorkerState.DOWN:  # nobody is started again from now on
            turn.worker(name, state=WorkerState.GONE)
            session_recording.lost(turn, name, "the engine stopped before it was restarted")
    session_recording.finish(turn, turn.head)
    _stream(turn, False)


def done(turn: Turn, name: str, report: Done) -> None:
    """Note that a worker has carried out an order; answer the command when all have."""
    for pending in turn.state.pending:
        if name not in pending.waiting or pending.number != report.number:
            continue
        waiting = pending.waiting - {name}
        if report.error:
            _drop(turn, pending)
            _undo(turn, pending)
            turn.reply(pending.asker, named_error(report.error, report.what, report.remedy))
        elif waiting:
            _drop(turn, pending, replace(pending, waiting=waiting))
        else:
            _drop(turn, pending)
            if pending.setting is not None:
                settings = dict([pending.setting])
                turn.set(camera_settings={**turn.state.camera_settings, **settings})
            _announce(turn, pending.event, pending.changes)
            turn.reply(pending.asker, value=report.value)
        return


def motor_ready(turn: Turn, name: str) -> None:
    """Answer the command that asked for a motor, now that it is ready."""
    done(turn, name, Done(_START))


def worker_gone(turn: Turn, name: str, why: str) -> None:
    """Settle what was asked of a worker that is dead now."""
    for pending in turn.state.pending:
        if name not in pending.waiting:
            continue
        if name.startswith("tracker-"):  # its successor starts with the new task
            done(turn, name, Done(pending.number))
            continue
        _drop(turn, pending)
        words = turn.state.workers[name].words
        if words is not None and words.what:
            turn.reply(pending.asker, named_error(words.error, words.what, words.remedy))
        else:
            turn.reply(pending.asker, DeviceError(f"the {name} process died ({why})", "try again"))


def settle_overdue(turn: Turn) -> None:
    """Answer commands whose workers live but don't answer."""
    patience = turn.state.limits.order_timeout_s
    for pending in turn.state.pending:
        age = turn.now_s - pending.since_s
        if pending.number == _START or age <= patience:  # a start has its own time limit
            continue
        _drop(turn, pending)
        names = " and ".join(sorted(pending.waiting))
        _undo(turn, pending)
        turn.reply(
            pending.asker, EngineError(f"{names} did not answer in {age:.0f} s", "try again")
        )


def settle_all(turn: Turn) -> None:
    """Answer everything that is still open when the engine has stopped."""
    for pending in turn.state.pending:
        turn.reply(pending.asker, StateError("the engine has stopped", "start a new one"))
    for asker in turn.state.stop_askers:
        turn.reply(asker)
    turn.set(pending=(), stop_askers=())


def _shut_down(turn: Turn, asker: Asker) -> None:
    if turn.state.phase is Phase.STOPPED:
        turn.reply(asker)
        return
    turn.set(stop_askers=(*turn.state.stop_askers, asker))
    begin_stop(turn, "asked to")


def _run_camera(turn: Turn, on: bool) -> None:
    check_stream(turn.state)
    check_not_failed(turn.state, "camera")
    _stream(turn, on)


def _stream(turn: Turn, on: bool) -> None:
    if on != turn.state.streaming:
        turn.set(streaming=on)
        turn.tell("camera", RunCamera(on))
        turn.publish(LiveChanged(on))


def _change(
    turn: Turn,
    asker: Asker,
    command: SetBeads | SetCalibration | SetBackend | SetCamera | SetSettings,
) -> None:
    match command:
        case SetBeads(beads):
            check_not_recording(turn.state, "change the beads")
            check_beads(turn.state, beads)
            said = session_annotations.after(turn.state, command)
            changes: dict[str, object] = {"beads": beads}
            if said != turn.state.annotations:
                changes["annotations"] = said
            _change_task(turn, asker, BeadsChanged(beads), **changes)
        case SetCalibration(calibration):
            check_not_recording(turn.state, "change the calibration")
            check_calibration(calibration)
            _change_task(turn, asker, CalibrationChanged(calibration), calibration=calibration)
        case SetBackend(backend, method):
            check_not_recording(turn.state, "change the tracking backend or method")
            check_method(method)
            asked = {"backend": backend, "method": method}
            _change_task(turn, asker, None, **{k: v for k, v in asked.items() if v is not None})
        case SetSettings():
            session_settings.ask(turn, asker, command)
        case SetCamera(name, value):
            check_not_recording(turn.state, "change the camera")
            _order(
                turn,
                asker,
                "camera",
                lambda number: SetProperty(number, name, value),
                setting=(name, value),
            )


def _change_task(turn: Turn, asker: Asker, event: Event | None, **changes: object) -> None:
    undo = {field: getattr(turn.state, field) for field in changes}
    turn.set(**changes)
    number = turn.number()
    waiting = frozenset(name for name in turn.state.trackers if turn.state.is_ready(name))
    for name in sorted(waiting):
        turn.tell(name, SetTask(number, turn.state.live_task()))
    if waiting:
        pending = Pending(number, waiting, asker, turn.now_s, event, changes, undo)
        turn.set(pending=(*turn.state.pending, pending))
        return
    _announce(turn, event, changes)
    turn.reply(asker)


def _announce(turn: Turn, event: Event | None, changes: Mapping[str, object]) -> None:
    if event is not None:
        turn.publish(event)
    if "annotations" in changes:
        session_annotations.announce(turn)


def _undo(turn: Turn, pending: Pending) -> None:
    """Go back to the task before one that a tracker could not take."""
    undo = {
        field: value
        for field, value in pending.undo.items()
        if getattr(turn.state, field) == pending.changes[field]
    }
    if not undo:
        return
    turn.set(**undo)
    for name in turn.state.trackers:
        turn.tell(name, SetTask(-1, turn.state.live_task()))


def _order(
    turn: Turn,
    asker: Asker,
    worker: str,
    order: Callable[[int], Order],
    setting: tuple[str, float | str] | None = None,
) -> None:
    check_ready(turn.state, worker)
    number = turn.number()
    turn.tell(worker, order(number))
    pending = Pending(number, frozenset({worker}), asker, turn.now_s, setting=setting)
    turn.set(pending=(*turn.state.pending, pending))


def _change_motors(turn: Turn, asker: Asker, command: AddMotor | RemoveMotor) -> None:
    name = command.name
    if isinstance(command, RemoveMotor):
        session_removal.remove(turn, asker, name)
        return
    worker = f"motor-{name}"
    check_new_motor(turn.state, name)
    pending = Pending(_START, frozenset({worker}), asker, turn.now_s)
    turn.set(
        motors={**turn.state.motors, name: (command.motor, command.options)},
        motor_rows=session_removal.rows_with(turn.state, name),
        workers={**turn.state.workers, worker: Worker(worker, since_s=turn.now_s)},
        pending=(*turn.state.pending, pending),
    )
    turn.do(Spawn(worker))


def _drop(turn: Turn, pending: Pending, instead: Pending | None = None) -> None:
    others = tuple(p for p in turn.state.pending if p is not pending)
    turn.set(pending=others if instead is None else (*others, instead))


__all__ = [
    "ask",
    "begin_stop",
    "done",
    "motor_ready",
    "settle_all",
    "settle_overdue",
    "worker_gone",
]
