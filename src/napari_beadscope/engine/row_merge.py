"""Brings the rows of several trackers together in frame order, without losing or doubling any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_beadscope.core.types import TRACK_ROW
from napari_beadscope.ring import TrackReader
from napari_beadscope.storage import RecordingWriter

_READ_ROWS = 16_384


class RowMerge:
    """The lossless reader of all track rings during one recording.

    Rows are held back until every tracker has passed their frame, then written in frame order;
    they are released in the rings after that.
    """

    def __init__(self, rings: Sequence[TrackReader], *, resume: bool) -> None:
        self._rings = rings
        self._next = [
            ring.cursor if resume and ring.is_claimed else ring.register() for ring in rings
        ]
        self._held = [np.empty(0, TRACK_ROW) for _ in rings]
        self._first = 0
        self._given_up: set[int] = set()

    def begin(self, first: int) -> None:
        """Leave out rows of frames before ``seq`` `first`."""
        self._first = first

    def give_up(self, tracker: int) -> None:
        """Don't wait for a tracker any more."""
        self._given_up.add(tracker)

    def unfinished(self, stop: int) -> list[int]:
        """Return the trackers that have frames before `stop` to do."""
        return [k for k in self._waiting() if self._rings[k].done < stop]

    def write(self, writer: RecordingWriter, stop: int) -> int:
        """Write the rows that are complete, of frames before `stop`; return how many."""
        safe = min([stop, *(self._rings[k].done for k in self._waiting())])
        ready = []
        for k, ring in enumerate(self._rings):
            rows, self._next[k] = ring.read(self._next[k], _READ_ROWS)
            held = np.concatenate([self._held[k], rows]) if len(self._held[k]) else rows
            count = int(np.searchsorted(held["seq"], safe))  # a tracker's rows are in frame order
            ready.append(held[:count])
            self._held[k] = held[count:]
        out = np.concatenate(ready)
        out = out[out["seq"] >= self._first]
        if len(out):
            writer.write_tracks(out[np.argsort(out["seq"], kind="stable")])
        for k, ring in enumerate(self._rings):
            ring.advance(self._next[k] - len(self._held[k]))
        return len(out)

    def _waiting(self) -> list[int]:
        return [k for k in range(len(self._rings)) if k not in self._given_up]
