"""Names in lists that are narrower than they are: what tells them apart comes first.

Must not know Qt or whose names they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

_BETWEEN = "_- /.,"
#: What is shorter is left in place.
_LONG = 8


def told_apart(names: Sequence[str]) -> list[str]:
    """Return names without the long beginning that all of them share.

    Examples
    --------
    >>> told_apart(["2031-07-14_09-30-00_pull", "2031-07-14_11-05-00_pull"])
    ['…09-30-00_pull', '…11-05-00_pull']
    >>> told_apart(["pull 1", "pull 2"])
    ['pull 1', 'pull 2']
    """
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names))
    shared = "".join(letters[0] for letters in same) if len(set(names)) > 1 else ""
    while shared and shared[-1] not in _BETWEEN:
        shared = shared[:-1]
    if len(shared) <= _LONG or any(len(name) == len(shared) for name in names):
        return list(names)
    return [f"…{name[len(shared) :]}" for name in names]
