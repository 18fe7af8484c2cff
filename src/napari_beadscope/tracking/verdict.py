"""How far a row can be trusted: the same rules for every backend.

**Quality** is the share of the ROI's variance that rings about the found centre explain (ε², the
adjusted correlation ratio of the radial bins: 1 for perfect rings, 0 for noise, low when the
centre is wrong or neighbours intrude), times the share of pixels below full scale, times the
Pearson correlation with the best plane when a Z-LUT is given.

**Reasons** (`core.types.Reason`). NaN everywhere: NOT_FINITE (a NaN or infinite pixel), SATURATED
(over 40 % of the pixels at full scale), EMPTY (constant, or rings explain under about 11 % of the
variance: noise), CLIPPED (outermost lines filled with 0 or full scale), OUT_OF_RANGE (no centre
inside the ROI). Position kept, in doubt: SATURATED (over 2 % at full scale), OUT_OF_RANGE (rings
explain under 35 %: as a rule the centre is wrong). Only z NaN: POOR_MATCH (correlation under
0.7), Z_OUT_OF_RANGE (best match in the outer planes).

The limits were set on simulated beads of 16 to 128 px: true centres explain over 80 % at usual
noise and about 50 % when noise equals contrast, wrong ones (bead outside the capture range) at
most 30 %, pure noise at most 5 % at 32 px and 17 % at 16 px.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from napari_beadscope.core.types import Reason
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.zlut import ZLut


@dataclass(frozen=True, slots=True, eq=False)
class Screened:
    """What the pixels alone say: `reason` (n,) and which rows need not be tracked."""

    reason: np.ndarray
    hopeless: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class LutTables:
    """A Z-LUT as the kernels read it: planes normalised for correlation, shape ``(r - 1, p)``."""

    planes: np.ndarray
    z_nm: np.ndarray


def screen(stack: np.ndarray) -> Screened:
    """Find the rows whose pixels cannot be tracked, shape (n, y, x)."""
    from napari_beadscope.tracking import kernels

    result = TrackResult.empty(len(stack), stack.shape[1])
    run(stack, None, result, kernels.SCREEN)
    return Screened(result.reason, result.reason != Reason.OK)


def judge(stack: np.ndarray, screened: Screened, zlut: ZLut | None, result: TrackResult) -> None:
    """Fill in quality and reason of rows whose x, y, z and profiles another tracker found."""
    from napari_beadscope.tracking import kernels

    del screened
    run(stack, zlut, result, kernels.ASSESS)


def run(
    stack: np.ndarray,
    zlut: ZLut | None,
    result: TrackResult,
    job: int,
    rows: slice = slice(None),
) -> None:
    """Run the kernels for `job` over ``stack[rows]`` and write into `result`."""
    from napari_beadscope.tracking import kernels

    part = np.ascontiguousarray(stack[rows])
    if not len(part):
        return
    size = part.shape[1]
    raw = part.reshape(len(part), -1).view(np.uint8)
    raw.flags.writeable = False
    lut = lut_tables(zlut)
    kernels.run_rois(
        raw,
        _kind(part.dtype),
        size,
        job,
        _tables(size),
        lut.planes,
        lut.z_nm,
        result.x_px[rows],
        result.y_px[rows],
        result.z_nm[rows],
        result.profiles[rows],
        result.quality[rows],
        result.reason[rows],
        _scratch(size, lut.planes.shape[1]),
    )


def lut_tables(zlut: ZLut | None) -> LutTables:
    """Return the normalised planes of `zlut`; none at all without one."""
    if zlut is None:
        return LutTables(np.zeros((0, 0)), np.zeros(0))
    return _normalised(zlut)


@lru_cache(maxsize=8)
def _normalised(zlut: ZLut) -> LutTables:
    planes = zlut.profiles[:, 1:].T.copy()
    planes -= planes.mean(axis=0)
    norm = np.sqrt((planes**2).sum(axis=0))
    planes /= np.where(norm > 0, norm, np.inf)
    return LutTables(np.ascontiguousarray(planes), zlut.z_nm.copy())


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


def _kind(dtype: np.dtype[Any]) -> int:
    from napari_beadscope.tracking import kernels

    return {
        "uint8": kernels.UINT8,
        "uint16": kernels.UINT16,
        "float32": kernels.FLOAT32,
        "float64": kernels.FLOAT64,
    }[dtype.name]


def _scratch(size: int, planes: int) -> tuple[np.ndarray, ...]:
    """Working memory for one thread; allocated per call, so that calls share nothing."""
    return (
        np.empty(size * size),
        np.empty(size),
        np.empty(size * size, dtype=np.int32),
        np.empty(4 * 512, dtype=np.int32),
        np.empty(size * size + 1),
        np.zeros((4, 3 * size)),
        np.empty(4 * (size // 2 + 1)),
        np.empty(4 * (size // 2 + 1), dtype=np.int32),
        np.empty(size, dtype=np.int32),
        np.empty(size // 2),
        np.empty(planes),
    )
