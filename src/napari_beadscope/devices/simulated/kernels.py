"""The renderer's inner loops, compiled by numba on first use and cached on disk.

Owns plain array arithmetic that releases the GIL. Must not know options or physics; import it
late, because numba is slow to import.

The inner loops are written for the compiler's vector instructions: one step over one row each
(in longer ones it cannot rule out that arrays overlap), whole arrays instead of slices (a slice
counts references, 80 ns a row), unsigned indices (signed ones are tested for being negative).
Together that is 3 times faster than the obvious loop.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


@njit(cache=True, nogil=True)
def row_starts(key, bits, starts):  # type: ignore[no-untyped-def]
    """Fill `starts` with one place below ``2**bits`` per row, from a splitmix64 of `key`."""
    for row in range(starts.shape[0]):
        x = key + np.uint64(row + 1) * _GOLDEN
        x = (x ^ (x >> _S30)) * _MIX_1
        x = (x ^ (x >> _S27)) * _MIX_2
        x = x ^ (x >> _S31)
        starts[row] = np.int64(x >> np.uint64(64 - bits))


@njit(cache=True, nogil=True)
def add_noise(base, bank, starts, out):  # type: ignore[no-untyped-def]
    """Write ``base + noise`` to `out`; all of one type, wrapping, for what cannot overflow."""
    for row in range(out.shape[0]):
        noise = bank[starts[row] : starts[row] + out.shape[1]]
        source = base[row]
        target = out[row]
        for column in range(target.shape[0]):
            target[column] = source[column] + noise[column]


@njit(cache=True, nogil=True)
def add_noise_clipped(base, bank, starts, top, out):  # type: ignore[no-untyped-def]
    """Write ``base + noise`` to `out`, kept within 0 and `top`; `bank` is int32."""
    for row in range(out.shape[0]):
        noise = bank[starts[row] : starts[row] + out.shape[1]]
        source = base[row]
        target = out[row]
        for column in range(target.shape[0]):
            value = np.int32(source[column]) + noise[column]
            target[column] = min(max(value, np.int32(0)), np.int32(top))


@njit(cache=True, nogil=True)
def plane_profile(table, place, count, profile):  # type: ignore[no-untyped-def]
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
def span(dy, radius, x, width):  # type: ignore[no-untyped-def]
    """Return first and end column of the disc of `radius` about `x`, `dy` rows off."""
    room = radius * radius - dy * dy
    if room <= 0:
        return 0, 0
    half = np.sqrt(room)
    return max(int(np.ceil(x - half)), 0), min(int(np.floor(x + half)) + 1, width)


@njit(cache=True, nogil=True)
def add_pattern(profile, radius, per_px, x, y, scratch):  # type: ignore[no-untyped-def]
    """Overlay a radial `profile` about ``(x, y)`` on `scratch`, within `radius` px.

    Both are contrasts; light that passes both is multiplied: ``(1 + a) (1 + b) - 1``.
    """
    height, width = scratch.shape
    scale, one = np.float32(per_px), np.float32(1)
    slope = np.zeros_like(profile)
    for i in range(profile.shape[0] - 1):
        slope[i] = profile[i + 1] - profile[i]
    places, parts = np.empty(width, np.uint32), np.empty(width, np.float32)
    values, slopes = np.empty(width, np.float32), np.empty(width, np.float32)
    first = max(int(np.ceil(y - radius)), 0)
    for row in range(first, min(int(np.floor(y + radius)) + 1, height)):
        start, stop = span(row - y, radius, x, width)
        square = np.float32((row - y) * (row - y))
        offset = np.float32(start - x)
        begin, count, line = np.uint64(start), np.uint64(max(stop - start, 0)), np.uint64(row)
        for i in range(count):
            dx = offset + np.float32(np.int32(i))
            place = np.sqrt(dx * dx + square) * scale
            places[i] = np.uint32(np.int32(place))
            parts[i] = place - np.float32(np.int32(place))
        for i in range(count):
            values[i] = profile[np.uint64(places[i])]
        for i in range(count):
            slopes[i] = slope[np.uint64(places[i])]
        for i in range(count):
            values[i] += parts[i] * slopes[i]
        for i in range(count):
            before = scratch[line, begin + i]
            scratch[line, begin + i] = before + values[i] * (before + one)


@njit(cache=True, nogil=True)
def add_beads(table, first, step, support, per_px, positions, profile, radii, scratch):  # type: ignore[no-untyped-def]
    """Overlay every bead ``(x_px, y_px, z_nm)`` on `scratch`; note radii in px."""
    for bead in range(positions.shape[0]):
        place = (positions[bead, 2] - first) / step
        plane = min(max(int(place + 0.5), 0), table.shape[0] - 1)
        count = support[plane]
        plane_profile(table, place, count + 2, profile)
        # the last ring fades out, so that no edge shows
        fade = min(16, count)
        for i in range(fade):
            profile[count - fade + i] *= np.float32(1) - np.float32(i + 1) / np.float32(fade)
        profile[count], profile[count + 1] = 0, 0
        radii[bead] = count / per_px
        x, y = positions[bead, 0], positions[bead, 1]
        add_pattern(profile, radii[bead], per_px, x, y, scratch)


@njit(cache=True, nogil=True)
def expose(positions, radii, scratch, light, unit, bank, starts, counts, read, top, out):  # type: ignore[no-untyped-def]
    """Turn contrast in `scratch` to pixel values in `out` around every bead.

    `light` is the background, `unit` the electrons of 1 in it, `bank` normal noise, `counts`
    pixel value per electron, `read` the variance of the read noise in electrons, -1 for no noise
    at all.
    """
    height, width = out.shape
    work = np.empty(width, np.float32)
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    lamp = np.float32(unit)
    scale, variance, limit = np.float32(counts), np.float32(read), np.float32(top)
    for bead in range(positions.shape[0]):
        x, y, radius = positions[bead, 0], positions[bead, 1], radii[bead]
        first = max(int(np.ceil(y - radius)), 0)
        for row in range(first, min(int(np.floor(y + radius)) + 1, height)):
            start, stop = span(row - y, radius, x, width)
            begin, count, line = np.uint64(start), np.uint64(max(stop - start, 0)), np.uint64(row)
            noise = np.uint64(starts[row] + start)
            for i in range(count):
                # half the sum with its size: as max(.., 0), but not a masked store, which the
                # loops below would wait for
                background = np.float32(light[line, begin + i]) * lamp
                electrons = background * (one + scratch[line, begin + i])
                work[i] = half * (electrons + abs(electrons))
            if variance >= zero:
                for i in range(count):
                    work[i] += np.sqrt(work[i] + variance) * bank[noise + i]
            for i in range(count):
                value = work[i] * scale + half
                value = value if value > zero else zero
                work[i] = value if value < limit else limit
            for i in range(count):
                out[line, begin + i] = np.int32(work[i])


@njit(cache=True, nogil=True)
def wipe(positions, radii, scratch):  # type: ignore[no-untyped-def]
    """Set `scratch` to 0 around every bead."""
    height, width = scratch.shape
    for bead in range(positions.shape[0]):
        x, y, radius = positions[bead, 0], positions[bead, 1], radii[bead]
        first = max(int(np.ceil(y - radius)), 0)
        end = min(int(np.floor(y + radius)) + 1, height)
        for row in range(first, end):
            start, stop = span(row - y, radius, x, width)
            for column in range(np.uint64(start), np.uint64(max(start, stop))):
                scratch[np.uint64(row), column] = 0


@njit(cache=True, nogil=True)
def first_order(keep, kick, noise):  # type: ignore[no-untyped-def]
    """Turn white `noise` ``(t, n)`` into ``x[t] = keep * x[t-1] + kick * noise[t]`` from 0."""
    for n in range(noise.shape[1]):
        noise[0, n] = kick[n] * noise[0, n]
    for t in range(1, noise.shape[0]):
        for n in range(noise.shape[1]):
            noise[t, n] = keep[n] * noise[t - 1, n] + kick[n] * noise[t, n]
