"""Mathematics of one ROI with magtrack's numbers: centre, profile, match, quality.

The numbers are those of the published magtrack 1.0 chain (centre of mass about the median,
auto-convolution of the central row and column, five refinements by the auto-convolution of the
averaged central lines with a parabola through the peak, radial mean, Pearson match, parabola
through the best planes), computed anew here: direct convolution, no copy of the stack. Quality is
ours. Written in the words of `cooperative`, for one thread and for a block of many. Must not know
of backends, files or batches.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.cooperative import (
    INF,
    NAN,
    barrier,
    count_up,
    lane,
    lanes,
    nearest,
    peak,
    real,
    sum_up,
    thread,
    threads,
    total,
    warp,
    warps,
)
from napari_beadscope.tracking.cpu_loops import FLOAT32, load, ring_sums
from napari_beadscope.tracking.evenness import CORE, UNEVEN, unevenness

# mypy: disable-error-code="no-untyped-def"

# core.types.Reason as plain integers (numba resolves globals when it compiles).
OK, EMPTY, SATURATED, CLIPPED, NOT_FINITE, OUT_OF_RANGE, Z_OUT_OF_RANGE, POOR_MATCH = range(8)

ITERATIONS = 5
LINE_RATIO = 0.1
SATURATED_SHARE = 0.02  # of pixels at full scale: the row is doubtful
SATURATED_FLOAT = 0.10  # the same where full scale is a guess: ties of the highest value
NOISE_EXPLAINED, NOISE_PER_PX = 0.08, 2.0  # rings explain less than a + b / size: nothing there
DOUBT_EXPLAINED = 0.35  # rings explain less: they are not round about this centre
SURE_EXPLAINED = 0.85  # rings explain more: no need to look whether they are even all round
SPOT_EXPLAINED = 0.93  # the same where the innermost rings have most of it, like a hot pixel
POOR_CORRELATION = 0.9  # best match with the Z-LUT, below: another kind of bead


def scratch(size: int) -> tuple[int, int]:
    """Return how many floats and integers `track_roi` needs as scratch for ROIs of `size` px."""
    bins = size // 2
    return 6 * size + 3 * bins + 8 * (bins + 1) + 4, max(size, 2 * bins)


def _centre_of_mass(pix, size, median):
    """Centre of ``|pix - median|``: x, y."""
    mass = real(0.0)
    x_moment = real(0.0)
    y_moment = real(0.0)
    for i in range(warp(), size, warps()):
        row = real(0.0)
        across = real(0.0)
        for j in range(lane(), size, lanes()):
            weight = abs(real(pix[i * size + j]) - median)
            row += weight
            across += weight * real(j)
        mass += row
        x_moment += across
        y_moment += row * real(i)
    mass = total(mass)
    return total(x_moment) / mass, total(y_moment) / mass


def _window(line, size, centre, bell):
    """Take off the mean and weight by a Gaussian of sigma ``size / 6`` about `centre`.

    ``exp(-(d - f)²/2s²) = bell[d] · q^d · const`` with ``q = exp(f/s²)``: two exponentials for the
    piece of the line that a thread weights.
    """
    part = real(0.0)
    for k in range(thread(), size, threads()):
        part += line[k]
    mean = total(part) / real(size)
    inverse = real(36.0) / real(size * size)
    middle = nearest(centre)
    fraction = centre - real(middle)
    piece = (size + threads() - 1) // threads()
    first = min(size, thread() * piece)
    last = min(size, first + piece)
    ratio = math.exp(fraction * inverse)
    weight = math.exp((real(first - middle) - 0.5 * fraction) * fraction * inverse)
    for k in range(first, min(last, middle)):
        line[k] = (line[k] - mean) * (real(bell[middle - k]) * weight)
        weight *= ratio
    for k in range(max(first, middle), last):
        line[k] = (line[k] - mean) * (real(bell[k - middle]) * weight)
        weight *= ratio
    barrier()


def _convolve(line, size, padded, out):
    """Convolve the line with itself, the central `size` values; return where they are highest.

    Eight shifts at a time, so that each output is loaded and stored once for eight products.
    `padded` has `size` zeros before and after the line.
    """
    for k in range(thread(), size, threads()):
        padded[size + k] = line[k]
        out[k] = 0.0
    barrier()
    shift = np.uint64(size + (size - 1) // 2)
    for m in range(0, size, 8):
        a = padded[size + m : size + m + 8]
        a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
        start = shift - np.uint64(m)
        p = padded[start - np.uint64(7) : start + np.uint64(size)]
        for n in range(thread(), size, threads()):
            out[n] += (
                (a0 * p[n + 7] + a1 * p[n + 6] + (a2 * p[n + 5] + a3 * p[n + 4]))
                + (a4 * p[n + 3] + a5 * p[n + 2])
                + (a6 * p[n + 1] + a7 * p[n])
            )
    return peak(out, size)


def _vertex(values, n_values, best, fit):
    """Vertex of the weighted parabola through the values about `best`; NaN at the ends."""
    n_local = fit.shape[1]
    half = n_local // 2
    at = min(max(best, half), n_values - half - 1)
    if at == half or at == n_values - half - 1:
        return NAN
    square = real(0.0)
    linear = real(0.0)
    for k in range(n_local):
        square += real(fit[0, k]) * values[at - half + k]
        linear += real(fit[1, k]) * values[at - half + k]
    return real(at) - linear / (2.0 * square)


def _lines(pix, size, x_at, y_at, half, row, column):
    """Sum of the rows about `y_at` and of the columns about `x_at`."""
    for k in range(thread(), size, threads()):
        across = real(0.0)
        for n in range(x_at - half, x_at + half + 1):
            across += real(pix[k * size + n])
        column[k] = across
        row[k] = 0.0
    for n in range(y_at - half, y_at + half + 1):
        for k in range(thread(), size, threads()):
            row[k] += real(pix[n * size + k])
    barrier()


def _centre(pix, size, x, y, bell, fit5, work):
    """Refine `x, y` by auto-convolution; NaN when the lines would leave the ROI."""
    row, column = work[:size], work[size : 2 * size]
    conv, padded = work[2 * size : 3 * size], work[3 * size : 6 * size]
    for k in range(thread(), size, threads()):
        padded[k] = 0.0
        padded[2 * size + k] = 0.0
    radius = real((size - 1) // 2)
    for step in range(ITERATIONS + 1):
        half = 0 if step == 0 else int(real(size) * LINE_RATIO // 2.0)
        low, high = real(half) - 0.49, real(size - 1 - half) + 0.49
        if not (x > low and x < high and y > low and y < high):
            return NAN, NAN
        _lines(pix, size, nearest(x), nearest(y), half, row, column)
        _window(row, size, x, bell)
        _window(column, size, y, bell)
        at = _convolve(row, size, padded, conv)
        x = real(at) if step == 0 else _vertex(conv, size, at, fit5)
        barrier()
        at = _convolve(column, size, padded, conv)
        y = real(at) if step == 0 else _vertex(conv, size, at, fit5)
        barrier()
        x = radius - (radius - x) / 2.0
        y = radius - (radius - y) / 2.0
    low, high = real(-0.49), real(size) - 0.51
    if not (x > low and x < high and y > low and y < high):
        return NAN, NAN
    return x, y


def _explained(pix, size, x, y, median, exact, profile, work, marks):
    """Radial means into `profile`; return the share of variance that rings explain (ε²)."""
    bins = size // 2
    about, count, sums = work[:bins], work[bins : 2 * bins], work[2 * bins : 2 * bins + 4]
    squares = ring_sums(pix, size, x, y, median, exact, about, count, work[2 * bins + 4 :], marks)
    pixels, above, between, filled = real(0.0), real(0.0), real(0.0), real(0.0)
    for b in range(thread(), bins, threads()):
        profile[b] = median + about[b] / count[b] if count[b] > 0.0 else NAN
        if count[b] > 0.0:
            pixels += count[b]
            above += about[b]
            between += about[b] * about[b] / count[b]
            filled += 1.0
    sum_up((pixels, above, between, filled), sums)
    pixels, above, between, filled = sums[0], sums[1], sums[2], sums[3]
    barrier()  # before others write where these were read
    whole = squares - above * above / pixels
    within = squares - between
    if not whole > 0.0 or pixels - filled < 1.0:
        return real(0.0)
    return max(real(0.0), 1.0 - (within / (pixels - filled)) / (whole / (pixels - 1.0)))


def _match(profile, bins, lut, correlation, fit7):
    """Correlate with every plane of the normalised `lut` (r - 1, p): best r, index of its peak."""
    n, mean = 0, real(0.0)
    for b in range(1 + thread(), bins, threads()):
        if not math.isnan(profile[b]):
            mean += profile[b]
            n += 1
    mean = total(mean) / real(count_up(n))
    planes = correlation.size
    for p in range(thread(), planes, threads()):
        correlation[p] = 0.0
    norm = real(0.0)
    for b in range(1, bins):
        value = profile[b] - mean
        if math.isnan(value):
            continue
        norm += value * value
        for p in range(thread(), planes, threads()):
            correlation[p] += value * real(lut[b - 1, p])
    best = peak(correlation, planes)
    return correlation[best] / math.sqrt(norm), _vertex(correlation, planes, best, fit7)


def _height(profile, bins, lut, lut_z, correlation, fit7):
    """Look `profile` up: z in nm or NaN, the best correlation, a reason."""
    agreement, plane = _match(profile, bins, lut, correlation, fit7)
    last = correlation.size - 1
    if not agreement >= POOR_CORRELATION:
        return NAN, max(real(0.0), agreement), POOR_MATCH
    if not (plane >= 0.0 and plane <= real(last)):
        return NAN, agreement, Z_OUT_OF_RANGE
    whole = min(int(plane), last - 1)
    low, high = real(lut_z[whole]), real(lut_z[whole + 1])
    return low + (plane - real(whole)) * (high - low), agreement, OK


def _rests_on_core(about, count, bins):
    """Whether what rings explain is a bright spot at the centre: a hot pixel, as a rule."""
    core, between = real(0.0), real(0.0)
    for b in range(bins):
        square = about[b] * about[b] / count[b] if count[b] > 0.0 else real(0.0)
        between += square
        core += square if b < CORE else real(0.0)
    return core > 0.5 * between


def _doubt(pix, size, x, y, median, explained, share, kind, work):
    """Reason to doubt a centre about which there are rings, and what quality remains.

    `work` begins with what `ring_sums` found.
    """
    if explained < DOUBT_EXPLAINED:
        return OUT_OF_RANGE, explained
    bins = size // 2
    look = explained < SURE_EXPLAINED
    if not look and explained < SPOT_EXPLAINED:
        look = _rests_on_core(work[:bins], work[bins : 2 * bins], bins)
    if look:
        uneven = unevenness(pix, size, x, y, median, INF, work)
        explained *= max(1.0 - uneven, real(0.0))
        if uneven > UNEVEN:
            return OUT_OF_RANGE, explained
    if share > (SATURATED_SHARE if kind < FLOAT32 else SATURATED_FLOAT):
        return SATURATED, explained * (1.0 - share)
    return OK, explained


def track_roi(pix, size, kind, locate, share, median, tables, row, profile, work, marks, agreed):
    """Track one ROI that passed `screening.look`.

    Parameters
    ----------
    pix : array, shape (size * size,)
        Pixels in any type.
    kind : int
        Code of the type that they had in the camera.
    locate : bool
        Without it, x, y and z are given in `row` and only quality and reason are found.
    share, median : float
        Of the pixels, at full scale; of all pixels.
    tables : tuple of array
        The Gaussian, two parabola fits, the normalised Z-LUT (r - 1, p) and its heights (p,).
    row : array, shape (8,), float64
        Out: x, y, z, quality at 0 to 3, reason at 7.
    profile : array, shape (size // 2,)
        Out: radial means.
    work, marks, agreed : array
        Scratch: floats and integers as many as `scratch` says; p floats.

    Returns
    -------
    seen : bool
        Whether there are rings, so that `profile` means something.
    """
    bell, fit5, fit7, lut, lut_z = tables
    x, y, z = real(row[0]), real(row[1]), real(row[2])
    barrier()
    if locate:
        x, y = _centre_of_mass(pix, size, median)
        x, y = _centre(pix, size, x, y, bell, fit5, work)
    reason, quality, seen = OUT_OF_RANGE, real(0.0), False
    if not math.isnan(x + y):
        bins = size // 2
        means = work[:bins]
        quality = _explained(pix, size, x, y, median, kind < FLOAT32, means, work[bins:], marks)
        seen = quality >= NOISE_EXPLAINED + NOISE_PER_PX / real(size)
        reason = EMPTY
        if seen:
            reason, quality = _doubt(pix, size, x, y, median, quality, share, kind, work[bins:])
            for b in range(thread(), bins, threads()):
                profile[b] = means[b]
            if agreed.size:
                height, agreement, why = _height(means, bins, lut, lut_z, agreed, fit7)
                quality *= agreement
                z = height if locate or why != OK else z
                reason = reason if why == OK else why
        else:
            x = y = z = NAN  # type: ignore[assignment]
    if thread() == 0:
        row[0], row[1], row[2], row[3], row[7] = x, y, z, quality, reason
    return seen


def run_rois(raw, kind, size, locate, share, median, tables, rows, scratch):
    """Track each ROI of `raw` (n, bytes) that has no reason yet, into the arrays of `rows`."""
    x, y, z, profiles, quality, reason = rows
    pix, row, profile, work, marks, agreed = scratch
    for i in range(raw.shape[0]):
        if reason[i] != OK:
            continue
        load(raw[i], kind, pix)
        row[0], row[1], row[2] = x[i], y[i], z[i]
        seen = track_roi(
            pix, size, kind, locate, share[i], median[i], tables, row, profile, work, marks, agreed
        )
        x[i], y[i], z[i], quality[i], reason[i] = row[0], row[1], row[2], row[3], int(row[7])
        if locate and seen:
            for b in range(profile.size):
                profiles[i, b] = profile[b]
        elif row[7] == EMPTY:
            for b in range(profile.size):
                profiles[i, b] = NAN
