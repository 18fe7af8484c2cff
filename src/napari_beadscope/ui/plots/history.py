"""The last minutes of every bead, in memory of a fixed size.

Owns a ring of frames that the watch's thread fills and others copy from. Must not know where rows
come from, Qt, or what is drawn of them.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np

from napari_beadscope.core.types import Reason

#: Ten minutes at 100 Hz.
FRAMES = 60_000
BEADS = 50
#: Clocks that differ by more than this are not the same clock.
_SAME_CLOCK_NS = 5_000_000_000
_AXES = ("x_px", "y_px", "z_nm", "quality")
_XY_ONLY = (int(Reason.Z_OUT_OF_RANGE), int(Reason.POOR_MATCH))


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Rows of some beads in successive frames, copied.

    Attributes
    ----------
    beads : tuple of int, length b
    frame : ndarray, shape (n,), int64
        The camera's numbers, rising.
    time_s : ndarray, shape (n,), float64
    xyz : ndarray, shape (b, 3, n), float64
        x and y in px, z in nm; NaN where there is none that can be trusted.
    quality : ndarray, shape (b, n), float32
        NaN where a bead was not tracked.
    """

    beads: tuple[int, ...]
    frame: np.ndarray
    time_s: np.ndarray
    xyz: np.ndarray
    quality: np.ndarray


class History:
    """The newest frames of up to so many beads.

    Memory is allocated once, ``beads * frames * 16 + frames * 24`` bytes: 49 MB by default.
    Positions are 32-bit numbers that count from where the bead was first seen: exact to 1e-5 px
    within 100 px of that place. Coordinates that cannot be trusted are not kept, their quality is.

    Parameters
    ----------
    frames : int
        How many frames are kept: 10 minutes at 100 Hz by default, less at higher rates.
    beads : int
        How many beads are kept at once; `prefer` says which if there are more.

    Examples
    --------
    >>> from napari_beadscope.core.types import TRACK_ROW
    >>> rows = np.zeros(3, TRACK_ROW)
    >>> rows["seq"] = rows["frame"] = [0, 1, 2]
    >>> rows["time_ns"] = [0, 10_000_000, 20_000_000]
    >>> rows["x_px"] = [7.0, 7.5, 8.0]
    >>> history = History(frames=100, beads=4)
    >>> history.add(rows)
    >>> history.copy((0,), 0.005, 1.0).xyz[0, 0].tolist()
    [7.5, 8.0]
    """

    def __init__(self, frames: int = FRAMES, beads: int = BEADS) -> None:
        self._frames, self._most = frames, beads
        self._lock = threading.Lock()
        self._seq = np.full(frames, -1, np.int64)
        self._frame = np.zeros(frames, np.int64)
        self._time_ns = np.zeros(frames, np.int64)
        # Pages that nothing is written to take no memory.
        self._data = np.empty((beads, len(_AXES), frames), np.float32)
        self._origin = np.zeros((beads, len(_AXES)))
        self._column: dict[int, int] = {}
        self._preferred: frozenset[int] = frozenset()
        self._left_out: set[int] = set()
        self._newest = -1  # seq
        self._first_ns = time.monotonic_ns()
        self._skew_ns = 0

    @property
    def nbytes(self) -> int:
        """The most memory that this ever takes."""
        arrays = (self._data, self._seq, self._frame, self._time_ns)
        return sum(array.nbytes for array in arrays)

    @property
    def beads(self) -> tuple[int, ...]:
        """Beads that are kept, sorted."""
        with self._lock:
            return tuple(sorted(self._column))

    @property
    def left_out(self) -> int:
        """How many beads there was no room for."""
        return len(self._left_out)

    @property
    def span_s(self) -> tuple[float, float]:
        """Times of the oldest and the newest frame that are kept, (0, 0) without any."""
        with self._lock:
            if self._newest < 0:
                return (0.0, 0.0)
            times = self._time_ns[self._seq >= 0]
            return (self._seconds(int(times.min())), self._seconds(int(times.max())))

    def second_of(self, monotonic_ns: int) -> float:
        """Return a moment of this computer's monotonic clock on the frames' axis of time."""
        with self._lock:
            return self._seconds(monotonic_ns + self._skew_ns)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._clear()

    def keep(self, beads: frozenset[int]) -> None:
        """Forget beads that are not among `beads`."""
        with self._lock:
            for bead in [bead for bead in self._column if bead not in beads]:
                del self._column[bead]
            self._left_out &= beads

    def prefer(self, beads: frozenset[int]) -> None:
        """Keep these beads if there is no room for all."""
        with self._lock:
            self._preferred = frozenset(beads)

    def add(self, rows: np.ndarray) -> None:
        """Take rows (`TRACK_ROW`) in the order of their frames; ones that came before are fine."""
        if not len(rows):
            return
        with self._lock:
            last = int(rows["seq"].max())
            newest_ns = int(rows["time_ns"].max())
            if last <= self._newest - self._frames or self._restarted(last, newest_ns):
                self._clear()
            if self._newest < 0:
                self._first_ns = int(rows["time_ns"].min())
                self._newest = int(rows["seq"].min()) - 1
            skew_ns = newest_ns - time.monotonic_ns()
            self._skew_ns = skew_ns if abs(skew_ns) > _SAME_CLOCK_NS else 0
            self._advance(last)
            rows = rows[rows["seq"] > last - self._frames]
            slots = rows["seq"] % self._frames
            self._frame[slots] = rows["frame"]
            self._time_ns[slots] = rows["time_ns"]
            self._seq[slots] = rows["seq"]
            beads, first, which = np.unique(rows["bead"], return_index=True, return_inverse=True)
            columns = [self._column_of(int(b), rows[i]) for b, i in zip(beads, first)]
            self._write(np.array(columns)[which], slots, rows)

    def copy(self, beads: tuple[int, ...], start_s: float, stop_s: float) -> Stretch:
        """Return what is kept of `beads` between two times; beads that are not kept are left out.

        Copies without holding the writer up: what it overwrites meanwhile is left out.
        """
        with self._lock:
            known = tuple(bead for bead in beads if bead in self._column)
            columns = [self._column[bead] for bead in known]
            origin = self._origin[columns][:, :3]
            newest = self._newest
            first_ns = self._first_ns
        seqs = np.arange(max(0, newest - self._frames + 1), newest + 1)
        slots = seqs % self._frames
        there = self._seq[slots] == seqs
        time_s = (self._time_ns[slots] - first_ns) * 1e-9
        there &= (time_s >= start_s) & (time_s <= stop_s)
        found = np.flatnonzero(there)
        part = slice(found[0], found[-1] + 1) if len(found) else slice(0, 0)
        seqs, slots, time_s, there = seqs[part], slots[part], time_s[part], there[part]
        pieces = _pieces(slots)
        data = np.empty((len(known), len(_AXES), len(slots)), np.float32)
        for row, column in enumerate(columns):
            np.concatenate([self._data[column, :, one] for one in pieces], axis=1, out=data[row])
        frame = self._frame[slots]
        with self._lock:
            safe = self._newest - self._frames
            whole = there & (seqs > safe) & (self._seq[slots] == seqs)
        if not whole.all():
            data, frame, time_s = data[:, :, whole], frame[whole], time_s[whole]
        xyz = data[:, :3].astype(np.float64) + origin[:, :, np.newaxis]
        return Stretch(known, frame, time_s, xyz, data[:, 3])

    # inside, with the lock held

    def _seconds(self, time_ns: int) -> float:
        return (time_ns - self._first_ns) * 1e-9

    def _clear(self) -> None:
        self._seq[:] = -1
        self._first_ns, self._skew_ns = time.monotonic_ns(), 0
        self._column.clear()
        self._left_out.clear()
        self._newest = -1

    def _restarted(self, last: int, newest_ns: int) -> bool:
        """Whether numbers begin anew, as they do with a new format of the frames."""
        if last >= self._newest or self._newest < 0:
            return False
        return newest_ns > int(self._time_ns[self._newest % self._frames])

    def _advance(self, last: int) -> None:
        """Make room for frames up to `last`."""
        new = last - self._newest
        if new <= 0:
            return
        slots = np.arange(self._newest + 1, last + 1)[-self._frames :] % self._frames
        self._seq[slots] = -1
        for part in _pieces(slots):
            self._data[list(self._column.values()), :, part] = np.nan
        self._newest = last

    def _column_of(self, bead: int, row: np.void) -> int:
        """Return the bead's column, -1 if there is no room."""
        column = self._column.get(bead)
        if column is not None:
            return column
        taken = set(self._column.values())
        free = next((i for i in range(self._most) if i not in taken), None)
        if free is None and bead in self._preferred:
            spare = [other for other in self._column if other not in self._preferred]
            if spare:
                self._left_out.add(max(spare))
                free = self._column.pop(max(spare))
        if free is None:
            self._left_out.add(bead)
            return -1
        self._left_out.discard(bead)
        self._column[bead] = free
        self._data[free] = np.nan
        for axis, name in enumerate(("x_px", "y_px")):
            self._origin[free, axis] = np.round(row[name]) if np.isfinite(row[name]) else 0.0
        return free

    def _write(self, columns: np.ndarray, slots: np.ndarray, rows: np.ndarray) -> None:
        if (columns < 0).any():
            kept = columns >= 0
            columns, slots, rows = columns[kept], slots[kept], rows[kept]
        reason = rows["reason"]
        trusted = reason == Reason.OK
        flat = trusted | np.isin(reason, _XY_ONLY)
        for axis, good in enumerate((flat, flat, trusted)):
            values = rows[_AXES[axis]] - self._origin[columns, axis]
            self._data[columns, axis, slots] = np.where(good, values, np.nan)
        self._data[columns, 3, slots] = rows["quality"]


def _pieces(slots: np.ndarray) -> list[slice]:
    """Return successive places in a ring as one slice or two.

    Examples
    --------
    >>> _pieces(np.array([3, 4, 5])), _pieces(np.array([8, 9, 0, 1]))
    ([slice(3, 6, None)], [slice(8, 10, None), slice(0, 2, None)])
    """
    if not len(slots):
        return [slice(0, 0)]
    turn = np.flatnonzero(np.diff(slots) < 0)
    if not len(turn):
        return [slice(int(slots[0]), int(slots[-1]) + 1)]
    at = int(turn[0])
    return [slice(int(slots[0]), int(slots[at]) + 1), slice(0, int(slots[-1]) + 1)]
