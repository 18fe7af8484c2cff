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

_FAR = 0.5  # of the ROI: from there on it is another bead
_LEAST_SHARE = 0.5  # of the beads, that must have moved alike
_NEAR = 1 / 6  # of the ROI: a bead may have moved so far where the field's shift is not known
_FEW = 4  # fewer things cannot tell a shift of more than an ROI
_LOOK_FRAMES = 5
_ALIKE = 0.1  # of the ROI: moves that are so near to their median are alike


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the field has moved, px, and how far from there a bead may be.

    ``within`` is a share of the ROI: less if nothing could be seen, so that beads at rest are the
    same; below 0 if what is seen is another field.
    """

    y_px: float = 0.0
    x_px: float = 0.0
    within: float = 0.5

    @property
    def known(self) -> bool:
        """Whether the shift is known."""
        return self.within >= _FAR


@dataclass(frozen=True, slots=True)
class FirstSight:
    """Looks at single frames of a position through ROIs of `size_px`, or as a whole."""

    work: Work
    channel: int
    size_px: int
    tracker: Backend
    zlut: ZLut | None

    def shift(self, placed: Sequence[Placed], reach_px: float) -> Shift:
        """Return how far all beads have moved since they were found, at most `reach_px`.

        First the beads are looked for in their ROIs at rest, which takes no time. If less than
        half of them are there, or they have moved in different ways, all the frame is searched.
        If nothing is seen on the first frame, the next ones are looked at.
        """
        first, last = self.work.first, self.work.last
        for frame in range(first, min(first + _LOOK_FRAMES, last)):
            moves = self.centres(placed, frame) - self.at_start(placed)
            moves = moves[np.isfinite(moves).all(axis=1)]
            if len(moves):
                middle = np.median(moves, axis=0)
                alike = np.hypot(*(moves - middle).T) <= max(3.0, _ALIKE * self.size_px)
                if alike.sum() >= _LEAST_SHARE * len(placed):
                    y, x = moves[alike].mean(axis=0).tolist()
                    return Shift(y, x)
            found = self.found(frame)
            if len(found):
                return self._shift_of_all(placed[0].frame, found, reach_px)
        return Shift(within=_NEAR)

    def _shift_of_all(self, start: int, found: np.ndarray, reach_px: float) -> Shift:
        """Compare with all that was seen at the start; few beads cannot tell a long way."""
        from napari_beadscope.batch.beads.places import shift_of

        key = ("found", self.work.position.path, self.work.position.index, self.channel, start)
        if key not in self.work.cache:
            self.work.cache[key] = self.found(start)
        before: np.ndarray = self.work.cache[key]
        few = len(before) < _FEW
        shift = shift_of(before, found, min(reach_px, self.size_px) if few else reach_px)
        if shift is not None:
            return Shift(*shift)
        return Shift(within=_NEAR if few else -1.0)

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

    def at_start(self, placed: Sequence[Placed]) -> np.ndarray:
        """Return y, x of each bead ``(n, 2)`` in the frame in which it was found; NaN if it hid."""
        position, frame = self.work.position, placed[0].frame
        rois = tuple(one.bead.roi for one in placed)
        key = ("start", position.path, position.index, self.channel, frame, self.tracker.name, rois)
        if key not in self.work.cache:
            self.work.cache[key] = self.centres(placed, frame)
        places: np.ndarray = self.work.cache[key]
        return places

    def astray(self, rows: np.ndarray, placed: Sequence[Placed], shift: Shift) -> np.ndarray:
        """Return which rows ``(n,)`` are so far from where the bead must be that it is another.

        Parameters
        ----------
        rows : ndarray, structured `chunk.CHUNK`
            Of all beads in `placed`, and of others, which are never astray.
        placed : sequence of Placed
            Where the beads were at the start.
        shift : Shift
            How far the field has moved since.
        """
        rest = np.array([one.bead.roi.centre_px for one in placed])
        seen = self.at_start(placed)
        places = np.where(np.isfinite(seen), seen, rest) + np.array([shift.y_px, shift.x_px])
        ids = np.array([one.bead.bead for one in placed])
        order = np.argsort(ids)
        at = order[np.minimum(np.searchsorted(ids[order], rows["bead"]), len(ids) - 1)]
        off = np.column_stack([rows["y_px"], rows["x_px"]]) - places[at]
        far = np.hypot(off[:, 0], off[:, 1]) > shift.within * self.size_px
        return np.asarray(far & (ids[at] == rows["bead"]))
