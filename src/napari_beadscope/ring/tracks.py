"""The track ring: track rows in shared memory, one writing tracker, any number of readers.

Rows appear whole frames at a time. ``done`` says up to which frame ``seq`` the writer has worked
off its share, so a reader can merge several trackers' rows in frame order. One lossless reader
(the recorder) may own the cursor; then the writer waits instead of overwriting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from napari_beadscope.core.errors import RingError
from napari_beadscope.core.types import TRACK_ROW
from napari_beadscope.ring.segment import Segment

_LINE = 8
_HEAD, _DONE, _CURSOR, _RESERVED, _INTENT = 0, 1, 2, 3, 4
_LINES = 8
_DATA_OFFSET = 4096


@dataclass(frozen=True, slots=True)
class TrackRingSpec:
    """All that is needed to attach: the segment's name and its capacity in rows."""

    name: str
    rows: int

    @property
    def nbytes(self) -> int:
        """Bytes of the whole segment."""
        return _DATA_OFFSET + self.rows * TRACK_ROW.itemsize


class _TrackRing:
    """The views that writer and readers share."""

    def __init__(self, spec: TrackRingSpec, segment: Segment) -> None:
        self.spec = spec
        self._segment = segment
        self._lines = segment.array(np.int64, _LINES * _LINE).reshape(-1, _LINE)
        self._rows = segment.array(TRACK_ROW, spec.rows, _DATA_OFFSET)

    @property
    def head(self) -> int:
        """How many rows were written."""
        return int(self._lines[_HEAD, 0])

    @property
    def done(self) -> int:
        """The frame ``seq`` before which the writer has worked off its share."""
        return int(self._lines[_DONE, 0])

    @property
    def cursor(self) -> int:
        """Row number that the lossless reader needs next."""
        return int(self._lines[_CURSOR, 0])

    @property
    def is_claimed(self) -> bool:
        """Whether a lossless reader has a claim."""
        return bool(self._lines[_CURSOR, 1])

    def release_reader(self) -> None:
        """Let go of the lossless reader's claim."""
        self._lines[_CURSOR, 1] = 0

    def close(self) -> None:
        """Unmap the ring."""
        self._lines = self._rows = np.empty((0, 0), np.int64)
        self._segment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _register(self) -> int:
        line = self._lines[_CURSOR]
        line[1] = 0
        line[0] = self.head
        self._segment.fence()
        line[1] = 1
        # The writer may have run on before it could see the claim.
        self._segment.fence()
        line[0] = self.head
        return int(line[0])


class TrackWriter(_TrackRing):
    """The tracker's end of the ring."""

    @classmethod
    def create(cls, spec: TrackRingSpec) -> TrackWriter:
        """Create the segment; raise `RingError` if memory is short."""
        return cls(spec, Segment.create(spec.name, spec.nbytes))

    @classmethod
    def attach(cls, spec: TrackRingSpec) -> TrackWriter:
        """Attach to a ring that exists, going on where the last writer, dead by now, stopped.

        If that one was killed after its last rows were published and before ``done`` was, so is
        ``done`` now: nothing is lost and nothing comes twice.
        """
        ring = cls(spec, Segment.attach(spec.name, writable=True))
        intended_head, intended_done = ring._lines[_INTENT, :2].tolist()
        if intended_head == ring.head:
            ring._lines[_DONE, 0] = intended_done
        return ring

    def append(self, rows: np.ndarray, done: int) -> bool:
        """Publish `rows` (TRACK_ROW) and that all frames before `done` are worked off.

        Returns False, with nothing written, while the lossless reader would be lapped.

        Raises
        ------
        RingError
            There are more rows than the ring can ever hold.
        """
        head, count = self.head, len(rows)
        if count > self.spec.rows:
            raise RingError(
                f"{count} track rows at once do not fit into a ring of {self.spec.rows}",
                "track fewer beads, or fewer frames at once",
            )
        if self.is_claimed and head + count - self.cursor > self.spec.rows:
            return False
        # Never back: what a killed writer had begun to overwrite stays untrusted.
        self._lines[_RESERVED, 0] = max(int(self._lines[_RESERVED, 0]), head + count)
        self._segment.fence()
        start = head % self.spec.rows
        first = min(count, self.spec.rows - start)
        self._rows[start : start + first] = rows[:first]
        self._rows[: count - first] = rows[first:]
        self._intend(head + count, done)
        self._lines[_HEAD, 0] = head + count
        self._segment.fence()
        self._lines[_DONE, 0] = done
        return True

    def reset_done(self, seq: int) -> None:
        """Set ``done`` at the start of a stream or a recording."""
        self._intend(self.head, seq)
        self._lines[_DONE, 0] = seq

    def _intend(self, head: int, done: int) -> None:
        """Note what is about to be published, for the successor of a writer killed in between."""
        self._lines[_INTENT, 0] = -1
        self._segment.fence()
        self._lines[_INTENT, 1] = done
        self._segment.fence()
        self._lines[_INTENT, 0] = head
        self._segment.fence()


class TrackReader(_TrackRing):
    """A reader: latest-only by nature, lossless between `register` and `release_reader`."""

    @classmethod
    def attach(cls, spec: TrackRingSpec, *, writable: bool = False) -> TrackReader:
        """Attach to a ring; `writable` is needed to be the lossless reader."""
        return cls(spec, Segment.attach(spec.name, writable=writable))

    def register(self) -> int:
        """Become the lossless reader from the next row on; return its row number."""
        return self._register()

    def advance(self, row: int) -> None:
        """Release all rows before `row`."""
        self._segment.fence()
        self._lines[_CURSOR, 0] = row

    def read(self, since: int, limit: int | None = None) -> tuple[np.ndarray, int]:
        """Return a copy of the rows from number `since` on, and the number after the last.

        Rows that were overwritten meanwhile are left out, so the first returned may be later
        than `since`; for the lossless reader that never happens.
        """
        head = self.head
        self._segment.fence()
        since = max(since, head - self.spec.rows, 0)
        stop = head if limit is None else min(head, since + limit)
        rows = self._rows[np.arange(since, stop) % self.spec.rows]
        self._segment.fence()
        safe = int(self._lines[_RESERVED, 0]) - self.spec.rows
        return rows[max(0, safe - since) :], stop

    def read_after(self, seq: int) -> np.ndarray:
        """Return a copy of the rows of frames after `seq`, as far as the ring still holds them."""
        head = self.head
        self._segment.fence()
        count = min(head, self.spec.rows)
        wanted = 0
        while wanted < count:  # most readers want the last few rows only
            wanted = min(count, max(1024, wanted * 4))
            oldest = self._rows["seq"][(head - wanted) % self.spec.rows]
            if oldest <= seq:
                break
        rows, _ = self.read(head - wanted, wanted)
        return rows[rows["seq"] > seq]
