"""`shift_between`, `drift_of_frames`: how far the stage has moved, by phase correlation.

The peak of the normalised cross-power spectrum is refined by a Fourier transform of a few pixels
around it (Guizar-Sicairos et al., Optics Letters 33, 156 (2008), doi 10.1364/OL.33.000156). Must
not know what is in the images.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError

_FINE = 20  # steps per px
_AROUND = 1.5  # px on each side of the peak that are looked at again
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
        In steps of 0.05 px, at most half the image. (0, 0) for images without structure.

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
    coarse = [
        int(place) - length if place > length // 2 else int(place)
        for place, length in zip(peak, shape)
    ]
    near = np.arange(-_AROUND * _FINE, _AROUND * _FINE + 1) / _FINE
    y, x = coarse[0] + near, coarse[1] + near
    ky, kx = fft.fftfreq(shape[0]), fft.rfftfreq(shape[1])
    twice = np.where((np.arange(len(kx)) == 0) | (2 * np.arange(len(kx)) == shape[1]), 1, 2)
    rows = np.exp(2j * np.pi * np.outer(y, ky))
    columns = np.exp(2j * np.pi * np.outer(kx, x)) * twice[:, None]
    fine = (rows @ cross @ columns).real
    best = np.unravel_index(int(np.argmax(fine)), fine.shape)
    return round(float(y[best[0]]), 2) + 0.0, round(float(x[best[1]]), 2) + 0.0


@cache
def _window(size: int) -> np.ndarray:
    return np.hanning(size + 2)[1:-1].astype(np.float32)


@cache
def _weights(height: int, width: int) -> np.ndarray:
    from scipy import fft

    square = fft.fftfreq(height)[:, None] ** 2 + fft.rfftfreq(width)[None] ** 2
    return np.exp(-square / (2 * _SOFT**2)).astype(np.float32)
