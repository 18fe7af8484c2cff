"""A device for tests on machines without one: kernels run in numba's simulator of CUDA.

Run as a program (``NUMBA_ENABLE_CUDASIM=1 python -m napari_beadscope.testing.gpu METHOD OUT.npz``)
it tracks the same stacks with the `gpu` backend on that device and with the CPU, and saves the rows
of both: the simulator must be chosen before numba is imported.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """Some ROIs, and how many threads share the work on each."""

    name: str
    size_px: int
    dtype: str
    threads: int
    rois: int = 1
    zlut: bool = True


CASES = (
    Case("64 px", 64, "uint8", 32),
    Case("four warps", 24, "uint8", 128),
    Case("odd size", 33, "uint16", 64, rois=2),
    Case("floats", 32, "float64", 32),
    Case("single floats without Z-LUT", 20, "float32", 64, zlut=False),
    Case("whole numbers without Z-LUT", 28, "uint16", 32, zlut=False),
    Case("bad ROIs", 48, "float64", 32),
)


class HostDevice:
    """A device whose memory is numpy's.

    Streams hold their work back until somebody waits for them, as a busy device would; what is
    read or overwritten too early shows.
    """

    name = "stand-in"

    def __init__(self) -> None:
        self.made: list[str] = []
        self.log: list[str] = []
        self.streams: list[list[Callable[[], None]]] = []

    def stream(self) -> Any:
        self.made.append("stream")
        self.streams.append([])
        return self.streams[-1]

    def buffer(self, shape: tuple[int, ...], dtype: Any) -> Any:
        self.made.append("buffer")
        bytes_ = np.full(int(np.prod(shape)) * np.dtype(dtype).itemsize, 0xA5, np.uint8)
        return bytes_.view(dtype).reshape(shape)

    def alias(self, buffer: Any, dtype: Any) -> Any:
        return buffer.view(dtype)

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        self.made.append("pinned")
        return np.zeros(shape, dtype)

    def copy_in(self, buffer: Any, host: np.ndarray, count: int, stream: Any) -> None:
        self._queue(stream, "in", lambda: copy_bytes(self.memory(buffer), host, count))

    def copy_out(self, host: np.ndarray, buffer: Any, count: int, stream: Any) -> None:
        self._queue(stream, "out", lambda: copy_bytes(host, self.memory(buffer), count))

    def launch(
        self, kernel: Any, blocks: int, threads: int, shared: int, stream: Any, *arguments: Any
    ) -> None:
        self._queue(stream, "kernel", lambda: self.run(kernel, blocks, threads, shared, arguments))

    def wait(self, stream: Any) -> None:
        self.log.append("wait")
        while stream:
            stream.pop(0)()

    def memory(self, buffer: Any) -> np.ndarray:
        """Return the memory behind a buffer."""
        return np.asarray(buffer)

    def run(self, kernel: Any, blocks: int, threads: int, shared: int, arguments: Any) -> None:
        """Run the kernel now."""
        kernel(blocks, threads, shared, *arguments)

    def _queue(self, stream: Any, name: str, work: Callable[[], None]) -> None:
        self.log.append(name)
        stream.append(work)


class SimulatedDevice(HostDevice):
    """The same with kernels in numba's simulator."""

    def buffer(self, shape: tuple[int, ...], dtype: Any) -> Any:
        from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

        return FakeCUDAArray(super().buffer(shape, dtype))

    def memory(self, buffer: Any) -> np.ndarray:
        return np.asarray(buffer._ary)

    def run(self, kernel: Any, blocks: int, threads: int, shared: int, arguments: Any) -> None:
        kernel[blocks, threads, 0, shared](*arguments)


def copy_bytes(there: np.ndarray, here: np.ndarray, count: int) -> None:
    """Copy the first `count` bytes."""
    there.reshape(-1).view(np.uint8)[:count] = here.reshape(-1).view(np.uint8)[:count]


def run_block(self: Any, grid_point: Any, *arguments: Any) -> None:
    """Run the threads of one block, each of which must reach every barrier.

    Instead of the simulator's own way, which polls, and lets threads end while others wait. They
    start in random order, and run on to the next barrier one after the other.
    """
    from numba.cuda.simulator.kernel import BlockThread

    places = list(np.ndindex(*self._block_dim))
    random.shuffle(places)
    barrier = threading.Barrier(len(places))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            self._f(*arguments)
        except BaseException as error:  # noqa: BLE001  it is raised again below
            errors.append(error)
            barrier.abort()

    threads: list[Any] = [BlockThread(work, self, grid_point, place, False) for place in places]
    for thread in threads:
        thread.syncthreads = lambda: barrier.wait(30)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        own = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
        raise (own or errors)[0]


def stack_of(case: Case) -> np.ndarray:
    """Return the ROIs of a case."""
    from napari_beadscope.testing.backends import bad_rois, rings

    if case.name == "bad ROIs":
        return np.stack(list(bad_rois().values())).astype(case.dtype)
    rng = np.random.default_rng(case.size_px)
    x, y = rng.uniform(-2, 2, (2, case.rois)) + (case.size_px - 1) / 2
    stack = rings(x, y, rng.uniform(-800, 800, case.rois), case.size_px)
    stack += rng.normal(0, 2, stack.shape)
    if case.dtype.startswith("float"):
        return (1e5 + 7 * stack).astype(case.dtype)
    return np.rint(stack).astype(case.dtype)


def zlut_of(size_px: int) -> Any:
    """Return a Z-LUT for the ROIs."""
    from napari_beadscope.testing.backends import rings
    from napari_beadscope.tracking import ZLut, open_backend

    z = np.arange(-1500.0, 1501.0, 100.0)
    middle = np.full(len(z), size_px // 2)
    result = open_backend("cpu").track(rings(middle, middle, z, size_px), None)
    return ZLut(z, result.profiles)


def main(method: str, out: Path) -> None:
    """Track all cases both ways and save the rows."""
    from numba.cuda.simulator.kernel import BlockManager

    from napari_beadscope.tracking.compiled import CpuBackend
    from napari_beadscope.tracking.gpu import GpuBackend

    manager: Any = BlockManager
    manager.run = run_block
    warnings.simplefilter("ignore")  # plain numpy scalars complain where compiled code does not
    rows: dict[str, np.ndarray] = {}
    for case in CASES:
        stack = stack_of(case)
        zlut = zlut_of(case.size_px) if case.zlut else None
        gpu = GpuBackend(method, device=SimulatedDevice(), block=case.threads)
        for who, backend in (("gpu", gpu), ("again", gpu), ("cpu", CpuBackend(method))):
            if who == "again" and case.size_px > 28:
                continue
            result = backend.track(stack, zlut)
            for field in fields(result):
                rows[f"{case.name}/{who}/{field.name}"] = getattr(result, field.name)
    np.savez(out, **rows)  # type: ignore[arg-type]


if __name__ == "__main__":
    assert os.environ["NUMBA_ENABLE_CUDASIM"] == "1"
    main(sys.argv[1], Path(sys.argv[2]))
