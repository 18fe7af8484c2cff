"""How far a row can be trusted: the same rules for every backend.

**Quality** is the share of the ROI's variance that rings about the found centre explain (ε², the
adjusted correlation ratio of the radial bins: 1 for perfect rings, 0 for noise, low when the
centre is wrong or neighbours intrude), less the unevenness of the rings (see `evenness`), times the
share of pixels below full scale, times the Pearson correlation with the best plane when a Z-LUT is
given.

**Reasons** (`core.types.Reason`). NaN everywhere: NOT_FINITE (a NaN or infinite pixel), SATURATED
(over 40 % of the pixels at full scale), EMPTY (constant, or rings explain under about 11 % of the
variance: noise), CLIPPED (outermost lines of one or two sides all 0 or all full scale),
OUT_OF_RANGE (no centre inside the ROI). Position kept, in doubt: SATURATED (over 2 % at full
scale), OUT_OF_RANGE (rings explain under 35 %, or are not even all the way round: as a rule the
centre is wrong, or lies between two beads). Only z NaN: POOR_MATCH (correlation under 0.9),
Z_OUT_OF_RANGE (best match in the outer planes).

The limits were set on simulated beads of 16 to 128 px: true centres explain over 80 % at usual
noise and about 50 % when noise equals contrast, wrong ones (bead outside the capture range) at
most 30 %, pure noise at most 5 % at 32 px and 17 % at 16 px.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.stack import check_stack
from napari_beadscope.tracking.zlut import ZLut


@dataclass(frozen=True, slots=True, eq=False)
class Screened:
    """A stack as bytes, and what its pixels alone say; arrays have one entry per ROI.

    Attributes
    ----------
    raw : ndarray, shape (n, bytes), uint8
        The pixels, in their own type.
    kind : int
        Code of that type for the kernels.
    reason : ndarray, uint32
    share : ndarray, float64
        Of the pixels, at full scale.
    median : ndarray, float64
    """

    raw: np.ndarray
    kind: int
    size_px: int
    reason: np.ndarray
    share: np.ndarray
    median: np.ndarray


def screen(stack: np.ndarray) -> Screened:
    """Look at the pixels of ``(n, y, x)``; rows with a reason need not be tracked.

    Raises `InputError` for a stack that `check_stack` refuses.
    """
    from napari_beadscope.tracking import cpu_loops

    pixels = np.ascontiguousarray(check_stack(stack))
    n, size = len(pixels), pixels.shape[1]
    raw = pixels.reshape(n, size * size).view(np.uint8)
    raw.flags.writeable = False
    screened = Screened(
        raw, pixel_kind(pixels.dtype), size, np.zeros(n, np.uint32), np.zeros(n), np.zeros(n)
    )
    scratch = (
        np.empty(size * size),
        np.empty(size * size, dtype=np.int32),
        np.empty(4 * cpu_loops.BINS, dtype=np.int32),
        np.empty(size * size + 1),
    )
    _compiled_screening()(
        raw, screened.kind, size, screened.reason, screened.share, screened.median, scratch
    )
    return screened


def judge(screened: Screened, zlut: ZLut | None, result: TrackResult) -> None:
    """Fill in quality and reason of rows whose x, y, z and profiles another tracker found."""
    _run(screened, zlut, result, locate=False)


def locate(screened: Screened, zlut: ZLut | None, result: TrackResult) -> None:
    """Track with our kernels: fill in everything."""
    _run(screened, zlut, result, locate=True)


def _run(screened: Screened, zlut: ZLut | None, result: TrackResult, *, locate: bool) -> None:
    from napari_beadscope.tracking import kernels

    size = screened.size_px
    tables = compatible_tables(size, zlut)
    floats, integers = kernels.scratch(size)
    scratch = (
        np.empty(size * size),
        np.empty(8),
        np.empty(size // 2),
        np.empty(floats),
        np.empty(integers, dtype=np.int32),
        np.empty(len(tables[-1])),
    )
    rows = (
        result.x_px,
        result.y_px,
        result.z_nm,
        result.profiles,
        result.quality,
        result.reason,
    )
    _compiled_kernels()(
        screened.raw,
        screened.kind,
        size,
        locate,
        screened.share,
        screened.median,
        tables,
        rows,
        scratch,
    )


@cache
def _compiled_screening() -> Any:
    from napari_beadscope.tracking.screening import screen_rois
    from napari_beadscope.tracking.specialise import for_cpu

    return for_cpu(screen_rois)


@cache
def _compiled_kernels() -> Any:
    from napari_beadscope.tracking.kernels import run_rois
    from napari_beadscope.tracking.specialise import for_cpu

    return for_cpu(run_rois)


def compatible_tables(size: int, zlut: ZLut | None) -> tuple[np.ndarray, ...]:
    """Return what `kernels.track_roi` looks up, for ROIs of `size` px: its `tables`."""
    if zlut is None:
        return (*_tables(size), np.zeros((0, 0)), np.zeros(0))
    return (*_tables(size), *_normalised(zlut, size // 2))


@lru_cache(maxsize=8)
def _normalised(zlut: ZLut, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Planes without mean and of norm 1, shape ``(r - 1, p)`` (no first bin), and the heights."""
    planes = zlut.at_one_px(bins)[:, 1:].T.copy()
    planes -= planes.mean(axis=0)
    norm = np.sqrt((planes**2).sum(axis=0))
    planes /= np.where(norm > 0, norm, np.inf)
    return np.ascontiguousarray(planes), zlut.z_nm.copy()


@lru_cache(maxsize=16)
def _tables(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The Gaussian at integer distances, and the parabola fits through 5 and 7 points."""
    sigma = size / 6.0
    bell = np.exp(-(np.arange(size) ** 2) / (2 * sigma**2))
    return bell, _parabola_fit(5), _parabola_fit(7)


@cache
def _parabola_fit(points: int) -> np.ndarray:
    """Rows that give the square and linear coefficient of the weighted parabola, (2, points)."""
    half = points // 2
    weight = half + 1.0 - np.abs(np.arange(points) - half)
    at = np.arange(points) - half
    design = np.stack([at**2, at, np.ones(points)], axis=1) * weight[:, np.newaxis]
    return np.ascontiguousarray((np.linalg.pinv(design) * weight)[:2])


def pixel_kind(dtype: np.dtype[Any]) -> int:
    """Return the code of a pixel type for the kernels."""
    from napari_beadscope.tracking import cpu_loops

    return {
        "uint8": cpu_loops.UINT8,
        "uint16": cpu_loops.UINT16,
        "float32": cpu_loops.FLOAT32,
        "float64": cpu_loops.FLOAT64,
    }[dtype.name]
