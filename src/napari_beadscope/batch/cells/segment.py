"""`segment_cells`: from an image to a number for every cell's pixels.

Owns the order of steps and their parameters. Cells in phase contrast vary more from pixel to pixel
than the background does: the threshold lies on the logarithm of the local standard deviation
(after PyAMA, which follows Jaccard et al., Biotechnology and Bioengineering 111, 504 (2014), doi
10.1002/bit.25115). Otsu's threshold on the brightness (IEEE Transactions on Systems, Man, and
Cybernetics 9, 62 (1979)) is there for stained cells. Must not know files or time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError

METHODS = ("log-std", "otsu")
#: Smallest side of an image.
MIN_SIDE_PX = 64
_SMOOTH = 8.0  # of a histogram of codes, in codes
_BINS = 1024
_MOST_RADIUS = 31


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """How cells are told from the background, lengths in px.

    Parameters
    ----------
    method : str
        'log-std' for phase contrast, 'otsu' for cells brighter than what is around them.
    window_px : int
        Side of the window in which the standard deviation is taken, odd, 3 to 15.
    threshold : float
        'log-std': how many standard deviations of the background's logarithms above their most
        frequent value.
    otsu_factor : float
        'otsu': where the threshold lies between the darkest pixel (0) and Otsu's threshold (1).
    close_px : int
        Radius of the disc that closes gaps in what varies, 0 to 31.
    open_px : int
        Radius of the disc that removes specks and threads, 0 to 31.
    largest_hole_px2 : int
        Holes up to this area are filled.
    smallest_px2 : int
        Cells under this area are left out.
    neck : float
        Cells that touch are taken apart where the neck between them is narrower than this part of
        the smaller one's width; 0 takes nothing apart.
    drop_edge : bool
        Leave out cells that reach the edge of the image.
    """

    method: str = "log-std"
    window_px: int = 3
    threshold: float = 2.5
    otsu_factor: float = 1.0
    close_px: int = 0
    open_px: int = 3
    largest_hole_px2: int = 40
    smallest_px2: int = 150
    neck: float = 0.92
    drop_edge: bool = False

    def __post_init__(self) -> None:
        limits: tuple[tuple[bool, str, str], ...] = (
            (self.method in METHODS, f"no method is called {self.method!r}", " or ".join(METHODS)),
            (
                self.window_px % 2 == 1 and 3 <= self.window_px <= 15,
                f"a window of {self.window_px} px",
                "3, 5, … 15",
            ),
            (
                self.threshold > 0 and self.otsu_factor > 0,
                f"thresholds of {self.threshold} and {self.otsu_factor}",
                "numbers above 0",
            ),
            (
                min(self.close_px, self.open_px) >= 0
                and max(self.close_px, self.open_px) <= _MOST_RADIUS,
                f"radii of {self.close_px} and {self.open_px} px",
                f"0 to {_MOST_RADIUS} px",
            ),
            (0 <= self.neck < 1, f"a neck of {self.neck}", "0 to 1, without 1"),
            (
                min(self.largest_hole_px2, self.smallest_px2) >= 0,
                f"areas of {self.largest_hole_px2} and {self.smallest_px2} px²",
                "0 or more",
            ),
        )
        for holds, what, remedy in limits:
            if not holds:
                raise InputError(f"cells cannot be segmented with {what}", f"use {remedy}")


def segment_cells(image: Any, options: SegmentOptions | None = None) -> np.ndarray:
    """Number the pixels of every cell.

    Parameters
    ----------
    image : array, shape (y, x)
        At least 64 px a side; whole numbers or floating point, all finite.
    options : SegmentOptions, optional

    Returns
    -------
    np.ndarray
        Shape (y, x), int32: 0 where there is no cell, else 1, 2, … in reading order of the cells'
        first pixels.

    Raises
    ------
    InputError
        The image has another shape, is too small or holds NaN.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> image = rng.normal(1000, 2, (80, 90))
    >>> image[20:50, 30:60] += rng.normal(0, 50, (30, 30))
    >>> labels = segment_cells(image)
    >>> int(labels.max()), bool(abs((labels > 0).sum() - 900) < 120)
    (1, True)
    """
    options = options or SegmentOptions()
    pixels = _checked(image)
    if options.method == "otsu":
        words, grown = _above_otsu(pixels, options.otsu_factor), 0
    else:
        words, grown = _above_background(pixels, options)
    return _cells_of(words, pixels.shape, options, grown)


def _checked(image: Any) -> np.ndarray:
    """Return the image as uint8, uint16 or float64, C-contiguous."""
    pixels = np.asarray(image)
    if pixels.ndim != 2 or min(pixels.shape) < MIN_SIDE_PX:
        raise InputError(
            f"an image of shape {pixels.shape} cannot be segmented",
            f"give one of shape (y, x) with at least {MIN_SIDE_PX} px a side",
        )
    if pixels.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(pixels)
    if pixels.dtype.kind not in "buif":
        raise InputError(f"an image of {pixels.dtype} cannot be segmented", "give numbers")
    exact = np.ascontiguousarray(pixels, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise InputError("the image holds NaN or infinity", "give finite numbers")
    return exact - exact.mean()  # so that the variance is not lost beside the square of the mean


def _above_background(pixels: np.ndarray, options: SegmentOptions) -> tuple[np.ndarray, int]:
    """Return what varies more than the background, and by how many px that is too wide."""
    from napari_beadscope.batch.cells import bitmap, contrast

    height, width = pixels.shape
    half = options.window_px // 2
    kind = np.float64 if pixels.dtype == np.float64 else np.int64
    scratch = np.zeros((2, width + 2 * half), kind)
    codes = np.empty((height, width), np.uint16)
    histogram = contrast.variance_codes(pixels, half, _table(), scratch[0], scratch[1], codes)
    words = np.empty((height, (width + 63) // 64), np.uint64)
    bitmap.pack_above(codes, _log_threshold(histogram, options.threshold), words)
    return words, half


@cache
def _table() -> np.ndarray:
    from napari_beadscope.batch.cells.contrast import code_table

    return code_table()


def _log_threshold(histogram: np.ndarray, sigmas: float) -> int:
    """Return the code above which something is no background.

    The background is the most frequent logarithm; its spread is taken from the side below, where
    no cells are.
    """
    counts = histogram[1:].astype(np.float64)
    if histogram[0] >= counts.sum():
        return 0  # without noise, whatever varies is a cell
    used = np.flatnonzero(counts)
    low, high = max(used[0] - 32, 0), used[-1] + 33
    part = np.zeros(high - low)
    part[: len(counts[low:high])] = counts[low:high]
    reach = np.arange(-24, 25)
    weights = np.exp(-0.5 * (reach / _SMOOTH) ** 2)
    mode = int(np.argmax(np.convolve(part, weights / weights.sum(), mode="same")))
    below = np.arange(mode)
    number = part[:mode].sum()
    spread = math.sqrt((part[:mode] * (below - mode) ** 2).sum() / number) if number else 0.0
    return int(1 + low + mode + sigmas * spread)


def _above_otsu(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Return what is brighter than Otsu's threshold of the image, smoothed 3 × 3."""
    from napari_beadscope.batch.cells import bitmap

    padded = np.pad(pixels.astype(np.float32), 1, mode="edge")
    smooth = padded[:-2] + padded[1:-1] + padded[2:]
    smooth = (smooth[:, :-2] + smooth[:, 1:-1] + smooth[:, 2:]) / 9
    counts, edges = np.histogram(smooth, _BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sum_below = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sum_below / below - (sum_below[-1] - sum_below) / above
        between = np.nan_to_num(below * above * apart**2, nan=0.0)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    cut = float(edges[1:][best].mean())
    if edges[0] == edges[-1] or between.max() <= 0:
        cut = np.inf
    base = float(smooth.min())
    words = np.empty((pixels.shape[0], (pixels.shape[1] + 63) // 64), np.uint64)
    bitmap.pack_above(smooth, np.float32(base + factor * (cut - base)), words)
    return words


def _cells_of(
    words: np.ndarray, shape: tuple[int, ...], options: SegmentOptions, grown: int
) -> np.ndarray:
    """Close, fill, take back what the window added, open, take apart, number."""
    from napari_beadscope.batch.cells import bitmap, split

    height, width = shape
    spare = np.empty_like(words)
    if options.close_px:
        bitmap.dilate(words, width, options.close_px, spare)
        bitmap.erode(spare, width, options.close_px, words)
    _fill_holes(words, height, width, options.largest_hole_px2)
    if grown:
        bitmap.erode(words, width, grown, spare)
        words, spare = spare, words
    if options.open_px:
        bitmap.erode(words, width, options.open_px, spare)
        bitmap.dilate(spare, width, options.open_px, words)
    runs = bitmap.runs_of(words, width)
    numbers, groups = bitmap.group_runs(runs, 0)
    boxes = bitmap.measure_groups(runs, numbers, groups, height, width)
    labels = np.zeros((height, width), np.int32)
    bitmap.paint_groups(runs, numbers, np.arange(1, groups + 1, dtype=np.int32), labels)
    count = groups + 1
    if options.neck and groups:
        least = 0.6 * math.sqrt(options.smallest_px2 / math.pi)
        chosen = boxes[:, 0] >= 2 * options.smallest_px2
        count = split.split_cells(labels, boxes, chosen, options.neck, least, count)
    out = np.empty((height, width), np.int32)
    split.tidy_labels(labels, count, options.smallest_px2, options.drop_edge, out)
    return out


def _fill_holes(words: np.ndarray, height: int, width: int, largest: int) -> None:
    """Fill holes of up to `largest` pixels that do not reach the edge of the image."""
    from napari_beadscope.batch.cells import bitmap

    if not largest:
        return
    rest = np.empty_like(words)
    bitmap.invert(words, width, rest)
    runs = bitmap.runs_of(rest, width)
    numbers, groups = bitmap.group_runs(runs, 0)
    found = bitmap.measure_groups(runs, numbers, groups, height, width)
    bitmap.fill_groups(runs, numbers, (found[:, 0] <= largest) & (found[:, 5] == 0), words)
