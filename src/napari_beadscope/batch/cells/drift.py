"""`shift_between`, `drift_of_frames`: how far the stage has moved, by phase correlation.

The cross-power spectrum is normalised and weighted with a Gaussian, so that its peak is a Gaussian,
too, and three values along each axis tell where its top is (Kuglin and Hines, Proceedings of the
IEEE Conference on Cybernetics and Society, 163 (1975)). Must not know what is in the images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError

_SOFT = 0.25  # cycles per px from which on the spectrum counts less


def shift_between(reference: Any, image: Any) -> tuple[float, float]:
    """Return how far what `reference` shows has moved in `image`, y and x in px.

    Parameters
    ----------
    reference, image : array, shape (y, x)
        Of one shape; finite.

    Returns
    -------
    tuple of float
        At most half the image. (0, 0) for images without structure.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scene = rng.normal(size=(100, 120))
    >>> shift_between(scene[10:80, 20:90], scene[7:77, 25:95])
    (3.0, -5.0)
    """
    one, two = _spectrum(reference), _spectrum(image)
    if one.shape != two.shape or np.shape(reference) != np.shape(image):
        raise InputError(
            f"images of {np.shape(reference)} and {np.shape(image)} cannot be compared",
            "give two of the same shape",
        )
    shape = np.shape(image)
    return _shift(one, two, (int(shape[0]), int(shape[1])))


def drift_of_frames(frames: Iterable[Any]) -> np.ndarray:
    """Return the way of what the frames show since the first one, (n, 2) y and x in px.

    Steps from frame to frame are added up: what changes in the course of a movie does not matter.
    """
    way = [(0.0, 0.0)]
    before: np.ndarray | None = None
    for frame in frames:
        now = _spectrum(frame)
        if before is not None:
            shape = np.shape(frame)
            if now.shape != before.shape:
                raise InputError("the frames differ in shape", "give frames of one shape")
            step = _shift(before, now, (int(shape[0]), int(shape[1])))
            way.append((way[-1][0] + step[0], way[-1][1] + step[1]))
        before = now
    return np.array(way)


def _spectrum(image: Any) -> np.ndarray:
    """Return the image's spectrum without its mean and without steps at its edges."""
    from scipy import fft

    pixels = np.asarray(image, dtype=np.float32)
    if pixels.ndim != 2 or min(pixels.shape) < 8:
        raise InputError(
            f"no shift can be found for an image of shape {pixels.shape}",
            "give at least 8 px a side",
        )
    rows, columns = (_window(size) for size in pixels.shape)
    return fft.rfft2((pixels - pixels.mean()) * rows[:, None] * columns[None])


def _shift(one: np.ndarray, two: np.ndarray, shape: tuple[int, int]) -> tuple[float, float]:
    from scipy import fft

    cross = two * one.conj()
    size = np.abs(cross)
    top = float(size.max())
    if not top > 0:
        return 0.0, 0.0
    cross *= _weights(*shape) / np.maximum(size, 1e-6 * top)
    correlation = fft.irfft2(cross, s=shape)
    peak = np.unravel_index(int(np.argmax(correlation)), shape)
    places = []
    for axis, length in enumerate(shape):
        at = [int(value) for value in peak]
        sides = []
        for step in (-1, 1):
            at[axis] = (int(peak[axis]) + step) % length
            sides.append(float(correlation[tuple(at)]))
        whole = int(peak[axis]) - (length if peak[axis] > length // 2 else 0)
        places.append(whole + _offset(sides[0], float(correlation[peak]), sides[1]))
    return places[0], places[1]


def _offset(before: float, middle: float, after: float) -> float:
    """Return where the top of a Gaussian through three values lies, beside the middle one."""
    if min(before, after) <= 0 or middle <= max(before, after):
        return 0.0
    low, mid, high = math.log(before), math.log(middle), math.log(after)
    return round(0.5 * (low - high) / (low - 2 * mid + high), 2) + 0.0


@cache
def _window(size: int) -> np.ndarray:
    return np.hanning(size + 2)[1:-1].astype(np.float32)


@cache
def _weights(height: int, width: int) -> np.ndarray:
    from scipy import fft

    square = fft.fftfreq(height)[:, None] ** 2 + fft.rfftfreq(width)[None] ** 2
    return np.exp(-square / (2 * _SOFT**2)).astype(np.float32)
