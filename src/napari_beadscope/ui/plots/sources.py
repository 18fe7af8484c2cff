"""Where the plots' tracks come from: the engine that runs, or a recording.

Owns the conversion to nanometres and to one axis of time. Must not know Qt or kinds of plots.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.types import Reason
from napari_beadscope.ui.plots.history import History, Stretch
from napari_beadscope.ui.plots.samples import Quantity, Samples
from napari_beadscope.ui.ports import ScopePort

_XY_ONLY = (int(Reason.Z_OUT_OF_RANGE), int(Reason.POOR_MATCH))


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """Rows of some beads in successive frames: as `Stretch`, but in nm."""

    beads: tuple[int, ...]
    frame: np.ndarray  # (n,)
    time_s: np.ndarray  # (n,)
    xyz_nm: np.ndarray  # (b, 3, n)
    quality: np.ndarray  # (b, n)

    @property
    def rate_hz(self) -> float:
        """Frames per second, from the numbers and times of the first and last; 0 if unknown."""
        if len(self.frame) < 2 or self.time_s[-1] <= self.time_s[0]:
            return 0.0
        return float((self.frame[-1] - self.frame[0]) / (self.time_s[-1] - self.time_s[0]))


class Source(Protocol):
    """Tracks of beads, and quantities beside them."""

    @property
    def beads(self) -> tuple[int, ...]:
        """Beads there are, sorted."""
        ...

    @property
    def span_s(self) -> tuple[float, float]:
        """Times of the first and last frame."""
        ...

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What can be plotted beside beads."""
        ...

    def traces(self, beads: tuple[int, ...], start_s: float, stop_s: float) -> Traces:
        """Return the rows of `beads` between two times."""
        ...

    def series(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return times in s and values of a quantity."""
        ...


class LiveSource:
    """What the engine delivers.

    Parameters
    ----------
    history : History
        Of the beads.
    scope : ScopePort
        Whose motors are plotted.
    own : Samples
        Users' quantities.
    nm_per_px : callable
        Returns the pixel size in use.
    """

    def __init__(
        self, history: History, scope: ScopePort, own: Samples, nm_per_px: Callable[[], float]
    ) -> None:
        self._history, self._scope, self._own, self._nm_per_px = history, scope, own, nm_per_px

    @property
    def beads(self) -> tuple[int, ...]:
        """Beads there are, sorted."""
        return self._history.beads

    @property
    def span_s(self) -> tuple[float, float]:
        """Times of the first and last frame; without any, from when one could have come to now."""
        if self._history.beads:
            return self._history.span_s
        return (0.0, self._history.second_of(time.monotonic_ns()))

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What can be plotted beside beads: motors, then users' own."""
        try:
            infos = [reading.info for reading in self._scope.motors()]
        except BeadscopeError:  # the engine has ended
            infos = []
        motors = (Quantity(info.name, "µm" if info.unit == "um" else info.unit) for info in infos)
        return (*motors, *self._own.quantities)

    def traces(self, beads: tuple[int, ...], start_s: float, stop_s: float) -> Traces:
        """Return the rows of `beads` between two times."""
        stretch = self._history.copy(beads, start_s, stop_s)
        return _in_nm(stretch, self._nm_per_px())

    def series(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return times in s and values of a quantity."""
        if name in [quantity.name for quantity in self._own.quantities]:
            time_ns, values = self._own.read(name)
        else:
            samples = self._scope.motor_history(name)
            time_ns, values = samples["time_ns"].astype(np.float64), samples["value"]
        return time_ns * 1e-9 + self._history.second_of(0), values


class RecordedSource:
    """The rows of one recording, or of one table of tracks; read when they are first asked for.

    Parameters
    ----------
    load : callable
        Returns a structured array with the columns frame, time_s, bead, x_nm, y_nm, z_nm, quality
        and, if it is known, reason.
    """

    quantities: tuple[Quantity, ...] = ()

    def __init__(self, load: Callable[[], np.ndarray]) -> None:
        self._load = load

    @classmethod
    def of_folder(cls, folder: str | Path) -> RecordedSource:
        """Return the source of a recording's folder."""

        def load() -> np.ndarray:
            from napari_beadscope.storage import open_recording

            return open_recording(folder).tracks

        return cls(load)

    @classmethod
    def of_layer(cls, vertices: np.ndarray, features: Any, nm_per_px: float) -> RecordedSource:
        """Return the source of a Tracks layer ``(n, 4)`` with the feature time_s."""

        def load() -> np.ndarray:
            names = ("frame", "time_s", "bead", "x_nm", "y_nm", "z_nm", "quality")
            rows = np.zeros(len(vertices), [(name, "<f8") for name in names])
            rows["bead"], rows["frame"] = vertices[:, 0], vertices[:, 1]
            rows["y_nm"], rows["x_nm"] = vertices[:, 2] * nm_per_px, vertices[:, 3] * nm_per_px
            rows["z_nm"], rows["quality"] = np.nan, 1.0
            for name in ("frame", "time_s", "x_nm", "y_nm", "z_nm", "quality"):
                if name in features:
                    rows[name] = np.asarray(features[name], float)
            return rows

        return cls(load)

    @property
    def beads(self) -> tuple[int, ...]:
        """Beads there are, sorted."""
        return tuple(self._columns)

    @property
    def span_s(self) -> tuple[float, float]:
        """Times of the first and last frame."""
        _, time_s = self._frames
        return (float(time_s[0]), float(time_s[-1])) if len(time_s) else (0.0, 0.0)

    def traces(self, beads: tuple[int, ...], start_s: float, stop_s: float) -> Traces:
        """Return the rows of `beads` between two times."""
        known = tuple(bead for bead in beads if bead in self._columns)
        frame, time_s = self._frames
        part = slice(*np.searchsorted(time_s, (start_s, np.nextafter(stop_s, np.inf))))
        xyz = np.full((len(known), 3, part.stop - part.start), np.nan)
        quality = np.full((len(known), part.stop - part.start), np.nan, np.float32)
        for row, bead in enumerate(known):
            at, values = self._columns[bead]
            inside = (at >= part.start) & (at < part.stop)
            xyz[row][:, at[inside] - part.start] = values[:3, inside]
            quality[row, at[inside] - part.start] = values[3, inside]
        return Traces(known, frame[part], time_s[part], xyz, quality)

    def series(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return times in s and values of a quantity: there are none."""
        return np.empty(0), np.empty(0)

    @cached_property
    def _rows(self) -> np.ndarray:
        return self._load()

    @cached_property
    def _frames(self) -> tuple[np.ndarray, np.ndarray]:
        frame, first = np.unique(self._rows["frame"], return_index=True)
        return frame.astype(np.int64), self._rows["time_s"][first].astype(np.float64)

    @cached_property
    def _columns(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """For each bead the places of its rows among the frames, and ``(4, rows)`` values."""
        rows, columns = self._rows, {}
        names = rows.dtype.names or ()
        reason = rows["reason"] if "reason" in names else np.zeros(len(rows), int)
        places = np.searchsorted(self._frames[0], rows["frame"])
        trusted = reason == Reason.OK
        flat = trusted | np.isin(reason, _XY_ONLY)
        for bead in np.unique(rows["bead"]).tolist():
            mine = rows["bead"] == bead
            values = np.stack(
                [
                    np.where(flat[mine], rows["x_nm"][mine], np.nan),
                    np.where(flat[mine], rows["y_nm"][mine], np.nan),
                    np.where(trusted[mine], rows["z_nm"][mine], np.nan),
                    rows["quality"][mine],
                ]
            )
            columns[int(bead)] = (places[mine], values)
        return columns


def _in_nm(stretch: Stretch, nm_per_px: float) -> Traces:
    stretch.xyz[:, :2] *= nm_per_px
    return Traces(stretch.beads, stretch.frame, stretch.time_s, stretch.xyz, stretch.quality)
