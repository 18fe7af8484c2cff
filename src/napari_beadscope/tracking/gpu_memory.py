"""Memory, streams and launches on a CUDA device: CuPy owns them, numba-cuda's kernels use them.

The few verbs that `gpu` needs, so that everything above them runs in tests on a stand-in. Knows
nothing of tracking.
"""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Device(Protocol):
    """What `gpu` asks of a device. Buffers belong to it until they are garbage."""

    @property
    def name(self) -> str:
        """Such as "cuda:0"."""

    def stream(self) -> Any:
        """Return a new queue of work; queues run side by side."""

    def buffer(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return device memory as kernels take it (C order, contents undefined)."""

    def alias(self, buffer: Any, dtype: Any) -> Any:
        """Return the same memory as numbers of another type of the same size."""

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return host memory that the device can copy from and to by itself."""

    def copy_in(self, buffer: Any, host: np.ndarray, count: int, stream: Any) -> None:
        """Queue a copy of the first `count` bytes of `host` to `buffer`."""

    def copy_out(self, host: np.ndarray, buffer: Any, count: int, stream: Any) -> None:
        """Queue a copy of the first `count` bytes of `buffer` to `host`."""

    def launch(
        self, kernel: Any, blocks: int, threads: int, shared: int, stream: Any, *arguments: Any
    ) -> None:
        """Queue a kernel with so many bytes of dynamic shared memory per block."""

    def wait(self, stream: Any) -> None:
        """Wait until all that was queued is done; raises what went wrong."""


def nvidia_here() -> bool:
    """Return False where there is surely no NVIDIA driver, asking no library."""
    if not sys.platform.startswith("linux"):
        return sys.platform == "win32"  # there one cannot tell so cheaply
    return any(Path(path).exists() for path in ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu"))


def why_not() -> str:
    """Return '' if a CUDA device can be used from here, else why not, in one sentence."""
    if not find_spec("cupy"):
        return 'CuPy is not installed: pip install "napari-beadscope[gpu]"'
    if not find_spec("numba_cuda"):
        return 'numba-cuda is not installed: pip install "napari-beadscope[gpu]"'
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CuPy's, about a toolkit that is not needed here
            import cupy

            count = cupy.cuda.runtime.getDeviceCount()
    except ImportError as error:
        return f"CuPy cannot be loaded ({error}): install it anew"
    except RuntimeError as error:  # CUDARuntimeError: no driver, or one that is too old
        code = str(error).split(":", 1)[0]
        return f"there is no NVIDIA driver, or it is too old for this CuPy ({code})"
    return "" if count else "the NVIDIA driver finds no CUDA device"


def memory_in_use(device: str) -> tuple[int, int]:
    """Return how many bytes of a device are in use, by anybody, and how many it has.

    Parameters
    ----------
    device : str
        A backend's device, such as "cuda:0"; zeros for "cpu", and where it cannot be told.

    Examples
    --------
    >>> memory_in_use("cpu")
    (0, 0)
    """
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return 0, 0
    try:
        import cupy

        free, total = cupy.cuda.Device(int(index or 0)).mem_info
    except (ImportError, RuntimeError):  # CUDARuntimeError; tracking itself will say it
        return 0, 0
    return int(total - free), int(total)


class CupyDevice:
    """The first CUDA device."""

    name = "cuda:0"

    def __init__(self) -> None:
        import cupy
        from numba import cuda

        self._cupy = cupy
        self._cuda = cuda
        self._use()

    def _use(self) -> None:
        """Make it the calling thread's device."""
        self._cupy.cuda.Device(0).use()

    def stream(self) -> Any:
        self._use()
        stream = self._cupy.cuda.Stream(non_blocking=True)
        return stream, self._cuda.external_stream(stream.ptr)

    def buffer(self, shape: tuple[int, ...], dtype: Any) -> Any:
        self._use()
        return self._cuda.as_cuda_array(self._cupy.zeros(shape, dtype), sync=True)

    def alias(self, buffer: Any, dtype: Any) -> Any:
        return buffer.view(dtype)

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        self._use()
        dtype = np.dtype(dtype)
        count = int(np.prod(shape))
        memory = self._cupy.cuda.alloc_pinned_memory(max(1, count) * dtype.itemsize)
        return np.frombuffer(memory, dtype, count).reshape(shape)

    def copy_in(self, buffer: Any, host: np.ndarray, count: int, stream: Any) -> None:
        runtime = self._cupy.cuda.runtime
        target, source = _address(buffer), host.ctypes.data
        runtime.memcpyAsync(target, source, count, runtime.memcpyHostToDevice, stream[0].ptr)

    def copy_out(self, host: np.ndarray, buffer: Any, count: int, stream: Any) -> None:
        runtime = self._cupy.cuda.runtime
        target, source = host.ctypes.data, _address(buffer)
        runtime.memcpyAsync(target, source, count, runtime.memcpyDeviceToHost, stream[0].ptr)

    def launch(
        self, kernel: Any, blocks: int, threads: int, shared: int, stream: Any, *arguments: Any
    ) -> None:
        self._use()
        kernel[blocks, threads, stream[1], shared](*arguments)

    def wait(self, stream: Any) -> None:
        stream[0].synchronize()


def _address(buffer: Any) -> int:
    return int(buffer.__cuda_array_interface__["data"][0])
