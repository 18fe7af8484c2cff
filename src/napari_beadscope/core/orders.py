"""Orders and reports: what the supervisor and its workers say to each other.

An order that carries a number gets one report with the same number. All orders of one recording
carry the recording's number; what is said about another recording is not heard.
"""

from __future__ import annotations

from typing import Any, Union

from napari_beadscope.core.commands import Message, Text
from napari_beadscope.core.locks import LockTask, XYLock, XYState, ZState
from napari_beadscope.core.messages import (
    Log,
    Progress,
    Stream,
    Tracking,
)
from napari_beadscope.core.types import Annotation, Bead, FrameFormat, TrackerTask
from napari_beadscope.core.window import Window


class Attach(Message, frozen=True):
    """Attach to this frame ring; the camera writes it, the others read it."""

    stream: Stream


class RunCamera(Message, frozen=True):
    """Camera: stream or pause."""

    on: bool


class SetProperty(Message, frozen=True):
    """Camera: set a property; report `Done` with all of them."""

    number: int
    name: str
    value: float | str


class ListProperties(Message, frozen=True):
    """Camera: report `Done` with all properties."""

    number: int


class SetTask(Message, frozen=True):
    """Tracker: what to track from now on. Recorder: what is tracked."""

    number: int
    task: TrackerTask


class Arm(Message, frozen=True):
    """Tracker, recorder: claim all frames from now on, get ready, report `Armed`.

    With ``resume`` the sender of the claim is dead, and its place is taken.
    """

    number: int
    task: TrackerTask
    header: dict[str, Any] = {}
    resume: bool = False


class Begin(Message, frozen=True):
    """Tracker, recorder: the recording begins; report `Began`.

    It is the frames from ``first`` up to, not including, ``stop`` (-1: open).
    """

    number: int
    first: int
    stop: int


class Abort(Message, frozen=True):
    """Tracker, recorder: give up an armed recording and its claims."""


class End(Message, frozen=True):
    """Tracker, recorder: the recording stops before frame ``stop``; drain, report `Finished`."""

    number: int
    stop: int


class Untracked(Message, frozen=True):
    """Recorder: don't wait for this tracker's rows any more; its frames are named as untracked."""

    tracker: int
    why: str


class Remark(Message, frozen=True):
    """Recorder: write this into the manifest of the recording that is on."""

    text: Text


class UseSettings(Message, frozen=True):
    """Every worker: settings that hold from now on, nested as in their file."""

    settings: dict[str, Any]


class KnowAnnotations(Message, frozen=True):
    """Recorder: what is said about the beads; kept in the recording that is on, or comes."""

    annotations: dict[int, Annotation]


class MoveRois(Message, frozen=True):
    """Tracker: the same beads, in ROIs that have moved; recording goes on."""

    beads: tuple[Bead, ...]


class SetLocks(Message, frozen=True):
    """Control: what to hold from now on."""

    task: LockTask


class LookOnce(Message, frozen=True):
    """Control: let ROIs follow their beads once; report `Done` with an `XYState`."""

    number: int
    lock: XYLock


class KnowMotors(Message, frozen=True):
    """Camera, recorder: the motors, in the order of their rows in the tables of positions.

    A row that is free has no name; a motor that has not been ready yet has no unit.
    """

    names: tuple[str, ...]
    units: tuple[str, ...] = ()


class Move(Message, frozen=True):
    """Motor: go there; report `Done` when it is on its way."""

    number: int
    target: float


class Halt(Message, frozen=True):
    """Motor: stay where it is; report `Done`."""

    number: int


class Stop(Message, frozen=True):
    """Close what is open and exit."""


Order = Union[  # noqa: UP007
    Attach,
    RunCamera,
    SetProperty,
    ListProperties,
    SetTask,
    Arm,
    Begin,
    Abort,
    End,
    Untracked,
    Remark,
    KnowAnnotations,
    UseSettings,
    MoveRois,
    SetLocks,
    LookOnce,
    KnowMotors,
    Move,
    Halt,
    Stop,
]


class Ready(Message, frozen=True):
    """A worker can take orders.

    The camera adds its format and window of the sensor; a motor its unit and limits.
    """

    format: FrameFormat | None = None
    fps: float = 0.0
    can_wait: bool = False
    unit: str = ""
    limits: tuple[float, float] = (0.0, 0.0)
    properties: dict[str, Any] = {}
    window: Window = Window()


class Done(Message, frozen=True):
    """The order with this number was carried out, or could not be (``error``)."""

    number: int
    error: Text = ""
    what: Text = ""
    remedy: Text = ""
    value: Any = None


class Armed(Message, frozen=True):
    """Frames from ``seq`` on are claimed."""

    number: int
    seq: int


class Began(Message, frozen=True):
    """The recording runs in this process."""

    number: int


class Finished(Message, frozen=True):
    """The recording has ended in this process; the recorder says what is on disk.

    ``number`` is that of `Arm` (0: whichever recording is on).
    """

    number: int
    frames: int = 0
    rows: int = 0
    error: Text = ""


class RecordingFailed(Message, frozen=True):
    """Recorder: it cannot go on (disk full …); files are closed.

    ``number`` is that of `Arm` (0: whichever recording is on).
    """

    what: Text
    remedy: Text
    frames: int = 0
    rows: int = 0
    number: int = 0


class RoisMoved(Message, frozen=True):
    """Control: these beads have moved away from the centres of their ROIs; here are new ones."""

    beads: tuple[Bead, ...]


class FocusMoved(Message, frozen=True):
    """Control: the Z-lock with this number wants its motor there, in the motor's unit."""

    number: int
    target: float


class LocksReport(Message, frozen=True):
    """Control: how a lock goes, by the number that it began with; None: nothing new."""

    xy_number: int = 0
    xy: XYState | None = None
    z_number: int = 0
    z: ZState | None = None


class StreamEnded(Message, frozen=True):
    """Camera: a finite source has no more frames; ``seq`` frames are in the ring."""

    seq: int


class Crashed(Message, frozen=True):
    """A worker's last words."""

    what: Text
    remedy: Text
    traceback: Text
    fatal: bool = False  # True: a restart would fail the same way
    error: str = "EngineError"  # class name in core.errors


Report = Union[  # noqa: UP007
    Ready,
    Done,
    Armed,
    Began,
    Finished,
    RecordingFailed,
    RoisMoved,
    FocusMoved,
    LocksReport,
    StreamEnded,
    Crashed,
    Tracking,
    Log,
    Progress,
]
