"""The `gpu` backend: ROIs go over the bus as the camera made them, rows come back.

Owns how a batch is cut into pieces that take turns on two streams, so that copies in, kernels,
copies out and the host's own copying overlap. Buffers are made when a kind of batch is first seen
and used again; a batch allocates nothing on the device. The mathematics is in `kernels` and `fit`,
the device behind `gpu_memory.Device`.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from napari_beadscope.tracking.gpu_memory import CupyDevice, Device, why_not
from napari_beadscope.tracking.gpu_plan import Plan, plan
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.stack import check_stack
from napari_beadscope.tracking.zlut import ZLut

__all__ = ["GpuBackend", "why_not"]

_log = logging.getLogger(__name__)

#: Numbers per row; see `gpu_kernels`.
_ROW = 8
#: Bytes of pixels that go over the bus in one piece.
_PIECE_BYTES = 4 << 20
_STREAMS = 2
#: Kinds of batches (ROI size, pixel type, Z-LUT) whose buffers are kept.
_KINDS = 4


class GpuBackend:
    """Compiled kernels on a CUDA device, one block of threads per ROI, in single precision.

    Parameters
    ----------
    method : str
        "precise", or "magtrack-compatible" for magtrack's numbers.
    threads : int
        Of no account here.
    device : Device, optional
        Where to run; by default the first CUDA device.
    block : int
        Threads per block, 32 to 256.
    piece_bytes : int
        Pixels that go over the bus in one piece; bigger batches overlap copies and kernels.
    """

    name = "gpu"

    def __init__(
        self,
        method: str = "precise",
        threads: int = 1,
        *,
        device: Device | None = None,
        block: int = 128,
        piece_bytes: int = _PIECE_BYTES,
    ) -> None:
        del threads
        self.method = method
        self._device: Device = CupyDevice() if device is None else device
        self._block = block
        self._piece_bytes = piece_bytes
        self._kinds: OrderedDict[tuple[int, str, ZLut | None], _Kind] = OrderedDict()
        self._turn = Lock()

    @property
    def device(self) -> str:
        """See `Backend.device`."""
        return self._device.name

    def warm_up(self, size_px: int, dtype: str, zlut: ZLut | None) -> None:
        """Compile the kernel, or load it from numba's cache, and allocate all buffers."""
        start = time.perf_counter()
        y, x = np.indices((size_px, size_px)) - size_px / 2
        rings = 100 + 50 * np.cos(np.hypot(x, y))
        self.track(rings[np.newaxis].astype(dtype), zlut)
        _log.info("GPU kernel ready after %.2f s", time.perf_counter() - start)

    def track(self, stack: np.ndarray, zlut: ZLut | None) -> TrackResult:
        """See `Backend.track`. Raises what CuPy and numba-cuda raise if the device fails."""
        pixels = np.ascontiguousarray(check_stack(stack))
        n, size_px = len(pixels), pixels.shape[1]
        if zlut is not None:
            zlut.check_matches(size_px)
        result = TrackResult.empty(n, size_px)
        with self._turn:
            kind = self._kind(size_px, pixels.dtype, zlut)
            try:
                self._run(kind, pixels.reshape(n, size_px**2), result)
            except BaseException:
                self._kinds.clear()
                for lane in kind.lanes:  # what is still queued may write into these buffers
                    with suppress(Exception):
                        lane.drain()
                raise
        return result

    def _run(self, kind: _Kind, pixels: np.ndarray, result: TrackResult) -> None:
        """Track flat ROIs in pieces; while one is under way the next is brought to its lane."""
        waiting: dict[int, slice] = {}
        for turn, rows in enumerate(_pieces(len(pixels), kind.rois)):
            at = turn % len(kind.lanes)
            if at in waiting:
                kind.lanes[at].collect(result.part(waiting.pop(at)))
            kind.lanes[at].send(pixels[rows])
            waiting[at] = rows
        for at, rows in waiting.items():
            kind.lanes[at].collect(result.part(rows))

    def _kind(self, size_px: int, dtype: np.dtype[Any], zlut: ZLut | None) -> _Kind:
        """Return the buffers for such batches, made on the first."""
        key = (size_px, dtype.name, zlut)
        if key not in self._kinds:
            wanted = plan(self.method, size_px, dtype, zlut)
            while len(self._kinds) >= _KINDS:
                self._kinds.popitem(last=False)
            self._kinds[key] = _Kind.make(self._device, wanted, self._block, self._piece_bytes)
        self._kinds.move_to_end(key)
        return self._kinds[key]


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """All that is kept for one kind of batch."""

    rois: int
    lanes: tuple[_Lane, ...]

    @classmethod
    def make(cls, device: Device, wanted: Plan, block: int, piece_bytes: int) -> _Kind:
        rois = max(1, piece_bytes // (wanted.size_px**2 * wanted.dtype.itemsize))
        stream = device.stream()
        tables = tuple(_upload(device, table, stream) for table in wanted.tables)
        return cls(rois, tuple(_Lane(device, wanted, tables, rois, block) for _ in range(_STREAMS)))


class _Lane:
    """One stream with its buffers on both sides of the bus, for up to `rois` ROIs at a time."""

    def __init__(
        self, device: Device, wanted: Plan, tables: tuple[Any, ...], rois: int, block: int
    ) -> None:
        size, pixels = wanted.size_px, wanted.size_px**2
        self._device = device
        self._plan = wanted
        self._block = block
        self._stream = device.stream()
        self._pixels = device.pinned((rois, pixels), wanted.dtype)
        self._rows = device.pinned((rois, _ROW), np.float64)
        self._profiles = device.pinned((rois, size // 2), np.float32)
        self._stack_there = device.buffer((rois, pixels), wanted.dtype)
        self._rows_there = device.buffer((rois, _ROW), np.float64)
        self._profiles_there = device.buffer((rois, size // 2), np.float32)
        per_plane = device.buffer((rois, wanted.planes), np.float32)
        floats: tuple[Any, ...] = ()
        if not wanted.whole:
            values = device.buffer((rois, pixels), np.float32)
            floats = (values, device.alias(values, np.int32))
        self._arguments = (
            self._stack_there,
            *floats,
            size,
            wanted.kind,
            *tables,
            self._rows_there,
            self._profiles_there,
            per_plane,
            wanted.work_at,
            wanted.marks_at,
        )

    def send(self, pixels: np.ndarray) -> None:
        """Queue all work on these flat ROIs; the caller may change them afterwards."""
        n, device, stream = len(pixels), self._device, self._stream
        self._pixels[:n] = pixels
        device.copy_in(self._stack_there, self._pixels, pixels.nbytes, stream)
        kernel, shared = self._plan.kernel, self._plan.shared
        device.launch(kernel, n, self._block, shared, stream, *self._arguments)
        device.copy_out(self._rows, self._rows_there, self._rows[:n].nbytes, stream)
        count = self._profiles[:n].nbytes
        device.copy_out(self._profiles, self._profiles_there, count, stream)

    def drain(self) -> None:
        """Wait for what was sent."""
        self._device.wait(self._stream)

    def collect(self, result: TrackResult) -> None:
        """Wait for what was sent and write its rows into `result`."""
        self.drain()
        rows = self._rows[: len(result)]
        result.x_px[:], result.y_px[:] = rows[:, 0], rows[:, 1]
        result.z_nm[:] = rows[:, 2] + self._plan.origin_nm
        result.quality[:] = rows[:, 3]
        result.sigma_x_px[:], result.sigma_y_px[:] = rows[:, 4], rows[:, 5]
        result.sigma_z_nm[:] = rows[:, 6]
        result.reason[:] = rows[:, 7]
        result.profiles[:] = self._profiles[: len(result)]


def _pieces(n: int, most: int) -> Iterator[slice]:
    """Cut `n` rows into pieces of `most`."""
    for start in range(0, n, most):
        yield slice(start, min(n, start + most))


def _upload(device: Device, table: np.ndarray, stream: Any) -> Any:
    """Return a copy of `table` on the device."""
    there = device.buffer(table.shape, table.dtype)
    if table.size:
        host = device.pinned(table.shape, table.dtype)
        host[...] = table
        device.copy_in(there, host, table.nbytes, stream)
        device.wait(stream)
    return there
