"""How well labels and links suit synthetic cells of which everything is known.

Owns the scores. Must not know how cells were found or linked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_beadscope.batch.cells import CellLinks
from napari_beadscope.testing.cells import SyntheticCells


def overlap(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return intersection over union of every true label with every found one."""
    rows, columns = int(true.max()) + 1, int(found.max()) + 1
    both = np.bincount((true.astype(np.int64) * columns + found).ravel(), minlength=rows * columns)
    table = both.reshape(rows, columns)
    union = table.sum(1)[:, None] + table.sum(0)[None] - table
    return (table / union)[1:, 1:]


def best(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return for every true label how well the best found one suits it."""
    table = overlap(true, found)
    return table.max(axis=1) if table.shape[1] else np.zeros(len(table))


def matches(true: np.ndarray, found: np.ndarray) -> dict[int, int]:
    """Return the found label of every true one that is found."""
    table = overlap(true, found)
    if not table.shape[1]:
        return {}
    return {k + 1: int(row.argmax()) + 1 for k, row in enumerate(table) if row.max() >= 0.5}


def share_of_links(scene: SyntheticCells, labels: Sequence[np.ndarray], links: CellLinks) -> float:
    """Return the part of the true links, divisions too, that are found."""
    match = [matches(scene.labels(frame), found) for frame, found in enumerate(labels)]
    named = zip(
        *(values.tolist() for values in (links.frame, links.label, links.cell, links.parent))
    )
    at = {(frame, label): (cell, parent) for frame, label, cell, parent in named}
    good = 0
    true = scene.links()
    for frame, one, other in true:
        here = at.get((frame, match[frame].get(one, 0)))
        there = at.get((frame + 1, match[frame + 1].get(other, 0)))
        good += bool(here and there and (here[0] == there[0] or there[1] == here[0]))
    return good / len(true)
