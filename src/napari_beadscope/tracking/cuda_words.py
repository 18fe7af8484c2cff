"""The words of `cooperative` for a block of threads on a CUDA device.

Blocks have one dimension and a multiple of 32 threads, at most 256. Sums run in a fixed order, so
that the same block size gives the same bits every time. The words exchange values through the
first `RESERVED_BYTES` of the block's dynamic shared memory, which kernels must leave to them
(numba cannot link static shared arrays of functions that are reached in two ways). Knows no
mathematics of tracking.
"""

from __future__ import annotations

import math

from numba import cuda

from napari_beadscope.tracking.cooperative import INF, real, wide

# mypy: disable-error-code="no-untyped-def,call-arg,operator"

WARPS = 8  # at most
TUPLE = 32  # values of one `sum_up`, at most
RESERVED_BYTES = 8 * WARPS * TUPLE


def thread():
    """Index of this thread in its block."""
    return cuda.threadIdx.x


def threads():
    """Threads of the block."""
    return cuda.blockDim.x


def lane():
    """Index of this thread in its warp."""
    return cuda.threadIdx.x & 31


def lanes():
    """Threads of a warp."""
    return 32


def warp():
    """Index of this thread's warp in its block."""
    return cuda.threadIdx.x >> 5


def warps():
    """Warps of the block."""
    return cuda.blockDim.x >> 5


def barrier():
    """Wait for all threads of the block."""
    cuda.syncthreads()


def exchange(value, distance):
    """Value of the thread whose lane differs by the bit `distance`."""
    return cuda.shfl_xor_sync(0xFFFFFFFF, value, distance)


def _sum_of_warp(value):
    """Sum over the warp, the same bits in each of its threads."""
    value += exchange(value, 16)
    value += exchange(value, 8)
    value += exchange(value, 4)
    value += exchange(value, 2)
    value += exchange(value, 1)
    return value


def total(value):
    """Sum of a real over the block."""
    parts = cuda.shared.array(0, real)
    part = _sum_of_warp(real(value))
    cuda.syncthreads()
    if lane() == 0:
        parts[warp()] = part
    cuda.syncthreads()
    answer = real(0.0)
    for k in range(warps()):
        answer += parts[k]
    return answer


def count_up(count):
    """Sum of an integer over the block; exact, as there are fewer than 2²⁴ pixels."""
    return int(total(real(count)))


def sum_up(values, out):
    """Sums over the block of a tuple of reals, into ``out[0], out[1], …``."""
    parts = cuda.shared.array(0, real)
    cuda.syncthreads()
    for k in range(len(values)):
        part = _sum_of_warp(real(values[k]))
        if lane() == 0:
            parts[k * WARPS + warp()] = part
    cuda.syncthreads()
    for k in range(thread(), len(values), threads()):
        answer = real(0.0)
        for w in range(warps()):
            answer += parts[k * WARPS + w]
        out[k] = answer
    cuda.syncthreads()


def lowest(value):
    """Lowest over the block, in double."""
    parts = cuda.shared.array(0, wide)
    part = wide(value)
    part = min(part, exchange(part, 16))
    part = min(part, exchange(part, 8))
    part = min(part, exchange(part, 4))
    part = min(part, exchange(part, 2))
    part = min(part, exchange(part, 1))
    cuda.syncthreads()
    if lane() == 0:
        parts[warp()] = part
    cuda.syncthreads()
    answer = parts[0]
    for k in range(1, warps()):
        answer = min(answer, parts[k])
    return answer


def highest(value):
    """Highest over the block, in double."""
    return -lowest(-wide(value))


def _higher(value, at, other, where):
    """The higher of two values with its index; of equals the first."""
    if other > value or (other == value and where < at):
        return other, where
    return value, at


def peak(values, n):
    """Index of the highest of the first `n` values, the first of equals."""
    parts = cuda.shared.array(0, real)
    cuda.syncthreads()
    best, at = real(-INF), real(n)
    for k in range(thread(), n, threads()):
        best, at = _higher(best, at, real(values[k]), real(k))
    best, at = _higher(best, at, exchange(best, 16), exchange(at, 16))
    best, at = _higher(best, at, exchange(best, 8), exchange(at, 8))
    best, at = _higher(best, at, exchange(best, 4), exchange(at, 4))
    best, at = _higher(best, at, exchange(best, 2), exchange(at, 2))
    best, at = _higher(best, at, exchange(best, 1), exchange(at, 1))
    if lane() == 0:
        parts[warp()], parts[WARPS + warp()] = best, at
    cuda.syncthreads()
    best, at = parts[0], parts[WARPS]
    for k in range(1, warps()):
        best, at = _higher(best, at, parts[k], parts[WARPS + k])
    return int(at) if at < real(n) else 0


def add_at(array, index, value):
    """Add to an element that other threads may be adding to."""
    cuda.atomic.add(array, index, value)


def nearest(value):
    """The nearest whole number, of two the even one."""
    return round(value)


def floor(value):
    """The whole number at or below."""
    return int(math.floor(value))  # noqa: RUF046  on a device it is a float


def ceil(value):
    """The whole number at or above."""
    return int(math.ceil(value))  # noqa: RUF046
