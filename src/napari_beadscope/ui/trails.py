"""The recent past of every bead, small enough to draw.

Owns the window of positions behind the Tracks layer and the newest position of each bead.
Pure numpy; must not know where rows come from or how they are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: A napari Tracks layer takes 12 ms per 1e4 vertices, and much more beyond.
MAX_VERTICES = 10_000


@dataclass(frozen=True, slots=True)
class Newest:
    """Newest row of each bead, sorted by bead: arrays of one length."""

    bead: np.ndarray
    frame: np.ndarray
    y_px: np.ndarray
    x_px: np.ndarray
    z_nm: np.ndarray
    quality: np.ndarray
    reason: np.ndarray


class Trails:
    """A window over the newest track rows.

    Parameters
    ----------
    window_s : float
        How far back a trail goes, in seconds.
    max_vertices : int
        Vertices of all trails together; frames are left out so that the window fits.

    Examples
    --------
    >>> from napari_beadscope.core.types import TRACK_ROW
    >>> rows = np.zeros(4, TRACK_ROW)
    >>> rows["bead"] = [0, 1, 0, 1]
    >>> rows["time_ns"] = [0, 0, 10_000_000, 10_000_000]
    >>> rows["frame"] = [0, 0, 1, 1]
    >>> trails = Trails()
    >>> trails.add(rows)
    >>> trails.vertices().shape
    (4, 4)
    """

    def __init__(self, window_s: float = 10.0, max_vertices: int = MAX_VERTICES) -> None:
        self._window_ns = int(window_s * 1e9)
        self._max = max_vertices
        self._rows = np.zeros((0, 5))  # time_ns, frame, bead, y, x
        self._newest: dict[int, np.void] = {}
        self._last_ns = -1

    def clear(self) -> None:
        """Forget everything."""
        self._rows = self._rows[:0]
        self._newest.clear()

    def add(self, rows: np.ndarray) -> None:
        """Take new rows, a structured array of `TRACK_ROW`, in the order of their frames."""
        if not len(rows):
            return
        last = _last_of_each(rows["bead"])
        self._newest.update({int(rows["bead"][i]): rows[i].copy() for i in last})
        rows = self._thinned(rows)
        good = np.isfinite(rows["x_px"]) & np.isfinite(rows["y_px"])
        fields = ("time_ns", "frame", "bead", "y_px", "x_px")
        new = np.stack([rows[name][good].astype(np.float64) for name in fields], axis=1)
        kept = np.concatenate([self._rows, new])
        self._rows = kept[kept[:, 0] >= self._last_ns - self._window_ns]

    def keep(self, beads: set[int]) -> None:
        """Forget beads that are not among `beads`."""
        self._newest = {bead: row for bead, row in self._newest.items() if bead in beads}
        self._rows = self._rows[np.isin(self._rows[:, 2], list(beads))]

    def _thinned(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of as many frames as suit the drawing, evenly spaced in time."""
        step_ns = max(1, self._window_ns * len(self._newest) // self._max)
        frames, first = np.unique(rows["frame"], return_index=True)
        times = rows["time_ns"][first]
        taken = np.diff(times // step_ns, prepend=self._last_ns // step_ns) > 0
        self._last_ns = int(times.max())
        return rows[np.isin(rows["frame"], frames[taken])]

    def row_of(self, bead: int) -> np.void | None:
        """Return the newest row of a bead as it came, profile and all, None without one."""
        return self._newest.get(bead)

    def newest(self) -> Newest:
        """Return the newest row of each bead."""
        rows = [self._newest[bead] for bead in sorted(self._newest)]

        def column(name: str, dtype: type) -> np.ndarray:
            return np.array([row[name] for row in rows], dtype)

        return Newest(
            bead=np.array(sorted(self._newest), np.int64),
            frame=column("frame", np.int64),
            y_px=column("y_px", np.float64),
            x_px=column("x_px", np.float64),
            z_nm=column("z_nm", np.float64),
            quality=column("quality", np.float64),
            reason=column("reason", np.int64),
        )

    def vertices(self) -> np.ndarray:
        """Return the trails as ``(n, 4)``: bead, 0, y_px, x_px, sorted by bead then time.

        The time column is 0: napari then shows whole trails and adds no slider. At most
        `max_vertices` rows; beads with a single point are left out, napari cannot draw them.
        """
        rows = self._rows
        while len(rows) > self._max:  # the number of beads has just grown
            rows = _every_second_frame(rows)
        rows = rows[np.lexsort((rows[:, 0], rows[:, 2]))]
        beads, counts = np.unique(rows[:, 2], return_counts=True)
        rows = rows[np.isin(rows[:, 2], beads[counts > 1])]
        out = rows[:, 1:].copy()
        out[:, 0], out[:, 1] = rows[:, 2], 0.0
        return out


def _last_of_each(values: np.ndarray) -> np.ndarray:
    """Return the index of the last occurrence of each value."""
    return len(values) - 1 - np.unique(values[::-1], return_index=True)[1]


def _every_second_frame(rows: np.ndarray) -> np.ndarray:
    frames = np.unique(rows[:, 1])
    if len(frames) < 2:
        return rows[: max(1, len(rows) // 2)]
    return rows[np.isin(rows[:, 1], frames[len(frames) % 2 ^ 1 :: 2])]
