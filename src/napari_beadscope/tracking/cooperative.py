"""Words in which tracking mathematics is written once: for one thread and for a block of many.

Functions that use them are plain Python in numba's subset; `specialise` compiles them for a CPU,
where one thread does all (the meanings given here), or for a GPU, where a block of threads shares
the work on one ROI and these names are bound to others (`cuda_words`). Must not know of either.

Work is split as ``for k in range(thread(), n, threads())`` or, over pixels, ``for i in
range(warp(), size, warps())`` and ``for j in range(lane(), size, lanes())``. `barrier`, `total`,
`count_up`, `sum_up`, `lowest`, `highest` and `peak` must be reached by all threads of the block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

# numba reads signatures from use; types here would only be a promise nobody checks.
# mypy: disable-error-code="no-untyped-def"

Function = TypeVar("Function", bound=Callable[..., Any])

#: Constants of the working type (``np.nan`` would be a double everywhere).
NAN = float("nan")
INF = float("inf")
PI = 3.141592653589793

#: The working type: float64 on a CPU, float32 on a GPU.
real = np.float64
#: The type of sums over many rows: float64 on a CPU, float32 on a GPU, where a thread adds few.
tally = np.float64
#: Always double.
wide = np.float64


def finite(function: Function) -> Function:
    """Mark a function whose arguments are known to be finite."""
    function.__beadscope_finite__ = True  # type: ignore[attr-defined]
    return function


def in_double(function: Function) -> Function:
    """Mark a function whose literals stay double whatever the working type is."""
    function.__beadscope_double__ = True  # type: ignore[attr-defined]
    return function


def thread():
    """Index of this thread in its block."""
    return 0


def threads():
    """Threads of the block."""
    return 1


def lane():
    """Index of this thread in its warp."""
    return 0


def lanes():
    """Threads of a warp."""
    return 1


def warp():
    """Index of this thread's warp in its block."""
    return 0


def warps():
    """Warps of the block."""
    return 1


def barrier():
    """Wait for all threads of the block; what they wrote before is seen by all afterwards."""


def total(value):
    """Sum of a real over the block."""
    return value


def count_up(count):
    """Sum of an integer over the block."""
    return count


def sum_up(values, out):
    """Sums over the block of a tuple of reals, into ``out[0], out[1], …``."""
    for k in range(len(values)):
        out[k] = values[k]


def lowest(value):
    """Lowest of a real over the block."""
    return value


def highest(value):
    """Highest of a real over the block."""
    return value


def peak(values, n):
    """Index of the highest of the first `n` values, the first of equals."""
    best = 0
    for k in range(n):
        if values[k] > values[best]:
            best = k
    return best


def add_at(array, index, value):
    """Add to an element that other threads may be adding to."""
    array[index] += value


def nearest(value):
    """The nearest whole number, of two the even one."""
    return int(np.rint(value))


def floor(value):
    """The whole number at or below."""
    return int(np.floor(value))


def ceil(value):
    """The whole number at or above."""
    return int(np.ceil(value))
