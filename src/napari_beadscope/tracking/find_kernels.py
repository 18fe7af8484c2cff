"""Compiled parts of the bead finder: smooth, gradient, vote, measure one candidate.

Must not know what is kept in the end (`find`).
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.compiling import compiled

_ALIGNED = 0.94  # cosine between gradient and radius from which a pixel belongs to a ring
_SECTORS = 16  # each spans the same cosine, 8 above and 8 below


@compiled
def smooth(image, taps, out, row):  # type: ignore[no-untyped-def]
    """Separable symmetric filter with `taps` (centre first); edges are repeated."""
    height, width = image.shape
    reach = taps.size - 1
    for i in range(height):
        for j in range(width):
            row[j] = taps[0] * image[i, j]
        for t in range(1, reach + 1):
            above = image[max(i - t, 0)]
            below = image[min(i + t, height - 1)]
            for j in range(width):
                row[j] += taps[t] * (above[j] + below[j])
        for j in range(width):
            total = taps[0] * row[j]
            for t in range(1, reach + 1):
                total += taps[t] * (row[max(j - t, 0)] + row[min(j + t, width - 1)])
            out[i, j] = total


@compiled
def gradient(image, gy, gx, strength):  # type: ignore[no-untyped-def]
    """Central differences and their length; zero on the border."""
    height, width = image.shape
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            dy = image[i + 1, j] - image[i - 1, j]
            dx = image[i, j + 1] - image[i, j - 1]
            gy[i, j] = dy
            gx[i, j] = dx
            strength[i, j] = math.sqrt(dy * dy + dx * dx)


@compiled
def vote(gy, gx, strength, threshold, reach, votes):  # type: ignore[no-untyped-def]
    """Every edge pixel votes along its gradient, both ways: ring centres gather votes."""
    height, width = strength.shape
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            length = strength[i, j]
            if length <= threshold:
                continue
            uy = gy[i, j] / length
            ux = gx[i, j] / length
            for sign in range(-1, 2, 2):
                y = i + 0.5 + sign * 2 * uy
                x = j + 0.5 + sign * 2 * ux
                for _ in range(2, reach):
                    if y < 0 or x < 0 or y >= height or x >= width:
                        break
                    votes[int(y), int(x)] += 1.0
                    y += sign * uy
                    x += sign * ux


@compiled
def peaks(votes, least, apart, ys, xs, values):  # type: ignore[no-untyped-def]
    """Local maxima of at least `least` votes within `apart` px; return how many."""
    height, width = votes.shape
    n = 0
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            here = votes[i, j]
            if here < least or n == ys.size:
                continue
            highest = True
            for a in range(max(i - apart, 0), min(i + apart + 1, height)):
                for b in range(max(j - apart, 0), min(j + apart + 1, width)):
                    other = votes[a, b]
                    earlier = a < i or (a == i and b < j)
                    if other > here or (other == here and earlier):
                        highest = False
                        break
                if not highest:
                    break
            if highest:
                ys[n], xs[n], values[n] = i, j, here
                n += 1
    return n


@compiled
def recentre(gy, gx, strength, threshold, y, x, reach, near):  # type: ignore[no-untyped-def]
    """Point nearest to the gradient lines that pass within `near` px of ``(y, x)``.

    Least squares as in Parthasarathy, Nature Methods 9, 724 (2012), over consistent pixels only.
    """
    height, width = strength.shape
    a, b, c, p, q = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(max(1, int(y) - reach), min(height - 1, int(y) + reach + 1)):
        for j in range(max(1, int(x) - reach), min(width - 1, int(x) + reach + 1)):
            length = strength[i, j]
            dy, dx = i - y, j - x
            distance2 = dy * dy + dx * dx
            if length <= threshold or distance2 > reach * reach or distance2 < 4.0:
                continue
            ny, nx = gx[i, j] / length, -gy[i, j] / length
            off = ny * dy + nx * dx
            if abs(off) > near:
                continue
            weight = 1.0 / math.sqrt(distance2)
            a += weight * ny * ny
            b += weight * ny * nx
            c += weight * nx * nx
            p += weight * ny * off
            q += weight * nx * off
    det = a * c - b * b
    if not det > 1e-3 * (a + c) ** 2:
        return np.nan, np.nan
    return y + (c * p - b * q) / det, x + (a * q - b * p) / det


@compiled
def tally(gy, gx, strength, threshold, y, x, reach, aligned, edges, seen):  # type: ignore[no-untyped-def]
    """Sum edge strength by ring and sector about ``(y, x)``: all, and that along the radius."""
    height, width = strength.shape
    aligned[:] = 0.0
    edges[:] = 0.0
    seen[:] = False
    for i in range(max(1, int(y) - reach), min(height - 1, int(y) + reach + 1)):
        for j in range(max(1, int(x) - reach), min(width - 1, int(x) + reach + 1)):
            dy, dx = i - y, j - x
            r2 = dy * dy + dx * dx
            if r2 < 1.0 or r2 >= (reach - 1) * (reach - 1):
                continue
            r = math.sqrt(r2)
            ring = int(r)
            half = 0 if dy < 0 else _SECTORS // 2
            sector = half + min(int((1.0 - dx / r) * (_SECTORS / 4)), _SECTORS // 2 - 1)
            seen[ring, sector] = True
            seen[ring + 1, sector] = True
            length = strength[i, j]
            if length <= threshold:
                continue
            edges[ring, sector] += length
            edges[ring + 1, sector] += length
            if abs(gy[i, j] * dy + gx[i, j] * dx) > _ALIGNED * length * r:
                aligned[ring, sector] += length
                aligned[ring + 1, sector] += length


@compiled
def outermost(aligned, edges, seen):  # type: ignore[no-untyped-def]
    """First and last ring of the strongest run of rings (gaps of up to 5 px do not end it)."""
    best_first, best_last, best = 0, 0, 0.0
    first, last, total = 0, -100, 0.0
    for ring in range(2, aligned.shape[0]):
        hits, visible, here = 0, 0, 0.0
        for s in range(_SECTORS):
            visible += seen[ring, s]
            hits += aligned[ring, s] > 0.5 * edges[ring, s]
            here += aligned[ring, s]
        if hits < 0.5 * visible or hits < 0.4 * _SECTORS:
            continue
        if ring - last > 6:
            first, total = ring, 0.0
        last = ring
        total += here
        if total > best:
            best_first, best_last, best = first, last, total
    return best_first, best_last


@compiled
def measure(gy, gx, strength, threshold, y, x, reach, aligned, edges, seen):  # type: ignore[no-untyped-def]
    """Radius of the outermost ring about ``(y, x)``, how ring-like it is (0 to 1), edge sum.

    The share of aligned edges is taken by sector, and the worst third of the sectors is left out:
    a neighbour that touches on one side costs little.
    """
    tally(gy, gx, strength, threshold, y, x, reach, aligned, edges, seen)
    first, last = outermost(aligned, edges, seen)
    shares = np.zeros(_SECTORS)
    energy, visible = 0.0, 0
    for s in range(_SECTORS):
        good, whole = 0.0, 0.0
        for ring in range(2, last + 1):
            good += aligned[ring, s]
            whole += edges[ring, s]
            if ring >= first:
                energy += aligned[ring, s]
        visible += seen[max(last, 1), s]
        if good > 0.0:
            shares[s] = good / whole
    if visible < 6 or last == 0:
        return 0.0, 0.0, 0.0
    shares.sort()
    count = max(6, (2 * visible) // 3)
    return float(last), shares[_SECTORS - count :].mean(), energy
