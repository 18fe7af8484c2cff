"""`fit_background`: what an image would show without cells, and what cells send out.

Owns the model of an uneven, bleaching background in fluorescence: masked tiles and a spline
(after Schwarzfischer et al., Efficient fluorescence image normalization for time lapse movies,
MIAAB 2011). A camera sees ``dark + light * (background + cells)``; away from cells that is
``dark + light * background``, so the same tiles tell what to subtract and how uneven the light is.
Must not know files or how cells were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError

MODES = ("divide", "subtract")
#: Smallest side of an image.
MIN_SIDE_PX = 64
_MOST_TILES = 24
_LEAST_PIXELS = 12
_MOST_COEFFICIENTS = 8
_SMOOTHNESS = 0.03  # of the spline's third differences, beside the tiles' squared errors


@dataclass(frozen=True, slots=True)
class Background:
    """The background of one frame as a cubic spline.

    Attributes
    ----------
    shape : tuple of int
        (y, x) of the image.
    coefficients : np.ndarray
        Shape (n, m), float64, counts: of uniform cubic B-splines over the image.
    covered : float
        Part of the tiles that showed no background; they are filled in by the spline.
    """

    shape: tuple[int, int]
    coefficients: np.ndarray
    covered: float = 0.0

    def image(self) -> np.ndarray:
        """Return the background, (y, x) float32, in counts with the camera's offset."""
        from napari_beadscope.batch.cells.tiles import surface

        rows = _splines(self.shape[0], self.coefficients.shape[0])
        columns = _splines(self.shape[1], self.coefficients.shape[1])
        out = np.empty(self.shape, np.float32)
        surface(rows, self.coefficients, _transposed(*columns.shape), out)
        return out

    def corrected(
        self,
        image: Any,
        *,
        mode: str = "divide",
        dark: float = 0.0,
        flat: Any = None,
        below: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return what cells send out, under even light, (y, x) float32 in counts.

        Parameters
        ----------
        image : array, shape (y, x)
            What the camera saw.
        mode : str
            'divide' makes up for uneven light, which the background shows; 'subtract' takes the
            background away only.
        dark : float
            The camera's offset in counts. 'divide' needs it to be right.
        flat : array, shape (y, x), optional
            How even the light is, from a picture of an even slide without the offset; the mean
            does not matter. Used for 'divide' instead of the background.
        below : np.ndarray, shape (y, x), optional
            What `image` of this background has returned, if that is at hand.
        """
        pixels = np.asarray(image)
        if pixels.shape != self.shape:
            raise InputError(
                f"an image of shape {pixels.shape} has no background of shape {self.shape}",
                "give the image the background was taken from",
            )
        if mode not in MODES:
            raise InputError(f"no mode is called {mode!r}", f"use {' or '.join(MODES)}")
        if below is None:
            below = self.image()
        out = pixels.astype(np.float32)
        out -= below
        if mode == "divide":
            light = below - np.float32(dark) if flat is None else _checked_flat(flat, self.shape)
            mean = float(light.mean(dtype=np.float64))
            least = float(light.min())
            if least <= 0.02 * mean:
                raise InputError(
                    f"the background falls to {least:.1f} counts above the offset of {dark:g} "
                    f"(mean {mean:.1f}), so that it does not show the light",
                    "give the camera's right offset as dark, a flat field, or mode subtract",
                )
            out /= light
            out *= np.float32(mean)
        return out


def fit_background(image: Any, cells: Any = None, *, margin_px: int = 5) -> Background:
    """Fit the background of an image beside its cells.

    Parameters
    ----------
    image : array, shape (y, x)
        At least 64 px a side.
    cells : array, shape (y, x), optional
        Labels or a mask: not 0 where a cell is.
    margin_px : int
        Pixels this near to a cell do not count either, 0 to 31: light spreads.

    Returns
    -------
    Background

    Raises
    ------
    InputError
        Too small, NaN, or cells nearly everywhere.

    Examples
    --------
    >>> y, x = np.mgrid[:100, :70]
    >>> image = 200 + 0.3 * y - 0.2 * x
    >>> cells = np.zeros((100, 70), int)
    >>> cells[40:60, 20:40] = 1
    >>> image[40:60, 20:40] += 500
    >>> out = fit_background(image, cells).corrected(image, mode="subtract")
    >>> bool(abs(out[cells == 0]).max() < 0.1), bool(abs(out[cells == 1] - 500).max() < 0.1)
    (True, True)
    """
    from napari_beadscope.batch.cells.tiles import tile_medians

    pixels, covered = _checked(image, cells, margin_px)
    height, width = pixels.shape
    side = max(min(pixels.shape) // 8, 16)
    step = max(side // 32, 1)
    counts = [min(max(2 * size // side - 1, 3), _MOST_TILES) for size in pixels.shape]
    tiles = np.zeros((counts[0], counts[1], 4))
    tile_medians(pixels, covered, _side(pixels.shape, counts), step, _LEAST_PIXELS, tiles)
    used = tiles[..., 1] > 0
    if np.count_nonzero(used) < 4:
        raise InputError(
            f"{np.count_nonzero(used)} of {used.size} tiles of the image show any background",
            "give a tighter mask of the cells or a smaller margin_px",
        )
    median, number, y, x = tiles[used].T
    shape = (int(height), int(width))
    count = [min(_MOST_COEFFICIENTS, n + 3) for n in counts]
    rows = _splines_at(y / (height - 1), count[0])
    columns = _splines_at(x / (width - 1), count[1])
    design = (rows[:, :, None] * columns[:, None, :]).reshape(len(median), -1)
    weight = number / number.max()
    normal = design.T @ (design * weight[:, None])
    normal += _SMOOTHNESS * len(median) / design.shape[1] * _penalty(*count)
    level = float(np.median(median))
    solved = np.linalg.solve(normal, design.T @ (weight * (median - level))) + level
    return Background(shape, solved.reshape(count), 1 - float(used.mean()))


def _side(shape: tuple[int, ...], counts: list[int]) -> int:
    """Return the side of tiles that overlap by half and reach over the image."""
    return max(-(-2 * size // (n + 1)) for size, n in zip(shape, counts))


def _checked(image: Any, cells: Any, margin_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the image, and where it does not count, both C-contiguous."""
    from napari_beadscope.batch.cells import bitmap

    pixels = np.ascontiguousarray(image)
    if pixels.ndim != 2 or min(pixels.shape) < MIN_SIDE_PX:
        raise InputError(
            f"an image of shape {pixels.shape} cannot be corrected",
            f"give one of shape (y, x) with at least {MIN_SIDE_PX} px a side",
        )
    if pixels.dtype not in (np.uint8, np.uint16):
        pixels = pixels.astype(np.float32)
        if not np.isfinite(pixels).all():
            raise InputError("the image holds NaN or infinity", "give finite numbers")
    if not 0 <= margin_px <= bitmap.MAX_RADIUS_PX:
        raise InputError(f"a margin of {margin_px} px", f"use 0 to {bitmap.MAX_RADIUS_PX} px")
    covered = np.zeros(pixels.shape, np.uint8)
    if cells is not None:
        mask = np.ascontiguousarray(cells)
        if mask.shape != pixels.shape:
            raise InputError(
                f"a mask of shape {mask.shape} does not suit an image of {pixels.shape}",
                "give one of the same shape",
            )
        words = np.empty((mask.shape[0], (mask.shape[1] + 63) // 64), np.uint64)
        bitmap.pack_above(mask, 0, words)
        grown = np.empty_like(words)
        bitmap.dilate(words, mask.shape[1], int(margin_px), grown)
        bitmap.unpack(grown, covered)
    return pixels, covered


def _checked_flat(flat: Any, shape: tuple[int, int]) -> np.ndarray:
    light = np.asarray(flat, dtype=np.float32)
    if light.shape != shape or not np.isfinite(light).all():
        raise InputError(
            f"a flat field of shape {light.shape} cannot be used for images of {shape}",
            "give finite values of the same shape",
        )
    return light


def _splines_at(place: np.ndarray, count: int) -> np.ndarray:
    """Return `count` uniform cubic B-splines at places from 0 to 1, (n, count)."""
    at = np.asarray(place, dtype=np.float64)[:, None] * (count - 3) - (np.arange(count) - 1)[None]
    far = np.abs(at)
    near = 2 / 3 - far**2 + far**3 / 2
    return np.where(far < 1, near, np.where(far < 2, (2 - far).clip(0) ** 3 / 6, 0.0))


@cache
def _splines(size: int, count: int) -> np.ndarray:
    return _splines_at(np.arange(size) / (size - 1), count)


@cache
def _transposed(size: int, count: int) -> np.ndarray:
    return np.ascontiguousarray(_splines(size, count).T.astype(np.float32))


@cache
def _penalty(rows: int, columns: int) -> np.ndarray:
    """Return the squared third differences of coefficients along both axes as a matrix."""

    def along(count: int) -> np.ndarray:
        third = np.diff(np.eye(count), 3, axis=0)
        return third.T @ third

    return np.kron(along(rows), np.eye(columns)) + np.kron(np.eye(rows), along(columns))
