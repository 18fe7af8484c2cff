"""The supervisor's decisions: ``step(state, at, stimulus) -> (state, effects)``, pure.

Which worker is started, killed, restarted or given up, what each is told, when a command is
answered and when a change is announced. Must not know processes, sockets or clocks: time and the
ring's head come in with each stimulus. Commands and recordings have their rules in
`core.session_commands` and `core.session_recording`.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_beadscope.core import session_commands, session_recording
from napari_beadscope.core.messages import (
    LiveChanged,
    MotorsChanged,
    Progress,
    Stopping,
    StreamChanged,
    WorkerLost,
)
from napari_beadscope.core.orders import (
    Armed,
    Attach,
    Began,
    Crashed,
    Done,
    Finished,
    Ready,
    RecordingFailed,
    RunCamera,
    SetTask,
    Stop,
    StreamEnded,
)
from napari_beadscope.core.session_state import (
    Asked,
    Effect,
    Exit,
    Gone,
    Joined,
    Kill,
    Left,
    Limits,
    MakeStream,
    Phase,
    ReleaseClaims,
    Said,
    Spawn,
    State,
    Stimulus,
    StreamMade,
    Tick,
    Worker,
    WorkerState,
)
from napari_beadscope.core.session_turn import Turn

WARM_START = ("camera", "recorder")


@dataclass(frozen=True, slots=True)
class At:
    """When a stimulus came: monotonic seconds, and the frame ring's head."""

    now_s: float
    head: int = 0


def start(camera_id: str, limits: Limits, now_s: float) -> tuple[State, list[Effect]]:
    """Return the first state and the effects that bring the workers up."""
    names = [*WARM_START, *(f"tracker-{k}" for k in range(limits.trackers))]
    workers = {name: Worker(name, since_s=now_s) for name in names}
    state = State(limits, camera_id, workers=workers, alone_since_s=now_s)
    return state, [Spawn(name) for name in names]


def step(state: State, at: At, stimulus: Stimulus) -> tuple[State, list[Effect]]:
    """Return the state after a stimulus and what is to be done about it.

    Parameters
    ----------
    state : State
        What is known so far.
    at : At
        When it happened.
    stimulus : Stimulus
        What happened.
    """
    turn = Turn(state, at.now_s, at.head)
    match stimulus:
        case Tick(ages_s):
            _tick(turn, ages_s)
        case Joined(client):
            turn.set(clients=state.clients | {client})
        case Left(client):
            turn.set(clients=state.clients - {client}, alone_since_s=at.now_s)
        case Asked(client, request):
            session_commands.ask(turn, client, request)
        case Said(worker, report):
            _said(turn, worker, report)
        case Gone(worker, why):
            _gone(turn, worker, why)
        case StreamMade(stream):
            turn.set(stream=stream)
            for name, worker in state.workers.items():
                if worker.state is WorkerState.READY and not name.startswith("motor-"):
                    turn.tell(name, Attach(stream))
            turn.publish(StreamChanged(stream))
    if turn.state.phase is Phase.STOPPING:
        _go_on_stopping(turn)
    return turn.state, turn.effects


# --- what workers say -----------------------------------------------------------------------


def _said(turn: Turn, name: str, report: object) -> None:
    if name not in turn.state.workers:
        return
    match report:
        case Ready():
            _ready(turn, name, report)
        case Done():
            session_commands.done(turn, name, report)
        case Armed() | Began() | Finished() | RecordingFailed():
            session_recording.heard(turn, name, report)
        case StreamEnded(seq):
            turn.set(streaming=False)
            turn.publish(LiveChanged(False, "the source has no more frames"))
            session_recording.stream_ended(turn, seq)
        case Crashed(what, remedy, traceback, fatal, error):
            words = traceback or f"{what}: {remedy}"
            turn.worker(name, last_words=words, fatal=fatal)
            if fatal and turn.state.phase is Phase.STARTING:
                turn.set(phase=Phase.STOPPING, stopping_since_s=turn.now_s)
                turn.publish(Stopping("start-up failed", error, what, remedy))


def _ready(turn: Turn, name: str, report: Ready) -> None:
    turn.worker(name, state=WorkerState.READY, since_s=turn.now_s, last_words="")
    state = turn.state
    if name == "camera" and report.format is not None:
        _camera_ready(turn, report)
    elif name.startswith("motor-"):
        turn.set(units={**state.units, name.removeprefix("motor-"): report.unit})
        turn.publish(MotorsChanged(tuple(state.motors), turn.state.units))
        session_commands.done(turn, name, Done(-1))
    else:
        if state.stream is not None:
            turn.tell(name, Attach(state.stream))
        turn.tell(name, SetTask(-1, state.live_task()))
        session_recording.rejoin(turn, name)
    if turn.state.phase is Phase.STARTING:
        ready = [w.state is WorkerState.READY for w in turn.state.workers.values()]
        turn.publish(Progress(f"{name} is ready", sum(ready) / len(ready)))
        if all(ready):
            turn.set(phase=Phase.UP)


def _camera_ready(turn: Turn, report: Ready) -> None:
    stream = turn.state.stream
    assert report.format is not None
    if stream is None or stream.format != report.format:
        turn.do(MakeStream(report.format, report.fps, report.can_wait))
        return
    turn.tell("camera", Attach(stream))
    if turn.state.streaming:
        turn.tell("camera", RunCamera(True))


# --- dead and stalled workers ---------------------------------------------------------------


def _gone(turn: Turn, name: str, why: str) -> None:
    worker = turn.state.workers.get(name)
    if worker is None or not worker.alive:
        return
    why = worker.killed_for or why
    if turn.state.phase in (Phase.STOPPING, Phase.STOPPED):
        turn.worker(name, state=WorkerState.GONE)
        session_recording.lost(turn, name, why)
        return
    limits, now = turn.state.limits, turn.now_s
    deaths = (*(d for d in worker.deaths_s if now - d < limits.restart_window_s), now)
    again = not worker.fatal and len(deaths) <= limits.max_restarts
    pause = 0.0 if len(deaths) == 1 else limits.backoff_s * 2 ** (len(deaths) - 2)
    turn.worker(
        name,
        state=WorkerState.DOWN if again else WorkerState.FAILED,
        since_s=now,
        deaths_s=deaths,
        respawn_at_s=now + pause,
        killed_for="",
        last_words="",
    )
    turn.publish(WorkerLost(name, why, worker.last_words, again))
    session_commands.worker_gone(turn, name, why)
    if again:
        session_recording.interrupted(turn, name)
        _respawn_due(turn)
    else:
        _give_up(turn, name, why)


def _give_up(turn: Turn, name: str, why: str) -> None:
    turn.do(ReleaseClaims(name))
    if name == "camera":
        turn.set(streaming=False)
        turn.publish(LiveChanged(False, f"the camera process failed for good ({why})"))
    session_recording.lost(turn, name, why)


def _respawn_due(turn: Turn) -> None:
    for name, worker in turn.state.workers.items():
        if worker.state is WorkerState.DOWN and worker.respawn_at_s <= turn.now_s:
            turn.worker(
                name,
                state=WorkerState.STARTING,
                since_s=turn.now_s,
                restarts=worker.restarts + 1,
            )
            turn.do(Spawn(name))


# --- time -----------------------------------------------------------------------------------


def _tick(turn: Turn, ages_s: dict[str, float]) -> None:
    limits = turn.state.limits
    for name, worker in turn.state.workers.items():
        if not worker.alive or worker.killed_for:
            continue
        starting = worker.state is WorkerState.STARTING
        patience = limits.start_timeout_s if starting else limits.stall_s
        age = turn.now_s - worker.since_s
        age = age if starting else min(age, ages_s.get(name, 0.0))
        if age > patience:
            what = "did not start" if starting else "gave no sign of life"
            turn.worker(name, killed_for=f"{what} for {age:.1f} s")
            turn.do(Kill(name))
    if turn.state.phase is Phase.STOPPING:
        session_recording.tick(turn)
        return
    _respawn_due(turn)
    session_recording.tick(turn)
    state = turn.state
    alone = not state.clients and state.recording is None
    if state.recording is not None:
        turn.set(alone_since_s=turn.now_s)
    elif alone and turn.now_s - state.alone_since_s > limits.grace_s:
        session_commands.begin_stop(turn, "no front end is attached and nothing is recorded")


def _go_on_stopping(turn: Turn) -> None:
    """Producers first, then drain, then terminate, then whatever is left by force."""
    state = turn.state
    if state.recording is not None:
        return
    overdue = turn.now_s - state.stopping_since_s > state.limits.stop_timeout_s
    for name, worker in state.workers.items():
        if worker.state is WorkerState.DOWN:
            turn.worker(name, state=WorkerState.GONE)
        elif worker.alive and worker.killed_for == "":
            if worker.last_words == "told to stop":
                if overdue:
                    turn.worker(name, killed_for="did not stop in time")
                    turn.do(Kill(name))
            else:
                turn.worker(name, last_words="told to stop")
                turn.tell(name, Stop())
    if not any(worker.alive for worker in turn.state.workers.values()):
        turn.set(phase=Phase.STOPPED)
        for asker in turn.state.stop_askers:
            turn.reply(asker)
        turn.set(stop_askers=())
        turn.do(Exit())
