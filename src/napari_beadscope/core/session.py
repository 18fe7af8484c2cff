"""The supervisor's decisions: ``step(state, at, stimulus) -> (state, effects)``, pure.

Which worker is started, killed, restarted or given up, what each is told, when a command is
answered and when a change is announced. Must not know processes, sockets or clocks: time and the
ring's head come in with each stimulus. Commands, recordings and the camera's stream have their
rules in `core.session_commands`, `core.session_recording` and `core.session_stream`.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_beadscope.core import (
    session_annotations,
    session_commands,
    session_locks,
    session_loss,
    session_motors,
    session_recording,
    session_removal,
    session_settings,
    session_stream,
)
from napari_beadscope.core.messages import (
    LiveChanged,
    MotorsChanged,
    Progress,
    Tracking,
    TrackingChanged,
    WorkerLost,
)
from napari_beadscope.core.orders import (
    Armed,
    Attach,
    Began,
    Crashed,
    Done,
    Finished,
    FocusMoved,
    LocksReport,
    Ready,
    RecordingFailed,
    Remark,
    RoisMoved,
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
    Left,
    Limits,
    Phase,
    ReleaseClaims,
    Said,
    Spawn,
    State,
    Stimulus,
    StreamMade,
    Tick,
    Words,
    Worker,
    WorkerState,
)
from napari_beadscope.core.session_turn import Turn

WARM_START = ("camera", "recorder")
_UNASKED = -1  # number of an order whose report answers no command


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

    Examples
    --------
    >>> state, effects = start("simulated", Limits(trackers=1), now_s=0.0)
    >>> [effect.worker for effect in effects]
    ['camera', 'recorder', 'tracker-0']
    >>> state, effects = step(state, At(1.0), Gone("recorder", "killed by SIGKILL"))
    >>> effects[-1]
    Spawn(worker='recorder')
    """
    turn = Turn(state, at.now_s, at.head)
    match stimulus:
        case Tick(ages_s, moving):
            _tick(turn, ages_s)
            session_motors.tick(turn, moving)
            session_removal.tick(turn)
        case Joined(client):
            turn.set(clients=state.clients | {client})
        case Left(client):
            turn.set(clients=state.clients - {client}, alone_since_s=at.now_s)
            session_motors.left(turn, stimulus)
        case Asked(client, request):
            session_commands.ask(turn, client, request)
        case Said(name, report):
            _said(turn, name, report)
        case Gone(name, why):
            _gone(turn, name, why)
        case StreamMade(stream):
            session_stream.stream_made(turn, stream)
            _up_if_ready(turn)
    session_locks.follow(turn, state)
    session_motors.follow(turn)
    if turn.state.phase is Phase.STOPPING:
        _go_on_stopping(turn)
    return turn.state, turn.effects


# --- what workers say -----------------------------------------------------------------------


def _said(turn: Turn, name: str, report: object) -> None:
    worker = turn.state.workers.get(name)
    if worker is None or not worker.alive:  # said before it died, heard after
        return
    if isinstance(report, Crashed):
        words = Words(report.error, report.what, report.remedy, report.traceback)
        # a motor that was there may come back: its cable is out, its controller switched off
        fatal = report.fatal and not (worker.was_ready and name.startswith("motor-"))
        turn.worker(name, words=worker.words or words, fatal=worker.fatal or fatal)
        if report.fatal and worker.is_core and turn.state.phase is Phase.STARTING:
            _start_failed(turn, words)
        return
    if isinstance(report, Ready):
        if worker.state is WorkerState.STARTING:
            _ready(turn, name, report)
        elif name == "camera":  # its format may have changed
            waited = turn.state.waiting_format is not None
            if not session_stream.camera_format(turn, report) and waited:
                session_stream.join_stream(turn)
        return
    if worker.state is not WorkerState.READY:
        return
    match report:
        case Done():
            session_commands.done(turn, name, report)
            session_locks.done(turn, name, report)
            session_motors.done(turn, name, report)
        case RoisMoved() | FocusMoved() | LocksReport():
            session_locks.heard(turn, report)
        case Armed() | Began() | Finished() | RecordingFailed():
            session_recording.heard(turn, name, report)
        case Tracking():
            _tracks(turn, {**turn.state.trackings, name: report})
        case StreamEnded(seq) if turn.state.streaming:
            turn.set(streaming=False)
            turn.tell("camera", RunCamera(False))  # a start may still be on its way to it
            turn.publish(LiveChanged(False, "the source has no more frames"))
            session_recording.finish(turn, seq)


def _tracks(turn: Turn, trackings: dict[str, Tracking]) -> None:
    """Note what the trackers say about themselves; announce it if that changes the whole."""
    before = turn.state.tracking
    turn.set(trackings=trackings)
    now = turn.state.tracking
    if now != before:
        turn.publish(TrackingChanged(now))
    if turn.state.recording is not None and "" != before.backend != now.backend != "":
        turn.tell("recorder", Remark(f"from here on tracked by {now.sentence}"))


def _ready(turn: Turn, name: str, report: Ready) -> None:
    turn.worker(name, state=WorkerState.READY, since_s=turn.now_s, was_ready=True, words=None)
    session_settings.tell(turn, name)
    state = turn.state
    if name == "camera":
        session_loss.find_again(turn)
        if not session_stream.camera_format(turn, report):
            session_stream.join_stream(turn)
    elif name.startswith("motor-"):
        reach = (report.unit, *report.limits)
        turn.set(reaches={**state.reaches, name.removeprefix("motor-"): reach})
        turn.publish(MotorsChanged(turn.state.motor_infos))
        session_commands.motor_ready(turn, name)
    elif name != session_locks.WORKER:
        if state.stream is not None:
            turn.tell(name, Attach(state.stream))
        turn.tell(name, SetTask(_UNASKED, state.live_task()))
        if name == "recorder":
            session_annotations.tell_recorder(turn)
        session_recording.rejoin(turn, name)
    if turn.state.phase is Phase.STARTING:
        ready = [turn.state.is_ready(name) for name, w in state.workers.items() if w.is_core]
        turn.publish(Progress(f"{name} is ready", sum(ready) / len(ready)))
        _up_if_ready(turn)


def _up_if_ready(turn: Turn) -> None:
    state = turn.state
    core_ready = all(state.is_ready(name) for name, w in state.workers.items() if w.is_core)
    if state.phase is Phase.STARTING and core_ready and state.stream is not None:
        turn.set(phase=Phase.UP, alone_since_s=turn.now_s)


def _start_failed(turn: Turn, words: Words) -> None:
    error = (words.error, words.what, words.remedy)
    session_commands.begin_stop(turn, "start-up failed", error)


# --- dead and stalled workers ---------------------------------------------------------------


def _gone(turn: Turn, name: str, why: str) -> None:
    worker = turn.state.workers.get(name)
    if worker is None or not worker.alive:
        return
    why = worker.killed_for or why
    limits, stopping = turn.state.limits, turn.state.is_stopping
    if worker.told_stop and not stopping:
        askers = session_removal.take_askers(turn, name)
        session_commands.worker_gone(turn, name, "it was removed")
        session_removal.forget(turn, name, askers)
        return
    is_loss = session_loss.is_loss(turn.state, worker) and not stopping
    if is_loss:
        deaths, again, pause = worker.deaths_s, True, session_loss.lose(turn)
    else:
        deaths = _deaths_that_count(turn, worker)
        again = not worker.fatal and len(deaths) <= limits.max_restarts
        again = again and (worker.was_ready or not name.startswith("motor-")) and not stopping
        pause = 0.0 if len(deaths) == 1 else limits.backoff_s * 2 ** min(len(deaths) - 2, 10)
    turn.worker(
        name,
        state=WorkerState.DOWN if again else (WorkerState.GONE if stopping else WorkerState.FAILED),
        since_s=turn.now_s,
        deaths_s=deaths,
        respawn_at_s=turn.now_s + pause,
        killed_for="",
    )
    if not stopping:
        _tracks(turn, {key: said for key, said in turn.state.trackings.items() if key != name})
        last, text = (worker.words.what, worker.words.traceback) if worker.words else (why, "")
        if not is_loss:  # which was told in its own words
            turn.publish(WorkerLost(name, last, text, again))
    session_commands.worker_gone(turn, name, why)
    if again:
        session_recording.interrupted(turn, name)
    else:
        _give_up(turn, name, why)
    if not session_recording.holds_claim(turn.state, name):
        turn.do(ReleaseClaims(name))
    _respawn_due(turn)


def _deaths_that_count(turn: Turn, worker: Worker) -> tuple[float, ...]:
    """Return when it died lately; one that never gets ready has no end of 'lately'."""
    window = turn.state.limits.restart_window_s
    if worker.state is WorkerState.STARTING:
        return (*worker.deaths_s, turn.now_s)
    return (*(d for d in worker.deaths_s if turn.now_s - d < window), turn.now_s)


def _give_up(turn: Turn, name: str, why: str) -> None:
    words = turn.state.workers[name].words
    why = words.what if words else why
    if name == "camera" and turn.state.streaming:
        turn.set(streaming=False)
        turn.publish(LiveChanged(False, f"the camera process failed for good ({why})"))
    session_recording.lost(turn, name, why)
    worker = turn.state.workers[name]
    if turn.state.phase is Phase.STARTING and worker.is_core:
        kind = "DeviceError" if name == "camera" else "EngineError"
        what = f"the {name} process failed for good ({why})"
        _start_failed(turn, worker.words or Words(kind, what, "see the log", ""))


def _respawn_due(turn: Turn) -> None:
    for name, worker in turn.state.workers.items():
        if worker.state is WorkerState.DOWN and worker.respawn_at_s <= turn.now_s:
            turn.worker(
                name,
                state=WorkerState.STARTING,
                since_s=turn.now_s,
                restarts=worker.restarts + 1,
                words=None,
            )
            turn.do(Spawn(name))


# --- time -----------------------------------------------------------------------------------


def _tick(turn: Turn, ages_s: dict[str, float]) -> None:
    limits = turn.state.limits
    for name, worker in turn.state.workers.items():
        starting = worker.state is WorkerState.STARTING
        patience = limits.start_timeout_s if starting else limits.stall_s
        age = turn.now_s - worker.since_s
        age = age if starting else min(age, ages_s.get(name, 0.0))
        if age > patience:
            what = "did not start" if starting else "gave no sign of life"
            turn.kill(name, f"{what} for {age:.1f} s")
    session_recording.tick(turn)
    session_commands.settle_overdue(turn)
    state = turn.state
    if state.is_stopping:
        return
    _respawn_due(turn)
    if state.phase is Phase.STARTING:  # that ends by itself, one way or the other
        return
    if state.recording is not None or state.clients or state.motion.claims:
        turn.set(alone_since_s=turn.now_s)
    elif turn.now_s - state.alone_since_s > limits.grace_s:
        session_commands.begin_stop(turn, "no front end is attached and nothing is recorded")


def _go_on_stopping(turn: Turn) -> None:
    """Producers first, then drain, then terminate, then whatever is left by force."""
    if turn.state.recording is not None:
        return
    patience = turn.state.limits.stop_timeout_s
    for name, worker in turn.state.workers.items():
        if not worker.alive:
            continue
        if worker.killed_for:
            if turn.now_s - worker.killed_s > patience:  # not even the kernel can end it
                turn.worker(name, state=WorkerState.GONE)
        elif worker.state is WorkerState.STARTING:
            turn.kill(name, "the engine stopped before it was ready")
        elif not worker.told_stop:
            turn.worker(name, told_stop=True, told_stop_s=turn.now_s)
            turn.tell(name, Stop())
        elif turn.now_s - worker.told_stop_s > patience:
            turn.kill(name, "it did not stop in time")
    if not any(worker.alive for worker in turn.state.workers.values()):
        turn.set(phase=Phase.STOPPED)
        session_commands.settle_all(turn)
        turn.do(Exit())
