"""Commands: what a front end can ask of the supervisor, and the root of all messages.

Each command gets one `Reply`. Events, and how both travel together, are in `core.messages`.
"""

from __future__ import annotations

from typing import Annotated, Any, Union, get_args

import msgspec

from napari_beadscope.core.locks import XYLock, ZLock
from napari_beadscope.core.types import Annotation, Bead, Calibration

Text = Annotated[str, msgspec.Meta(max_length=100_000)]


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Root of all messages; the class name is the tag on the wire."""


class StartLive(Message, frozen=True):
    """Let the camera stream."""


class StopLive(Message, frozen=True):
    """Let the camera pause; refused while recording."""


class SetBeads(Message, frozen=True):
    """Replace the beads that are tracked; each ROI must lie inside the frame.

    With ``annotations`` those take the place of all; else beads that stay keep theirs.
    """

    beads: tuple[Bead, ...]
    annotations: dict[int, Annotation] | None = None


class Annotate(Message, frozen=True):
    """Say something about beads, which replaces what was said; allowed while recording.

    An annotation with nothing in it takes back what was said.
    """

    annotations: dict[int, Annotation]


class SetCalibration(Message, frozen=True):
    """Replace pixel size and Z-LUT."""

    calibration: Calibration


class SetBackend(Message, frozen=True):
    """Choose the tracking backend by name and the method; None leaves it as it is."""

    backend: str | None = None
    method: str | None = None


class SetCamera(Message, frozen=True):
    """Set one property of the camera; refused while recording."""

    name: str
    value: float | str


class GetCamera(Message, frozen=True):
    """Ask for the camera's properties; the reply's value is a list of dicts."""


class StartRecording(Message, frozen=True):
    """Begin a recording in `folder`, which must not exist yet or be empty.

    ``frames`` and ``seconds`` limit it (0: no limit). A camera that isn't streaming is started.
    """

    folder: str
    mode: str
    frames: int = 0
    seconds: float = 0.0
    note: str = ""


class StopRecording(Message, frozen=True):
    """End the recording; the reply comes when every file is closed."""


class AddMotor(Message, frozen=True):
    """Start a motor's process under a name of its own."""

    name: str
    motor: str
    options: dict[str, Any] = {}


class RemoveMotor(Message, frozen=True):
    """End a motor's process and forget the motor; refused while recording or while it is locked.

    It is halted first, as far as its process still answers.
    """

    name: str


class MoveMotor(Message, frozen=True):
    """Send a motor to a position, in its own unit; does not wait for arrival."""

    name: str
    target: float


class StopMotor(Message, frozen=True):
    """Halt a motor where it is."""

    name: str


class ClaimMotor(Message, frozen=True):
    """Have a motor for yourself: nobody else moves or locks it, and nothing is recorded meanwhile.

    It goes back to ``back_to``, in its own unit, when you give it back or are gone, whatever ended
    you. ``why`` tells others what moves it, such as "a Z-LUT sweep". Whoever stops the motor ends
    the claim. Claiming it again replaces your claim.
    """

    name: str
    back_to: float
    why: str


class ReleaseMotor(Message, frozen=True):
    """Give a motor back; the reply comes when it is where the claim said."""

    name: str


class Goodbye(Message, frozen=True):
    """Leave on purpose: motors that you have sent go on.

    Those of a front end that goes without this are halted, and the others are told.
    """


class SetXYLock(Message, frozen=True):
    """Let ROIs follow their beads; None ends that. Allowed while recording."""

    lock: XYLock | None


class ExecuteXYLock(Message, frozen=True):
    """Let ROIs follow their beads once, now; the reply's value is an `XYState` as a dict."""

    lock: XYLock


class SetZLock(Message, frozen=True):
    """Let the focus motor hold the height of a bead or of the reference beads; None ends that."""

    lock: ZLock | None


class SetSettings(Message, frozen=True):
    """Let these settings hold, nested as in their file; refused while recording.

    What can hold at once does; camera, calibration and method have commands of their own.
    """

    settings: dict[str, Any]


class GetStatus(Message, frozen=True):
    """Ask for the status now; the reply's value is a `Status` as a dict."""


class Shutdown(Message, frozen=True):
    """End the engine: producers first, then drain, then terminate."""


Command = Union[  # noqa: UP007  msgspec wants a typing union it can flatten
    StartLive,
    StopLive,
    SetBeads,
    Annotate,
    SetCalibration,
    SetBackend,
    SetCamera,
    GetCamera,
    StartRecording,
    StopRecording,
    AddMotor,
    RemoveMotor,
    MoveMotor,
    StopMotor,
    ClaimMotor,
    ReleaseMotor,
    Goodbye,
    SetXYLock,
    ExecuteXYLock,
    SetZLock,
    SetSettings,
    GetStatus,
    Shutdown,
]


def command_names() -> tuple[str, ...]:
    """Return the names of all commands: what the CLI prints and scripts are checked against."""
    return tuple(command.__name__ for command in get_args(Command))
