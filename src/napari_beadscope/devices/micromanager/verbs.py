"""What the process of a stage and the process with the core say to each other.

One connection is one axis: `Claim` comes first, and its end frees the axis. Each request has one
answer, a `Reading` or a `Refusal`.
"""

from __future__ import annotations

from multiprocessing.connection import Connection

import msgspec

from napari_beadscope.core.errors import named_error

MAX_BYTES = 65_536


class Claim(msgspec.Struct, frozen=True, tag=True):
    """Have an axis for oneself; an empty device is the configuration's focus."""

    device: str
    axis: str
    pid: int


class Where(msgspec.Struct, frozen=True, tag=True):
    """Tell the position."""


class Go(msgspec.Struct, frozen=True, tag=True):
    """Start to move to `target`, um."""

    target: float


class Halt(msgspec.Struct, frozen=True, tag=True):
    """Stay where it is."""


class Reading(msgspec.Struct, frozen=True, tag=True):
    """Where the axis `name` is, um, and whether it moves."""

    name: str
    position: float
    moving: bool


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """Why it cannot be done."""

    error: str
    what: str
    remedy: str


Request = Claim | Where | Go | Halt
Answer = Reading | Refusal

_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def say(connection: Connection, message: Request | Answer) -> None:
    """Send a request or an answer."""
    connection.send_bytes(_ENCODER.encode(message))


def next_request(connection: Connection) -> Request:
    """Wait for a request; EOFError or OSError when the other side is gone."""
    return _REQUESTS.decode(connection.recv_bytes(MAX_BYTES))


def next_answer(connection: Connection) -> Reading:
    """Wait for the answer; raise what it tells, EOFError or OSError when the other is gone."""
    answer = _ANSWERS.decode(connection.recv_bytes(MAX_BYTES))
    if isinstance(answer, Refusal):
        raise named_error(answer.error, answer.what, answer.remedy)
    return answer
