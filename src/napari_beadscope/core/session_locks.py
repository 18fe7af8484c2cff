"""Rules of the session state machine for the locks.

The control process looks and proposes; here it is decided what comes of it: ROIs move, the focus
motor is sent, a lock ends. What was asked for is kept here, so that a control process that dies
is replaced by one that goes on, and no front end matters. Knows nothing of other commands.
"""

from __future__ import annotations

from dataclasses import replace

from napari_beadscope.core.commands import ExecuteXYLock, SetXYLock, SetZLock
from napari_beadscope.core.errors import InputError, StateError
from napari_beadscope.core.locks import (
    REFERENCES,
    Locks,
    LockTask,
    XYState,
    ZLock,
    ZState,
    check_lock,
)
from napari_beadscope.core.messages import BeadsChanged, LocksChanged
from napari_beadscope.core.motion import NOBODY
from napari_beadscope.core.orders import (
    Done,
    FocusMoved,
    LocksReport,
    LookOnce,
    Move,
    MoveRois,
    Remark,
    RoisMoved,
    SetLocks,
)
from napari_beadscope.core.session_checks import check_stream, check_unclaimed
from napari_beadscope.core.session_state import Pending, Spawn, State, Worker, WorkerState
from napari_beadscope.core.session_turn import Asker, Turn
from napari_beadscope.core.types import Bead

WORKER = "control"
#: Units of motors that can focus.
LENGTHS = ("nm", "um", "mm")
_REMARK = (
    "the XY-lock moves ROIs after their beads; beads are listed with the ROIs of the first frame, "
    "and movies of beads keep those"
)


def ask(turn: Turn, asker: Asker, command: SetXYLock | SetZLock | ExecuteXYLock) -> None:
    """Begin or end a lock, or look once."""
    state = turn.state
    if command.lock is not None:
        check_lock(command.lock)
    match command:
        case SetXYLock(lock):
            if lock is not None:
                _check_beads(state)
            _set_locks(turn, xy=lock, xy_state=XYState("starting" if lock else "off"))
            _steer(turn, xy_number=turn.number())
            turn.reply(asker)
        case SetZLock(lock):
            if lock is not None:
                _check_focus(state, lock)
                sent_by = {**state.motion.sent_by, lock.motor: NOBODY}  # the engine moves it now
                turn.set(motion=replace(state.motion, sent_by=sent_by))
            begun = ZState("starting", target_nm=lock.target_nm) if lock else ZState()
            _set_locks(turn, z=lock, z_state=begun)
            _steer(turn, z_number=turn.number())
            turn.reply(asker)
        case ExecuteXYLock(lock):
            _check_beads(state)
            number = turn.number()
            pending = Pending(number, frozenset({WORKER}), asker, turn.now_s)
            turn.set(pending=(*state.pending, pending))
            _steer(turn, looks=(*state.steering.looks, LookOnce(number, lock)))
    if command.lock is not None:
        _see_to_control(turn)


def heard(turn: Turn, report: RoisMoved | FocusMoved | LocksReport) -> None:
    """Let come true what the control process proposes."""
    locks, steering = turn.state.locks, turn.state.steering
    match report:
        case RoisMoved(beads):
            _move_rois(turn, beads)
        case FocusMoved(number, target):
            if locks.z is not None and number == steering.z_number:
                _steer(turn, move_number=turn.number())
                move = Move(turn.state.steering.move_number, target)
                turn.tell(f"motor-{locks.z.motor}", move)
        case LocksReport(xy_number, xy, z_number, z):
            changes: dict[str, object] = {}
            if xy is not None and locks.xy is not None and xy_number == steering.xy_number:
                changes["xy_state"] = xy
            if z is not None and locks.z is not None and z_number == steering.z_number:
                changes["z_state"] = z
                if z.phase == "stopped":
                    changes["z"] = None
            if changes:
                _set_locks(turn, **changes)


def done(turn: Turn, name: str, report: Done) -> None:
    """End the Z-lock if its motor could not do what it was told."""
    locks = turn.state.locks
    if locks.z is None or name != f"motor-{locks.z.motor}" or not report.error:
        return
    if report.number == turn.state.steering.move_number:
        _stop_z(turn, report.what)


def motor_stopped(turn: Turn, motor: str) -> None:
    """End the Z-lock because somebody stops its motor."""
    if turn.state.locks.z is not None and turn.state.locks.z.motor == motor:
        _stop_z(turn, f"the {motor} motor was told to stop")


def check_unlocked(state: State, motor: str) -> None:
    """Raise if the Z-lock has this motor."""
    if state.locks.z is not None and state.locks.z.motor == motor:
        raise StateError(f"the Z-lock holds the {motor} motor", "switch the Z-lock off first")


def follow(turn: Turn, before: State) -> None:
    """See to it that the control process knows what has changed, and end what cannot go on."""
    state = turn.state
    control = state.workers.get(WORKER)
    if control is None or state is before or state.is_stopping:
        return
    if control.state is WorkerState.FAILED:
        why = control.words.what if control.words else "it ended too often"
        _give_up(turn, f"the control process failed for good ({why})")
        return
    _check_z_goes_on(turn, before)
    if not turn.state.is_ready(WORKER):
        return
    task = _task(turn.state)
    if not before.is_ready(WORKER) or _relevant(task) != _relevant(_task(before)):
        turn.tell(WORKER, SetLocks(task))
    for look in turn.state.steering.looks:
        turn.tell(WORKER, look)
    _steer(turn, looks=())


def _check_z_goes_on(turn: Turn, before: State) -> None:
    state, lock = turn.state, turn.state.locks.z
    if lock is None or before.locks.z is None:
        return
    worker = f"motor-{lock.motor}"
    if not state.is_ready(worker):
        _stop_z(turn, f"the {lock.motor} motor's process ended")
    elif state.calibration.zlut != before.calibration.zlut:
        _stop_z(turn, "another Z-LUT was chosen")
    elif not _held(state, lock):
        gone = "there is no reference bead any more"
        _stop_z(turn, gone if lock.bead == REFERENCES else f"bead {lock.bead} is gone")


def _relevant(task: LockTask) -> LockTask:
    return replace(task, z_state=ZState())


def _task(state: State) -> LockTask:
    locks, steering, stream = state.locks, state.steering, state.stream
    motor = locks.z.motor if locks.z is not None else ""
    unit, low, high = state.reaches.get(motor, ("um", 0.0, 0.0))
    return LockTask(
        locks.xy,
        locks.z,
        steering.xy_number,
        steering.z_number,
        state.beads,
        stream.format.shape if stream is not None else (0, 0),
        stream.ring if stream is not None else "",
        _held(state, locks.z) if locks.z is not None else (),
        state.motor_rows.get(motor, 0),
        unit,
        low,
        high,
        locks.z_state,
    )


def _held(state: State, lock: ZLock) -> tuple[int, ...]:
    """Return the beads whose height a Z-lock holds."""
    ids = [bead.bead for bead in state.beads]
    if lock.bead != REFERENCES:
        return (lock.bead,) if lock.bead in ids else ()
    said = state.annotations
    return tuple(bead for bead in ids if bead in said and said[bead].reference)


def _check_beads(state: State) -> None:
    check_stream(state)
    if not state.beads:
        raise StateError("the XY-lock needs beads, and there are none", "find or add beads")


def _check_focus(state: State, lock: ZLock) -> None:
    """Raise unless there is a height to hold and a motor to hold it with."""
    check_stream(state)
    if not state.calibration.zlut:
        raise StateError(
            "the Z-lock needs heights, and there is no Z-LUT", "load or measure a Z-LUT"
        )
    if not _held(state, lock):
        if lock.bead == REFERENCES:
            raise StateError("no bead is marked as reference", "mark one, or choose a bead to hold")
        raise InputError(f"there is no bead {lock.bead}", "choose one that is tracked")
    if lock.motor not in state.motors or not state.is_ready(f"motor-{lock.motor}"):
        ready = [name for name in state.motors if state.is_ready(f"motor-{name}")]
        known = f"choose from {', '.join(ready)}, or add it" if ready else "add one first"
        raise StateError(f"there is no motor {lock.motor!r} to focus with", known)
    check_unclaimed(state, lock.motor)
    unit = state.reaches[lock.motor][0]
    if unit not in LENGTHS:
        raise InputError(
            f"the {lock.motor} motor moves in {unit}, which is no length", "choose the focus motor"
        )


def _see_to_control(turn: Turn) -> None:
    """Start the control process if there is none, also one that failed for good before."""
    control = turn.state.workers.get(WORKER)
    if control is not None and control.state is not WorkerState.FAILED:
        return
    worker = Worker(WORKER, since_s=turn.now_s)
    turn.set(workers={**turn.state.workers, WORKER: worker})
    turn.do(Spawn(WORKER))


def _move_rois(turn: Turn, moved: tuple[Bead, ...]) -> None:
    """Move ROIs; beads that were changed meanwhile stay as they are."""
    state = turn.state
    if state.stream is None or any("beads" in pending.changes for pending in state.pending):
        return
    shape = state.stream.format.shape
    new = {bead.bead: bead for bead in moved if bead.roi.inside(shape)}
    beads = tuple(
        new[old.bead] if old.bead in new and new[old.bead].roi.size == old.roi.size else old
        for old in state.beads
    )
    if beads == state.beads:
        return
    turn.set(beads=beads)
    for name in state.trackers:
        turn.tell(name, MoveRois(beads))
    recording = state.recording
    if recording is not None and state.steering.remarked != recording.number:
        _steer(turn, remarked=recording.number)
        turn.tell("recorder", Remark(_REMARK))
    turn.publish(BeadsChanged(beads))


def _stop_z(turn: Turn, why: str) -> None:
    stopped = replace(turn.state.locks.z_state, phase="stopped", why=why)
    _set_locks(turn, z=None, z_state=stopped)


def _give_up(turn: Turn, why: str) -> None:
    """End both locks: nobody is there to hold them."""
    locks = turn.state.locks
    if locks.xy is None and locks.z is None:
        return
    xy = replace(locks.xy_state, phase="stopped", why=why, followed=())
    z = replace(locks.z_state, phase="stopped", why=why)
    _set_locks(
        turn,
        xy=None,
        z=None,
        xy_state=xy if locks.xy is not None else locks.xy_state,
        z_state=z if locks.z is not None else locks.z_state,
    )


def _set_locks(turn: Turn, **changes: object) -> None:
    locks: Locks = replace(turn.state.locks, **changes)  # type: ignore[arg-type]
    if locks != turn.state.locks:
        turn.set(locks=locks)
        turn.publish(LocksChanged(locks))


def _steer(turn: Turn, **changes: object) -> None:
    turn.set(steering=replace(turn.state.steering, **changes))  # type: ignore[arg-type]
