"""`find_and_link`: beads that move freely, found anew in every frame and followed.

Owns the way from frames to tracks: find, measure each bead in a ROI of its own, link. Must not
know where frames come from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Reason, Roi
from napari_beadscope.tracking.backend import Backend, open_backend
from napari_beadscope.tracking.find import FoundBeads, find_beads, suggest_roi_size
from napari_beadscope.tracking.link import link_positions
from napari_beadscope.tracking.zlut import ZLut

#: Reasons that leave a tracked centre good.
_CENTRED = (Reason.OK, Reason.Z_OUT_OF_RANGE)
_SAME_PX = 3.0  # farther from where it was found, the tracker went to another bead


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinkedBeads:
    """Positions of freely moving beads, frame after frame; arrays of shape (n,).

    Attributes
    ----------
    frame : ndarray, int64
        Index of the frame among those given.
    track : ndarray, int64
        Which bead; see `link_positions`.
    y_px, x_px : ndarray, float64
        Centre in full-frame pixels: as tracked where `reason` is OK or Z_OUT_OF_RANGE, else as
        found, which is good to about half a pixel.
    z_nm : ndarray, float64
        Height on the Z-LUT's axis; NaN without one, and where it cannot be trusted.
    quality : ndarray, float32
        Of tracking, 0 to 1.
    reason : ndarray, uint32
        `core.types.Reason` of tracking; CLIPPED where the ROI would leave the frame, OUT_OF_RANGE
        also where the tracker went to a neighbour.
    score : ndarray, float32
        Of finding, 0 to 1.
    """

    frame: np.ndarray
    track: np.ndarray
    y_px: np.ndarray
    x_px: np.ndarray
    z_nm: np.ndarray
    quality: np.ndarray
    reason: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        trusted = int((self.reason == Reason.OK).sum())
        beads, frames = len(np.unique(self.track)), len(np.unique(self.frame))
        return f"LinkedBeads: {len(self)} rows, {trusted} trusted, {beads} beads, {frames} frames"


def find_and_link(
    frames: Iterable[np.ndarray],
    *,
    max_step_px: float,
    max_gap_frames: int = 2,
    size_px: int | None = None,
    min_score: float = 0.75,
    zlut: ZLut | None = None,
    backend: Backend | str = "auto",
) -> LinkedBeads:
    """Follow beads that move freely through a movie.

    Every frame is searched with `find_beads`, each bead found is tracked in a ROI around it, and
    the positions are linked with `link_positions`. Frames are taken one at a time, so any length
    of movie fits into memory.

    Parameters
    ----------
    frames : iterable of array (y, x)
        A stack ``(t, y, x)``, or anything that yields frames of one shape.
    max_step_px, max_gap_frames
        See `link_positions`. A bead that passes another is often lost for as long as their rings
        overlap: allow for that many frames.
    size_px : int, optional
        ROI size; suggested from the first frame in which there is a bead if not given.
    min_score : float
        Least score of finding, 0 to 1.
    zlut : ZLut, optional
        For heights.
    backend : Backend or str
        Tracks the ROIs: a name from `list_backends`, or an opened backend.

    Returns
    -------
    LinkedBeads
        Sorted by frame, then score.

    Raises
    ------
    InputError
        If frames are not images of one shape, or a limit makes no sense.
    TrackingError
        If laptrack (extra ``linking``) or the backend is not available.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.indices((90, 120))
    >>> def bead(y0, x0):
    ...     r = np.hypot(y - y0, x - x0)
    ...     return 60 * np.cos(r) * np.exp(-((r / 9) ** 2))
    >>> movie = [100 + bead(40, 35 + 2 * t) + bead(50, 85 - t) for t in range(4)]
    >>> beads = find_and_link(movie, max_step_px=4, size_px=40)
    >>> sorted(zip(beads.track.tolist(), np.round(beads.x_px).astype(int).tolist()))
    [(0, 35), (0, 37), (0, 39), (0, 41), (1, 82), (1, 83), (1, 84), (1, 85)]
    """
    # limits and packages are checked before an hour of movie is searched
    link_positions([], [], [], max_step_px=max_step_px, max_gap_frames=max_gap_frames)
    opened = open_backend(backend) if isinstance(backend, str) else backend
    parts: list[np.ndarray] = []
    shape: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        image = np.asarray(frame)
        shape = shape or image.shape
        if image.shape != shape:
            raise InputError(
                f"frame {number} has the shape {image.shape}, those before it {shape}",
                "give frames of one movie",
            )
        found = find_beads(image, size_px=size_px, min_score=min_score)
        if len(found):
            size_px = size_px or min(suggest_roi_size(found), *image.shape)
            parts.append(measure_found(number, image, found, size_px, zlut, opened))
    table = np.concatenate(parts, axis=1) if parts else np.empty((7, 0))
    index, y, x, z, quality, reason, score = table
    index = index.astype(np.int64)
    track = link_positions(index, y, x, max_step_px=max_step_px, max_gap_frames=max_gap_frames)
    return LinkedBeads(
        frame=index,
        track=track,
        y_px=y,
        x_px=x,
        z_nm=z,
        quality=quality.astype(np.float32),
        reason=reason.astype(np.uint32),
        score=score.astype(np.float32),
    )


def measure_found(
    number: int,
    image: np.ndarray,
    found: FoundBeads,
    size_px: int,
    zlut: ZLut | None,
    backend: Backend,
) -> np.ndarray:
    """Track each bead found on a frame in a ROI of its own.

    Parameters
    ----------
    number : int
        Of the frame.
    image : ndarray (y, x)
        The frame.
    found : FoundBeads
        What `find_beads` found on it.
    size_px : int
        ROI size.
    zlut : ZLut or None
        For heights.
    backend : Backend
        Opened.

    Returns
    -------
    ndarray, shape (7, n), float64
        Frame, y, x, z, quality, reason and score, as in `LinkedBeads`.
    """
    count = len(found)
    y, x = found.y_px.copy(), found.x_px.copy()
    z, quality = np.full(count, np.nan), np.zeros(count)
    reason = np.full(count, float(Reason.CLIPPED))
    rois = [Roi.around(*place, size_px) for place in zip(y.tolist(), x.tolist())]
    whole = [bead for bead, roi in enumerate(rois) if roi.inside(image.shape)]
    if whole:
        tracked = backend.track(np.stack([rois[bead].crop(image) for bead in whole]), zlut)
        there_y = tracked.y_px + [rois[bead].y0 for bead in whole]
        there_x = tracked.x_px + [rois[bead].x0 for bead in whole]
        why = tracked.reason.astype(float)
        why[np.hypot(there_y - y[whole], there_x - x[whole]) > _SAME_PX] = Reason.OUT_OF_RANGE
        good = np.isin(why, _CENTRED)
        sure = np.array(whole)[good]
        y[sure], x[sure] = there_y[good], there_x[good]
        z[sure] = tracked.z_nm[good]
        quality[whole], reason[whole] = tracked.quality, why
    return np.stack([np.full(count, float(number)), y, x, z, quality, reason, found.score])
