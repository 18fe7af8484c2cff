"""Compiled mathematics of one ROI after the other: centre, profile, match, quality.

The numbers are those of the published magtrack 1.0 chain (centre of mass about the median,
auto-convolution of the central row and column, five refinements by the auto-convolution of the
averaged central lines with a parabola through the peak, radial mean, Pearson match, parabola
through the best planes), computed anew here: direct convolution, no copy of the stack. Quality is
ours. Must not know of backends, files or threads.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.compiling import compiled
from napari_beadscope.tracking.screening import FLOAT32, load

# core.types.Reason as plain integers (numba resolves globals when it compiles).
OK, EMPTY, SATURATED, CLIPPED, NOT_FINITE, OUT_OF_RANGE, Z_OUT_OF_RANGE, POOR_MATCH = range(8)

ITERATIONS = 5
LINE_RATIO = 0.1
SATURATED_SHARE = 0.02  # of pixels at full scale: the row is doubtful
SATURATED_FLOAT = 0.10  # the same where full scale is a guess: ties of the highest value
NOISE_EXPLAINED, NOISE_PER_PX = 0.08, 2.0  # rings explain less than a + b / size: nothing there
DOUBT_EXPLAINED = 0.35  # rings explain less: they are not round about this centre
POOR_CORRELATION = 0.85  # best match with the Z-LUT, below: another kind of bead


@compiled
def _centre_of_mass(pix, size, median, columns):  # type: ignore[no-untyped-def]
    """Centre of ``|pix - median|``: x, y."""
    for j in range(size):
        columns[j] = 0.0
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


@compiled
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


@compiled
def _convolve(line, size, padded, out):  # type: ignore[no-untyped-def]
    """Convolve the line with itself, the central `size` values; return where they are highest.

    Eight shifts at a time, so that each output is loaded and stored once for eight products.
    `padded` has `size` zeros before and after the line.
    """
    for k in range(size):
        padded[size + k] = line[k]
        out[k] = 0.0
    shift = np.uint64(size + (size - 1) // 2)
    for m in range(0, size, 8):
        a = padded[size + m : size + m + 8]
        a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
        start = shift - np.uint64(m)
        p = padded[start - np.uint64(7) : start + np.uint64(size)]
        for n in range(size):
            out[n] += (
                (a0 * p[n + 7] + a1 * p[n + 6] + (a2 * p[n + 5] + a3 * p[n + 4]))
                + (a4 * p[n + 3] + a5 * p[n + 2])
                + (a6 * p[n + 1] + a7 * p[n])
            )
    best = 0
    for n in range(size):
        if out[n] > out[best]:
            best = n
    return best


@compiled
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


@compiled
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


@compiled
def _centre(pix, size, x, y, bell, fit5, work):  # type: ignore[no-untyped-def]
    """Refine `x, y` by auto-convolution; NaN when the lines would leave the ROI."""
    row, column, padded, conv = work[0, :size], work[1, :size], work[2], work[3, :size]
    radius = (size - 1) // 2
    for step in range(ITERATIONS + 1):
        half = 0 if step == 0 else int(size * LINE_RATIO // 2)
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


@compiled
def _bins_of_row(dy2, dx, bins, n, at):  # type: ignore[no-untyped-def]
    """Place in the sums of pixels at ``dx, dx + 1, …`` into `at`: 8 × radial bin + 2 × lane.

    Single precision, and once more in double where a radius is next to the edge of a bin.
    """
    dy2_single, dx_single = np.float32(dy2), np.float32(dx)
    most = np.int32(bins)
    close = 0
    for j in range(n):
        across = np.float32(j) + dx_single
        r = math.sqrt(across * across + dy2_single)
        b = np.int32(r + np.float32(0.5))
        if abs(r - np.float32(b)) > np.float32(0.4998):
            close += 1
        at[j] = min(b, most) * 8 + (np.int32(j) & np.int32(3)) * 2
    if close:
        for j in range(n):
            exact = int(np.rint(math.sqrt((j + dx) ** 2 + dy2)))
            at[j] = min(exact, bins) * 8 + (j & 3) * 2


@compiled
def _sum_rings(pix, size, x, y, median, sums, at):  # type: ignore[no-untyped-def]
    """Sum and count of pixels by radial bin and lane; return the sum of squares about `median`.

    Pixels side by side go to different lanes (no waiting for the last sum), and sum and count lie
    side by side (one vector addition).
    """
    bins = size // 2
    for b in range(sums.size):
        sums[b] = 0.0
    squares = 0.0
    most = np.int32(8 * bins)
    reach = (bins - 0.5) ** 2
    for i in range(size):
        dy2 = (i - y) ** 2
        if dy2 > reach:
            continue
        width = math.sqrt(reach - dy2) + 1.0
        first = max(0, int(x - width))
        last = min(size, int(x + width) + 2)
        n = max(0, last - first)
        _bins_of_row(dy2, first - x, bins, n, at)
        start = np.uint64(i * size + first)  # unsigned: no check for negative indices
        for j in range(np.uint64(n)):
            squares += (pix[start + j] - median) ** 2 if at[j] < most else 0.0
        for j in range(np.uint64(n)):
            k = np.uint64(at[j])
            sums[k] += pix[start + j]
            sums[k + np.uint64(1)] += 1.0
    return squares


@compiled
def _profile(pix, size, x, y, median, sums, at, profile):  # type: ignore[no-untyped-def]
    """Radial means into `profile`; return the share of variance that rings explain (ε²)."""
    squares = _sum_rings(pix, size, x, y, median, sums, at)
    count, total, between, filled = 0.0, 0.0, 0.0, 0
    for b in range(size // 2):
        k = 8 * b
        value = sums[k] + sums[k + 2] + sums[k + 4] + sums[k + 6]
        n = sums[k + 1] + sums[k + 3] + sums[k + 5] + sums[k + 7]
        profile[b] = value / n
        if n > 0:
            above = value - median * n
            count += n
            total += above
            between += above * above / n
            filled += 1
    whole = squares - total * total / count
    within = squares - between
    if not whole > 0.0 or count - filled < 1:
        return 0.0
    return max(0.0, 1.0 - (within / (count - filled)) / (whole / (count - 1.0)))


@compiled
def _match(profile, bins, lut, correlation, fit7):  # type: ignore[no-untyped-def]
    """Correlate with every plane of the normalised `lut` (r - 1, p): best r, index of its peak."""
    n, mean = 0, 0.0
    for b in range(1, bins):
        if not math.isnan(profile[b]):
            mean += profile[b]
            n += 1
    mean /= n
    norm = 0.0
    for p in range(correlation.size):
        correlation[p] = 0.0
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


@compiled
def _height(profile, bins, lut, lut_z, correlation, fit7):  # type: ignore[no-untyped-def]
    """Look `profile` up: z in nm or NaN, the best correlation, a reason."""
    agreement, plane = _match(profile, bins, lut, correlation, fit7)
    if not agreement >= POOR_CORRELATION:
        return np.nan, max(0.0, agreement), POOR_MATCH
    if not (plane >= 0 and plane <= correlation.size - 1):
        return np.nan, agreement, Z_OUT_OF_RANGE
    whole = min(int(plane), correlation.size - 2)
    z = lut_z[whole] + (plane - whole) * (lut_z[whole + 1] - lut_z[whole])
    return z, agreement, OK


@compiled
def run_rois(  # type: ignore[no-untyped-def]
    raw, kind, size, locate, share, median, tables, lut, lut_z, rows, scratch
):
    """Track each ROI of `raw` (n, bytes) that has no reason yet, into the arrays of `rows`.

    Without `locate`, x, y, z and profiles are given and only quality and reason are filled in.
    """
    bell, fit5, fit7 = tables
    x, y, z, profiles, quality, reason = rows
    pix, columns, work, sums, at, profile, correlation = scratch
    for i in range(raw.shape[0]):
        if reason[i] != OK:
            continue
        load(raw[i], kind, pix)
        if locate:
            x[i], y[i] = _centre_of_mass(pix, size, median[i], columns)
            x[i], y[i] = _centre(pix, size, x[i], y[i], bell, fit5, work)
        if math.isnan(x[i] + y[i]):
            reason[i] = OUT_OF_RANGE
            continue
        explained = _profile(pix, size, x[i], y[i], median[i], sums, at, profile)
        quality[i] = explained
        if not explained >= NOISE_EXPLAINED + NOISE_PER_PX / size:
            reason[i] = EMPTY
            x[i] = y[i] = z[i] = np.nan
            for b in range(profile.size):
                profiles[i, b] = np.nan
            continue
        if locate:
            for b in range(profile.size):
                profiles[i, b] = profile[b]
        if explained < DOUBT_EXPLAINED:
            reason[i] = OUT_OF_RANGE
        elif share[i] > (SATURATED_SHARE if kind < FLOAT32 else SATURATED_FLOAT):
            reason[i] = SATURATED
            quality[i] *= 1.0 - share[i]
        if correlation.size:
            height, agreement, why = _height(profile, size // 2, lut, lut_z, correlation, fit7)
            quality[i] *= agreement
            if why != OK:
                reason[i] = why
                z[i] = np.nan
            elif locate:
                z[i] = height
