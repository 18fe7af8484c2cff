"""`track_stack`: crops in, positions out, for scripts and notebooks. Knows no backend by name."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import MAX_RADIAL_BINS
from napari_beadscope.tracking.backend import open_backend
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.zlut import ZLut

#: Smallest and largest ROI that can be tracked, in px.
MIN_SIZE_PX = 16
MAX_SIZE_PX = 2 * MAX_RADIAL_BINS


def track_stack(
    stack: Any,
    zlut: ZLut | str | os.PathLike[str] | None = None,
    *,
    method: str = "precise",
    backend: str = "auto",
) -> TrackResult:
    """Find x, y and, with a Z-LUT, z of the bead in each crop.

    Parameters
    ----------
    stack : array, shape (n, y, x)
        Square crops of 16 to 256 px, one bead each; uint8, uint16 or float are used as they are,
        other numbers are converted to float64.
    zlut : ZLut or path, optional
        Radial profiles at known heights, made with crops of the same size.
    method : str
        "precise", or "magtrack-compatible" for the numbers that the magtrack package gives.
    backend : str
        A name from `list_backends`, or "auto".

    Returns
    -------
    TrackResult
        With ``n`` entries each. A crop that shows no bead gets NaN and a reason; it never raises
        and never harms its neighbours.

    Raises
    ------
    InputError
        If the stack has another shape, the Z-LUT does not suit the crop size, there is no such
        method or backend, or the backend does not know the method.
    TrackingError
        If the backend is not available.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.indices((32, 32))
    >>> rings = 100 + 50 * np.cos(np.hypot(x - 15.0, y - 17.0))
    >>> result = track_stack(rings[np.newaxis].astype(np.uint8), backend="cpu")
    >>> round(float(result.x_px[0])), round(float(result.y_px[0]))
    (15, 17)
    """
    checked = check_stack(stack)
    if zlut is not None and not isinstance(zlut, ZLut):
        zlut = ZLut.load(zlut)
    if zlut is not None:
        zlut.check_matches(checked.shape[1])
    return open_backend(backend, method=method).track(checked, zlut)


def check_stack(stack: Any) -> np.ndarray:
    """Return `stack` as ``(n, y, x)`` of a dtype that backends take, or say what is wrong with it.

    uint8, uint16, float32 and float64 pass untouched (no copy).

    Raises
    ------
    InputError
        If it is not three-dimensional, not square, too small or large, or not numbers.
    """
    array = np.asarray(stack)
    if array.ndim != 3:
        raise InputError(
            f"a stack of crops has the shape (n, y, x), this one has {array.ndim} dimensions",
            "add an axis for a single crop: crop[np.newaxis]" if array.ndim == 2 else "",
        )
    if array.shape[1] != array.shape[2]:
        raise InputError(
            f"crops must be square, these are {array.shape[1]} by {array.shape[2]} px",
            "cut them to the shorter side",
        )
    if not MIN_SIZE_PX <= array.shape[1] <= MAX_SIZE_PX:
        raise InputError(
            f"crops of {array.shape[1]} px cannot be tracked",
            f"use {MIN_SIZE_PX} to {MAX_SIZE_PX} px",
        )
    if array.dtype.kind not in "buif":
        raise InputError(
            f"a stack of {array.dtype} is not a stack of pixels", "use uint8 or uint16"
        )
    if array.dtype.newbyteorder("=") in (np.uint8, np.uint16, np.float32, np.float64):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.astype(np.float64)
