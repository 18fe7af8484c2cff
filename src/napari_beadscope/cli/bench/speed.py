"""How fast: processor time per ROI, taking turns so that other programs hit all alike.

Must not know what is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def take_turns(
    calls: Sequence[Callable[[], Any]],
    *,
    seconds: float,
    least: int = 5,
    clock: Callable[[], float] = time.process_time,
    pick: Callable[[Any], Any] = np.median,
) -> list[float]:
    """Return the seconds of one call of each.

    They run one after the other, round after round, for about `seconds` each; what is quick is
    repeated within its turn so that the clock can tell.

    Parameters
    ----------
    calls : sequence of functions
    seconds : float
        Wall time for each.
    least : int
        Rounds at the least.
    clock : function
        `time.process_time` for processor time, `time.perf_counter` for wall time.
    pick : function
        Which of the rounds' times: the median, or the least where others disturb.
    """
    repeats = []
    for call in calls:
        call()  # not timed: compiles, fills caches
        start = time.perf_counter()
        call()
        once = time.perf_counter() - start
        repeats.append(max(1, min(1000, int(0.02 / max(once, 1e-6)))))
    took: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + seconds * len(calls)
    while len(took[0]) < least or time.perf_counter() < end:
        for times, call, count in zip(took, calls, repeats, strict=True):
            start = clock()
            for _ in range(count):
                call()
            times.append((clock() - start) / count)
    return [float(pick(times)) for times in took]


def times_of(call: Callable[[], Any], *, seconds: float, least: int = 30) -> np.ndarray:
    """Return the wall time in s of each of many calls."""
    for _ in range(3):
        call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return np.array(times)
