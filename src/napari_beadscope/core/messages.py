"""Commands and events: what front ends and the supervisor say to each other.

Messages are frozen, carry a schema (decoding checks it) and say nothing about transport.

- `Command`: front end → supervisor; each gets one `Reply`.
- `Event`: supervisor → front ends.

What the supervisor and its workers say to each other is in `core.orders`.
"""

from __future__ import annotations

from typing import Any, Union

from napari_beadscope.core.commands import Command, Message, Text
from napari_beadscope.core.locks import Locks
from napari_beadscope.core.types import Annotation, Bead, Calibration, FrameFormat, MotorInfo
from napari_beadscope.core.window import Window

# --- shared-memory descriptions -------------------------------------------------------------


class Stream(Message, frozen=True):
    """Where the frames of the present camera format are: one frame ring.

    ``window`` is what of the sensor they show; their ``seq`` begin at ``first``.
    """

    ring: str
    format: FrameFormat
    slots: int
    fps: float
    can_wait: bool
    window: Window = Window()
    first: int = 0


class Shared(Message, frozen=True):
    """Segments that live as long as the session."""

    track_rings: tuple[str, ...]
    track_rows: int
    health: str
    motors: str
    motor_history: str


class Tracking(Message, frozen=True):
    """How beads are tracked, in one tracker or in all.

    ``backend`` is the one that runs ('' before any does) on ``device``, and ``why`` says why that
    one. ``step`` is what must be done before tracking starts ('' when nothing), such as
    "compiling kernels".
    """

    backend: str = ""
    device: str = ""
    method: str = ""
    why: Text = ""
    step: str = ""

    @property
    def sentence(self) -> str:
        """Backend, method and why, or the step that is being done.

        Examples
        --------
        >>> Tracking("cpu", "cpu", "precise", "no CUDA device found; 2 cores").sentence
        'cpu, precise (no CUDA device found; 2 cores)'
        """
        if not self.backend:
            return self.step
        text = f"{self.backend}, {self.method}"
        return f"{text} ({self.why})" if self.why else text


# --- requests ---------------------------------------------------------------------------------


class Request(Message, frozen=True):
    """A command and the number its reply carries."""

    number: int
    command: Command


class Reply(Message, frozen=True):
    """Done (``error`` is '') or an error: its class, what and where, and the remedy."""

    number: int
    error: Text = ""
    what: Text = ""
    remedy: Text = ""
    value: Any = None


# --- events ---------------------------------------------------------------------------------


class WorkerStatus(Message, frozen=True):
    """A worker process as the supervisor sees it.

    ``state`` is STARTING, READY, RUNNING, FINISHED, DOWN or FAILED.
    """

    name: str
    pid: int
    state: str
    busy: bool
    restarts: int
    heartbeat_age_s: float
    memory_bytes: int = 0  # of its own; what processes share counts once, in `Status`


class Status(Message, frozen=True):
    """Everything a status line shows; rates are means over the last second."""

    phase: str
    streaming: bool
    camera_id: str
    can_wait: bool
    width_px: int
    height_px: int
    dtype: str
    nominal_fps: float
    fps: float
    frames: int
    dropped: int
    backlog: int
    tracked_fps: float
    rows: int
    pool: str
    pool_busy: int
    recording: str
    mode: str
    recorded_frames: int
    recorded_s: float
    disk_left_bytes: int
    write_bytes_per_s: float
    workers: tuple[WorkerStatus, ...]
    missed: int = 0  # of `dropped`, how many the camera never delivered
    tracking: Tracking = Tracking()
    latency_ms: float = -1.0  # from exposure until its row can be read; -1 while nothing is tracked
    gpu_used_bytes: int = 0
    gpu_total_bytes: int = 0  # 0: no GPU tracks
    memory_bytes: int = 0  # of the engine's processes together
    memory_left_bytes: int = 0  # of this machine
    camera_lost: Text = ""  # why the camera does not answer; '' while it does
    camera_lost_s: float = 0.0  # for how long


class StatusChanged(Message, frozen=True):
    """Sent a few times a second."""

    status: Status


class StreamChanged(Message, frozen=True):
    """The frame ring is a new one (at start, or because the format changed)."""

    stream: Stream


class LiveChanged(Message, frozen=True):
    """The camera streams, or it no longer does."""

    streaming: bool
    why: str = ""


class BeadsChanged(Message, frozen=True):
    """The beads that are tracked, true for every tracker; ``why`` says who was left out."""

    beads: tuple[Bead, ...]
    why: Text = ""


class AnnotationsChanged(Message, frozen=True):
    """What is said about the beads, all of it."""

    annotations: dict[int, Annotation]


class CalibrationChanged(Message, frozen=True):
    """The pixel size and Z-LUT that are used, true for every tracker.

    ``why`` says why a Z-LUT can't be used any more.
    """

    calibration: Calibration
    why: Text = ""


class TrackingChanged(Message, frozen=True):
    """Backend, method, or what is being prepared has changed."""

    tracking: Tracking


class MotorsChanged(Message, frozen=True):
    """The motors, in the order in which they were added; one was added, removed, or claimed."""

    motors: tuple[MotorInfo, ...]


class LocksChanged(Message, frozen=True):
    """A lock is on or off, or goes another way; sent a few times a second while one is on."""

    locks: Locks


class SettingsChanged(Message, frozen=True):
    """The settings that hold for every process, all of them, nested as in their file."""

    settings: dict[str, Any]


class AcquisitionChanged(Message, frozen=True):
    """A recording is on or off, true for every process; ``error`` tells why it ended early."""

    on: bool
    folder: str
    mode: str
    frames: int = 0
    rows: int = 0
    error: Text = ""


class WorkerLost(Message, frozen=True):
    """A worker died or was killed for stalling; ``traceback`` is the original one."""

    name: str
    why: str
    traceback: Text
    restarted: bool


class FrontEndLost(Message, frozen=True):
    """A front end died, or left without giving back what it had claimed; ``what`` says it all.

    ``halted`` are the motors that it had sent and that were stopped on their way; ``going_back``
    those that it had claimed.
    """

    what: Text
    halted: tuple[str, ...] = ()
    going_back: tuple[str, ...] = ()


class CameraLost(Message, frozen=True):
    """The camera does not answer (unplugged, switched off, taken by another program).

    It is tried again until it is back; a recording waits for it, and what it misses is a gap.
    ``why`` and ``remedy`` are the camera's own words.
    """

    why: Text
    remedy: Text = ""


class CameraBack(Message, frozen=True):
    """The camera that was lost answers again and goes on as before."""

    away_s: float


class FramesDropped(Message, frozen=True):
    """Frames that were exposed and lost since the last such event.

    ``missed`` of them the camera never delivered; for the others the ring had no room.
    """

    count: int
    total: int
    missed: int = 0


class Progress(Message, frozen=True):
    """What start-up or another long step is doing."""

    text: str
    fraction: float


class Log(Message, frozen=True):
    """A log line from any process."""

    level: int
    name: str
    text: Text


class Stopping(Message, frozen=True):
    """The engine ends; ``error``, ``what`` and ``remedy`` are set if it had to."""

    why: str
    error: str = ""
    what: Text = ""
    remedy: Text = ""


Event = Union[  # noqa: UP007
    StatusChanged,
    StreamChanged,
    LiveChanged,
    BeadsChanged,
    AnnotationsChanged,
    CalibrationChanged,
    TrackingChanged,
    MotorsChanged,
    LocksChanged,
    SettingsChanged,
    AcquisitionChanged,
    WorkerLost,
    FrontEndLost,
    CameraLost,
    CameraBack,
    FramesDropped,
    Progress,
    Log,
    Stopping,
]


class Welcome(Message, frozen=True):
    """First message to a front end: what it attaches to."""

    session: str
    camera_id: str
    pid: int
    shared: Shared
    stream: Stream | None
    beads: tuple[Bead, ...]
    calibration: Calibration
    motors: tuple[MotorInfo, ...]
    streaming: bool
    recording: str
    annotations: dict[int, Annotation] = {}
    locks: Locks = Locks()
    settings: dict[str, Any] = {}


class Hello(Message, frozen=True):
    """First message on a connection: who is calling. ``name`` is '' for a front end."""

    name: str
    pid: int
    version: str


ToFrontEnd = Union[Welcome, Reply, Event]  # noqa: UP007
