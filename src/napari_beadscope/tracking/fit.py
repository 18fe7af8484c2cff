"""The method "precise" for one ROI: x, y and z at once, by fitting the whole pattern.

Pixel values are taken as ``gain · M(r, z) + offset`` with ``r`` the distance from the centre. ``M``
is the Z-LUT's smooth model, or, without a Z-LUT, the ROI's own rings. Gauss-Newton steps solve for
gain, offset and the shifts in x, y, z together, over every pixel at its own distance: nothing is
binned, so nothing depends on where between pixels the centre lies, and in the limit the variance
is that of least squares, which for nearly even light is the Cramér-Rao bound. First steps read
every other row. Mathematics in the words of `cooperative`; must not know of stacks or backends.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.cooperative import (
    barrier,
    finite,
    lane,
    lanes,
    peak,
    real,
    sum_up,
    thread,
    threads,
    warp,
    warps,
)
from napari_beadscope.tracking.own_model import (
    NODES_PER_PX,
    PER_RING,
    own_nodes,
    own_table,
    reach_of_row,
    ring_values,
    ring_variances,
    sum_rings,
)

# mypy: disable-error-code="no-untyped-def"

STEPS = 12
NEAR_PX, NEAR_NM = 0.05, 10.0  # smaller steps: one more, over all rows, is exact enough
SPARSE_IS_NEAR = 5.0  # times that: the next step over all rows will be small enough
NEAR_OWN_PX = 0.005  # the same when the model is the ROI's own and moves along
LARGEST_PX = 1.0  # step
SPARSE_SIZE = 32  # from this size on first steps read every other row
LEAST_PIXELS = 60

# Where what is in the totals: sums over pixels of products of (M, 1, Jx, Jy, Jz, value).
MM, M1, MX, MY, MZ, X1, Y1, Z1, XX, XY, XZ, YY, YZ, ZZ, VM, V1, VX, VY, VZ, COUNT, VV = range(21)
TOTALS = 21
SYSTEM = 40  # 5 × 5 matrix, solution (5), variances (5), and what `outcome` adds
SOLUTION, VARIANCE, LEFT = 25, 30, 35


def blend(lines, heights, plane, z, nodes, table):
    """Fill `table` with the model at `z`: value, slope, half curvature, derivative by z."""
    row = nodes + 1
    step = real(heights[plane + 1]) - real(heights[plane])
    t = (z - real(heights[plane])) / step
    low, low_rise = (1.0 + 2.0 * t) * (1.0 - t) * (1.0 - t), t * (1.0 - t) * (1.0 - t) * step
    high, high_rise = t * t * (3.0 - 2.0 * t), t * t * (t - 1.0) * step
    down, up = 6.0 * t * (t - 1.0) / step, 6.0 * t * (1.0 - t) / step
    down_rise, up_rise = (1.0 - t) * (1.0 - 3.0 * t), t * (3.0 * t - 2.0)
    a, b = lines[plane], lines[plane + 1]
    for k in range(thread(), nodes, threads()):
        table[k] = low * a[0, k] + low_rise * a[1, k] + high * b[0, k] + high_rise * b[1, k]
        table[3 * row + k] = down * a[0, k] + down_rise * a[1, k] + up * b[0, k] + up_rise * b[1, k]
    for k in range(thread(), nodes, threads()):
        table[row + k] = low * a[2, k] + low_rise * a[3, k] + high * b[2, k] + high_rise * b[3, k]
        table[2 * row + k] = (
            low * a[4, k] + low_rise * a[5, k] + high * b[4, k] + high_rise * b[5, k]
        )
    if thread() == 0:
        for line in range(4):
            table[line * row + nodes] = real(0)
    barrier()


@finite
def pixel_sums(pix, size, x, y, zero, limit, every, nodes, table):
    """Share of this thread in the totals, in the order of their names."""
    mm, m1, mx, my, mz = real(0), real(0), real(0), real(0), real(0)
    x1, y1, z1, xx, xy = real(0), real(0), real(0), real(0), real(0)
    xz, yy, yz, zz, vm = real(0), real(0), real(0), real(0), real(0)
    v1, vx, vy, vz, count, vv = real(0), real(0), real(0), real(0), real(0), real(0)
    row = nodes + 1
    value_at, slope_at = table[0:row], table[row : 2 * row]
    bend_at, z_at = table[2 * row : 3 * row], table[3 * row : 4 * row]
    reach = (real(nodes) - 0.5) / NODES_PER_PX
    for i in range(warp() * every, size, warps() * every):
        down = real(i) - y
        first, last = reach_of_row(size, x, down * down, reach * reach)
        base = np.uint64(i * size)
        for j in range(np.uint64(first + lane()), np.uint64(last), np.uint64(lanes())):
            v = real(pix[base + j])
            across = real(np.int32(j)) - x
            r = math.sqrt(across * across + down * down)
            place = r * NODES_PER_PX
            k = np.int32(place + 0.5)
            off = place - real(k)
            seen = v < limit
            node = np.uint32(k if seen else nodes)
            v = v - zero if seen else real(0)
            slope, bend = slope_at[node], bend_at[node]
            m = value_at[node] + off * (slope + off * bend)
            steep = (slope + 2.0 * bend * off) * -NODES_PER_PX / (r + 1e-6)
            jx, jy, jz = steep * across, steep * down, z_at[node]
            mm, m1, mx = mm + m * m, m1 + m, mx + m * jx
            my, mz, x1 = my + m * jy, mz + m * jz, x1 + jx
            y1, z1, xx = y1 + jy, z1 + jz, xx + jx * jx
            xy, xz, yy = xy + jx * jy, xz + jx * jz, yy + jy * jy
            yz, zz, vm = yz + jy * jz, zz + jz * jz, vm + v * m
            v1, vx, vy = v1 + v, vx + v * jx, vy + v * jy
            vz, vv = vz + v * jz, vv + v * v
            count += real(1) if seen else real(0)
    return mm, m1, mx, my, mz, x1, y1, z1, xx, xy, xz, yy, yz, zz, vm, v1, vx, vy, vz, count, vv


def fill_system(totals, system):
    """Write the normal matrix (upper half) and the right side of gain, offset, x, y, z."""
    system[0], system[1], system[2] = totals[MM], totals[M1], totals[MX]
    system[3], system[4] = totals[MY], totals[MZ]
    system[6], system[7], system[8] = totals[COUNT], totals[X1], totals[Y1]
    system[9] = totals[Z1]
    system[12], system[13], system[14] = totals[XX], totals[XY], totals[XZ]
    system[18], system[19], system[24] = totals[YY], totals[YZ], totals[ZZ]
    system[SOLUTION], system[SOLUTION + 1] = totals[VM], totals[V1]
    system[SOLUTION + 2], system[SOLUTION + 3] = totals[VX], totals[VY]
    system[SOLUTION + 4] = totals[VZ]


def factorise(system, n):
    """Replace the matrix by its Cholesky factor; whether it is one."""
    for i in range(n):
        for j in range(i, n):
            value = system[5 * i + j]
            for k in range(i):
                value -= system[5 * k + i] * system[5 * k + j]
            if i == j:
                if not value > 1e-6 * system[5 * i + i]:
                    return False
                system[5 * i + i] = math.sqrt(value)
            else:
                system[5 * i + j] = value / system[5 * i + i]
    return True


def solve(totals, system, n):
    """Solve for the first `n` of gain, offset, gain·dx, gain·dy, gain·dz.

    Leaves the solution, the diagonal of the inverse matrix, and in `LEFT` the squares that the
    model leaves (-1 if the pixels do not determine it). For one thread.
    """
    system[LEFT] = real(-1)
    fill_system(totals, system)
    if not (totals[COUNT] >= LEAST_PIXELS and factorise(system, n)):
        return
    left = totals[VV]
    for i in range(n):  # forwards; what each unknown explains is the square of this
        value = system[SOLUTION + i]
        for k in range(i):
            value -= system[5 * k + i] * system[SOLUTION + k]
        value /= system[5 * i + i]
        system[SOLUTION + i] = value
        left -= value * value
    for i in range(n - 1, -1, -1):
        value = system[SOLUTION + i]
        for k in range(i + 1, n):
            value -= system[5 * i + k] * system[SOLUTION + k]
        system[SOLUTION + i] = value / system[5 * i + i]
    for which in range(2, n):
        system[VARIANCE + which] = inverse_at(system, n, which)
    system[LEFT] = max(left, real(0))


def inverse_at(system, n, which):
    """Diagonal element of the inverse of the factorised matrix."""
    forward = (real(0), real(0), real(0), real(0), real(0))
    square = real(0)
    for i in range(which, n):
        value = real(1) if i == which else real(0)
        for k in range(which, i):
            value -= system[5 * k + i] * forward[k]
        value /= system[5 * i + i]
        forward = with_item(forward, i, value)
        square += value * value
    return square


def with_item(items, at, value):
    """Five items with one replaced."""
    a, b, c, d, e = items
    return (
        value if at == 0 else a,
        value if at == 1 else b,
        value if at == 2 else c,
        value if at == 3 else d,
        value if at == 4 else e,
    )


def step(pix, size, x, y, zero, limit, every, nodes, table, totals, system, n):
    """One Gauss-Newton step from x, y: return dx, dy, dz (of `n` unknowns), and whether sound."""
    sum_up(pixel_sums(pix, size, x, y, zero, limit, every, nodes, table), totals)
    if thread() == 0:
        solve(totals, system, n)
    barrier()
    gain = system[SOLUTION]
    if not (system[LEFT] >= 0.0 and gain > 0.0):
        return real(0), real(0), real(0), False
    dx, dy = system[SOLUTION + 2] / gain, system[SOLUTION + 3] / gain
    dz = system[SOLUTION + 4] / gain if n == 5 else real(0)
    large = max(abs(dx), abs(dy)) / LARGEST_PX
    if large > 1.0:
        dx, dy = dx / large, dy / large
    return dx, dy, dz, True


def best_plane(sums, bins, coarse, weights, profile, scores):
    """The plane of the Z-LUT most like the ring sums (correlation weighted by pixels)."""
    for k in range(thread(), bins, threads()):
        at = PER_RING * 2 * k
        value, count = sums[at], sums[at + 2]
        if k > 0:
            value += sums[at - PER_RING]
            count += sums[at - PER_RING + 2]
        weights[k], profile[k] = count, value
    barrier()
    weight, mean = real(0), real(0)
    for k in range(bins):
        weight += weights[k]
        mean += profile[k]
    mean /= weight
    for p in range(thread(), coarse.shape[0], threads()):
        plain, squares, common = real(0), real(0), real(0)
        for k in range(bins):
            value = real(coarse[p, k])
            plain += weights[k] * value
            squares += weights[k] * value * value
            common += value * (profile[k] - weights[k] * mean)
        scores[p] = common / math.sqrt(max(squares - plain * plain / weight, real(1e-30)))
    return peak(scores, coarse.shape[0])


def fit_xyz(pix, size, x, y, zero, limit, model, parts):
    """Fit x, y, z to the Z-LUT from about x, y: return x, y, z, and whether it settled."""
    lines, heights, coarse = model
    sums, table, means, values, totals, system, scores = parts
    nodes, planes = lines.shape[2] - 1, heights.shape[0]
    every = 2 if size >= SPARSE_SIZE else 1
    sum_rings(pix, size, x, y, zero, limit, every, 2 * coarse.shape[1], sums)
    plane = best_plane(sums, coarse.shape[1], coarse, means, values, scores)
    z = real(heights[plane])
    plane = min(plane, planes - 2)
    low, high = real(heights[0]), real(heights[planes - 1])
    most = 3.0 * (high - low) / real(planes - 1)
    for _ in range(STEPS):
        blend(lines, heights, plane, z, nodes, table)
        dx, dy, dz, sound = step(
            pix, size, x, y, zero, limit, every, nodes, table, totals, system, 5
        )
        if not sound:
            return x, y, z, False
        x, y = x + dx, y + dy
        z = min(max(z + min(max(dz, -most), most), low), high)
        while plane > 0 and z < real(heights[plane]):
            plane -= 1
        while plane < planes - 2 and z > real(heights[plane + 1]):
            plane += 1
        far = max(max(abs(dx), abs(dy)) / NEAR_PX, abs(dz) / NEAR_NM)
        if far < 1.0 and every == 1:
            return x, y, z, True
        if far < SPARSE_IS_NEAR or not inside(x, y, size):
            every = 1
    return x, y, z, False


def fit_xy(pix, size, x, y, zero, limit, rings, parts):
    """Fit x, y to the ROI's own rings from about x, y.

    Returns x, y, the share of the variance that rings about them explain, whether it settled.
    """
    sums, table, means, values, totals, system, _ = parts
    nodes = own_nodes(rings)
    every = 2 if size >= SPARSE_SIZE else 1
    explained = real(0)
    for _ in range(STEPS):
        whole, within = ring_variances(pix, size, x, y, zero, limit, every, rings, sums)
        explained = 1.0 - within / whole if whole > within else real(0)
        ring_values(sums, rings, means, values)
        own_table(values, rings, nodes, table)
        dx, dy, _, sound = step(
            pix, size, x, y, zero, limit, every, nodes, table, totals, system, 4
        )
        if not (sound and inside(x + dx, y + dy, size)):
            return x, y, explained, False
        x, y = x + dx, y + dy
        if every == 1 and abs(dx) < NEAR_OWN_PX and abs(dy) < NEAR_OWN_PX:
            return x, y, explained, True
        if abs(dx) < NEAR_PX and abs(dy) < NEAR_PX:
            every = 1
    return x, y, explained, False


def inside(x, y, size):
    """Whether the point is on a pixel of the ROI."""
    last = real(size) - 0.5
    return x > -0.5 and y > -0.5 and x < last and y < last
