"""`best_pairs`: which of many candidate pairs hold, so that their costs are least together.

Owns the assignment. Must not know what is paired.
"""

from __future__ import annotations

import numpy as np


def best_pairs(one: np.ndarray, other: np.ndarray, cost: np.ndarray, limit: float) -> np.ndarray:
    """Choose pairs so that nothing is in two of them and the sum of costs is least.

    Parameters
    ----------
    one, other : np.ndarray, shape (n,), int
        The candidates' members: each pair at most once.
    cost : np.ndarray, shape (n,)
        Of each candidate. Candidates at `limit` or above are never chosen; leaving two things
        without a partner costs `limit`.
    limit : float
        See `cost`.

    Returns
    -------
    np.ndarray
        Indices of the candidates that hold, ascending.

    Examples
    --------
    >>> one, other = np.array([0, 0, 1]), np.array([5, 6, 5])
    >>> best_pairs(one, other, np.array([0.1, 0.4, 0.2]), 1.0).tolist()
    [1, 2]
    """
    able = np.flatnonzero(cost < limit)
    if not len(able):
        return able
    _, rows = np.unique(one[able], return_inverse=True)
    _, columns = np.unique(other[able], return_inverse=True)
    alone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    chosen = [able[alone]]
    rest = np.flatnonzero(~alone)
    if len(rest):
        for group in _connected(rows[rest], columns[rest]):
            members = rest[group]
            chosen.append(able[_assigned(rows, columns, cost[able] - limit, members)])
    return np.sort(np.concatenate(chosen))


def _connected(rows: np.ndarray, columns: np.ndarray) -> list[np.ndarray]:
    """Return candidates by the group in which one choice can change another."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    offset = int(rows.max()) + 1
    size = offset + int(columns.max()) + 1
    graph = coo_array((np.ones(len(rows)), (rows, columns + offset)), shape=(size, size))
    group = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _assigned(
    rows: np.ndarray, columns: np.ndarray, gain: np.ndarray, members: np.ndarray
) -> np.ndarray:
    """Return those of `members` that are chosen; `gain` is negative for each of them."""
    from scipy.optimize import linear_sum_assignment

    _, row = np.unique(rows[members], return_inverse=True)
    _, column = np.unique(columns[members], return_inverse=True)
    table = np.zeros((row.max() + 1, column.max() + 1))
    which = np.full(table.shape, -1)
    table[row, column] = gain[members]
    which[row, column] = members
    found = which[linear_sum_assignment(table)]
    return found[found >= 0]
