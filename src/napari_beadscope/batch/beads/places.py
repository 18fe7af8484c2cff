"""Where the beads of a position are: found or given once, followed when the field drifts.

Owns the bead table of a position, ``position,bead,y_px,x_px,...``, which reads as a bead list,
and the estimate of how far the field has moved. Must not know how beads are tracked.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_beadscope.batch.beads.chunk import kept_inside
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.tracking import FoundBeads, beads_from_found, find_beads, suggest_roi_size

COLUMNS = (
    "position", "bead", "y_px", "x_px", "roi_size_px", "radius_px", "score", "isolated",
    "reference", "seen_in",
)  # fmt: skip
_BIN_PX = 4  # of displacements that vote for a shift
_SAME_PX = 3.0  # displacements so near to each other are the same
_LEAST_SHARE = 0.5  # of the beads that must have moved together


@dataclass(frozen=True, slots=True)
class Placed:
    """A bead with its ROI, and what is known of it.

    ``radius_px`` and ``score`` are NaN for a bead that was given, not found. A reference bead is
    stuck and shows the drift. ``frame`` is the one in which it is at that place.
    """

    bead: Bead
    radius_px: float = float("nan")
    score: float = float("nan")
    isolated: bool = True
    reference: bool = False
    frame: int = 0


def find_places(
    images: Iterable[np.ndarray],
    *,
    size_px: int | None = None,
    max_beads: int | None = None,
    min_score: float = 0.6,
    isolated_only: bool = False,
    first: int = 0,
) -> tuple[Placed, ...]:
    """Find beads on the first of some images that shows any, those that stand alone first.

    Parameters
    ----------
    images : iterable of ndarray (y, x)
        Frames; no more are taken than are needed.
    size_px : int, optional
        ROI size, px; suggested from what is found if not given.
    max_beads : int, optional
        Most beads.
    min_score : float
        Least score, 0 to 1.
    isolated_only : bool
        Leave out beads with a neighbour in their ROI.
    first : int
        Number of the first image.

    Examples
    --------
    >>> y, x = np.indices((100, 120))
    >>> r = np.hypot(y - 39.7, x - 69.7)
    >>> field = 100 + 50 * np.cos(r) * np.exp(-((r / 12) ** 2))
    >>> [one.bead for one in find_places([field], size_px=40)]
    [Bead(bead=0, roi=Roi(y0=20, x0=50, size=40))]
    """
    for frame, image in enumerate(images, start=first):
        found = find_beads(image, size_px=size_px, min_score=min_score)
        if len(found):
            height, width = image.shape
            size = size_px or min(suggest_roi_size(found), height, width)
            placed = _placed(found, (height, width), size)
            if isolated_only:
                placed = [one for one in placed if one.isolated]
            return tuple(
                replace(one, bead=Bead(number, one.bead.roi), frame=frame)
                for number, one in enumerate(placed[:max_beads])
            )
    return ()


def _placed(found: FoundBeads, shape: tuple[int, int], size: int) -> list[Placed]:
    """Join the beads of what was found with their radius, score and company."""
    at = {
        Roi.around(float(y), float(x), size): row
        for row, (y, x) in reversed(list(enumerate(zip(found.y_px, found.x_px))))
    }
    rows = ((bead, at[bead.roi]) for bead in beads_from_found(found, shape, size))
    return [
        Placed(bead, float(found.radius_px[k]), float(found.score[k]), bool(found.isolated[k]))
        for bead, k in rows
    ]


def shift_of(places: np.ndarray, seen: np.ndarray, reach_px: float) -> tuple[float, float] | None:
    """Return how far all places have moved together, or None if that cannot be told.

    Every pair of a place and a thing seen votes for its displacement; the one with most votes
    wins, of several the smallest. At least half of the places, or of what is seen if that is less,
    must have moved so; and of four places or more three.

    Parameters
    ----------
    places, seen : ndarray, shapes (n, 2) and (m, 2)
        y, x of the beads, and of what is seen on a later frame, px.
    reach_px : float
        Longest displacement.

    Returns
    -------
    (float, float) or None
        y, x, px.

    Examples
    --------
    >>> beads = np.array([[10.0, 10.0], [50.0, 20.0], [30.0, 80.0]])
    >>> seen = np.array([[75.0, 31.0], [35.0, 21.0], [5.0, 5.0]])
    >>> shift_of(beads, seen, 100.0)
    (25.0, 11.0)
    """
    if not len(places) or not len(seen):
        return None
    moves = (seen[np.newaxis] - places[:, np.newaxis]).reshape(-1, 2)
    moves = moves[np.hypot(moves[:, 0], moves[:, 1]) <= reach_px]
    if not len(moves):
        return None
    best, most, least = moves[0], 0, np.inf
    _, first = np.unique(np.floor(moves / _BIN_PX), axis=0, return_index=True)
    for start in moves[first]:
        centre = start
        for reach in (2 * _SAME_PX, _SAME_PX):
            same = moves[np.hypot(*(moves - centre).T) <= reach]
            centre = same.mean(axis=0) if len(same) else centre
        far = float(np.hypot(*centre))
        if len(same) > most or (len(same) == most and far < least):
            best, most, least = centre, len(same), far
    if most < max(_LEAST_SHARE * min(len(places), len(seen)), _least_votes(len(places))):
        return None
    return float(best[0]), float(best[1])


def _least_votes(places: int) -> float:
    return 3 if places > 3 else _LEAST_SHARE * places


def moved(
    placed: Sequence[Placed], shift_px: tuple[float, float], shape: tuple[int, int]
) -> tuple[Placed, ...]:
    """Return the beads with ROIs moved by y, x px, but never out of a frame of `shape`.

    Examples
    --------
    >>> moved([Placed(Bead(3, Roi(5, 60, 32)))], (-9.0, 2.2), (100, 120))[0].bead.roi
    Roi(y0=0, x0=62, size=32)
    """
    down, right = round(shift_px[0]), round(shift_px[1])
    rois = (Roi(o.bead.roi.y0 + down, o.bead.roi.x0 + right, o.bead.roi.size) for o in placed)
    return tuple(
        replace(one, bead=Bead(one.bead.bead, kept_inside(roi, shape)))
        for one, roi in zip(placed, rois)
    )


def check_fits(placed: Iterable[Placed], shape: tuple[int, int], where: str) -> None:
    """Raise `InputError` if an ROI leaves a frame of `shape` ``(y, x)`` px."""
    from napari_beadscope.storage.beads_csv import check_inside

    check_inside((one.bead for one in placed), shape, where)


def write_places(path: Path, position: str, placed: Iterable[Placed]) -> None:
    """Write the bead table of a position, in the order given."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for one in placed:
            y, x = one.bead.roi.centre_px
            file.write(
                f"{position},{one.bead.bead},{y:.1f},{x:.1f},{one.bead.roi.size},{one.radius_px:.1f},"
                f"{one.score:.4f},{int(one.isolated)},{str(one.reference).lower()},{one.frame}\n"
            )


def read_places(path: Path) -> tuple[Placed, ...]:
    """Read a bead table as `write_places` wrote it."""
    with open(path, encoding="utf-8", newline="") as file:
        return tuple(_parsed(row) for row in csv.DictReader(file))


def _parsed(row: dict[str, str]) -> Placed:
    roi = Roi.around(float(row["y_px"]), float(row["x_px"]), int(row["roi_size_px"]))
    return Placed(
        Bead(int(row["bead"]), roi),
        float(row["radius_px"]),
        float(row["score"]),
        row["isolated"] == "1",
        row["reference"] == "true",
        int(row["seen_in"]),
    )


def places_from_list(path: Path, size_px: int | None) -> tuple[Placed, ...]:
    """Read a list or table of beads that the user gives.

    Parameters
    ----------
    path : Path
        CSV with ``bead,y_px,x_px``, and if there are any ``roi_size_px`` and ``reference``.
    size_px : int or None
        ROI size, px, of beads for which the table says none.

    Raises
    ------
    InputError
        The table cannot be understood, or neither says how large ROIs are.
    """
    from napari_beadscope.core.types import Annotation
    from napari_beadscope.storage.bead_table import read_bead_table

    table = read_bead_table(path)
    placed = []
    for point, given in zip(table.points, table.sizes_px, strict=True):
        size = size_px or given
        if not size:
            raise InputError(
                f"{path} does not say how large the ROIs are", "give roi_size_px in the step"
            )
        bead = Bead(point.bead, Roi.around(point.y_px, point.x_px, size))
        said = table.annotations.get(point.bead, Annotation())
        placed.append(Placed(bead, reference=said.reference))
    sizes = {one.bead.roi.size for one in placed}
    if len(sizes) > 1:
        raise InputError(
            f"{path} has ROIs of {', '.join(str(size) for size in sorted(sizes))} px",
            "give one size for all of them as roi_size_px in the step",
        )
    return tuple(placed)
