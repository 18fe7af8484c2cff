"""What a search has found on one frame, which of it is taken, and why not.

Owns the candidates, the criteria and the choice. Pure values; must not know Qt, layers or where
the frame comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.core.types import Roi

if TYPE_CHECKING:
    from napari_beadscope.tracking import FoundBeads

#: Things that score less are not even shown.
LEAST_SCORE = 0.2
#: The score from which the search itself takes something for a bead.
SURE_SCORE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """All that might be a bead in one frame, best score first; arrays of shape (n,).

    Attributes
    ----------
    image : array, shape (y, x)
        The frame.
    frame : int
        Its number.
    size_px : int
        Side of the ROIs that are proposed.
    y_px, x_px, radius_px, score
        As in `FoundBeads`.
    alone, alone_among_sure : bool
        Whether its ROI holds no other candidate; none of those with a score of `SURE_SCORE`.
    inside : bool
        Whether its ROI lies inside the frame.
    """

    image: np.ndarray
    frame: int
    size_px: int
    y_px: np.ndarray
    x_px: np.ndarray
    radius_px: np.ndarray
    score: np.ndarray
    alone: np.ndarray
    alone_among_sure: np.ndarray
    inside: np.ndarray

    def __len__(self) -> int:
        return len(self.y_px)


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which candidates are taken."""

    min_score: float = SURE_SCORE
    at_most: int = 0  # 0: all
    alone_only: bool = False
    min_radius_px: float = 0.0
    max_radius_px: float = 0.0  # 0: any


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Which candidates are taken, bool (n,); for the others ``labels`` says why not."""

    taken: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return int(self.taken.sum())


def choose(found: Candidates, criteria: Criteria) -> Choice:
    """Return which candidates meet the criteria.

    Parameters
    ----------
    found : Candidates
        Best score first.
    criteria : Criteria
        Of those that meet the others, ``at_most`` takes the best ones.
    """
    score = found.score
    alone = np.where(
        (score >= SURE_SCORE) & (criteria.min_score >= SURE_SCORE),
        found.alone_among_sure,
        found.alone,
    )
    widest = criteria.max_radius_px or np.inf
    reasons = (
        (score < criteria.min_score, "score"),
        (found.radius_px < criteria.min_radius_px, "small"),
        (found.radius_px > widest, "large"),
        (~found.inside, "edge"),
        (criteria.alone_only & ~alone, "near"),
    )
    taken = np.ones(len(found), bool)
    why = np.full(len(found), "", dtype=object)
    for holds, word in reasons:
        why[taken & holds] = word
        taken &= ~holds
    if criteria.at_most:
        beyond = taken & (np.cumsum(taken) > criteria.at_most)
        why[beyond] = "extra"
        taken &= ~beyond
    numbers = np.array([f"{one:.2f}" for one in score], dtype=object)
    labels = np.where((why == "") | (why == "score"), numbers, why)
    return Choice(taken, labels)


def look(
    image: np.ndarray,
    frame: int,
    size_px: int,
    step: Callable[[float, float, str], None] = lambda *_: None,
) -> Candidates:
    """Find all that might be a bead on `image` ``(y, x)``; `size_px` 0 finds that out, too."""
    from napari_beadscope.tracking import find_beads, suggest_roi_size

    step(0, 2, f"looking at frame {frame}")
    sure = find_beads(image, size_px=size_px or None, min_score=SURE_SCORE)
    size = size_px or suggest_roi_size(sure)
    step(1, 2, f"{len(sure)} found; looking for faint ones")
    every = find_beads(image, size_px=size, min_score=LEAST_SCORE)
    if not size_px:  # who is alone depends on the size, which is known only now
        sure = find_beads(image, size_px=size, min_score=SURE_SCORE)
    step(2, 2, "done")
    return _candidates(image, frame, size, every, sure)


def _candidates(
    image: np.ndarray, frame: int, size: int, every: FoundBeads, sure: FoundBeads
) -> Candidates:
    among_sure = every.isolated.copy()
    among_sure[: len(sure)] = sure.isolated  # the same ones, best score first
    rois = [Roi.around(float(y), float(x), size) for y, x in zip(every.y_px, every.x_px)]
    shape = (image.shape[0], image.shape[1])
    return Candidates(
        image,
        frame,
        size,
        every.y_px,
        every.x_px,
        every.radius_px,
        every.score,
        every.isolated,
        among_sure,
        np.array([roi.inside(shape) for roi in rois], bool),
    )
