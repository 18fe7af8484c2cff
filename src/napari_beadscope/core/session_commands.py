"""Rules of the session state machine for commands: each is answered exactly once."""

from __future__ import annotations

from dataclasses import replace

from napari_beadscope.core import session_recording
from napari_beadscope.core.errors import (
    BeadscopeError,
    DeviceError,
    InputError,
    StateError,
)
from napari_beadscope.core.messages import (
    AddMotor,
    BeadsChanged,
    CalibrationChanged,
    Event,
    GetCamera,
    GetStatus,
    LiveChanged,
    MoveMotor,
    Request,
    SetBackend,
    SetBeads,
    SetCalibration,
    SetCamera,
    Shutdown,
    StartLive,
    StartRecording,
    StopLive,
    Stopping,
    StopRecording,
)
from napari_beadscope.core.orders import (
    Done,
    ListProperties,
    Move,
    Order,
    RunCamera,
    SetProperty,
    SetTask,
)
from napari_beadscope.core.session_state import Pending, Phase, Spawn, Worker, WorkerState
from napari_beadscope.core.session_turn import Asker, Turn
from napari_beadscope.core.types import Bead


def ask(turn: Turn, client: int, request: Request) -> None:
    """Carry out a command, or answer why not."""
    asker = (client, request.number)
    try:
        _carry_out(turn, asker, request.command)
    except BeadscopeError as error:
        turn.reply(asker, error)


def _carry_out(turn: Turn, asker: Asker, command: object) -> None:
    state = turn.state
    if state.phase in (Phase.STOPPING, Phase.STOPPED) and not isinstance(command, Shutdown):
        raise StateError("the engine is stopping", "start a new one")
    match command:
        case StartLive():
            _run_camera(turn, True)
            turn.reply(asker)
        case StopLive():
            _refuse_while_recording(turn, "pause the camera")
            _run_camera(turn, False)
            turn.reply(asker)
        case SetBeads(beads):
            _refuse_while_recording(turn, "change the beads")
            _check_beads(turn, beads)
            _change_task(turn, asker, BeadsChanged(beads), beads=beads)
        case SetCalibration(calibration):
            _refuse_while_recording(turn, "change the calibration")
            if not calibration.nm_per_px > 0:
                raise InputError(
                    f"nm per px is {calibration.nm_per_px}", "give the size of a pixel, above 0"
                )
            _change_task(turn, asker, CalibrationChanged(calibration), calibration=calibration)
        case SetBackend(backend):
            _refuse_while_recording(turn, "change the tracking backend")
            _change_task(turn, asker, None, backend=backend)
        case SetCamera(name, value):
            _refuse_while_recording(turn, "change the camera")
            _order(turn, asker, "camera", lambda number: SetProperty(number, name, value))
        case GetCamera():
            _order(turn, asker, "camera", ListProperties)
        case AddMotor(name, motor, options):
            _add_motor(turn, asker, name, motor, options)
        case MoveMotor(name, target):
            _order(turn, asker, f"motor-{name}", lambda number: Move(number, target))
        case StartRecording():
            session_recording.begin(turn, asker, command)
        case StopRecording():
            session_recording.end(turn, asker)
        case GetStatus():
            turn.reply(asker)
        case Shutdown():
            turn.set(stop_askers=(*state.stop_askers, asker))
            begin_stop(turn, "asked to")


def begin_stop(turn: Turn, why: str) -> None:
    """Begin the ordered shutdown; `core.session` goes on with it."""
    if turn.state.phase in (Phase.STOPPING, Phase.STOPPED):
        return
    turn.publish(Stopping(why))
    if turn.state.recording is not None:
        session_recording.finish(turn, turn.head)
    if turn.state.streaming:
        _run_camera(turn, False)
    turn.set(phase=Phase.STOPPING, stopping_since_s=turn.now_s)


def done(turn: Turn, name: str, report: Done) -> None:
    """Note that a worker has carried out an order; answer the command when all have."""
    for pending in turn.state.pending:
        starts = report.number == -1 and pending.number == -1
        if name not in pending.waiting or (pending.number != report.number and not starts):
            continue
        others = tuple(p for p in turn.state.pending if p is not pending)
        waiting = pending.waiting - {name}
        if report.error:
            turn.set(pending=others)
            turn.reply(pending.asker, InputError(report.what, report.remedy))
        elif waiting:
            turn.set(pending=(*others, replace(pending, waiting=waiting)))
        else:
            turn.set(pending=others)
            if pending.event is not None:
                turn.publish(pending.event)
            turn.reply(pending.asker, value=report.value)
        return


def worker_gone(turn: Turn, name: str, why: str) -> None:
    """Settle what was asked of a worker that is dead now."""
    for pending in turn.state.pending:
        if name not in pending.waiting:
            continue
        if name.startswith("tracker-"):  # its successor starts with the new task
            done(turn, name, Done(pending.number))
            continue
        turn.set(pending=tuple(p for p in turn.state.pending if p is not pending))
        turn.reply(pending.asker, DeviceError(f"the {name} process died ({why})", "try again"))


def _run_camera(turn: Turn, on: bool) -> None:
    if turn.state.stream is None:
        raise StateError("the camera is not ready yet", "wait until start-up has ended")
    if turn.state.workers["camera"].state is WorkerState.FAILED:
        raise DeviceError("the camera process failed for good", "restart the engine")
    if on == turn.state.streaming:
        return
    turn.set(streaming=on)
    turn.tell("camera", RunCamera(on))
    turn.publish(LiveChanged(on))


def _refuse_while_recording(turn: Turn, what: str) -> None:
    if turn.state.recording is not None:
        raise StateError(f"cannot {what} while recording", "stop the recording first")


def _check_beads(turn: Turn, beads: tuple[Bead, ...]) -> None:
    ids = [bead.bead for bead in beads]
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise InputError(f"bead {twice} is given twice", "give each bead an ID of its own")
    if len({bead.roi.size for bead in beads}) > 1:
        raise InputError("the beads' ROIs differ in size", "use one ROI size for all beads")
    if turn.state.stream is None:
        raise StateError("the camera is not ready yet", "wait until start-up has ended")
    shape = turn.state.stream.format.shape
    for bead in beads:
        roi = bead.roi
        if roi.size < 8 or not roi.inside(shape):
            raise InputError(
                f"the ROI of bead {bead.bead} (y0 {roi.y0}, x0 {roi.x0}, size {roi.size} px) "
                f"is not inside the frame of {shape[1]} x {shape[0]} px",
                "move the bead away from the edge, or choose a smaller ROI",
            )


def _change_task(turn: Turn, asker: Asker, event: Event | None, **changes: object) -> None:
    turn.set(**changes)
    number = turn.number()
    waiting = frozenset(
        name for name in turn.state.trackers if turn.state.workers[name].state is WorkerState.READY
    )
    for name in waiting:
        turn.tell(name, SetTask(number, turn.state.live_task()))
    if waiting:
        turn.set(pending=(*turn.state.pending, Pending(number, waiting, asker, event)))
        return
    if event is not None:
        turn.publish(event)
    turn.reply(asker)


def _order(turn: Turn, asker: Asker, worker: str, order: type[Order] | object) -> None:
    if worker not in turn.state.workers:
        known = [n.removeprefix("motor-") for n in turn.state.workers if n.startswith("motor-")]
        raise InputError(
            f"there is no motor named {worker.removeprefix('motor-')!r}",
            f"known motors: {', '.join(known) or 'none'}",
        )
    if turn.state.workers[worker].state is not WorkerState.READY:
        raise StateError(f"the {worker} process is not ready", "try again in a moment")
    number = turn.number()
    turn.tell(worker, order(number))  # type: ignore[operator]
    pending = Pending(number, frozenset({worker}), asker)
    turn.set(pending=(*turn.state.pending, pending))


def _add_motor(turn: Turn, asker: Asker, name: str, motor: str, options: dict) -> None:
    worker = f"motor-{name}"
    if worker in turn.state.workers:
        raise InputError(f"there is a motor named {name!r} already", "choose another name")
    turn.set(
        motors={**turn.state.motors, name: (motor, options)},
        workers={**turn.state.workers, worker: Worker(worker, since_s=turn.now_s)},
        pending=(*turn.state.pending, Pending(-1, frozenset({worker}), asker)),
    )
    turn.do(Spawn(worker))


__all__ = ["ask", "begin_stop", "done", "worker_gone"]
