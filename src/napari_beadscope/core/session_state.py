"""What the supervisor knows (`State`), what can happen to it (stimuli) and what it does (effects).

Values only; `core.session` has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from napari_beadscope.core.locks import Locks
from napari_beadscope.core.messages import CameraLost, Event, Reply, Request, Stream, Tracking
from napari_beadscope.core.motion import Motion, Steering
from napari_beadscope.core.orders import Order, Ready, Report
from napari_beadscope.core.types import (
    METHODS,
    AcquisitionMode,
    Annotation,
    Bead,
    Calibration,
    FrameFormat,
    MotorInfo,
    TrackerTask,
)
from napari_beadscope.core.window import Window


class Phase(str, Enum):
    """Where the engine is in its life."""

    STARTING = "STARTING"
    UP = "UP"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"


class WorkerState(str, Enum):
    """Where a worker process is in its life."""

    STARTING = "STARTING"
    READY = "READY"
    DOWN = "DOWN"  # dead, to be started again
    GONE = "GONE"  # dead because the engine stops
    FAILED = "FAILED"  # dead, given up


class RecordingPhase(str, Enum):
    """Where a recording is in its life."""

    ARMING = "ARMING"
    BEGINNING = "BEGINNING"
    RUNNING = "RUNNING"
    FINISHING = "FINISHING"


@dataclass(frozen=True, slots=True)
class Limits:
    """The supervisor's patience; all in seconds but the counts."""

    trackers: int = 1
    stall_s: float = 5.0
    start_timeout_s: float = 60.0
    grace_s: float = 10.0
    max_restarts: int = 5
    restart_window_s: float = 60.0
    stop_timeout_s: float = 5.0
    finish_timeout_s: float = 120.0
    backoff_s: float = 0.25
    camera_retry_s: float = 2.0  # between two looks for a camera that is lost
    order_timeout_s: float = 300.0  # a tracker may have to compile for a new task


@dataclass(frozen=True, slots=True)
class Words:
    """What a worker said before it died: a class in `core.errors`, what, remedy, traceback."""

    error: str
    what: str
    remedy: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process; times are monotonic seconds, 0 where it has not happened.

    ``losses_s`` is when a camera's device did not answer: no fault of the process.
    """

    name: str
    state: WorkerState = WorkerState.STARTING
    since_s: float = 0.0
    deaths_s: tuple[float, ...] = ()
    losses_s: tuple[float, ...] = ()
    restarts: int = 0
    respawn_at_s: float = 0.0
    was_ready: bool = False
    words: Words | None = None
    fatal: bool = False
    killed_for: str = ""
    killed_s: float = 0.0
    told_stop: bool = False
    told_stop_s: float = 0.0

    @property
    def alive(self) -> bool:
        """Whether the process exists, as far as is known."""
        return self.state in (WorkerState.STARTING, WorkerState.READY)

    @property
    def is_core(self) -> bool:
        """Whether the engine cannot do without it: all but motors and control."""
        return not self.name.startswith(("motor-", "control"))


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording from the command that asked for it to the last closed file.

    ``participants`` are the workers it goes on with, ``answered`` those that have done what the
    phase waits for, ``finished`` those whose part has ended, ``untracked`` the trackers given up
    and why. ``first`` and ``stop`` are ``seq`` in the frame ring; ``wanted_stop`` is an end that
    was asked for before the recording ran. -1: none.
    """

    number: int
    task: TrackerTask
    header: dict
    phase: RecordingPhase
    since_s: float
    participants: frozenset[str]
    answered: frozenset[str] = frozenset()
    finished: frozenset[str] = frozenset()
    untracked: tuple[tuple[str, str], ...] = ()
    first: int = 0
    stop: int = -1
    wanted_stop: int = -1
    frames: int = 0
    seconds: float = 0.0
    seqs: tuple[int, ...] = ()
    starts_camera: bool = False
    asker: tuple[int, int] | None = None
    stop_askers: tuple[tuple[int, int], ...] = ()
    saved_frames: int = 0
    saved_rows: int = 0
    error: str = ""

    @property
    def mode(self) -> AcquisitionMode:
        """What it keeps."""
        assert self.task.mode is not None
        return self.task.mode


@dataclass(frozen=True, slots=True)
class Pending:
    """A command that is answered when all workers in ``waiting`` have carried out their order.

    ``changes`` are the fields of the state that it has set, ``undo`` what they were before;
    ``setting`` is the camera property that it sets.
    """

    number: int
    waiting: frozenset[str]
    asker: tuple[int, int] | None
    since_s: float = 0.0
    event: Event | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    undo: dict[str, Any] = field(default_factory=dict)
    setting: tuple[str, float | str] | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Everything the supervisor's decisions depend on.

    ``streaming`` is whether the camera is to stream, also while it is restarted, ``loss`` that its
    device is away; ``camera_settings`` are what it starts with, ``trackings`` what trackers said.
    ``waiting_format`` is a new frame format that waits for the recording in the old one to end.
    ``motor_rows`` are the motors' rows in the tables, ``reaches`` their units and limits.
    """

    limits: Limits
    camera_id: str
    phase: Phase = Phase.STARTING
    workers: dict[str, Worker] = field(default_factory=dict)
    stream: Stream | None = None
    streaming: bool = False
    loss: CameraLost | None = None
    loss_since_s: float = 0.0
    beads: tuple[Bead, ...] = ()
    annotations: dict[int, Annotation] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=Calibration)
    backend: str = "auto"
    method: str = METHODS[0]
    trackings: dict[str, Tracking] = field(default_factory=dict)
    profiles: bool = True
    camera_settings: dict[str, float | str] = field(default_factory=dict)
    waiting_format: Ready | None = None
    recording: Recording | None = None
    last_recording_done: bool = False
    pending: tuple[Pending, ...] = ()
    clients: frozenset[int] = frozenset()
    alone_since_s: float = 0.0
    stopping_since_s: float = 0.0
    stop_askers: tuple[tuple[int, int], ...] = ()
    motors: dict[str, tuple[str, dict]] = field(default_factory=dict)
    motor_rows: dict[str, int] = field(default_factory=dict)
    reaches: dict[str, tuple[str, float, float]] = field(default_factory=dict)
    locks: Locks = Locks()
    steering: Steering = Steering()
    motion: Motion = Motion()
    settings: dict[str, Any] = field(default_factory=dict)  # once a front end has changed them
    counter: int = 0

    @property
    def trackers(self) -> tuple[str, ...]:
        """Names of the trackers that are not given up."""
        return tuple(
            name
            for name, worker in self.workers.items()
            if name.startswith("tracker-") and worker.state is not WorkerState.FAILED
        )

    @property
    def pool(self) -> str:
        """READY, RUNNING or FINISHED: the tracker pool as a whole."""
        if self.recording is not None:
            return "RUNNING"
        return "FINISHED" if self.last_recording_done else "READY"

    @property
    def tracking(self) -> Tracking:
        """How beads are tracked, and what any tracker has still to prepare."""
        said = [self.trackings[name] for name in self.trackers if name in self.trackings]
        one = next((tracking for tracking in said if tracking.backend), Tracking())
        step = next((tracking.step for tracking in said if tracking.step), "")
        return Tracking(one.backend, one.device, self.method, one.why, step)

    @property
    def motor_infos(self) -> tuple[MotorInfo, ...]:
        """The motors, in the order in which they were added."""
        rows, reaches, claimant = self.motor_rows, self.reaches, self.motion.claimant
        return tuple(
            MotorInfo(name, kind, *reaches.get(name, ("", 0.0, 0.0)), claimant(name), rows[name])
            for name, (kind, _) in self.motors.items()
        )

    @property
    def is_stopping(self) -> bool:
        """Whether the engine is on its way out."""
        return self.phase in (Phase.STOPPING, Phase.STOPPED)

    def is_ready(self, name: str) -> bool:
        """Return whether a worker can take orders."""
        return self.workers[name].state is WorkerState.READY

    def live_task(self) -> TrackerTask:
        """Return what trackers do while nothing is recorded."""
        return TrackerTask(
            self.beads, self.calibration, self.backend, self.method, profiles=self.profiles
        )


# --- stimuli --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed.

    ``ages_s`` are the ages of the workers' heartbeats; ``moving`` the motors under way.
    """

    ages_s: dict[str, float]
    moving: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Joined:
    """A front end has attached."""

    client: int


@dataclass(frozen=True, slots=True)
class Left:
    """A front end has gone, politely or not, while these motors move."""

    client: int
    pid: int = 0
    moving: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """A front end has sent a command."""

    client: int
    request: Request


@dataclass(frozen=True, slots=True)
class Said:
    """A worker has reported."""

    worker: str
    report: Report


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker's process has ended."""

    worker: str
    why: str


@dataclass(frozen=True, slots=True)
class StreamMade:
    """The ring that `MakeStream` asked for exists."""

    stream: Stream


Stimulus = Tick | Joined | Left | Asked | Said | Gone | StreamMade


# --- effects --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start this worker's process."""

    worker: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill this worker's process."""

    worker: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Send an order to a worker."""

    worker: str
    order: Order


@dataclass(frozen=True, slots=True)
class Answer:
    """Send a reply to a front end."""

    client: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Publish:
    """Send an event to every front end."""

    event: Event


@dataclass(frozen=True, slots=True)
class MakeStream:
    """Create a frame ring for this format; `StreamMade` follows."""

    format: FrameFormat
    fps: float
    can_wait: bool
    window: Window = Window()


@dataclass(frozen=True, slots=True)
class ReleaseClaims:
    """A worker will not come back: let go of its claims on the rings."""

    worker: str


@dataclass(frozen=True, slots=True)
class FreeRow:
    """A motor was removed: empty what its worker has left in the tables."""

    worker: str
    motor_row: int


@dataclass(frozen=True, slots=True)
class Exit:
    """Remove the shared memory and end."""


Effect = Spawn | Kill | Tell | Answer | Publish | MakeStream | ReleaseClaims | FreeRow | Exit
