"""Rules of the session state machine for motors that are removed, and for the rows they leave.

A motor that is removed is told to stop; when its process has ended it is forgotten, and its name
and its row are free. Knows nothing of claims, locks or other commands but that they come first.
"""

from __future__ import annotations

from collections.abc import Sequence

from napari_beadscope.core.messages import MotorsChanged
from napari_beadscope.core.orders import Stop
from napari_beadscope.core.session_checks import check_motor, check_not_recording
from napari_beadscope.core.session_motors import check_free
from napari_beadscope.core.session_state import FreeRow, Pending, State
from napari_beadscope.core.session_turn import Asker, Turn

_REMOVAL = -2  # number of what is pending until a motor's process has ended


def rows_with(state: State, name: str) -> dict[str, int]:
    """Return the motors' rows with one for `name`: its own, or the first that is free."""
    taken = set(state.motor_rows.values())
    free = next(row for row in range(len(taken) + 1) if row not in taken)
    return {name: free, **state.motor_rows}


def remove(turn: Turn, asker: Asker, name: str) -> None:
    """Have a motor's process end; forget it at once if there is none."""
    check_motor(turn.state, name)
    check_not_recording(turn.state, f"remove the {name} motor")
    check_free(turn.state, name, asker[0])
    worker = f"motor-{name}"
    if not turn.state.workers[worker].alive:
        forget(turn, worker, [asker])
        return
    pending = Pending(_REMOVAL, frozenset({worker}), asker, turn.now_s)
    turn.set(pending=(*turn.state.pending, pending))
    ready = turn.state.is_ready(worker)
    turn.worker(worker, told_stop=True, told_stop_s=turn.now_s)
    if ready:
        turn.tell(worker, Stop())
    else:
        turn.kill(worker, "it was removed before it was ready")


def take_askers(turn: Turn, worker: str) -> list[Asker | None]:
    """Return who waits for the removal of a motor, and no longer count that as pending."""
    done = [p for p in turn.state.pending if p.number == _REMOVAL and worker in p.waiting]
    turn.set(pending=tuple(p for p in turn.state.pending if p not in done))
    return [pending.asker for pending in done]


def forget(turn: Turn, worker: str, askers: Sequence[Asker | None]) -> None:
    """Free a motor's name and row, then answer who asked for that."""
    state, name = turn.state, worker.removeprefix("motor-")
    row = state.motor_rows[name]
    turn.set(
        workers={key: one for key, one in state.workers.items() if key != worker},
        motors={key: one for key, one in state.motors.items() if key != name},
        motor_rows={key: one for key, one in state.motor_rows.items() if key != name},
        reaches={key: one for key, one in state.reaches.items() if key != name},
    )
    turn.do(FreeRow(worker, row))
    turn.publish(MotorsChanged(turn.state.motor_infos))
    for asker in askers:
        turn.reply(asker)


def tick(turn: Turn) -> None:
    """Kill what does not end in time."""
    if turn.state.is_stopping:
        return
    patience_s = turn.state.limits.stop_timeout_s
    for name, worker in turn.state.workers.items():
        if worker.told_stop and turn.now_s - worker.told_stop_s > patience_s:
            turn.kill(name, "it did not end in time when it was removed")
