"""Recent values with their times: a small ring per row, each written by its own process only.

A reader copies what it wants and then leaves out what the writer may have overwritten meanwhile,
so it never sees half a sample, also when the writer was killed in the middle. Knows nothing of
what the values mean.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Self

import numpy as np

from napari_beadscope.ring.segment import Segment

#: One sample: when it was taken, on the monotonic clock, and the value.
SAMPLE = np.dtype([("time_ns", "<i8"), ("value", "<f8")])
_LINE = 8  # 64-bit words per cache line: what two processes write must not share one


@dataclass(frozen=True, slots=True)
class HistorySpec:
    """All that is needed to attach: the segment's name, the row count, samples kept per row."""

    name: str
    rows: int
    samples: int

    @property
    def nbytes(self) -> int:
        """Bytes of the whole segment."""
        return self.rows * (_LINE * 8 + self.samples * SAMPLE.itemsize)


class HistoryTable:
    """The newest samples of every row, attached by its one writer per row or by any reader.

    Parameters
    ----------
    spec : HistorySpec
    segment : Segment
        Of that size.
    """

    def __init__(self, spec: HistorySpec, segment: Segment) -> None:
        self.spec = spec
        self._segment = segment
        words = segment.array(np.int64, spec.rows * _LINE)
        self._heads = words.reshape(spec.rows, _LINE)[:, 0]
        self._samples = segment.array(SAMPLE, spec.rows * spec.samples, spec.rows * _LINE * 8)
        self._samples = self._samples.reshape(spec.rows, spec.samples)
        self._writing = threading.Lock()  # two threads of the owner must not meet in a row

    @classmethod
    def create(cls, spec: HistorySpec) -> HistoryTable:
        """Create the segment, empty; raise `RingError` if memory is short."""
        return cls(spec, Segment.create(spec.name, spec.nbytes))

    @classmethod
    def attach(cls, spec: HistorySpec, *, writable: bool = False) -> HistoryTable:
        """Attach to a table that exists; raise `RingError` if there is none."""
        return cls(spec, Segment.attach(spec.name, writable=writable))

    def append(self, row: int, time_ns: int, value: float) -> None:
        """Add a sample to a row; the oldest goes when the row is full."""
        with self._writing:
            head = int(self._heads[row])
            self._samples[row, head % self.spec.samples] = (time_ns, value)
            self._segment.fence()
            self._heads[row] = head + 1

    def clear(self, row: int) -> None:
        """Forget all samples of a row that nobody writes."""
        with self._writing:
            self._heads[row] = 0

    def read(self, row: int, since_ns: int = 0) -> np.ndarray:
        """Return the samples of a row taken after `since_ns` that are kept, oldest first.

        Returns
        -------
        ndarray (n,)
            Of dtype `SAMPLE`: ``time_ns`` on the monotonic clock, ``value``.
        """
        kept = self.spec.samples
        head = int(self._heads[row])
        self._segment.fence()
        numbers = np.arange(max(0, head - kept), head)
        found = self._samples[row, numbers % kept]
        self._segment.fence()
        # The writer may be in the middle of the sample that follows the newest published one.
        found = found[numbers > int(self._heads[row]) - kept]
        return found[found["time_ns"] > since_ns]

    def close(self) -> None:
        """Unmap the table."""
        self._heads = np.empty(0, np.int64)
        self._samples = np.empty((0, 0), SAMPLE)
        self._segment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
