"""Compiled parts of the bead finder that look at one candidate: its centre, radius and shape.

Owns what a concentric pattern is. Every image here is smoothed. Must not know how candidates come
about (`find_kernels`), nor what is kept in the end (`find`).

About a centre, the gradient of a concentric pattern points along the radius and depends on the
distance alone. That model is measured as the median over 16 sectors; how well the gradients of a
sector agree with it is the cosine between the two. The better half of the sectors decides, and
measures the model once more: a neighbour, or the edge of the frame, takes the others.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.compiling import compiled

SECTORS = 16
#: Columns of the table of candidates.
Y, X, RADIUS, SHAPE, STRENGTH, PRESENCE, ROUNDNESS, VOTES = range(8)
COLUMNS = 8

_TAN_22_5 = 0.41421356237
_SECTOR_AREA = math.pi / SECTORS  # of the unit circle
_FAINT = 0.06  # of the strongest ring: where the pattern ends
_GAP_PX = 7  # that a ring may be away from the one before
_SMALL_PX = 18.0  # first look: specks are smaller
_SURELY_SMALL_PX = 10.0
_HOLLOW_VOTES = 48.0  # without a small ring but with so many votes there may be a large one
_LARGE_VOTES = 130.0  # hardly ever from small rings alone


@compiled
def recentre(image, threshold, y, x, reach, near):  # type: ignore[no-untyped-def]
    """Point nearest to the gradient lines that pass within `near` px of ``(y, x)``.

    Least squares as in Parthasarathy, Nature Methods 9, 724 (2012), over edges up to `reach` px
    away. NaN if they do not fix a point.
    """
    height, width = image.shape
    a, b, c, p, q = 0.0, 0.0, 0.0, 0.0, 0.0
    least = threshold * threshold
    near2 = near * near
    reach2 = reach * reach
    for i in range(max(1, int(y - reach)), min(height - 1, int(y + reach) + 2)):
        dy = i - y
        for j in range(max(1, int(x - reach)), min(width - 1, int(x + reach) + 2)):
            dx = j - x
            gy = image[i + 1, j] - image[i - 1, j]
            gx = image[i, j + 1] - image[i, j - 1]
            length2 = gy * gy + gx * gx
            distance2 = dy * dy + dx * dx
            if length2 <= least or distance2 > reach2 or distance2 < 2.0:
                continue
            off = gx * dy - gy * dx  # distance from the line, times the gradient's length
            if off * off > near2 * length2:
                continue
            weight = 1.0 / (length2 * math.sqrt(distance2))
            a += weight * gx * gx
            b -= weight * gx * gy
            c += weight * gy * gy
            p += weight * gx * off
            q -= weight * gy * off
    det = a * c - b * b
    if not det > 1e-3 * (a + c) ** 2:
        return np.nan, np.nan
    return y + (c * p - b * q) / det, x + (a * q - b * p) / det


@compiled
def settle(image, threshold, y, x, reach):  # type: ignore[no-untyped-def]
    """Recentre until it stays, by steps of less than 3 px."""
    for turn in range(4):
        new_y, new_x = recentre(image, threshold, y, x, reach, 3.0 if turn == 0 else 2.0)
        step = abs(new_y - y) + abs(new_x - x)
        if not step < 4.0:
            break
        y, x = new_y, new_x
        if turn > 0 and step < 0.02:
            break
    return y, x


@compiled
def tally(image, y, x, reach, radial, whole, count):  # type: ignore[no-untyped-def]
    """Sum by ring and sector about ``(y, x)``: gradient along the radius, its square, pixels."""
    height, width = image.shape
    rings = int(reach) + 1
    radial[:rings] = 0.0
    whole[:rings] = 0.0
    count[:rings] = 0.0
    reach2 = reach * reach
    for i in range(max(1, int(y - reach)), min(height - 1, int(y + reach) + 2)):
        dy = i - y
        for j in range(max(1, int(x - reach)), min(width - 1, int(x + reach) + 2)):
            dx = j - x
            r2 = dy * dy + dx * dx
            if r2 >= reach2 or r2 < 0.25:
                continue
            r = math.sqrt(r2)
            gy = image[i + 1, j] - image[i - 1, j]
            gx = image[i, j + 1] - image[i, j - 1]
            ay, ax = abs(dy), abs(dx)
            sector = 4 * (dy < 0.0) + 8 * (dx < 0.0)
            if ay > ax:
                sector += 2 + (_TAN_22_5 * ay > ax)
            else:
                sector += _TAN_22_5 * ax > ay
            ring = int(r)
            radial[ring, sector] += (gy * dy + gx * dx) / r
            whole[ring, sector] += gy * gy + gx * gx
            count[ring, sector] += 1.0


@compiled
def fit_rings(radial, count, rings, use, model, agree):  # type: ignore[no-untyped-def]
    """Median radial gradient over the sectors in `use`, and the share of them of its sign."""
    values = np.empty(SECTORS)
    for ring in range(rings):
        n = 0
        for s in range(SECTORS):
            if use[s] and count[ring, s] > 0.0:
                value = radial[ring, s] / count[ring, s]
                k = n
                while k > 0 and values[k - 1] > value:
                    values[k] = values[k - 1]
                    k -= 1
                values[k] = value
                n += 1
        model[ring] = 0.0
        agree[ring] = 0.0
        if n >= 4:
            middle = 0.5 * (values[(n - 1) // 2] + values[n // 2])
            same = 0
            for k in range(n):
                same += (values[k] > 0.0) == (middle > 0.0)
            model[ring] = middle
            agree[ring] = same / n


@compiled
def outermost(model, agree, rings, noise):  # type: ignore[no-untyped-def]
    """Last ring of the strongest run of rings, 0 without one."""
    top = 0.0
    for ring in range(1, rings):
        if agree[ring] > 0.6:
            top = max(top, abs(model[ring]))
    last, energy = 0, 0.0
    best, most = 0, 0.0
    for ring in range(1, rings):
        floor = max(_FAINT * top, noise * math.sqrt(14.0 / (ring + 0.5)))
        if agree[ring] > 0.7 and abs(model[ring]) > floor:
            if ring - last > _GAP_PX:
                energy = 0.0
            last = ring
            energy += (ring + 0.5) * model[ring] ** 2
            if energy > most:
                best, most = ring, energy
    return best


@compiled
def compare(radial, whole, count, model, last, noise, shares, energies, presence):  # type: ignore[no-untyped-def]
    """Cosine between each sector's gradients and the model, -1 outside the frame; return how many.

    The noise's own share of the squared gradients is taken off.
    """
    visible = 0
    for s in range(SECTORS):
        along, fitted, total, n = 0.0, 0.0, 0.0, 0.0
        for ring in range(last + 1):
            along += radial[ring, s] * model[ring]
            fitted += count[ring, s] * model[ring] ** 2
            total += whole[ring, s]
            n += count[ring, s]
        shares[s] = -1.0
        energies[s] = 0.0
        presence[s] = 0.0
        if n < 0.5 * _SECTOR_AREA * (last + 1) ** 2:
            continue
        visible += 1
        shares[s] = 0.0
        total = max(total - n * 2.0 * noise * noise, 1e-30)
        if along > 0.0 and fitted > 0.0:
            shares[s] = min(along / math.sqrt(fitted * total), 1.0)
            energies[s] = along
            presence[s] = min(along / fitted, 1.0)
    return visible


@compiled
def sort_down(values, order):  # type: ignore[no-untyped-def]
    """Fill `order` with the indices of `values`, largest first."""
    for k in range(values.size):
        m = k
        while m > 0 and values[order[m - 1]] < values[k]:
            order[m] = order[m - 1]
            m -= 1
        order[m] = k


@compiled
def weakest_axis(shares, presence):  # type: ignore[no-untyped-def]
    """Least presence along any axis, in the better of its two directions, 0 to 1.

    A neighbour takes one side; rings that lack two opposite sides are of two beads in one.
    """
    weakest = 1.0
    for s in range(SECTORS):
        opposite = s ^ 12  # both signs changed, see `tally`
        if shares[s] >= 0.0 and shares[opposite] >= 0.0:
            weakest = min(weakest, max(presence[s], presence[opposite]))
    return weakest


@compiled
def measure(image, noise, y, x, reach, tables, model, agree, row):  # type: ignore[no-untyped-def]
    """Fill radius, shape, strength, presence of `row` for a pattern about ``(y, x)``, or zeros.

    ``radius`` in px; ``shape`` 0 to 1, the mean cosine of the better half of the sectors;
    ``strength`` the root of the model's squared gradients summed over the area; ``presence`` 0 to
    1, how much of the model every sector has, whatever else it has; ``roundness``, the same along
    the weakest axis.
    """
    row[RADIUS:VOTES] = 0.0
    radial, whole, count = tables[0], tables[1], tables[2]
    tally(image, y, x, reach, radial, whole, count)
    rings = int(reach) + 1
    use = np.ones(SECTORS, dtype=np.bool_)
    shares = np.empty(SECTORS)
    energies = np.empty(SECTORS)
    presence = np.empty(SECTORS)
    last, half, visible = 0, 0, 0
    order = np.arange(SECTORS)
    for _ in range(2):
        fit_rings(radial, count, rings, use, model, agree)
        last = outermost(model, agree, rings, noise)
        if last < 2:
            return
        visible = compare(radial, whole, count, model, last, noise, shares, energies, presence)
        if visible < 6:
            return
        half = max(5, (visible + 1) // 2)
        sort_down(shares, order)
        use[:] = False
        for k in range(half):
            use[order[k]] = True
    shape, energy = 0.0, 0.0
    for k in range(half):
        shape += shares[order[k]] / half
        energy += energies[order[k]]
    row[RADIUS] = last + 0.5
    row[SHAPE] = shape
    total = 0.0
    for s in range(SECTORS):
        if shares[s] >= 0.0:
            total += presence[s]
    row[PRESENCE] = total / visible
    row[ROUNDNESS] = weakest_axis(shares, presence)
    row[STRENGTH] = math.sqrt(energy * SECTORS / half)


@compiled
def measure_all(image, noise, threshold, reach, tables, rows):  # type: ignore[no-untyped-def]
    """Settle and measure every row, which holds a rough centre and its votes."""
    model = np.empty(tables.shape[1])
    agree = np.empty(tables.shape[1])
    wide = np.empty(rows.shape[1])
    small = min(_SMALL_PX, reach)
    for n in range(rows.shape[0]):
        row = rows[n]
        votes = row[VOTES]
        wide[:] = row
        row[Y], row[X] = settle(image, threshold, row[Y], row[X], small)
        measure(image, noise, row[Y], row[X], small, tables, model, agree, row)
        large = row[RADIUS] > _SURELY_SMALL_PX
        again = large or votes > _LARGE_VOTES or (row[RADIUS] == 0.0 and votes > _HOLLOW_VOTES)
        if again and reach > small:
            wide[Y], wide[X] = settle(image, threshold, wide[Y], wide[X], reach)
            measure(image, noise, wide[Y], wide[X], reach, tables, model, agree, wide)
            if large or wide[STRENGTH] * wide[SHAPE] ** 4 > row[STRENGTH] * row[SHAPE] ** 4:
                row[:] = wide


@compiled
def apart(rows, order, share, least, keep):  # type: ignore[no-untyped-def]
    """Mark in `keep` the rows, best first by `order`, that are not part of a better one.

    Closer than `least` px, or than `share` of the better one's radius, is the same thing.
    """
    kept = np.empty(order.size, dtype=np.int64)
    n = 0
    for k in range(order.size):
        row = rows[order[k]]
        alone = True
        for m in range(n):
            other = rows[kept[m]]
            limit = max(least, share * other[RADIUS])
            if (row[Y] - other[Y]) ** 2 + (row[X] - other[X]) ** 2 < limit * limit:
                alone = False
                break
        keep[order[k]] = alone
        if alone:
            kept[n] = order[k]
            n += 1
