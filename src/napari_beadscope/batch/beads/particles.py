"""Particles that move freely: found anew in every frame of a chunk, linked over all chunks.

Owns the way from frames to rows, and from rows of all chunks to tracks. Must not know files.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_beadscope.batch.beads.chunk import CHUNK
from napari_beadscope.tracking import Backend, ZLut, find_beads, link_positions
from napari_beadscope.tracking.free_beads import measure_found


def find_particles(
    frames: np.ndarray,
    first: int,
    size_px: int,
    backend: Backend,
    *,
    zlut: ZLut | None = None,
    min_score: float = 0.75,
    checkpoint: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Find and measure all particles in all frames.

    Parameters
    ----------
    frames : ndarray (n, y, x)
        Frames ``first`` to ``first + n - 1`` of the position.
    first : int
        Number of the first of them.
    size_px : int
        ROI size.
    backend : Backend
        Opened; tracks the ROIs.
    zlut : ZLut, optional
        For heights.
    min_score : float
        Least score of finding, 0 to 1.
    checkpoint : callable
        Called before each frame; what it raises goes through.

    Returns
    -------
    ndarray, structured `chunk.CHUNK`
        ``bead`` counts the particles of a frame, best score first; see `tracking.LinkedBeads` for
        positions and reasons.
    """
    parts = [np.zeros(0, CHUNK)]
    for number, image in enumerate(frames, start=first):
        checkpoint()
        found = find_beads(image, size_px=size_px, min_score=min_score)
        if not len(found):
            continue
        _, y, x, z, quality, reason, _ = measure_found(number, image, found, size_px, zlut, backend)
        rows = np.zeros(len(found), CHUNK)
        rows["frame"], rows["bead"] = number, np.arange(len(found))
        rows["y_px"], rows["x_px"], rows["z_nm"] = y, x, z
        rows["quality"], rows["reason"] = quality, reason
        for name in ("sigma_x_px", "sigma_y_px", "sigma_z_nm"):
            rows[name] = np.nan
        parts.append(rows)
    return np.concatenate(parts)


def link_particles(
    rows: np.ndarray, *, max_step_px: float, max_gap_frames: int = 2, min_frames: int = 1
) -> np.ndarray:
    """Return the rows with ``bead`` the number of the track, sorted by frame and track.

    Parameters
    ----------
    rows : ndarray, structured `chunk.CHUNK`
        Of `find_particles`, of all chunks.
    max_step_px, max_gap_frames
        See `tracking.link_positions`.
    min_frames : int
        Shorter tracks are left out; the others are numbered from 0 in the order they begin.
    """
    track = link_positions(
        rows["frame"],
        rows["y_px"],
        rows["x_px"],
        max_step_px=max_step_px,
        max_gap_frames=max_gap_frames,
    )
    ids, at, count = np.unique(track, return_inverse=True, return_counts=True)
    long = (ids >= 0) & (count >= min_frames)
    number = np.where(long, np.cumsum(long) - 1, -1)[at]
    kept = rows[number >= 0].copy()
    kept["bead"] = number[number >= 0]
    return kept[np.lexsort((kept["bead"], kept["frame"]))]
