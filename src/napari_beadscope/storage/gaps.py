"""What a recording lacks: frames that never reached the disk and frames without tracks.

Pure bookkeeping in frame numbers of the recording. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from napari_beadscope.storage.manifest import RangeRecord
from napari_beadscope.storage.ranges import Causes, RangeSet

DROPPED = "dropped"
NOT_TRACKED = "not tracked"


class Ledger:
    """Which frames were written and tracked, and why others were not.

    Examples
    --------
    >>> ledger = Ledger()
    >>> ledger.wrote([0, 1, 5])
    >>> ledger.note_gap(2, 3, "dropped: ring full")
    >>> [(row.first, row.last, row.cause) for row in ledger.gaps()]
    [(2, 3, 'dropped: ring full'), (4, 4, 'dropped')]
    """

    def __init__(
        self, gaps: Iterable[RangeRecord] = (), untracked: Iterable[RangeRecord] = ()
    ) -> None:
        self.written = RangeSet()
        self.tracked = RangeSet()
        self._gap_causes = Causes((row.first, row.last, row.cause) for row in gaps)
        self._track_causes = Causes((row.first, row.last, row.cause) for row in untracked)

    def wrote(self, frames: Sequence[int] | np.ndarray) -> None:
        """Note frames, in ascending order, as written."""
        self.written.update(runs(frames))

    def got_tracks(self, frames: np.ndarray) -> None:
        """Note frames, in any order, as tracked."""
        self.tracked.update(runs(np.unique(frames)))

    def note(self, untracked: bool, first: int, last: int, cause: str) -> None:
        """Give a cause to frames that lack their tracks, or themselves."""
        (self.note_untracked if untracked else self.note_gap)(first, last, cause)

    def note_gap(self, first: int, last: int, cause: str) -> None:
        """Give a cause to frames that were not, or will not be, written."""
        self._gap_causes.add(first, last, cause)

    def note_untracked(self, first: int, last: int, cause: str) -> None:
        """Give a cause to frames that were not, or will not be, tracked."""
        self._track_causes.add(first, last, cause)

    @property
    def missing(self) -> RangeSet:
        """Frames since the first that were not written."""
        ends = list(self.written)
        known = RangeSet([(0, ends[-1][1])]) if ends else RangeSet()
        known.update((max(0, first), last) for first, last in self._gap_causes.all)
        return known - self.written

    def gaps(self) -> list[RangeRecord]:
        """Every range of frames that is not on disk, with its cause."""
        return _records(self._gap_causes.within(self.missing, DROPPED))

    def untracked(self, *, finished: bool) -> list[RangeRecord]:
        """Every range of frames without a track row, with its cause.

        Until `finished`, tracks may still be on their way: only noted ranges count.
        """
        frames = self.written if finished else self._track_causes.all
        return _records(self._track_causes.within(frames - self.tracked, NOT_TRACKED))


def runs(frames: Sequence[int] | np.ndarray) -> list[tuple[int, int]]:
    """Return ascending frame numbers as inclusive ranges.

    Examples
    --------
    >>> runs([3, 4, 5, 9])
    [(3, 5), (9, 9)]
    """
    numbers = np.asarray(frames, np.int64)
    if not len(numbers):
        return []
    breaks = np.flatnonzero(np.diff(numbers) != 1)
    first = numbers[np.concatenate([[0], breaks + 1])]
    last = numbers[np.concatenate([breaks, [len(numbers) - 1]])]
    return list(zip(first.tolist(), last.tolist()))


def _records(rows: Iterable[tuple[int, int, str]]) -> list[RangeRecord]:
    return [RangeRecord(first=first, last=last, cause=cause) for first, last, cause in rows]
