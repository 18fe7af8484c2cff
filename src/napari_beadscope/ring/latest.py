"""Latest-value tables: one row per process or device, each written by its own process only.

A version word that is odd while a row is written lets a reader take a consistent copy.
Knows nothing of what the fields mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_beadscope.ring.segment import Segment


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
        """The row's type, padded to whole cache lines."""
        words = 1 + len(self.fields)
        pad = -words % 8
        fields = [("version", "<i8"), *self.fields, *((f"_pad{i}", "<i8") for i in range(pad))]
        return np.dtype(fields)


class LatestTable:
    """A table attached by its one owner per row, or by anyone who reads it."""

    def __init__(self, spec: TableSpec, segment: Segment) -> None:
        self.spec = spec
        self._segment = segment
        self._rows = segment.array(spec.dtype, spec.rows)

    @classmethod
    def create(cls, spec: TableSpec) -> LatestTable:
        """Create the segment, all zero."""
        return cls(spec, Segment.create(spec.name, spec.rows * spec.dtype.itemsize))

    @classmethod
    def attach(cls, spec: TableSpec, *, writable: bool = False) -> LatestTable:
        """Attach to a table that exists."""
        return cls(spec, Segment.attach(spec.name, writable=writable))

    def write(self, row: int, **values: float) -> None:
        """Set fields of a row, as one change to every reader."""
        record = self._rows[row]
        version = int(record["version"]) | 1  # odd already if the last writer died in here
        record["version"] = version
        self._segment.fence()
        for name, value in values.items():
            record[name] = value
        self._segment.fence()
        record["version"] = version + 1

    def read(self, row: int, tries: int = 100) -> dict[str, float]:
        """Return a consistent copy of a row.

        After `tries` (its writer died in the middle of a write) the values are what they are:
        each on its own whole, not all of the same instant.
        """
        for _ in range(tries):
            before = int(self._rows["version"][row])
            self._segment.fence()
            record = self._rows[row].copy()
            self._segment.fence()
            if before % 2 == 0 and before == int(self._rows["version"][row]):
                break
        return {name: record[name].item() for name, _ in self.spec.fields}

    def close(self) -> None:
        """Unmap the table."""
        self._rows = np.empty(0, self.spec.dtype)
        self._segment.close()
