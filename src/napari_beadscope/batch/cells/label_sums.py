"""Compiled: sums over the pixels of every label, and which labels of two images lie on each other.

One pass each, whatever the number of labels. Must not know what is measured.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.tracking.compiling import compiled

#: Columns of `geometry`.
AREA, SUM_Y, SUM_X, SUM_YY, SUM_XX, SUM_XY, TOP, BOTTOM, LEFT, RIGHT, STRAIGHT, DIAGONAL = range(12)
#: Columns of `brightness`.
TOTAL, SQUARES, LOWEST, HIGHEST = range(4)
#: Most labels of the other image that are counted for one label.
MOST_PARTNERS = 12


@compiled
def geometry(labels, count):  # type: ignore[no-untyped-def]
    """Return sums of places, bounding boxes and borders, (count + 1, 12) float64, row = label.

    STRAIGHT and DIAGONAL count the borders that lines along the axes and the diagonals cross.
    """
    height, width = labels.shape
    out = np.zeros((count + 1, 12))
    out[:, TOP] = height
    out[:, LEFT] = width
    for i in range(height):
        for j in range(width):
            label = labels[i, j]
            if label == 0:
                continue
            row = out[label]
            row[AREA] += 1
            row[SUM_Y] += i
            row[SUM_X] += j
            row[SUM_YY] += i * i
            row[SUM_XX] += j * j
            row[SUM_XY] += i * j
            row[TOP] = min(row[TOP], i)
            row[BOTTOM] = max(row[BOTTOM], i + 1)
            row[LEFT] = min(row[LEFT], j)
            row[RIGHT] = max(row[RIGHT], j + 1)
            if 0 < i < height - 1 and 0 < j < width - 1:
                row[STRAIGHT] += (
                    np.int64(labels[i - 1, j] != label)
                    + np.int64(labels[i + 1, j] != label)
                    + np.int64(labels[i, j - 1] != label)
                    + np.int64(labels[i, j + 1] != label)
                )
                row[DIAGONAL] += (
                    np.int64(labels[i - 1, j - 1] != label)
                    + np.int64(labels[i - 1, j + 1] != label)
                    + np.int64(labels[i + 1, j - 1] != label)
                    + np.int64(labels[i + 1, j + 1] != label)
                )
            else:
                for di in range(-1, 2):
                    for dj in range(-1, 2):
                        y, x = i + di, j + dj
                        inside = 0 <= y < height and 0 <= x < width
                        if not (inside and labels[y, x] == label):
                            if di != 0 and dj != 0:
                                row[DIAGONAL] += 1
                            else:
                                row[STRAIGHT] += 1
    return out


@compiled
def brightness(labels, image, count):  # type: ignore[no-untyped-def]
    """Return sum, sum of squares, minimum and maximum of every label, (count + 1, 4) float64."""
    out = np.zeros((count + 1, 4))
    out[:, LOWEST] = np.inf
    out[:, HIGHEST] = -np.inf
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            label = labels[i, j]
            if label:
                value = np.float64(image[i, j])
                row = out[label]
                row[TOTAL] += value
                row[SQUARES] += value * value
                row[LOWEST] = min(row[LOWEST], value)
                row[HIGHEST] = max(row[HIGHEST], value)
    return out


@compiled
def overlaps(before, now, dy, dx, count):  # type: ignore[no-untyped-def]
    """Count common pixels of the labels of two frames, the earlier one moved by whole px.

    Returns partners and pixels, both (count + 1, MOST_PARTNERS) int32, row = label in `now`,
    0 where there are no further ones.
    """
    height, width = now.shape
    partners = np.zeros((count + 1, MOST_PARTNERS), np.int32)
    pixels = np.zeros((count + 1, MOST_PARTNERS), np.int32)
    for i in range(max(dy, 0), min(height, height + dy)):
        for j in range(max(dx, 0), min(width, width + dx)):
            label = now[i, j]
            if label == 0:
                continue
            other = before[i - dy, j - dx]
            if other == 0:
                continue
            for k in range(MOST_PARTNERS):
                if partners[label, k] == other:
                    pixels[label, k] += 1
                    break
                if partners[label, k] == 0:
                    partners[label, k] = other
                    pixels[label, k] = 1
                    break
    return partners, pixels


@compiled
def binned(labels, factor, out):  # type: ignore[no-untyped-def]
    """Write how many pixels of every ``factor`` × ``factor`` square have a label to `out`."""
    out[:] = 0
    for i in range(out.shape[0] * factor):
        for j in range(out.shape[1] * factor):
            if labels[i, j]:
                out[i // factor, j // factor] += 1
