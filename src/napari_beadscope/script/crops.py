"""Reads the ROIs of frames out of an engine's ring, as they come.

A latest-only reader: it never holds the camera up, and what it is too slow for is left out. Must
not know what the ROIs are for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from napari_beadscope.core.errors import EngineError, StateError
from napari_beadscope.core.types import Roi
from napari_beadscope.script.view import EngineView

_POLL_S = 0.002


class CropReader:
    """Copies square ROIs of one size out of new frames.

    Parameters
    ----------
    view : EngineView
        Of a started engine.
    rois : sequence of Roi
        Inside the frame.

    Raises
    ------
    EngineError
        The camera is not ready.
    """

    def __init__(self, view: EngineView, rois: Sequence[Roi]) -> None:
        self._view = view
        self._ring = view.ring
        self._rois = tuple(rois)
        self._next = self._ring.head

    def take(
        self,
        count: int,
        since_ns: int,
        timeout_s: float,
        check: Callable[[], None],
    ) -> tuple[np.ndarray, float]:
        """Return the ROIs ``(count, rois, y, x)`` of frames exposed after `since_ns`, and when.

        That is the mean of their stamps, s on the monotonic clock.

        Parameters
        ----------
        count : int
            How many frames.
        since_ns : int
            On the monotonic clock, as in the frames' stamps.
        timeout_s : float
            Longest time between two frames.
        check : callable
            Called again and again while waiting; may raise.

        Raises
        ------
        EngineError
            No frame came within `timeout_s`.
        StateError
            The camera's frames are others now.
        """
        size = self._rois[0].size
        taken = np.empty((count, len(self._rois), size, size), self._ring.spec.format.dtype)
        stamps_ns: list[int] = []
        deadline = time.monotonic() + timeout_s
        while len(stamps_ns) < count:
            check()
            if self._view.ring is not self._ring:
                raise StateError("the camera's frames have changed meanwhile", "start again")
            stamp_ns = self._take_next(since_ns, taken[len(stamps_ns)])
            if stamp_ns is not None:
                stamps_ns.append(stamp_ns)
                deadline = time.monotonic() + timeout_s
            elif time.monotonic() > deadline:
                raise EngineError(
                    f"no new frame for {timeout_s:g} s", "see that the camera is live"
                )
        return taken, float(np.mean(stamps_ns)) / 1e9

    def _take_next(self, since_ns: int, out: np.ndarray) -> int | None:
        """Copy the next frame's ROIs into `out` ``(rois, y, x)``; return its time if it counts."""
        ring = self._ring
        if self._next >= ring.head:
            time.sleep(_POLL_S)
            return None
        self._next = max(self._next, ring.head - ring.spec.slots + 1)
        seq, self._next = self._next, self._next + 1
        seen = ring.view(seq)
        if seen is None or seen[1].time_ns <= since_ns:
            return None
        for roi, place in zip(self._rois, out):
            place[...] = roi.crop(seen[0])
        return seen[1].time_ns if ring.holds(seq) else None
