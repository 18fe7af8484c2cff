"""What CuPy and numba-cuda are asked for, against stand-ins that keep to their contracts."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_beadscope.tracking import gpu_plan
from napari_beadscope.tracking.gpu import GpuBackend
from napari_beadscope.tracking.gpu_memory import CupyDevice


class Queues:
    """Work by stream pointer, done when somebody waits for the stream."""

    def __init__(self) -> None:
        self.of: dict[int, list[Callable[[], object]]] = {}

    def stream(self, non_blocking: bool = False) -> Any:
        assert non_blocking  # others would wait for the legacy default stream
        ptr = 1000 + len(self.of)
        self.of[ptr] = []
        return SimpleNamespace(ptr=ptr, synchronize=lambda: self.drain(ptr))

    def drain(self, ptr: int) -> None:
        while self.of[ptr]:
            self.of[ptr].pop(0)()

    def copy(self, there: int, here: int, count: int, kind: int, ptr: int) -> None:
        assert kind in (1, 2)  # host to device, device to host
        self.of[ptr].append(lambda: ctypes.memmove(there, here, count))


class NumbaArray:
    """numba's view of device memory; only the interface and `view` are public."""

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.__cuda_array_interface__ = {"data": (memory.ctypes.data, False), "version": 3}

    def view(self, dtype: Any) -> NumbaArray:
        return NumbaArray(self.memory.view(dtype))


class Kernel:
    """A launch takes grid, block, stream and shared bytes, then arguments; x is ROI's mean."""

    def __init__(self, queues: Queues) -> None:
        self.queues = queues

    def __getitem__(self, configuration: tuple[int, int, int, int]) -> Callable[..., None]:
        blocks, threads, ptr, shared = configuration
        assert threads == 128
        assert 0 < shared <= 48 * 1024

        def launch(*arguments: Any) -> None:
            plain = [getattr(one, "memory", one) for one in arguments]
            assert all(isinstance(one, np.ndarray | int) for one in plain)
            self.queues.of[ptr].append(lambda: self._work(blocks, plain))

        return launch

    def _work(self, blocks: int, arguments: list[Any]) -> None:
        rows = arguments[-5]
        rows[:blocks] = 0
        rows[:blocks, 0] = arguments[0][:blocks].mean(axis=1)


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Queues:
    queues = Queues()
    runtime = SimpleNamespace(memcpyAsync=queues.copy, memcpyHostToDevice=1, memcpyDeviceToHost=2)
    on_device = SimpleNamespace(
        runtime=runtime,
        Stream=queues.stream,
        Device=lambda number: SimpleNamespace(use=lambda: None),
        alloc_pinned_memory=bytearray,
    )
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=on_device, zeros=np.zeros))
    from numba import cuda

    monkeypatch.setattr(cuda, "external_stream", lambda ptr: ptr)
    monkeypatch.setattr(cuda, "as_cuda_array", lambda array, sync: NumbaArray(array))
    monkeypatch.setattr(gpu_plan, "_kernel", lambda method, whole: Kernel(queues))
    return queues


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_rows_come_back_through_cupys_and_numbas_interfaces(queues: Queues, dtype: str) -> None:
    backend = GpuBackend(piece_bytes=3 * 16 * 16 * np.dtype(dtype).itemsize)
    assert isinstance(backend._device, CupyDevice)
    assert (backend.name, backend.device, backend.method) == ("gpu", "cuda:0", "precise")
    stack = np.random.default_rng(0).integers(0, 255, (20, 16, 16)).astype(dtype)
    result = backend.track(stack, None)
    np.testing.assert_allclose(result.x_px, stack.mean(axis=(1, 2)))
    assert not any(queues.of.values())
