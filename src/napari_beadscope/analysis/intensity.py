"""How bright the pixels of a frame are, and whether there are too bright ones.

Owns what counts as saturated. Must not know where frames come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Full scales of cameras that deliver fewer bits than their 16-bit numbers hold.
_FULL_SCALES = (1023, 4095, 16383, 65535)
_BINS = 256
#: A camera's top value that single pixels reach by chance is no full scale.
_LEAST_PILED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Intensities:
    """A histogram of pixel values.

    Attributes
    ----------
    edges : ndarray, shape (b + 1,)
        Borders of the bins, in counts.
    pixels : ndarray, shape (b,), int
        How many pixels are in each.
    full_scale : int
        The greatest value that the camera can deliver.
    saturated : int
        Pixels at full scale.
    brightest, median : float
        In counts.
    """

    edges: np.ndarray
    pixels: np.ndarray
    full_scale: int
    saturated: int
    brightest: float
    median: float

    @property
    def share(self) -> float:
        """Saturated pixels as a share of all, 0 to 1."""
        return self.saturated / max(1, int(self.pixels.sum()))


def intensities(image: np.ndarray) -> Intensities:
    """Count the pixels of `image` by value.

    Parameters
    ----------
    image : ndarray, any shape, uint8 or uint16
        A frame or crops of it.

    Returns
    -------
    Intensities
        In up to 256 bins. Full scale is 255 for uint8. 16-bit numbers often hold 10, 12 or 14
        bits: if pixels pile up at such a limit and none is above it, that is the full scale, else
        65535.

    Examples
    --------
    >>> found = intensities(np.array([[0, 10], [255, 255]], np.uint8))
    >>> found.saturated, found.share, found.full_scale
    (2, 0.5, 255)
    """
    flat = np.ascontiguousarray(image).ravel()
    counts = np.bincount(flat, minlength=256) if flat.size else np.zeros(256, int)
    brightest = int(np.flatnonzero(counts)[-1]) if flat.size else 0
    full_scale = 255
    if image.dtype.itemsize > 1:
        piled = brightest in _FULL_SCALES and counts[brightest] >= _LEAST_PILED
        full_scale = brightest if piled else _FULL_SCALES[-1]
    saturated = int(counts[full_scale]) if full_scale < len(counts) else 0
    median = float(np.searchsorted(np.cumsum(counts), flat.size / 2)) if flat.size else 0.0
    width = -(-(brightest + 1) // _BINS)
    bins = -(-(brightest + 1) // width) if width > 1 else 256
    padded = np.zeros(bins * width, np.int64)
    used = counts[: len(padded)]
    padded[: len(used)] = used
    edges = np.arange(bins + 1) * width - 0.5
    pixels = padded.reshape(bins, width).sum(axis=1)
    return Intensities(edges, pixels, full_scale, saturated, float(brightest), median)
