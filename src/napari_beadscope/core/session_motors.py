"""Rules of the session state machine for who may move a motor, and for front ends that go.

A front end that claims a motor has it for itself until it gives it back, or is gone: then the
motor goes back to where the claim says, also by a process that was killed and restarted meanwhile.
Whoever stops the motor ends the claim, and the motor stays. A front end that goes without a
goodbye has died: what it had sent and still moves is halted. Knows nothing of other commands.
"""

from __future__ import annotations

import math
from dataclasses import replace

from napari_beadscope.core.commands import ClaimMotor, Goodbye, ReleaseMotor
from napari_beadscope.core.errors import (
    BeadscopeError,
    DeviceError,
    InputError,
    StateError,
    named_error,
)
from napari_beadscope.core.messages import FrontEndLost, MotorsChanged
from napari_beadscope.core.motion import NOBODY, Claim, Motion
from napari_beadscope.core.orders import Done, Halt, Move
from napari_beadscope.core.session_checks import check_motor, check_ready, check_unclaimed
from napari_beadscope.core.session_locks import check_unlocked
from napari_beadscope.core.session_state import Left, State, WorkerState
from napari_beadscope.core.session_turn import Asker, Turn

_UNASKED = -1  # number of an order whose report answers no command
_MAX_WHY = 200


def ask(turn: Turn, asker: Asker, command: ClaimMotor | ReleaseMotor | Goodbye) -> None:
    """Claim a motor, give it back, or note that a front end leaves on purpose."""
    client = asker[0]
    match command:
        case ClaimMotor(name, back_to, why):
            _check_claim(turn.state, client, command)
            _set_claim(turn, name, Claim(client, back_to, why))
            turn.reply(asker)
        case ReleaseMotor(name):
            check_motor(turn.state, name)
            claim = turn.state.motion.claims.get(name)
            if claim is None or claim.client != client or claim.ends:
                raise StateError(
                    f"the {name} motor was taken from you: somebody stopped it, or its process "
                    "failed for good",
                    "look where it is",
                )
            _send_back(turn, name, replace(claim, asker=asker))
        case Goodbye():
            _set(turn, leaving=turn.state.motion.leaving | {client})
            turn.reply(asker)


def check_free(state: State, motor: str, client: int) -> None:
    """Raise if a front end may not move this motor now."""
    check_unlocked(state, motor)
    check_unclaimed(state, motor, but_by=client)


def sent(turn: Turn, motor: str, client: int) -> None:
    """Note who has sent a motor somewhere."""
    _set(turn, sent_by={**turn.state.motion.sent_by, motor: client})


def stopped(turn: Turn, motor: str, client: int) -> None:
    """End the claim of another front end, or the way back: somebody wants the motor to stay."""
    claim = turn.state.motion.claims.get(motor)
    if claim is not None and (claim.ends or claim.client != client):
        what = f"the {motor} motor was told to stop on its way back to {claim.back_to:g}"
        _end(turn, motor, DeviceError(what, "look where it is, then move it"))


def left(turn: Turn, gone: Left) -> None:
    """Bring back what a front end that is gone had claimed; halt what it had sent if it died."""
    state, motion = turn.state, turn.state.motion
    if state.is_stopping:  # motors are halted, and nobody is there to be told
        return
    died = gone.client not in motion.leaving
    held = [n for n, c in motion.claims.items() if c.client == gone.client and not c.ends]
    under_way = gone.moving | {
        worker.removeprefix("motor-")
        for pending in state.pending
        if pending.asker is not None and pending.asker[0] == gone.client
        for worker in pending.waiting
    }
    sent_by = [n for n, client in motion.sent_by.items() if client == gone.client]
    halted = [n for n in sent_by if died and n in under_way and n not in motion.claims]
    _set(
        turn,
        leaving=motion.leaving - {gone.client},
        sent_by={n: client for n, client in motion.sent_by.items() if client != gone.client},
    )
    for name in halted:
        turn.tell(f"motor-{name}", Halt(_UNASKED))
    for name in held:
        _send_back(turn, name, replace(motion.claims[name], client=NOBODY))
    if died or held:
        turn.publish(_lost(turn.state, gone.pid, died, halted, held))


def done(turn: Turn, name: str, report: Done) -> None:
    """Note that a motor is on its way back, or why it cannot be."""
    motor = name.removeprefix("motor-")
    claim = turn.state.motion.claims.get(motor)
    if claim is None or not claim.order or report.number != claim.order:
        return
    if report.error:
        _end(turn, motor, named_error(report.error, report.what, report.remedy))
    else:
        _set_claim(turn, motor, replace(claim, on_its_way=True))


def tick(turn: Turn, moving: frozenset[str]) -> None:
    """End the claims on motors that are back."""
    patience_s = turn.state.limits.order_timeout_s
    for motor, claim in turn.state.motion.claims.items():
        if claim.on_its_way and motor not in moving:
            _end(turn, motor)
        elif claim.back_since_s is not None and turn.now_s - claim.back_since_s > patience_s:
            what = f"the {motor} motor did not come back to {claim.back_to:g}"
            _end(turn, motor, DeviceError(what, "look where it is, then move it"))


def follow(turn: Turn) -> None:
    """Tell motors that are up again to go back, and give up those that will not be."""
    for motor, claim in turn.state.motion.claims.items():
        worker = turn.state.workers.get(f"motor-{motor}")
        if turn.state.is_stopping:
            what = f"the engine stops, and the {motor} motor with it"
            _end(turn, motor, StateError(what, "look where it is"))
        elif worker is None or worker.state is WorkerState.FAILED:
            what = f"the {motor} motor's process ended, and the motor is where that left it"
            _end(turn, motor, DeviceError(what, "look where it is, then add it again"))
        elif not turn.state.is_ready(worker.name):
            if claim.order:
                _set_claim(turn, motor, replace(claim, order=0, on_its_way=False))
        elif claim.ends and not claim.order:
            _send_back(turn, motor, claim)


def _check_claim(state: State, client: int, command: ClaimMotor) -> None:
    name = command.name
    check_motor(state, name)
    check_ready(state, f"motor-{name}")
    if not command.why.strip() or len(command.why) > _MAX_WHY:
        raise InputError(
            f"nobody is told what claims the {name} motor",
            f"say what moves it, in 1 to {_MAX_WHY} characters",
        )
    if state.recording is not None:
        raise StateError(
            f"a recording is on, which {command.why} would disturb", "stop the recording first"
        )
    check_free(state, name, client)
    _, low, high = state.reaches[name]
    if not (math.isfinite(command.back_to) and low <= command.back_to <= high):
        raise InputError(
            f"the {name} motor cannot go back to {command.back_to:g}",
            f"choose from {low:g} to {high:g}",
        )


def _send_back(turn: Turn, motor: str, claim: Claim) -> None:
    order = turn.number() if turn.state.is_ready(f"motor-{motor}") else 0
    since_s = turn.now_s if claim.back_since_s is None else claim.back_since_s
    _set_claim(turn, motor, replace(claim, back_since_s=since_s, order=order, on_its_way=False))
    if order:
        turn.tell(f"motor-{motor}", Move(order, claim.back_to))


def _end(turn: Turn, motor: str, error: BeadscopeError | None = None) -> None:
    """End a claim; ``error`` says why the motor is not where it was to go back to."""
    claims = dict(turn.state.motion.claims)
    claim = claims.pop(motor)
    _set(turn, claims=claims)
    turn.publish(MotorsChanged(turn.state.motor_infos))
    turn.reply(claim.asker, error)
    if error is not None and claim.client == NOBODY:
        turn.publish(FrontEndLost(str(error), (), (motor,)))


def _lost(state: State, pid: int, died: bool, halted: list[str], held: list[str]) -> FrontEndLost:
    how = "ended without a goodbye" if died else "left without giving back what it had claimed"
    acts = [f"the {name} motor was halted" for name in halted]
    for name in held:
        claim = state.motion.claims[name]
        unit = state.reaches[name][0]
        acts.append(f"the {name} motor goes back to {claim.back_to:g} {unit} ({claim.why} was on)")
    what = f"a front end (process {pid}) {how}" + (f": {', '.join(acts)}" if acts else "")
    return FrontEndLost(what, tuple(halted), tuple(held))


def _set_claim(turn: Turn, motor: str, claim: Claim) -> None:
    before = turn.state.motor_infos
    _set(turn, claims={**turn.state.motion.claims, motor: claim})
    if turn.state.motor_infos != before:
        turn.publish(MotorsChanged(turn.state.motor_infos))


def _set(turn: Turn, **changes: object) -> None:
    motion: Motion = replace(turn.state.motion, **changes)  # type: ignore[arg-type]
    turn.set(motion=motion)
