"""The GPU as long as it works, else the CPU: no row is lost to a driver.

Owns the change-over and what is said about it. Knows nothing of devices or mathematics.
"""

from __future__ import annotations

import logging
from functools import cache
from threading import Lock

import numpy as np

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.tracking.backend import Backend
from napari_beadscope.tracking.gpu_memory import why_not
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.zlut import ZLut

__all__ = ["GpuOrCpu", "why_not"]

logger = logging.getLogger(__name__)


class GpuOrCpu:
    """Tracks on the GPU; a batch on which it fails goes to the CPU at once, and so do all later.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    threads : int
        For the CPU.
    gpu, cpu : Backend, optional
        Those two; by default ours.
    """

    def __init__(
        self,
        method: str = "precise",
        threads: int = 1,
        *,
        gpu: Backend | None = None,
        cpu: Backend | None = None,
    ) -> None:
        from napari_beadscope.tracking.compiled import CpuBackend

        self.method = method
        #: Why it is not the GPU that tracks; '' while it is.
        self.note = ""
        self._cpu: Backend = cpu or CpuBackend(method, threads)
        self._now: Backend = self._cpu
        self._change = Lock()
        try:
            self._now = gpu or _open_gpu(method)
        except BeadscopeError:
            raise
        except Exception as error:  # drivers raise what they like
            logger.exception("the GPU cannot be used")
            self._give_up(error)

    @property
    def name(self) -> str:
        """Name of the one that tracks now."""
        return self._now.name

    @property
    def device(self) -> str:
        """Where it tracks now."""
        return self._now.device

    def warm_up(self, size_px: int, dtype: str, zlut: ZLut | None) -> None:
        """Get both ready, so that a change-over takes no longer than the batch."""
        self._cpu.warm_up(size_px, dtype, zlut)
        now = self._now
        if now is self._cpu:
            return
        try:
            now.warm_up(size_px, dtype, zlut)
        except BeadscopeError:
            raise
        except Exception as error:
            logger.exception("the GPU failed while it was prepared")
            self._give_up(error)

    def track(self, stack: np.ndarray, zlut: ZLut | None) -> TrackResult:
        """See `Backend.track`."""
        now = self._now
        if now is not self._cpu:
            try:
                return now.track(stack, zlut)
            except BeadscopeError:
                raise
            except Exception as error:
                logger.exception("the GPU failed on a batch of %d ROIs", len(stack))
                self._give_up(error)
        return self._cpu.track(stack, zlut)

    def _give_up(self, error: Exception) -> None:
        """Stay on the CPU from now on, and say so once."""
        with self._change:
            if self.note:
                return
            lines = str(error).strip().splitlines()
            why = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
            self.note = f"the GPU failed ({why}); the CPU tracks instead"
            self._now = self._cpu
        logger.warning("%s", self.note)


@cache
def _open_gpu(method: str) -> Backend:
    """Return the process's backend for `method`; its buffers outlast one `track_stack`."""
    from napari_beadscope.tracking.gpu import GpuBackend

    return GpuBackend(method)
