"""The renderer's inner loops, compiled by numba on first use and cached on disk.

Owns plain array arithmetic that releases the GIL. Must not know options or physics; import it
late, because numba is slow to import.

The inner loops are written for the compiler's vector instructions: one step over one row each
(in longer ones it cannot rule out that arrays overlap), whole arrays instead of slices (a slice
counts references, 80 ns a row), unsigned indices (signed ones are tested for being negative).
Together that is 3 times faster than the obvious loop.
"""

# mypy: disable-error-code=no-untyped-def
# numba infers the types of arguments; they are described instead
from __future__ import annotations

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


@njit(cache=True, nogil=True)
def row_starts(key, bits, starts):
    """Fill `starts` with one place below ``2**bits`` per row, from a splitmix64 of `key`."""
    for row in range(starts.shape[0]):
        x = key + np.uint64(row + 1) * _GOLDEN
        x = (x ^ (x >> _S30)) * _MIX_1
        x = (x ^ (x >> _S27)) * _MIX_2
        x = x ^ (x >> _S31)
        starts[row] = np.int64(x >> np.uint64(64 - bits))


@njit(cache=True, nogil=True)
def add_noise(base, bank, starts, out):
    """Write ``base + noise`` to `out`; all of one type, wrapping, for what cannot overflow."""
    for row in range(out.shape[0]):
        noise = bank[starts[row] : starts[row] + out.shape[1]]
        source = base[row]
        target = out[row]
        for column in range(target.shape[0]):
            target[column] = source[column] + noise[column]


@njit(cache=True, nogil=True)
def add_noise_clipped(base, bank, starts, top, out):
    """Write ``base + noise`` to `out`, kept within 0 and `top`; `bank` is int32."""
    for row in range(out.shape[0]):
        noise = bank[starts[row] : starts[row] + out.shape[1]]
        source = base[row]
        target = out[row]
        for column in range(target.shape[0]):
            value = np.int32(source[column]) + noise[column]
            target[column] = min(max(value, np.int32(0)), np.int32(top))


@njit(cache=True, nogil=True)
def plane_profile(table, place, count, profile):
    """Fill `profile` with the first `count` radii at plane number `place`, Catmull-Rom in z."""
    last = table.shape[0] - 1
    place = min(max(place, 0.0), float(last))
    lower = min(int(place), last - 1)
    t = np.float32(place - lower)
    before, after = max(lower - 1, 0), min(lower + 2, last)
    half = np.float32(0.5)
    w0 = half * t * (t * (np.float32(2) - t) - np.float32(1))
    w1 = half * (t * t * (np.float32(3) * t - np.float32(5)) + np.float32(2))
    w2 = half * t * (t * (np.float32(4) - np.float32(3) * t) + np.float32(1))
    w3 = half * t * t * (t - np.float32(1))
    a, b, c, d = table[before], table[lower], table[lower + 1], table[after]
    for i in range(count):
        profile[i] = w0 * a[i] + w1 * b[i] + w2 * c[i] + w3 * d[i]


@njit(cache=True, nogil=True)
def span(dy, radius, x, width):
    """Return first and end column of the disc of `radius` about `x`, `dy` rows off."""
    room = radius * radius - dy * dy
    if room <= 0:
        return 0, 0
    half = np.sqrt(room)
    return max(int(np.ceil(x - half)), 0), min(int(np.floor(x + half)) + 1, width)


@njit(cache=True, nogil=True)
def slopes_of(profile):
    """Return the differences between neighbours of `profile`, the last 0."""
    slope = np.zeros_like(profile)
    for i in range(profile.shape[0] - 1):
        slope[i] = profile[i + 1] - profile[i]
    return slope


@njit(cache=True, nogil=True)
def ring_row(profile, slope, per_px, square, offset, count, places, parts, values, rises):
    """Fill `values` with `profile` along a row, `square` px² and `offset` px off its centre.

    `places`, `parts` and `rises` are room to work in.
    """
    for i in range(count):
        dx = offset + np.float32(np.int32(i))
        place = np.sqrt(dx * dx + square) * per_px
        places[i] = np.uint32(np.int32(place))
        parts[i] = place - np.float32(np.int32(place))
    for i in range(count):
        values[i] = profile[np.uint64(places[i])]
    for i in range(count):
        rises[i] = slope[np.uint64(places[i])]
    for i in range(count):
        values[i] += parts[i] * rises[i]


@njit(cache=True, nogil=True)
def light_row(light, lamp, line, begin, count, values):
    """Turn contrasts to electrons, at least 0.

    Half the sum with its size is max(.., 0), but not by a masked store, which what follows
    would wait for.
    """
    half, one = np.float32(0.5), np.float32(1)
    for i in range(count):
        background = np.float32(light[line, begin + i]) * lamp
        electrons = background * (one + values[i])
        values[i] = half * (electrons + abs(electrons))


@njit(cache=True, nogil=True)
def camera_row(bank, noise, variance, scale, limit, line, begin, count, values, out):
    """Turn electrons to pixel values in `out`, with noise unless `variance` is below 0."""
    zero, half = np.float32(0), np.float32(0.5)
    if variance >= zero:
        for i in range(count):
            values[i] += np.sqrt(values[i] + variance) * bank[noise + i]
    for i in range(count):
        value = values[i] * scale + half
        value = value if value > zero else zero
        values[i] = value if value < limit else limit
    for i in range(count):
        out[line, begin + i] = np.int32(values[i])


@njit(cache=True, nogil=True)
def add_pattern(profile, radius, per_px, x, y, scratch):
    """Overlay a radial `profile` about ``(x, y)`` on `scratch`, within `radius` px.

    Both are contrasts; light that passes both is multiplied: ``(1 + a) (1 + b) - 1``.
    """
    height, width = scratch.shape
    scale, one = np.float32(per_px), np.float32(1)
    slope = slopes_of(profile)
    places, parts = np.empty(width, np.uint32), np.empty(width, np.float32)
    values, rises = np.empty(width, np.float32), np.empty(width, np.float32)
    first = max(int(np.ceil(y - radius)), 0)
    for row in range(first, min(int(np.floor(y + radius)) + 1, height)):
        start, stop = span(row - y, radius, x, width)
        square, offset = np.float32((row - y) * (row - y)), np.float32(start - x)
        begin, count, line = np.uint64(start), np.uint64(max(stop - start, 0)), np.uint64(row)
        ring_row(profile, slope, scale, square, offset, count, places, parts, values, rises)
        for i in range(count):
            before = scratch[line, begin + i]
            scratch[line, begin + i] = before + values[i] * (before + one)


@njit(cache=True, nogil=True)
def bead_profile(table, first, step, support, z, profile):
    """Fill `profile` for a bead at height `z` and return how many radii it has."""
    place = (z - first) / step
    plane = min(max(int(place + 0.5), 0), table.shape[0] - 1)
    count = support[plane]
    plane_profile(table, place, count + 2, profile)
    # the last ring fades out, so that no edge shows
    fade = min(16, count)
    for i in range(fade):
        profile[count - fade + i] *= np.float32(1) - np.float32(i + 1) / np.float32(fade)
    profile[count], profile[count + 1] = 0, 0
    return count


@njit(cache=True, nogil=True)
def add_beads(table, first, step, support, per_px, positions, profile, scratch):
    """Overlay every bead ``(x_px, y_px, z_nm)`` on `scratch`."""
    for bead in range(positions.shape[0]):
        count = bead_profile(table, first, step, support, positions[bead, 2], profile)
        x, y = positions[bead, 0], positions[bead, 1]
        add_pattern(profile, count / per_px, per_px, x, y, scratch)


@njit(cache=True, nogil=True)
def find_overlaps(positions, radii, crowded):
    """Set `crowded` for every bead whose disc meets that of another."""
    crowded[:] = False
    for one in range(positions.shape[0]):
        for two in range(one):
            dx = positions[one, 0] - positions[two, 0]
            dy = positions[one, 1] - positions[two, 1]
            reach = radii[one] + radii[two] + 1
            if dx * dx + dy * dy < reach * reach:
                crowded[one] = crowded[two] = True


@njit(cache=True, nogil=True)
def wipe(x, y, radius, scratch):
    """Set `scratch` to 0 within `radius` of ``(x, y)``."""
    height, width = scratch.shape
    first = max(int(np.ceil(y - radius)), 0)
    for row in range(first, min(int(np.floor(y + radius)) + 1, height)):
        start, stop = span(row - y, radius, x, width)
        for column in range(np.uint64(start), np.uint64(max(start, stop))):
            scratch[np.uint64(row), column] = 0


@njit(cache=True, nogil=True)
def paint_beads(
    table,
    first,
    step,
    support,
    per_px,
    positions,
    profile,
    scratch,
    light,
    unit,
    bank,
    starts,
    counts,
    read,
    top,
    out,
):
    """Write every bead ``(x_px, y_px, z_nm)`` to `out`.

    `light` is the background, `unit` the electrons of 1 in it, `bank` normal noise, `counts`
    pixel value per electron, `read` the variance of the read noise in electrons, -1 for no noise
    at all. Beads that overlap meet in `scratch` first, which is all 0 before and after; the
    others go straight to `out`.
    """
    height, width = out.shape
    beads = positions.shape[0]
    radii, crowded = np.empty(beads), np.empty(beads, np.bool_)
    for bead in range(beads):
        place = (positions[bead, 2] - first) / step
        radii[bead] = support[min(max(int(place + 0.5), 0), table.shape[0] - 1)] / per_px
    find_overlaps(positions, radii, crowded)
    for bead in range(beads):
        if crowded[bead]:
            bead_profile(table, first, step, support, positions[bead, 2], profile)
            x, y = positions[bead, 0], positions[bead, 1]
            add_pattern(profile, radii[bead], per_px, x, y, scratch)
    scale, lamp, ring = np.float32(counts), np.float32(unit), np.float32(per_px)
    variance, limit = np.float32(read), np.float32(top)
    places, parts = np.empty(width, np.uint32), np.empty(width, np.float32)
    values, rises = np.empty(width, np.float32), np.empty(width, np.float32)
    for bead in range(beads):
        x, y, radius = positions[bead, 0], positions[bead, 1], radii[bead]
        bead_profile(table, first, step, support, positions[bead, 2], profile)
        slope = slopes_of(profile)
        low = max(int(np.ceil(y - radius)), 0)
        for row in range(low, min(int(np.floor(y + radius)) + 1, height)):
            start, stop = span(row - y, radius, x, width)
            square, offset = np.float32((row - y) * (row - y)), np.float32(start - x)
            begin, count, line = np.uint64(start), np.uint64(max(stop - start, 0)), np.uint64(row)
            if crowded[bead]:
                for i in range(count):
                    values[i] = scratch[line, begin + i]
            else:
                ring_row(profile, slope, ring, square, offset, count, places, parts, values, rises)
            light_row(light, lamp, line, begin, count, values)
            noise = np.uint64(starts[row] + start)
            camera_row(bank, noise, variance, scale, limit, line, begin, count, values, out)
    for bead in range(beads):
        if crowded[bead]:
            wipe(positions[bead, 0], positions[bead, 1], radii[bead], scratch)


@njit(cache=True, nogil=True)
def bin_mean(source, side, out):
    """Write the mean of every `side` by `side` pixels of `source` to `out`, rounded."""
    count = side * side
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            total = count // 2
            for line in range(row * side, (row + 1) * side):
                for place in range(column * side, (column + 1) * side):
                    total += source[line, place]
            out[row, column] = total // count


@njit(cache=True, nogil=True)
def first_order(keep, kick, noise):
    """Turn white `noise` ``(t, n)`` into ``x[t] = keep * x[t-1] + kick * noise[t]`` from 0."""
    for n in range(noise.shape[1]):
        noise[0, n] = kick[n] * noise[0, n]
    for t in range(1, noise.shape[0]):
        for n in range(noise.shape[1]):
            noise[t, n] = keep[n] * noise[t - 1, n] + kick[n] * noise[t, n]
