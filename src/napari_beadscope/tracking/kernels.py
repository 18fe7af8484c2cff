"""Compiled mathematics of one ROI after the other: screen, centre, profile, match.

The numbers are those of the published magtrack 1.0 chain (centre of mass about the median,
auto-convolution of the central row and column, five refinements by the auto-convolution of the
averaged central lines with a parabola through the peak, radial mean, Pearson match, parabola
through the best planes), computed anew here: one pass per ROI, direct convolution, no copy of
the stack. Quality is ours. Everything is compiled once, whatever the pixel type: the stack comes
as bytes and a code for the type. Must not know of backends, files or threads; releases the GIL.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# Pixel types by code, with the full-scale values that mean saturation.
UINT8, UINT16, FLOAT32, FLOAT64 = 0, 1, 2, 3
# What to do with each ROI.
SCREEN, ASSESS, TRACK = 0, 1, 2
# core.types.Reason as plain integers (numba resolves globals when it compiles).
OK, EMPTY, SATURATED, CLIPPED, NOT_FINITE, OUT_OF_RANGE, Z_OUT_OF_RANGE, POOR_MATCH = range(8)

ITERATIONS = 5
LINE_RATIO = 0.1
SATURATED_SHARE = 0.01  # of pixels at full scale: the row is doubtful
SATURATED_HOPELESS = 0.25  # of pixels at full scale: the row is NaN
NOISE_EXPLAINED = 0.10  # share of variance explained by rings, below: nothing there
DOUBT_EXPLAINED = 0.25  # below: rings are not round about this centre
POOR_CORRELATION = 0.7  # best match with the Z-LUT, below: another kind of bead
_HISTOGRAM = 512

_fast = {"contract", "reassoc", "nsz"}


def _compiled(function):  # type: ignore[no-untyped-def]
    return njit(nogil=True, cache=True, error_model="numpy", fastmath=_fast)(function)


@_compiled
def _load(raw, kind, pix):  # type: ignore[no-untyped-def]
    """Copy the ROI's bytes as float64 into `pix` (flat); return lowest, highest, sum·0 (finite?)."""
    if kind == UINT8:
        for k in range(pix.size):
            pix[k] = raw[k]
    elif kind == UINT16:
        words = raw.view(np.uint16)
        for k in range(pix.size):
            pix[k] = words[k]
    elif kind == FLOAT32:
        singles = raw.view(np.float32)
        for k in range(pix.size):
            pix[k] = singles[k]
    else:
        doubles = raw.view(np.float64)
        for k in range(pix.size):
            pix[k] = doubles[k]
    low = pix[0]
    high = pix[0]
    zero = 0.0
    for k in range(pix.size):
        value = pix[k]
        low = min(low, value)
        high = max(high, value)
        zero += value * 0.0
    return low, high, zero == 0.0


@_compiled
def _at_full_scale(pix, high, kind):  # type: ignore[no-untyped-def]
    """Share of pixels at the value where this type, or a 10, 12 or 14 bit camera, saturates."""
    full = False
    if kind == UINT8:
        full = high == 255.0
    elif kind == UINT16:
        full = high == 65535.0 or high == 16383.0 or high == 4095.0 or high == 1023.0
    else:
        full = True  # ties of the highest value have measure zero in float images
    if not full:
        return 0.0
    count = 0
    for k in range(pix.size):
        if pix[k] == high:
            count += 1
    return (count - 1) / pix.size


@_compiled
def _is_padded(pix, size, low, high):  # type: ignore[no-untyped-def]
    """Whether the two outermost lines of a side all hold 0 or the highest value (filled in)."""
    for side in range(4):
        first = pix[0] if side < 2 else pix[pix.size - 1]
        if first != 0.0 and first != high:
            continue
        same = True
        for line in range(2):
            at = line if side < 2 else size - 1 - line
            for k in range(size):
                value = pix[at * size + k] if side % 2 == 0 else pix[k * size + at]
                same = same and value == first
        if same:
            return True
    return False


@_compiled
def _median(pix, low, high, exact, histogram, bucket):  # type: ignore[no-untyped-def]
    """Median of `pix` by histogram; `exact` if each bin can hold one value only."""
    bins = _HISTOGRAM
    scale = 1.0 if exact and high - low < bins else (bins - 1) / (high - low)
    one_value = scale == 1.0 and exact
    histogram[:] = 0
    for k in range(pix.size):
        histogram[int((pix[k] - low) * scale)] += 1
    total = 0.0
    upper = pix.size // 2
    for half in range(2):
        rank = upper if half == 0 else (pix.size - 1) // 2
        below = 0
        at = 0
        while below + histogram[at] <= rank:
            below += histogram[at]
            at += 1
        if one_value:
            total += low + at
        else:
            n = 0
            for k in range(pix.size):
                if int((pix[k] - low) * scale) == at:
                    bucket[n] = pix[k]
                    n += 1
            total += np.partition(bucket[:n], rank - below)[rank - below]
    return total * 0.5


@_compiled
def _centre_of_mass(pix, size, median, columns):  # type: ignore[no-untyped-def]
    """Centre of ``|pix - median|``: x, y."""
    columns[:] = 0.0
    mass = 0.0
    y_moment = 0.0
    for i in range(size):
        row = 0.0
        base = i * size
        for j in range(size):
            weight = abs(pix[base + j] - median)
            columns[j] += weight
            row += weight
        mass += row
        y_moment += row * i
    x_moment = 0.0
    for j in range(size):
        x_moment += columns[j] * j
    return x_moment / mass, y_moment / mass


@_compiled
def _window(line, size, centre, bell):  # type: ignore[no-untyped-def]
    """Take off the mean and weight by a Gaussian of sigma ``size / 6`` about `centre`.

    ``exp(-(d - f)²/2s²) = bell[d] · q^d · const`` with ``q = exp(f/s²)``: two exponentials a line.
    """
    mean = 0.0
    for k in range(size):
        mean += line[k]
    mean /= size
    sigma = size / 6.0
    nearest = int(np.rint(centre))
    fraction = centre - nearest
    ratio = math.exp(fraction / (sigma * sigma))
    weight = math.exp(-fraction * fraction / (2 * sigma * sigma))
    for k in range(nearest, size):
        line[k] = (line[k] - mean) * (bell[k - nearest] * weight)
        weight *= ratio
    ratio = 1.0 / ratio
    weight = math.exp(-fraction * fraction / (2 * sigma * sigma)) * ratio
    for k in range(nearest - 1, -1, -1):
        line[k] = (line[k] - mean) * (bell[nearest - k] * weight)
        weight *= ratio


@_compiled
def _convolve(line, size, padded, out):  # type: ignore[no-untyped-def]
    """Convolve the line with itself, the central `size` values; return where they are highest."""
    for k in range(size):
        padded[size + k] = line[k]
        out[k] = 0.0
    shift = np.uint64(size + (size - 1) // 2)
    for m in range(size):
        start = shift - np.uint64(m)
        value = line[m]
        for n in range(np.uint64(size)):
            out[n] += value * padded[start + n]
    best = 0
    for n in range(size):
        if out[n] > out[best]:
            best = n
    return best


@_compiled
def _vertex(values, n_values, best, fit):  # type: ignore[no-untyped-def]
    """Vertex of the weighted parabola through the values about `best`; NaN at the ends."""
    n_local = fit.shape[1]
    half = n_local // 2
    at = min(max(best, half), n_values - half - 1)
    if at == half or at == n_values - half - 1:
        return np.nan
    square = 0.0
    linear = 0.0
    for k in range(n_local):
        square += fit[0, k] * values[at - half + k]
        linear += fit[1, k] * values[at - half + k]
    return at - linear / (2.0 * square)


@_compiled
def _lines(pix, size, x_at, y_at, half, row, column):  # type: ignore[no-untyped-def]
    """Sum of the rows about `y_at` and of the columns about `x_at`."""
    for k in range(size):
        total = 0.0
        for n in range(x_at - half, x_at + half + 1):
            total += pix[k * size + n]
        column[k] = total
        row[k] = 0.0
    for n in range(y_at - half, y_at + half + 1):
        for k in range(size):
            row[k] += pix[n * size + k]


@_compiled
def _centre(pix, size, x, y, bell, fit5, work):  # type: ignore[no-untyped-def]
    """Refine `x, y` by auto-convolution; NaN when the lines would leave the ROI."""
    row, column, padded, conv = work[0, :size], work[1, :size], work[2], work[3, :size]
    radius = (size - 1) // 2
    for step in range(ITERATIONS + 1):
        half = 0 if step == 0 else int(size * LINE_RATIO / 2.0)
        low, high = half - 0.49, size - 1 - half + 0.49
        if not (x > low and x < high and y > low and y < high):
            return np.nan, np.nan
        _lines(pix, size, int(np.rint(x)), int(np.rint(y)), half, row, column)
        _window(row, size, x, bell)
        _window(column, size, y, bell)
        at = _convolve(row, size, padded, conv)
        x = at if step == 0 else _vertex(conv, size, at, fit5)
        at = _convolve(column, size, padded, conv)
        y = at if step == 0 else _vertex(conv, size, at, fit5)
        x = radius - (radius - x) / 2.0
        y = radius - (radius - y) / 2.0
    if not (x > -0.49 and x < size - 0.51 and y > -0.49 and y < size - 0.51):
        return np.nan, np.nan
    return x, y


@_compiled
def _profile(pix, size, x, y, median, sums, at, profile):  # type: ignore[no-untyped-def]
    """Radial means into `profile`; return the share of variance that rings explain (ε²)."""
    bins = size // 2
    sums[:] = 0.0
    reach = (bins - 0.5) ** 2
    for i in range(size):
        dy2 = (i - y) ** 2
        if dy2 > reach:
            continue
        width = math.sqrt(reach - dy2) + 1.0
        first = max(0, int(x - width))
        last = min(size, int(x + width) + 2)
        for j in range(first, last):
            at[j] = int(np.rint(math.sqrt((j - x) ** 2 + dy2)))
        for j in range(first, last):
            b = min(at[j], bins)
            value = pix[i * size + j]
            lane = j & 3
            sums[lane, b, 0] += value
            sums[lane, b, 1] += (value - median) ** 2
            sums[lane, b, 2] += 1.0
    count, total, squares, between, filled = 0.0, 0.0, 0.0, 0.0, 0
    for b in range(bins):
        value = sums[0, b, 0] + sums[1, b, 0] + sums[2, b, 0] + sums[3, b, 0]
        square = sums[0, b, 1] + sums[1, b, 1] + sums[2, b, 1] + sums[3, b, 1]
        n = sums[0, b, 2] + sums[1, b, 2] + sums[2, b, 2] + sums[3, b, 2]
        profile[b] = value / n
        if n > 0:
            above = value - median * n
            count += n
            total += above
            squares += square
            between += above * above / n
            filled += 1
    whole = squares - total * total / count
    within = squares - between
    if not whole > 0.0 or count - filled < 1:
        return 0.0
    return max(0.0, 1.0 - (within / (count - filled)) / (whole / (count - 1.0)))


@_compiled
def _match(profile, bins, lut, correlation, fit7):  # type: ignore[no-untyped-def]
    """Correlate with every plane of the normalised `lut` (r - 1, p): best r, index of its peak."""
    n, mean = 0, 0.0
    for b in range(1, bins):
        if not math.isnan(profile[b]):
            mean += profile[b]
            n += 1
    mean /= n
    norm = 0.0
    correlation[:] = 0.0
    for b in range(1, bins):
        value = profile[b] - mean
        if math.isnan(value):
            continue
        norm += value * value
        for p in range(correlation.size):
            correlation[p] += value * lut[b - 1, p]
    best = 0
    for p in range(correlation.size):
        if correlation[p] > correlation[best]:
            best = p
    return correlation[best] / math.sqrt(norm), _vertex(correlation, correlation.size, best, fit7)


@_compiled
def run_rois(  # type: ignore[no-untyped-def]
    raw, kind, size, job, bell, fit5, fit7, lut, lut_z, x, y, z, profiles, quality, reason, scratch
):
    """Do `job` for each ROI of `raw` (n, bytes) and write into the arrays of a TrackResult."""
    pix, columns, histogram, bucket, work, sums, at, profile, correlation = scratch
    bins = size // 2
    for i in range(raw.shape[0]):
        if reason[i] != OK:
            continue
        low, high, finite = _load(raw[i], kind, pix)
        if not finite:
            reason[i] = NOT_FINITE
            continue
        share = _at_full_scale(pix, high, kind)
        if share > SATURATED_HOPELESS and (kind < FLOAT32 or low < high):
            reason[i] = SATURATED
        elif low == high:
            reason[i] = EMPTY
        elif _is_padded(pix, size, low, high):
            reason[i] = CLIPPED
        if reason[i] != OK or job == SCREEN:
            continue
        median = _median(pix, low, high, kind < FLOAT32, histogram, bucket)
        if job == TRACK:
            x[i], y[i] = _centre_of_mass(pix, size, median, columns)
            x[i], y[i] = _centre(pix, size, x[i], y[i], bell, fit5, work)
        if math.isnan(x[i]) or math.isnan(y[i]):
            reason[i] = OUT_OF_RANGE
            continue
        explained = _profile(pix, size, x[i], y[i], median, sums, at, profile)
        if explained < NOISE_EXPLAINED:
            reason[i] = EMPTY
            x[i] = y[i] = z[i] = np.nan
            profiles[i, :] = np.nan
            quality[i] = explained
            continue
        if job == TRACK:
            for b in range(bins):
                profiles[i, b] = profile[b]
        if explained < DOUBT_EXPLAINED:
            reason[i] = OUT_OF_RANGE
        elif share > SATURATED_SHARE:
            reason[i] = SATURATED
        quality[i] = explained * (1.0 - share)
        if correlation.size == 0:
            continue
        agreement, plane = _match(profile, bins, lut, correlation, fit7)
        quality[i] *= max(0.0, agreement)
        if not agreement >= POOR_CORRELATION:
            reason[i] = POOR_MATCH
            z[i] = np.nan
        elif math.isnan(plane) or plane < 0 or plane > correlation.size - 1:
            reason[i] = Z_OUT_OF_RANGE
            z[i] = np.nan
        elif job == TRACK:
            whole = min(int(plane), correlation.size - 2)
            part = plane - whole
            z[i] = lut_z[whole] + part * (lut_z[whole + 1] - lut_z[whole])
