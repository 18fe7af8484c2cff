"""Compiled: take apart cells that touch, at the necks between them.

The distance to the outside has a peak in the middle of every cell and a saddle in every neck. A
watershed from the peaks keeps two parts apart if the saddle is lower than `neck` times the lower
peak; so a dent, or the waist of one long cell, does not cut it. Must not know images.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.compiling import compiled

_STEPS = 8  # of the distance, per px


@compiled
def split_cells(labels, boxes, chosen, neck, least_radius, next_label):  # type: ignore[no-untyped-def]
    """Give the second and further parts of the groups in `labels` (y, x) int32 labels of their own.

    Label ``k + 1`` has the bounding box ``boxes[k]`` (columns as of `measure_groups`) and is
    looked at if ``chosen[k]``. Parts whose peak is under `least_radius` px are not split off.
    Returns the first label that is not used.
    """
    for k in range(boxes.shape[0]):
        if not chosen[k]:
            continue
        top, bottom, left, right = boxes[k, 1], boxes[k, 2], boxes[k, 3], boxes[k, 4]
        box = labels[top:bottom, left:right]
        distance = _distance(box, k + 1)
        next_label = _flood(box, k + 1, distance, neck, least_radius, next_label)
    return next_label


@compiled
def _distance(box, label):  # type: ignore[no-untyped-def]
    """Return the distance of the label's pixels to the nearest other one, in `_STEPS` per px.

    Exact: along columns first, then along rows by the lower envelope of parabolas (Felzenszwalb
    and Huttenlocher, Theory of Computing 8, 415 (2012)). What is beyond the box is other.
    """
    height, width = box.shape
    out = np.zeros((height, width), np.int32)
    column = np.zeros((height, width + 2), np.int64)
    for j in range(width):
        run = 0
        for i in range(height):
            run = run + 1 if box[i, j] == label else 0
            column[i, j + 1] = run
        run = 0
        for i in range(height - 1, -1, -1):
            run = run + 1 if box[i, j] == label else 0
            column[i, j + 1] = min(column[i, j + 1], run)
    where = np.empty(width + 2, np.int64)
    until = np.empty(width + 3, np.float64)
    for i in range(height):
        line = column[i]
        last = 0
        where[0] = 0
        until[0], until[1] = -1e9, 1e9
        for q in range(1, width + 2):
            while True:
                v = where[last]
                meet = (line[q] * line[q] + q * q - line[v] * line[v] - v * v) / (2.0 * (q - v))
                if meet > until[last]:
                    break
                last -= 1
            last += 1
            where[last] = q
            until[last], until[last + 1] = meet, 1e9
        k = 0
        for j in range(width):
            while until[k + 1] < j + 1:
                k += 1
            v = where[k]
            square = (j + 1 - v) * (j + 1 - v) + line[v] * line[v]
            out[i, j] = int(math.sqrt(square) * _STEPS) if box[i, j] == label else 0
    return out


@compiled
def _flood(box, label, distance, neck, least_radius, next_label):  # type: ignore[no-untyped-def]
    """Flood one group from its peaks and relabel its parts; return the next unused label."""
    height, width = box.shape
    order = _descending(distance)
    parent = np.full(height * width, -1, np.int64)
    for place in order:
        i, j = place // width, place % width
        level = distance[i, j]
        parent[place] = place
        mine, steepest = place, level - 1
        # the steepest neighbour gives the part; then parts that meet here are weighed
        for di in range(-1, 2):
            for dj in range(-1, 2):
                y, x = i + di, j + dj
                if (di != 0 or dj != 0) and 0 <= y < height and 0 <= x < width:
                    other = y * width + x
                    if parent[other] >= 0 and distance[y, x] > steepest:
                        mine, steepest = other, distance[y, x]
        mine = _root(parent, mine)
        parent[place] = mine
        for di in range(-1, 2):
            for dj in range(-1, 2):
                y, x = i + di, j + dj
                if 0 <= y < height and 0 <= x < width and parent[y * width + x] >= 0:
                    other = _root(parent, y * width + x)
                    mine = _root(parent, mine)
                    if other != mine:
                        one = distance[mine // width, mine % width]
                        two = distance[other // width, other % width]
                        lower = min(one, two)
                        if lower * neck <= level or lower < least_radius * _STEPS:
                            if one < two or (one == two and other < mine):
                                parent[mine] = other
                            else:
                                parent[other] = mine
    return _relabel(box, order, parent, label, next_label)


@compiled
def _relabel(box, order, parent, label, next_label):  # type: ignore[no-untyped-def]
    """Keep the label for the highest part, and give the others new ones."""
    width = box.shape[1]
    names = np.zeros(parent.size, np.int32)
    first = True
    for place in order:
        if parent[place] == place:
            if first:
                names[place] = label
                first = False
            else:
                names[place] = next_label
                next_label += 1
    for place in order:
        box[place // width, place % width] = names[_root(parent, place)]
    return next_label


@compiled
def _descending(distance):  # type: ignore[no-untyped-def]
    """Return the places with a distance above 0, the farthest first, in reading order else."""
    height, width = distance.shape
    top = 0
    for i in range(height):
        for j in range(width):
            top = max(top, distance[i, j])
    begin = np.zeros(top + 2, np.int64)
    for i in range(height):
        for j in range(width):
            if distance[i, j] > 0:
                begin[top - distance[i, j] + 1] += 1
    for k in range(1, top + 2):
        begin[k] += begin[k - 1]
    order = np.empty(begin[top], np.int64)
    for i in range(height):
        for j in range(width):
            d = distance[i, j]
            if d > 0:
                order[begin[top - d]] = i * width + j
                begin[top - d] += 1
    return order


@compiled
def _root(parent, place):  # type: ignore[no-untyped-def]
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place


@compiled
def tidy_labels(labels, count, least_px, drop_edge, out):  # type: ignore[no-untyped-def]
    """Number labels anew in reading order without gaps; leave out small ones; return how many.

    With `drop_edge` those that reach the image's edge go, too.
    """
    height, width = labels.shape
    area = np.zeros(count, np.int64)
    edge = np.zeros(count, np.bool_)
    for i in range(height):
        for j in range(width):
            label = labels[i, j]
            if label:
                area[label] += 1
                if i == 0 or j == 0 or i == height - 1 or j == width - 1:
                    edge[label] = True
    names = np.zeros(count, np.int32)
    used = 0
    for i in range(height):
        for j in range(width):
            label = labels[i, j]
            name = 0
            if label and area[label] >= least_px and not (drop_edge and edge[label]):
                if names[label] == 0:
                    used += 1
                    names[label] = used
                name = names[label]
            out[i, j] = name
    return used
