"""Sets of frame numbers as inclusive ranges: what was written, what is missing, and why.

Pure arithmetic. Knows nothing of files.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class RangeSet:
    """A set of integers kept as sorted, disjoint, inclusive ranges.

    Examples
    --------
    >>> some = RangeSet([(0, 3), (7, 9)])
    >>> some.add(4, 6)
    >>> list(some)
    [(0, 9)]
    >>> list(some - RangeSet([(2, 5)]))
    [(0, 1), (6, 9)]
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        """Add every integer from `first` to `last`, both included; nothing when last < first."""
        if last < first:
            return
        low = bisect_left(self._last, first - 1)  # the first range that touches from the left
        high = bisect_right(self._first, last + 1)  # one past the last that touches
        if low < high:
            first = min(first, self._first[low])
            last = max(last, self._last[high - 1])
        self._first[low:high] = [first]
        self._last[low:high] = [last]

    def update(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Add every range."""
        for first, last in ranges:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._first, self._last))

    def __len__(self) -> int:
        """How many ranges, not how many integers."""
        return len(self._first)

    def __contains__(self, number: int) -> bool:
        place = bisect_left(self._last, number)
        return place < len(self._first) and self._first[place] <= number

    def overlaps(self, first: int, last: int) -> bool:
        """Return whether any integer from `first` to `last`, both included, is in the set."""
        place = bisect_left(self._last, first)
        return first <= last and place < len(self._first) and self._first[place] <= last

    @property
    def count(self) -> int:
        """How many integers."""
        return sum(self._last) - sum(self._first) + len(self._first)

    def __sub__(self, other: RangeSet) -> RangeSet:
        out = RangeSet()
        for first, last in self:
            at = bisect_left(other._last, first)
            while at < len(other) and other._first[at] <= last:
                out._append(first, other._first[at] - 1)
                first = other._last[at] + 1
                at += 1
            out._append(first, last)
        return out

    def __and__(self, other: RangeSet) -> RangeSet:
        return self - (self - other)

    def _append(self, first: int, last: int) -> None:
        if first <= last:
            self._first.append(first)
            self._last.append(last)


class Causes:
    """Ranges that each have a cause; where two overlap the later one stands.

    Examples
    --------
    >>> noted = Causes()
    >>> noted.add(0, 9, "dropped")
    >>> noted.add(4, 5, "lost: camera restarted")
    >>> [row for row in noted.within(RangeSet([(2, 6)]), "unknown")]
    [(2, 3, 'dropped'), (4, 5, 'lost: camera restarted'), (6, 6, 'dropped')]
    """

    def __init__(self, rows: Iterable[tuple[int, int, str]] = ()) -> None:
        self._by_cause: dict[str, RangeSet] = {}
        for first, last, cause in rows:
            self.add(first, last, cause)

    def add(self, first: int, last: int, cause: str) -> None:
        """Give the frames from `first` to `last` this `cause`."""
        span = RangeSet([(first, last)])
        for other, ranges in self._by_cause.items():
            if other != cause and ranges.overlaps(first, last):
                self._by_cause[other] = ranges - span
        self._by_cause.setdefault(cause, RangeSet()).add(first, last)

    @property
    def all(self) -> RangeSet:
        """Every frame that has a cause."""
        return RangeSet(pair for ranges in self._by_cause.values() for pair in ranges)

    def within(self, frames: RangeSet, otherwise: str) -> list[tuple[int, int, str]]:
        """Return ``(first, last, cause)`` for `frames`, in order; `otherwise` where none is known.

        Frames outside `frames` are left out.
        """
        rows = [(*pair, otherwise) for pair in frames - self.all]
        for cause, ranges in self._by_cause.items():
            rows.extend((*pair, cause) for pair in ranges & frames)
        return sorted(rows)
