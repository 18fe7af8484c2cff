"""Compiled: how much every pixel's neighbourhood varies, on a logarithmic scale of whole numbers.

The variance's logarithm is read off the bits of a floating-point number, with a table for its
mantissa: one octave is `STEPS` codes, and no logarithm is computed. Must not know thresholds.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.tracking.compiling import compiled

#: Codes per factor 2 of the variance.
STEPS = 64
#: Codes are below this.
CODES = 256 * STEPS
_BITS = 12


def code_table() -> np.ndarray:
    """Return the part of a code that the mantissa's first 12 bits decide, (4096,) int16."""
    mantissa = 1 + (np.arange(1 << _BITS) + 0.5) / (1 << _BITS)
    return np.floor(np.log2(mantissa) * STEPS).astype(np.int16)


@compiled
def variance_codes(image, half, table, sums, squares, out):  # type: ignore[no-untyped-def]
    """Write the code of the variance in a window of ``2 * half + 1`` px squared around each pixel.

    `sums` and `squares` are scratch, ``2 * half`` longer than a row: int64, with which sums of
    whole numbers are exact, or float64. Edges are repeated. Code 0 says that nothing varies.
    Returns the histogram of codes, (CODES,) int64.
    """
    height, width = image.shape
    side = 2 * half + 1
    pixels = side * side
    spread = np.empty(width, np.float32)
    bits = spread.view(np.int32)
    total = np.empty_like(sums)
    total_squares = np.empty_like(squares)
    histogram = np.zeros(CODES, np.int64)
    sums[:] = 0
    squares[:] = 0
    for k in range(-half, half + 1):
        _add_row(image[min(max(k, 0), height - 1)], half, 1, sums, squares)
    for i in range(height):
        if i:
            _add_row(image[max(i - half - 1, 0)], half, -1, sums, squares)
            _add_row(image[min(i + half, height - 1)], half, 1, sums, squares)
        for k in range(half):
            sums[k], squares[k] = sums[half], squares[half]
            sums[half + width + k] = sums[half + width - 1]
            squares[half + width + k] = squares[half + width - 1]
        for j in range(width):
            total[j] = sums[j]
            total_squares[j] = squares[j]
        for k in range(1, side):
            for j in range(width):
                total[j] += sums[j + k]
                total_squares[j] += squares[j + k]
        for j in range(width):
            spread[j] = pixels * total_squares[j] - total[j] * total[j]
        line = out[i]
        for j in range(width):
            exponent = (bits[j] >> 23) - 63  # the variance times pixels²: 2**-63 at least counts
            code = exponent * STEPS + table[(bits[j] >> 11) & 4095]
            line[j] = max(code, 0) if spread[j] > 0 else 0
        for j in range(width):
            histogram[line[j]] += 1
    return histogram


@compiled
def _add_row(row, half, sign, sums, squares):  # type: ignore[no-untyped-def]
    for j in range(row.shape[0]):
        value = sign * (sums[0] * 0 + row[j])
        sums[half + j] += value
        squares[half + j] += value * row[j]
