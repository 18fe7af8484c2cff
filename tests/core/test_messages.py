from __future__ import annotations

import re
from typing import get_args

import msgspec
import pytest

from napari_beadscope.core import commands, messages, orders
from napari_beadscope.core.commands import Command, SetBeads, StartLive, command_names
from napari_beadscope.core.locks import HeldBead, Locks, LockTask, XYLock, XYState, ZLock, ZState
from napari_beadscope.core.messages import (
    AcquisitionChanged,
    Event,
    Reply,
    Request,
    ToFrontEnd,
)
from napari_beadscope.core.types import (
    Annotation,
    Bead,
    Calibration,
    FrameFormat,
    MotorInfo,
    Roi,
    TrackerTask,
)
from napari_beadscope.core.window import Window

STREAM = messages.Stream("r", FrameFormat(3, 4, "uint8"), 5, 6.0, True)
SAID = {3: Annotation("a, b", False, "c\nd", True)}
TASK = TrackerTask((Bead(1, Roi(2, 3, 16)),), Calibration(50.0, "z"), folder="f")
XY = XYState("on", "", (1, 2), (HeldBead(3, "it is lost"),), 2, 4.0, 9)
Z = ZState("locked", "", 1500.0, 1503.5, 3.5, -1.75, 12, ((1, 0.5), (2, -0.5)))
VALUES = {
    "int": 3, "float": 2.5, "str": "text", "bool": True, "Any": {"a": [1, "b", None]},
    "Text": "words", "Stream": STREAM, "Stream | None": None, "FrameFormat": STREAM.format,
    "FrameFormat | None": STREAM.format, "TrackerTask": TASK, "Calibration": TASK.calibration,
    "tuple[Bead, ...]": TASK.beads, "float | str": "on", "dict[str, Any]": {"k": 1},
    "dict[str, str]": {"focus": "um"}, "tuple[str, ...]": ("a", "b"),
    "Shared": messages.Shared(("t",), 9, "h", "m", "mh"), "tuple[WorkerStatus, ...]": (),
    "Command": StartLive(), "str | None": "text", "Tracking": messages.Tracking("cpu"),
    "tuple[MotorInfo, ...]": (MotorInfo("focus", "simulated-focus", "um", -50.0, 50.0),),
    "tuple[float, float]": (-50.0, 50.0), "dict[int, Annotation]": SAID,
    "dict[int, Annotation] | None": SAID, "Window": Window(1, 2, 30, 40, 2),
    "XYLock": XYLock(1.0), "XYLock | None": XYLock(2.0), "ZLock | None": ZLock(3, 1500.0),
    "XYState | None": XY, "ZState | None": Z, "Locks": Locks(XYLock(), ZLock(), XY, Z),
    "LockTask": LockTask(XYLock(), ZLock(), 1, 2, TASK.beads, (9, 8), "r", (1,), z_state=Z),
}  # fmt: skip


def example(kind: type[msgspec.Struct]) -> msgspec.Struct:
    values = {}
    for field in kind.__struct_fields__:
        note = kind.__annotations__[field]
        values[field] = (
            messages.Status(**{**example_fields(messages.Status)})
            if note == "Status"
            else VALUES[note]
        )
    return kind(**values)


def example_fields(kind: type[msgspec.Struct]) -> dict:
    return {field: VALUES[kind.__annotations__[field]] for field in kind.__struct_fields__}


@pytest.mark.parametrize("union", [Command, ToFrontEnd, orders.Order, orders.Report])
def test_every_message_survives_the_wire(union):
    """Encoded and decoded by its direction's union, it is the same one."""
    for kind in get_args(union):
        message = example(kind)
        data = msgspec.msgpack.encode(message)
        again = msgspec.msgpack.decode(data, type=union)
        assert type(again) is kind
        assert again == message
        with pytest.raises(AttributeError):
            again.anything = 1


@pytest.mark.parametrize(
    "garbage",
    [
        {"type": "Request", "number": 1, "command": {"type": "Reply", "number": 1}},
        {"type": "Request", "number": "1", "command": {"type": "StartLive"}},
        {"type": "Request", "number": 1, "command": {"type": "StartLive", "extra": 1}},
        {"type": "Request", "number": 1, "command": {"type": "Unheard"}},
        {"type": "Request", "number": 1, "command": {"type": "MoveMotor", "name": "f"}},
        {"type": "Request", "number": 1},
        [1, 2],
        "text",
    ],
)
def test_what_is_no_message_is_refused(garbage):
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(garbage), type=Request)


def test_a_text_has_a_limit():
    data = msgspec.msgpack.encode(Reply(1, what="x" * 100_001))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(data, type=Reply)


def test_names_are_one_owners_each():
    unions = (Command, Event, orders.Order)
    names = [kind.__name__ for union in unions for kind in get_args(union)]
    assert len(names) == len(set(names))


def test_the_registry_lists_every_command_once_with_a_sentence():
    assert len(command_names()) == len(set(command_names())) == len(get_args(Command))
    assert {"StartRecording", "SetBeads", "Shutdown"} <= set(command_names())
    for name in command_names():
        assert re.match(r"[A-Z].+[.:]", getattr(commands, name).__doc__)


def test_messages_say_who_they_are():
    assert msgspec.json.decode(msgspec.json.encode(SetBeads(())))["type"] == "SetBeads"
    assert AcquisitionChanged(True, "f", "track").error == ""
