"""Latest-value tables: one row per process or device, each written by its own process only.

Every row exists twice. A writer fills the copy that is not published and then publishes it with
one store, so a reader always finds a row that is whole, also when the writer was killed in the
middle. Knows nothing of what the fields mean.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from napari_beadscope.ring.segment import Segment

_LINE_BYTES = 64  # of a cache line: what two processes write must not share one


@dataclass(frozen=True, slots=True)
class TableSpec:
    """All that is needed to attach: the segment's name, the row count and the fields.

    ``fields`` are ``(name, numpy type)`` pairs, each of 8 bytes.
    """

    name: str
    rows: int
    fields: tuple[tuple[str, str], ...]

    @property
    def dtype(self) -> np.dtype:
        """Type of one copy of a row, padded to whole cache lines."""
        pad = -len(self.fields) % 8
        return np.dtype([*self.fields, *((f"_pad{i}", "<i8") for i in range(pad))])

    @property
    def nbytes(self) -> int:
        """Bytes of the whole segment."""
        return self.rows * (_LINE_BYTES + 2 * self.dtype.itemsize)


class LatestTable:
    """A table attached by its one owner per row, or by anyone who reads it."""

    def __init__(self, spec: TableSpec, segment: Segment) -> None:
        self.spec = spec
        self._segment = segment
        words = segment.array(np.int64, spec.rows * _LINE_BYTES // 8)
        self._versions = words.reshape(spec.rows, -1)[:, 0]
        self._copies = segment.array(spec.dtype, spec.rows * 2, spec.rows * _LINE_BYTES).reshape(
            spec.rows, 2
        )
        self._writing = threading.Lock()  # two threads of the owner must not meet in a row

    @classmethod
    def create(cls, spec: TableSpec) -> LatestTable:
        """Create the segment, all zero; raise `RingError` if memory is short."""
        return cls(spec, Segment.create(spec.name, spec.nbytes))

    @classmethod
    def attach(cls, spec: TableSpec, *, writable: bool = False) -> LatestTable:
        """Attach to a table that exists; raise `RingError` if there is none."""
        return cls(spec, Segment.attach(spec.name, writable=writable))

    def write(self, row: int, **values: float) -> None:
        """Set fields of a row, as one change to every reader; the others keep their values."""
        with self._writing:
            version = int(self._versions[row])
            self._copies[row, (version + 1) % 2] = self._copies[row, version % 2]
            draft = self._copies[row, (version + 1) % 2]
            for name, value in values.items():
                draft[name] = value
            self._segment.fence()
            self._versions[row] = version + 1

    def read(self, row: int, tries: int = 1000) -> dict[str, float]:
        """Return a consistent copy of a row.

        Only a writer that finishes a write during each of `tries` copies can spoil it; then the
        values are each whole on its own, but not all of the same instant.
        """
        for _ in range(tries):
            version = int(self._versions[row])
            self._segment.fence()
            record = self._copies[row, version % 2].copy()
            self._segment.fence()
            if version == int(self._versions[row]):
                break
        return {name: record[name].item() for name, _ in self.spec.fields}

    def close(self) -> None:
        """Unmap the table."""
        self._versions = np.empty(0, np.int64)
        self._copies = np.empty((0, 2), self.spec.dtype)
        self._segment.close()

    def __enter__(self) -> LatestTable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
