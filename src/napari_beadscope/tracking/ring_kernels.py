"""Compiled sums over the pixels of one ROI for a radial function made of cubic B-splines.

The function is ``P(r) = sum_j c_j B(r / step - j)`` with the cubic B-spline ``B`` of unit spacing,
``j = 0 … n - 1``, and ``c_-1 = c_1``, so that it is even and smooth at the centre. Must not know of
Z-LUTs, frames or files.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.compiling import compiled

GAIN, OFFSET, X, Y, Z = range(5)


@compiled
def spline_weights(t, nodes, value, slope):  # type: ignore[no-untyped-def]
    """Fill in the four coefficients that matter at ``t = r / step``: which, weight, slope."""
    first = int(t)
    f = t - first
    g = 1.0 - f
    value[0] = g * g * g / 6.0
    value[1] = (3.0 * f * f * f - 6.0 * f * f + 4.0) / 6.0
    value[2] = (3.0 * g * g * g - 6.0 * g * g + 4.0) / 6.0
    value[3] = f * f * f / 6.0
    slope[0] = -0.5 * g * g
    slope[1] = 1.5 * f * f - 2.0 * f
    slope[2] = -1.5 * g * g + 2.0 * g
    slope[3] = 0.5 * f * f
    for k in range(4):
        nodes[k] = abs(first - 1 + k)


@compiled
def _trust(residual, cut):  # type: ignore[no-untyped-def]
    """Weight of a pixel that misses the model by `residual`: 1, falling to 0 at `cut`."""
    part = residual / cut
    part *= part
    return (1.0 - part) * (1.0 - part) if part < 1.0 else 0.0


@compiled
def add_pixels(pixels, x, y, grid, light, shift, cut, ata, atb):  # type: ignore[no-untyped-def]
    """Add the pixels of an ROI to the normal equations of the coefficients.

    Parameters
    ----------
    pixels : (y, x) float64
    grid : (step, reach)
        Spacing of the splines and largest radius, px.
    light : (gain, offset)
        Of this frame: pixels are ``gain * P + offset``.
    shift : (n,) float64
        Coefficients of what is taken off first (how the frame's own height changes P).
    cut : (coefficients, limit)
        The last solution, and the residual from which on a pixel is left out.
    ata, atb : (n, n), (n,)
        Added to.
    """
    step, reach = grid
    gain, offset = light
    last, limit = cut
    nodes = np.empty(4, dtype=np.int64)
    value, slope = np.empty(4), np.empty(4)
    for i in range(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            r = math.sqrt((i - y) ** 2 + (j - x) ** 2)
            if not r < reach:
                continue
            spline_weights(r / step, nodes, value, slope)
            wanted = (pixels[i, j] - offset) / gain
            model = 0.0
            for k in range(4):
                wanted -= value[k] * shift[nodes[k]]
                model += value[k] * last[nodes[k]]
            weight = _trust(wanted - model, limit)
            for k in range(4):
                part = weight * value[k]
                atb[nodes[k]] += part * wanted
                for m in range(4):
                    ata[nodes[k], nodes[m]] += part * value[m]


@compiled
def frame_equations(pixels, x, y, grid, light, curves, limit, matrix, right, residuals):  # type: ignore[no-untyped-def]
    """Sum the normal equations of one frame's gain, offset, x, y and z about the model.

    Parameters
    ----------
    curves : (coefficients, their change per unit of z)
    limit : float
        Residual from which on a pixel is left out.
    matrix, right : (5, 5), (5,)
        Added to, in the order GAIN, OFFSET, X, Y, Z.
    residuals : (pixels,)
        Filled with pixel less model in units of the plane, NaN outside the reach.
    """
    step, reach = grid
    gain, offset = light
    coefficients, change = curves
    nodes = np.empty(4, dtype=np.int64)
    value, slope = np.empty(4), np.empty(4)
    row = np.empty(5)
    for i in range(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            place = i * pixels.shape[1] + j
            residuals[place] = np.nan
            r = math.sqrt((i - y) ** 2 + (j - x) ** 2)
            if not r < reach:
                continue
            spline_weights(r / step, nodes, value, slope)
            model, steep, rising = 0.0, 0.0, 0.0
            for k in range(4):
                model += value[k] * coefficients[nodes[k]]
                steep += slope[k] * coefficients[nodes[k]]
                rising += value[k] * change[nodes[k]]
            residual = pixels[i, j] - gain * model - offset
            residuals[place] = residual / gain
            weight = _trust(residual / gain, limit)
            outward = -gain * steep / step / r if r > 0.0 else 0.0
            row[GAIN] = model
            row[OFFSET] = 1.0
            row[X] = outward * (j - x)
            row[Y] = outward * (i - y)
            row[Z] = gain * rising
            for k in range(5):
                right[k] += weight * row[k] * residual
                for m in range(5):
                    matrix[k, m] += weight * row[k] * row[m]
