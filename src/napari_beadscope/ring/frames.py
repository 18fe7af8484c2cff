"""The frame ring: camera frames in shared memory, one writer, any number of readers.

A frame's place in the ring is its sequence number ``seq`` (0, 1, 2 … for every frame written);
the camera's own frame number travels beside it and jumps where frames were dropped.
Each slot carries a stamp that is odd while the slot is being written, so a reader knows whether
what it copied was whole. Lossless readers own a cursor; the writer never overwrites a frame that
an active cursor still needs. Knows nothing of cameras, tracking or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from napari_beadscope.core.errors import RingError
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.ring.segment import Segment

MAX_READERS = 32
_LINE = 8  # 64-bit words per cache line: what two processes write must not share one
_MAGIC, _HEAD, _DROPPED, _ENDED, _SEEN, _READERS = 0, 1, 2, 3, 4, 8
_HEADER_LINES = _READERS + MAX_READERS
_PAGE = 4096
_VERSION = 0xBEAD0002
_SEEN_TRIES = 1000


@dataclass(frozen=True, slots=True)
class FrameRingSpec:
    """All that is needed to attach: the segment's name, the frames' format, the slot count."""

    name: str
    format: FrameFormat
    slots: int

    @property
    def stride(self) -> int:
        """Bytes from slot to slot."""
        return -(-self.format.nbytes // _PAGE) * _PAGE

    @property
    def data_offset(self) -> int:
        """Bytes before the first slot."""
        return -(-(_HEADER_LINES + self.slots) * _LINE * 8 // _PAGE) * _PAGE

    @property
    def nbytes(self) -> int:
        """Bytes of the whole segment."""
        return self.data_offset + self.slots * self.stride


def _shape(spec: FrameRingSpec) -> tuple[int, ...]:
    size = np.dtype(spec.format.dtype).itemsize
    return (spec.slots, spec.format.height_px, spec.format.width_px, size)


class _FrameRing:
    """The views that writer and readers share."""

    def __init__(self, spec: FrameRingSpec, segment: Segment) -> None:
        self.spec = spec
        self._segment = segment
        self._fence = segment.fence
        words = segment.array(np.int64, (_HEADER_LINES + spec.slots) * _LINE).reshape(-1, _LINE)
        self._lines = words[:_HEADER_LINES]
        self._slots = words[_HEADER_LINES:]
        pixels = int(np.prod(spec.format.shape))
        itemsize = np.dtype(spec.format.dtype).itemsize
        whole = segment.array(
            spec.format.dtype, spec.slots * spec.stride // itemsize, spec.data_offset
        ).reshape(spec.slots, -1)
        self._data = whole[:, :pixels].reshape(spec.slots, *spec.format.shape)

    @classmethod
    def _attach(cls, spec: FrameRingSpec, *, writable: bool) -> Self:
        segment = Segment.attach(spec.name, writable=writable)
        try:
            ring = cls(spec, segment)
            if segment.nbytes == spec.nbytes and ring._header() == (_VERSION, *_shape(spec)):
                return ring
        except RingError:
            segment.close()
            raise
        ring.close()
        raise RingError(
            f"shared memory {spec.name} is not the frame ring it should be", "restart the engine"
        )

    def _header(self) -> tuple[int, ...]:
        return tuple(int(word) for word in self._lines[_MAGIC, :5])

    @property
    def head(self) -> int:
        """How many frames were written; the newest has ``seq == head - 1``."""
        return int(self._lines[_HEAD, 0])

    @property
    def dropped(self) -> int:
        """How many frames the camera delivered and the ring had no room for."""
        return int(self._lines[_DROPPED, 0])

    @property
    def missed(self) -> int:
        """How many frames the camera itself never delivered, by the jumps in its numbers."""
        return int(self._lines[_DROPPED, 1])

    @property
    def ended(self) -> bool:
        """Whether the writer has said that no more frames will come."""
        return bool(self._lines[_ENDED, 0])

    @property
    def seen(self) -> FrameStamp | None:
        """Stamp of the newest frame that the camera delivered, written or dropped."""
        for _ in range(_SEEN_TRIES):
            count = int(self._lines[_SEEN, 0])
            self._fence()
            frame, time_ns = self._lines[_SEEN, 1 + 2 * (count % 2) :][:2].tolist()
            self._fence()
            if count == int(self._lines[_SEEN, 0]):
                break
        return FrameStamp(frame, time_ns) if count else None

    def active_readers(self) -> dict[int, int]:
        """Return the cursor of each active lossless reader by its index."""
        active = np.flatnonzero(self._lines[_READERS:, 1])
        return {int(index): int(self._lines[_READERS + index, 0]) for index in active}

    def release_reader(self, index: int) -> None:
        """Let go of a lossless reader's claim, for instance because it will never come back."""
        self._lines[_READERS + index, 1] = 0

    def prefault(self) -> None:
        """Give every slot its memory now, instead of at the first frame that lands in it."""
        self._segment.prefault()

    def unlink(self) -> None:
        """Remove the segment's name; who is attached stays attached."""
        Segment.unlink(self.spec.name)

    def close(self) -> None:
        """Unmap the ring."""
        self._lines = self._slots = self._data = np.empty((0, 0), np.int64)
        self._segment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FrameWriter(_FrameRing):
    """The camera's end of the ring.

    `claim` a slot, fill it, `commit` it. `claim` returns None while a lossless reader would be
    lapped; the caller then waits (a source that can) or calls `drop` (a camera that can't).
    """

    @classmethod
    def create(cls, spec: FrameRingSpec, after: FrameWriter | None = None) -> FrameWriter:
        """Create the segment and its header; raise `RingError` if memory is short.

        Counts go on where those of the ring `after`, which it replaces, have ended: ``seq``, what
        was lost, and the newest frame that was seen.
        """
        if spec.slots < 1:
            raise RingError(f"a frame ring of {spec.slots} slots", "give it at least one")
        ring = cls(spec, Segment.create(spec.name, spec.nbytes))
        ring._slots[:, 0] = -1
        ring._lines[_MAGIC, 1:5] = _shape(spec)
        if after is not None:
            for line in (_HEAD, _DROPPED, _SEEN):
                ring._lines[line] = after._lines[line]
        ring._fence()
        ring._lines[_MAGIC, 0] = _VERSION
        return ring

    @classmethod
    def attach(cls, spec: FrameRingSpec) -> FrameWriter:
        """Attach to a ring that exists, going on where the last writer, dead by now, stopped."""
        return cls._attach(spec, writable=True)

    def room(self) -> int:
        """Return how many frames can be written before a lossless reader would be lapped."""
        head = self.head
        oldest = min(self.active_readers().values(), default=head)
        return self.spec.slots - (head - oldest)

    def claim(self) -> np.ndarray | None:
        """Return the next slot ``(y, x)`` to fill, or None if there is no room."""
        if self.room() <= 0:
            return None
        head = self.head
        slot = head % self.spec.slots
        self._slots[slot, 0] = 2 * head + 1
        self._fence()
        return self._data[slot]

    def commit(self, stamp: FrameStamp) -> int:
        """Publish the claimed slot; return the frame's ``seq``."""
        head = self.head
        slot = head % self.spec.slots
        self._slots[slot, 1:3] = (stamp.frame, stamp.time_ns)
        self._fence()
        self._slots[slot, 0] = 2 * head + 2
        self._see(stamp)
        self._fence()
        self._lines[_HEAD, 0] = head + 1
        return head

    def drop(self, stamp: FrameStamp) -> None:
        """Count a frame that the camera delivered and the ring had no room for."""
        self._lines[_DROPPED, 0] += 1
        self._see(stamp)

    def end(self, ended: bool = True) -> None:
        """Say that no more frames will come, or that they will again."""
        self._lines[_ENDED, 0] = int(ended)

    def _see(self, stamp: FrameStamp) -> None:
        seen = self.seen
        if seen is not None and stamp.frame > seen.frame + 1:
            self._lines[_DROPPED, 1] += stamp.frame - seen.frame - 1
        # Two copies, the published one chosen by the count: whole even if this process is killed.
        count = int(self._lines[_SEEN, 0]) + 1
        self._lines[_SEEN, 1 + 2 * (count % 2) :][:2] = (stamp.frame, stamp.time_ns)
        self._fence()
        self._lines[_SEEN, 0] = count


class FrameReader(_FrameRing):
    """A reader: latest-only by nature, lossless between `register` and `unregister`."""

    @classmethod
    def attach(cls, spec: FrameRingSpec, *, writable: bool = False) -> FrameReader:
        """Attach to a ring; `writable` is needed to be a lossless reader."""
        return cls._attach(spec, writable=writable)

    def register(self, index: int) -> int:
        """Become lossless reader `index` from the next frame on; return its ``seq``.

        A reader that takes the place of a dead one calls `cursor` instead: the claim stands.
        """
        line = self._lines[_READERS + index]
        line[1] = 0
        line[0] = self.head
        self._fence()
        line[1] = 1
        # The writer may have run on, even lapped this cursor, before it could see the claim.
        self._fence()
        line[0] = self.head
        return int(line[0])

    def unregister(self, index: int) -> None:
        """Stop being lossless."""
        self.release_reader(index)

    def is_registered(self, index: int) -> bool:
        """Return whether lossless reader `index` has a claim."""
        return bool(self._lines[_READERS + index, 1])

    def cursor(self, index: int) -> int:
        """Return the ``seq`` that lossless reader `index` needs next."""
        return int(self._lines[_READERS + index, 0])

    def advance(self, index: int, seq: int) -> None:
        """Release all frames before `seq`; views of them are no longer valid."""
        self._fence()
        self._lines[_READERS + index, 0] = seq

    def view(self, seq: int) -> tuple[np.ndarray, FrameStamp] | None:
        """Return the slot ``(y, x)`` of frame `seq` and its stamp, without copying.

        The view is valid while a lossless cursor is at or before `seq`; other readers copy what
        they need and then ask `holds`. None if the frame is not, or no longer, in the ring.
        """
        slot = seq % self.spec.slots
        # At or beyond the head there may be a frame that a killed writer did not publish: its
        # successor writes another one there.
        if not 0 <= seq < self.head or int(self._slots[slot, 0]) != 2 * seq + 2:
            return None
        self._fence()
        stamp = FrameStamp(int(self._slots[slot, 1]), int(self._slots[slot, 2]))
        return self._data[slot], stamp

    def holds(self, seq: int) -> bool:
        """Return whether frame `seq` is still whole, so that what was copied of it is right."""
        self._fence()
        return int(self._slots[seq % self.spec.slots, 0]) == 2 * seq + 2

    def copy_latest(self, out: np.ndarray) -> tuple[int, FrameStamp] | None:
        """Copy the newest frame into `out` ``(y, x)``; return its ``seq`` and stamp.

        None if there is no frame yet, or, when the camera laps the copy, not in this try.
        """
        seq = self.head - 1
        found = self.view(seq)
        if found is None:
            return None
        np.copyto(out, found[0])
        return (seq, found[1]) if self.holds(seq) else None
