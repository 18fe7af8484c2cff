"""The `cpu` backend: our compiled kernels on one or more threads.

Owns warm-up and how a batch is spread over threads; the mathematics is in `kernels`.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.tracking.precise import track_precise
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.verdict import locate, screen
from napari_beadscope.tracking.zlut import ZLut

_log = logging.getLogger(__name__)

#: Rows for which waking a thread pays.
_LEAST_ROWS = 24
#: Rows that a thread takes at a time where there are more: a call costs as much as one or two.
_FEW_ROWS, _MOST_ROWS = 64, 128


def why_not() -> str:
    """Return '' if the kernels can run here, else why not."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return "NUMBA_DISABLE_JIT keeps kernels from being compiled: unset it"
    return "" if find_spec("numba") else "install it with: pip install numba"


class CpuBackend:
    """Compiled kernels: bytes of the camera in, rows out, without the GIL.

    Parameters
    ----------
    method : str
        "precise", or "magtrack-compatible" for magtrack's numbers.
    threads : int
        Threads over which each batch is spread; rows do not depend on it.
    """

    name = "cpu"
    device = "cpu"

    def __init__(self, method: str = "precise", threads: int = 1) -> None:
        if threads < 1:
            raise InputError(f"{threads} threads cannot track", "use 1 or more")
        self.method = method
        self._threads = threads
        self._chain = track_precise if method == "precise" else track_compatible

    def warm_up(self, size_px: int, dtype: str, zlut: ZLut | None) -> None:
        """Compile the kernels, or load them from numba's cache; log how long it took."""
        start = time.perf_counter()
        y, x = np.indices((size_px, size_px)) - size_px / 2
        rings = 100 + 50 * np.cos(np.hypot(x, y))
        self.track(rings[np.newaxis].astype(dtype), zlut)
        _log.info("tracking kernels ready after %.2f s", time.perf_counter() - start)

    def track(self, stack: np.ndarray, zlut: ZLut | None) -> TrackResult:
        """See `Backend.track`."""
        n, size_px = len(stack), stack.shape[1]
        if zlut is not None:
            zlut.check_matches(size_px)
        result = TrackResult.empty(n, size_px)
        chunks = _chunks(n, self._threads)
        if len(chunks) <= 1:
            self._chain(stack, zlut, result)
            return result

        def work() -> None:
            while True:
                try:
                    rows = chunks.popleft()
                except IndexError:  # the others have taken the rest
                    return
                self._chain(stack[rows], zlut, result.part(rows))

        helpers = [self._pool.submit(work) for _ in range(min(self._threads, len(chunks)) - 1)]
        work()
        for helper in helpers:
            if not helper.cancel():  # one that is busy with another call has nothing to do here
                helper.result()
        return result

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """Lasts as long as the backend: its threads end when that is no longer used."""
        return ThreadPoolExecutor(self._threads - 1, thread_name_prefix="tracking")


def _chunks(n: int, threads: int) -> deque[slice]:
    """Return `n` rows in pieces: as many for each thread, and so small that none waits long."""
    busy = max(1, min(threads, n // _LEAST_ROWS))
    rows = min(_MOST_ROWS, max(_FEW_ROWS, -(-n // (3 * busy)))) if busy > 1 else max(1, n)
    count = max(busy, n // rows // busy * busy)
    edges = np.linspace(0, n, count + 1).astype(int).tolist()
    return deque(slice(low, high) for low, high in pairwise(edges))


def track_compatible(stack: np.ndarray, zlut: ZLut | None, result: TrackResult) -> None:
    """Track `stack` with magtrack's numbers into `result`, in the calling thread."""
    screened = screen(stack)
    result.reason[:] = screened.reason
    locate(screened, zlut, result)
