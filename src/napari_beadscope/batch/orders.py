"""What a run and its workers and readers say to each other, and how it travels.

Owns the messages and their framing over a pipe of their own: a length, then MessagePack. A
message that was cut off, because its sender was killed, reads like the end of the pipe. Must not
know who decides what.
"""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import msgspec

from napari_beadscope.batch.source import PositionInfo

_LENGTH = struct.Struct("<I")
_M = TypeVar("_M")


class Chunk(msgspec.Struct, frozen=True):
    """Frames ``[first, last)`` of a channel, in the shared memory called `segment`."""

    channel: int
    first: int
    last: int
    segment: str


class Compute(msgspec.Struct, frozen=True, tag=True):
    """To a worker: compute a unit of work."""

    number: int
    service: str
    settings: bytes
    position: PositionInfo
    fingerprint: str
    plan_channels: dict[str, tuple[int, ...]]
    first: int
    last: int
    output: Path
    inputs: dict[str, tuple[Path, ...]]
    chunks: tuple[Chunk, ...] = ()


class Read(msgspec.Struct, frozen=True, tag=True):
    """To a reader: put frames of a position into shared memory that exists."""

    number: int
    path: Path
    fingerprint: str
    position: int
    dtype: str
    shape: tuple[int, int]
    chunk: Chunk


class End(msgspec.Struct, frozen=True, tag=True):
    """To both: end when this has been read."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From both: I can be given something."""

    pid: int


class Beat(msgspec.Struct, frozen=True, tag=True):
    """From both, from a thread beside the work: I am alive and take this much memory."""

    rss_bytes: int


class Computed(msgspec.Struct, frozen=True, tag=True):
    """From a worker: the output is complete, and safe on the disk, under the name it was given."""

    number: int
    seconds: float
    cpu_seconds: float
    size: int
    sha256: str
    facts: dict[str, float | int | str]


class ReadIn(msgspec.Struct, frozen=True, tag=True):
    """From a reader: the frames are in their place."""

    number: int
    seconds: float


class Failed(msgspec.Struct, frozen=True, tag=True):
    """From both: it could not be done, and trying again is of no use."""

    number: int
    kind: str
    what: str
    remedy: str
    trace: str
    disk_full: bool = False


Order = Compute | Read | End
Report = Ready | Beat | Computed | ReadIn | Failed


def plain_text(text: str) -> str:
    """Return text that can be sent and written: halves of characters become question marks.

    Examples
    --------
    >>> plain_text("a" + chr(0xDCFF) + "b")
    'a?b'
    """
    return text.encode("utf-8", "replace").decode()


def _to_path(kind: type, value: Any) -> Any:
    return kind(value)


class Pipe(Generic[_M]):
    """One side of a pair of pipes: sends anything above, receives messages of one kind."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes], kind: Any) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._encoder = msgspec.msgpack.Encoder(enc_hook=str)
        self._decoder = msgspec.msgpack.Decoder(kind, dec_hook=_to_path)
        self._sending = threading.Lock()

    def send(self, message: Order | Report) -> None:
        """Send a message; any thread may.

        Raises
        ------
        OSError
            The other side is gone.
        """
        content = self._encoder.encode(message)
        with self._sending:
            self._outgoing.write(_LENGTH.pack(len(content)) + content)
            self._outgoing.flush()

    def receive(self) -> _M | None:
        """Wait for a message; None once the other side is gone."""
        head = self._exactly(_LENGTH.size)
        content = self._exactly(_LENGTH.unpack(head)[0]) if head else None
        return None if content is None else self._decoder.decode(content)

    def _exactly(self, count: int) -> bytes | None:
        try:
            data = self._incoming.read(count)
        except (OSError, ValueError):  # ValueError: closed on this side
            return None
        return data if len(data) == count else None
