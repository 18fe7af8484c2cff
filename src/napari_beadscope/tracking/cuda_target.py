"""How functions are compiled for a CUDA device, or run in numba's simulator of one.

Knows no mathematics. The simulator (``NUMBA_ENABLE_CUDASIM=1``) runs each thread of a block as a
thread of Python; it has no exchange of values within a warp, so that word gets another meaning.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba import config, cuda

from napari_beadscope.tracking import cooperative, cpu_loops, cuda_words, gpu_loops
from napari_beadscope.tracking.specialise import Target

# numba's stubs are not what they stand for.
# mypy: disable-error-code="no-untyped-def,call-arg"

_WORDS = (
    "thread",
    "threads",
    "lane",
    "lanes",
    "warp",
    "warps",
    "barrier",
    "total",
    "count_up",
    "sum_up",
    "lowest",
    "highest",
    "peak",
    "add_at",
    "nearest",
    "floor",
    "ceil",
)


@cache
def cuda_target(real: type = np.float32) -> Target:
    """Return the target for CUDA kernels that work in `real` (float32 or float64)."""
    words = {getattr(cooperative, name): getattr(cuda_words, name) for name in _WORDS}
    words[cpu_loops.ring_sums] = gpu_loops.ring_sums
    simulated = bool(getattr(config, "ENABLE_CUDASIM", 0))
    if simulated:
        words[cuda_words.exchange] = _exchange_in_simulator
    return Target(
        name="cuda" if real is np.float32 else f"cuda_{real.__name__}",
        helper=_simulated if simulated else _device,
        entry=_simulated_kernel if simulated else _kernel,
        words=words,
        real=real,
        tally=real,
    )


def _device(function: FunctionType, finite: bool) -> Any:
    del finite  # single instructions gain nothing from it here
    return cuda.jit(device=True)(function)


def _kernel(function: FunctionType, finite: bool) -> Any:
    del finite
    return cuda.jit(cache=True)(function)


class _Running:
    """The module `cuda` as the kernel that is being simulated sees it."""

    def __getattr__(self, name: str) -> Any:
        from numba.cuda.simulator.kernel import _get_kernel_context

        context = _get_kernel_context()
        return _Shared(context.shared) if name == "shared" else getattr(context, name)


class _Shared:
    """Shared memory that takes numpy's types as the compiler does; one static array at most."""

    def __init__(self, shared: Any) -> None:
        self._shared = shared

    def array(self, shape: int, dtype: Any) -> Any:
        return self._shared.array(shape, np.dtype(dtype))


def _simulated(function: FunctionType, finite: bool) -> Any:
    """Return the function itself: numba's own wrapper would swap globals under other threads."""
    del finite
    names = function.__globals__
    names.update({name: _Running() for name, value in names.items() if value is cuda})
    return function


def _simulated_kernel(function: FunctionType, finite: bool) -> Any:
    kernel: Any = cuda.jit
    return kernel(_simulated(function, finite))


def _exchange_in_simulator(value, distance):
    box = cuda.shared.array(1024, np.float64)
    box[cuda.threadIdx.x] = value
    cuda.syncthreads()
    other = box[cuda.threadIdx.x ^ distance]
    cuda.syncthreads()
    return type(value)(other)
