"""What is seen of the beads at the first frame of a chunk: how far the field has moved.

Owns the comparison with the frame in which the beads were found. Must not know settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.batch.service import Work

if TYPE_CHECKING:
    from napari_beadscope.batch.beads.places import Placed
    from napari_beadscope.tracking import Backend, ZLut

_LEAST_SHARE = 0.5  # of the beads, that must have moved alike
_ALIKE = 0.1  # of the ROI: moves that are so near to their median are alike


@dataclass(frozen=True, slots=True)
class FirstSight:
    """Looks at single frames of a position through ROIs of `size_px`, or as a whole."""

    work: Work
    channel: int
    size_px: int
    tracker: Backend
    zlut: ZLut | None

    def shift(self, placed: Sequence[Placed], reach_px: float) -> tuple[float, float] | None:
        """Return how far, y and x px, all beads have moved, or None if that cannot be told.

        First the beads are looked for in their ROIs at rest, which takes no time. If less than
        half of them are there, or they have moved in different ways, all the frame is searched.
        """
        from napari_beadscope.batch.beads.places import shift_of

        start = placed[0].frame
        moves = self.centres(placed, self.work.first) - self._at_start(placed, start)
        moves = moves[np.isfinite(moves).all(axis=1)]
        if len(moves):
            middle = np.median(moves, axis=0)
            alike = np.hypot(*(moves - middle).T) <= max(3.0, _ALIKE * self.size_px)
            if alike.sum() >= _LEAST_SHARE * len(placed):
                y, x = moves[alike].mean(axis=0).tolist()
                return y, x
        key = ("found", self.work.position.path, self.work.position.index, self.channel, start)
        if key not in self.work.cache:
            self.work.cache[key] = self.found(start)
        return shift_of(self.work.cache[key], self.found(self.work.first), reach_px)

    def centres(self, placed: Sequence[Placed], frame: int) -> np.ndarray:
        """Return y, x of each bead ``(n, 2)`` in its ROI on a frame; NaN where it is not."""
        from napari_beadscope.batch.beads.chunk import track_chunk
        from napari_beadscope.batch.beads.link import CENTRED

        image = self.work.frames(self.channel, frame, frame + 1)
        rows = track_chunk(image, frame, [one.bead for one in placed], self.tracker, self.zlut)
        places = np.column_stack([rows["y_px"], rows["x_px"]])
        places[~np.isin(rows["reason"], CENTRED)] = np.nan
        return places

    def found(self, frame: int, min_score: float = 0.6) -> np.ndarray:
        """Return y, x ``(n, 2)`` of what looks like beads on a frame, best first."""
        from napari_beadscope.tracking import find_beads

        image = self.work.frames(self.channel, frame, frame + 1)[0]
        found = find_beads(image, size_px=self.size_px, min_score=min_score)
        return np.column_stack([found.y_px, found.x_px])

    def _at_start(self, placed: Sequence[Placed], frame: int) -> np.ndarray:
        position = self.work.position
        rois = tuple(one.bead.roi for one in placed)
        key = ("start", position.path, position.index, self.channel, frame, self.tracker.name, rois)
        if key not in self.work.cache:
            self.work.cache[key] = self.centres(placed, frame)
        places: np.ndarray = self.work.cache[key]
        return places
