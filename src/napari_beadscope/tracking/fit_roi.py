"""The method "precise" from pixels to one row: seed, fit, and how far to trust it.

Mathematics for one ROI in the words of `cooperative`; must not know of stacks or backends.

Quality is the share of the variance within the profile's circle that rings about the centre
explain (adjusted for their number), less what differs between octants of a ring (`evenness`), less
what pixels at full scale cast in doubt; with a Z-LUT times a trust in its model that is 1 if the
model explains all that rings do and 0 at 85 %. Reasons are those of `verdict`.
"""

from __future__ import annotations

import math

from napari_beadscope.tracking.cooperative import NAN, barrier, real, thread, threads
from napari_beadscope.tracking.evenness import UNEVEN, unevenness
from napari_beadscope.tracking.fit import (
    COUNT,
    LEFT,
    SOLUTION,
    SYSTEM,
    TOTALS,
    VARIANCE,
    fit_xy,
    fit_xyz,
    inside,
)
from napari_beadscope.tracking.own_model import (
    PER_RING,
    one_px_profile,
    own_nodes,
    ring_variances,
)
from napari_beadscope.tracking.seed import seed

# mypy: disable-error-code="no-untyped-def"

# core.types.Reason as plain integers (compilers resolve globals).
OK, EMPTY, SATURATED, CLIPPED, NOT_FINITE, OUT_OF_RANGE, Z_OUT_OF_RANGE, POOR_MATCH = range(8)

NOISE_EXPLAINED, NOISE_PER_PX = 0.08, 2.0  # rings explain less than a + b / size: nothing there
SATURATED_SHARE = 0.02  # of pixels at full scale: the row is doubtful
DOUBT_EXPLAINED = 0.35  # rings explain less: they are not round about this centre
POOR_SHARE = 0.85  # of what rings explain, by the Z-LUT's model, below: another kind of bead
DOUBT_SHARE = 0.97  # the same, below: z is given, but in doubt
DOUBT_NM = 100.0  # z less certain than this may be that of another ring
ROUND_EXPLAINED = 0.9  # rings explain less: look whether they go all the way round
SPOT = 4  # rings, half a pixel wide, that a hot pixel fills
EDGE_PX = 1.5  # without a Z-LUT, centres nearer to the ROI's edge may be those of beads beyond
EDGE_PLANES = 0.5  # z nearer to an end of the Z-LUT than this is not known

X, Y, Z, QUALITY, SIGMA_X, SIGMA_Y, SIGMA_Z, REASON = range(8)


def scratch(size, nodes):
    """Floats of scratch that `track_roi` needs for ROIs of `size` px and tables of `nodes`."""
    rings = 2 * (size // 2)
    own = own_nodes(rings)
    return PER_RING * (rings + 1) + 4 * (max(nodes, own) + 1) + 2 * rings + TOTALS + SYSTEM


def cut_scratch(work, size, nodes, scores):
    """Slices of `work` by purpose."""
    rings = 2 * (size // 2)
    own = own_nodes(rings)
    end_sums = PER_RING * (rings + 1)
    end_table = end_sums + 4 * (max(nodes, own) + 1)
    end_means, end_values = end_table + rings, end_table + 2 * rings
    end_totals = end_values + TOTALS
    return (
        work[:end_sums],
        work[end_sums:end_table],
        work[end_table:end_means],
        work[end_means:end_values],
        work[end_values:end_totals],
        work[end_totals : end_totals + SYSTEM],
        scores,
    )


def put_errors(totals, system, unknowns, row):
    """Write standard errors: what the model leaves, times how well pixels determine each shift."""
    noise = math.sqrt(system[LEFT] / (totals[COUNT] - real(unknowns))) / system[SOLUTION]
    if thread() == 0:
        for k in range(unknowns - 2):
            row[SIGMA_X + k] = noise * math.sqrt(system[VARIANCE + 2 + k])


def with_zlut(pix, size, x, y, zero, limit, model, row, parts):
    """Fit x, y, z.

    Returns x, y, the share of the variance that rings explain, the trust in the model (0 to 1),
    and the reason not to take them. Writes z and standard errors, in doubt for POOR_MATCH, too.
    """
    heights = model[1]
    x, y, z, settled = fit_xyz(pix, size, x, y, zero, limit, model, parts)
    totals, system = parts[4], parts[5]
    if not (settled and inside(x, y, size)):
        return x, y, real(0), real(0), POOR_MATCH
    left = system[LEFT] / (totals[COUNT] - 5.0)
    whole, within = ring_variances(pix, size, x, y, zero, limit, 1, 2 * (size // 2), parts[0])
    if not whole > within:
        return x, y, real(0), real(0), POOR_MATCH
    explained = 1.0 - within / whole
    agreement = min((whole - left) / (whole - within), real(1))
    trust = max((agreement - POOR_SHARE) / (1.0 - POOR_SHARE), real(0))
    if trust == 0.0:
        return x, y, explained, trust, POOR_MATCH
    last = heights.shape[0] - 1
    first_edge = real(heights[0]) + EDGE_PLANES * (real(heights[1]) - real(heights[0]))
    last_edge = real(heights[last]) - EDGE_PLANES * (real(heights[last]) - real(heights[last - 1]))
    if not (z >= first_edge and z <= last_edge):
        return x, y, explained, trust, Z_OUT_OF_RANGE
    put_errors(totals, system, 5, row)
    if thread() == 0:
        row[Z] = z
    sigma_z = math.sqrt(left * system[VARIANCE + 4]) / system[SOLUTION]
    if agreement >= DOUBT_SHARE and sigma_z <= DOUBT_NM:
        return x, y, explained, trust, OK
    return x, y, explained, trust, POOR_MATCH


def track_roi(pix, size, zero, limit, share, model, row, profile, work, scores):
    """Fill `row` (x, y, z, quality, standard errors, reason) and `profile` from one ROI.

    `pix` is flat, of any number type; values at `limit` or above are left out; `zero`, about the
    middle of the values, is taken off before sums are made; `share` of the pixels is at full
    scale. `model` is what `zlut_model` made of the Z-LUT (no planes: x and y alone). `work` is
    scratch as `scratch` says, `scores` has one float per plane.
    """
    parts = cut_scratch(work, size, model[0].shape[2] - 1, scores)
    clear(row, profile, size)
    seed_x, seed_y = seed(pix, size, parts[4])
    x, y, explained, trust, reason = seed_x, seed_y, real(0), real(1), OK
    settled = False
    if model[1].shape[0] > 0:
        x, y, explained, trust, reason = with_zlut(pix, size, x, y, zero, limit, model, row, parts)
        settled = reason == OK or (reason == POOR_MATCH and trust > 0.0)
    if not settled:
        x, y, explained, settled = fit_xy(
            pix, size, seed_x, seed_y, zero, limit, 2 * (size // 2), parts
        )
        settled = settled and min(x, y) > EDGE_PX and max(x, y) < real(size - 1) - EDGE_PX
        if settled:
            put_errors(parts[4], parts[5], 4, row)
    uneven = real(0)
    look = explained < ROUND_EXPLAINED
    if not look and model[1].shape[0] == 0:
        look = rests_on_core(parts[0], 2 * (size // 2))
    if look and inside(x, y, size):
        uneven = min(unevenness(pix, size, x, y, zero, limit, parts[1]), real(1))
    if not inside(x, y, size):
        reason = OUT_OF_RANGE
    else:
        reason = doubt(size, share, explained, uneven, settled, reason)
    put_verdict(x, y, size, share, explained * trust * (1.0 - uneven), reason, row)
    if reason != EMPTY and inside(x, y, size):
        one_px_profile(parts[0], zero, size // 2, profile)


def rests_on_core(sums, rings):
    """Whether what rings explain is a bright spot at the centre: a hot pixel, as a rule."""
    count, plain = real(0), real(0)
    for k in range(rings):
        count += sums[PER_RING * k + 2]
        plain += sums[PER_RING * k]
    mean = plain / max(count, real(1))
    core, between = real(0), real(0)
    for k in range(rings):
        n = sums[PER_RING * k + 2]
        if n > 0.0:
            above = sums[PER_RING * k] - n * mean
            between += above * above / n
            core += above * above / n if k < SPOT else real(0)
    return core > 0.5 * between


def doubt(size, share, explained, uneven, settled, reason):
    """Reason not to believe a centre in the ROI, or the `reason` there was."""
    if not explained >= NOISE_EXPLAINED + NOISE_PER_PX / real(size) or uneven >= 1.0:
        return EMPTY
    if explained < DOUBT_EXPLAINED or uneven > UNEVEN or not settled:
        return OUT_OF_RANGE
    if reason == OK and share > SATURATED_SHARE:
        return SATURATED
    return reason


def clear(row, profile, size):
    """NaN everywhere."""
    for k in range(thread(), 8, threads()):
        row[k] = NAN
    for k in range(thread(), size // 2, threads()):
        profile[k] = NAN
    barrier()


def put_verdict(x, y, size, share, quality, reason, row):
    """Write position, quality and reason; take back what must not be believed."""
    if share > SATURATED_SHARE:
        quality *= 1.0 - share
    barrier()
    if thread() == 0:
        row[QUALITY] = quality
        row[REASON] = real(reason)
        if reason != EMPTY and inside(x, y, size):
            row[X], row[Y] = x, y
        if reason in (EMPTY, OUT_OF_RANGE):
            row[Z] = NAN
            row[SIGMA_X], row[SIGMA_Y], row[SIGMA_Z] = NAN, NAN, NAN
    barrier()
