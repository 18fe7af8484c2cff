"""The `cpu` backend: our compiled kernels on one or more threads.

Owns warm-up and how a batch is spread over threads; the mathematics is in `kernels`.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.tracking.precise import track_precise
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.verdict import locate, screen
from napari_beadscope.tracking.zlut import ZLut

_log = logging.getLogger(__name__)


def why_not() -> str:
    """Return '' if the kernels can run here, else why not."""
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
        parts = min(self._threads, n)
        if parts <= 1:
            self._chain(stack, zlut, result)
            return result
        edges = np.linspace(0, n, parts + 1).astype(int)
        first, *others = (slice(low, high) for low, high in pairwise(edges))
        with ThreadPoolExecutor(parts - 1) as pool:
            futures = [
                pool.submit(self._chain, stack[rows], zlut, result.part(rows)) for rows in others
            ]
            self._chain(stack[first], zlut, result.part(first))
            for future in futures:
                future.result()
        return result


def track_compatible(stack: np.ndarray, zlut: ZLut | None, result: TrackResult) -> None:
    """Track `stack` with magtrack's numbers into `result`, in the calling thread."""
    screened = screen(stack)
    result.reason[:] = screened.reason
    locate(screened, zlut, result)
