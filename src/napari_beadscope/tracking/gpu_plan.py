"""What one kind of batch needs on a GPU: kernel, tables, scratch. Knows no device.

A kind of batch is a method, an ROI size, a pixel type and a Z-LUT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.tracking.zlut import ZLut

#: What every CUDA device gives a block without being asked specially.
_SHARED_BYTES = 48 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How to track one kind of batch.

    Attributes
    ----------
    kernel : callable
        Compiled on its first launch.
    kind : int
        Code of the pixel type.
    size_px : int
    dtype : dtype
        Of the pixels.
    tables : tuple of ndarray
        What the kernel looks up, in its working type.
    planes : int
        Floats of scratch per ROI that lie in device memory.
    work_at, marks_at : int
        Where in shared memory the kernel's floats and integers begin, in units of 4 bytes.
    shared : int
        Bytes of shared memory per block.
    origin_nm : float
        Height from which the kernel's z counts.
    """

    kernel: Any
    kind: int
    size_px: int
    dtype: np.dtype[Any]
    tables: tuple[np.ndarray, ...]
    planes: int
    work_at: int
    marks_at: int
    shared: int
    origin_nm: float

    @property
    def whole(self) -> bool:
        """Whether pixels are whole numbers, which kernels read as they are."""
        return self.dtype.kind == "u"


def plan(method: str, size_px: int, dtype: np.dtype[Any], zlut: ZLut | None) -> Plan:
    """Return how to track ROIs of `size_px` and `dtype`.

    Raises
    ------
    InputError
        If such ROIs need more shared memory than a block has.
    """
    from napari_beadscope.tracking.cuda_words import RESERVED_BYTES
    from napari_beadscope.tracking.verdict import pixel_kind

    tables, floats, integers, origin = _NEEDS[method](size_px, zlut)
    work_at = RESERVED_BYTES // 4
    marks_at = work_at + floats
    shared = 4 * (marks_at + integers)
    if shared > _SHARED_BYTES:
        raise InputError(
            f"ROIs of {size_px} px with this Z-LUT need {shared} bytes of a GPU's shared memory, "
            f"there are {_SHARED_BYTES}",
            "use smaller ROIs or the backend cpu",
        )
    tables = tuple(np.ascontiguousarray(table, dtype=np.float32) for table in tables)
    return Plan(
        _kernel(method, dtype.kind == "u"),
        pixel_kind(dtype),
        size_px,
        dtype,
        tables,
        0 if zlut is None else zlut.planes,
        work_at,
        marks_at,
        shared,
        origin,
    )


_Needs = tuple[tuple[np.ndarray, ...], int, int, float]


def _compatible(size_px: int, zlut: ZLut | None) -> _Needs:
    from napari_beadscope.tracking.kernels import scratch
    from napari_beadscope.tracking.verdict import compatible_tables

    return compatible_tables(size_px, zlut), *scratch(size_px), 0.0


def _precise(size_px: int, zlut: ZLut | None) -> _Needs:
    from napari_beadscope.tracking.fit_roi import scratch
    from napari_beadscope.tracking.zlut_model import model_for, no_model

    model, origin = (no_model(), 0.0) if zlut is None else model_for(zlut, size_px)
    return model, scratch(size_px, model[0].shape[2] - 1), 0, origin


_NEEDS: dict[str, Callable[[int, ZLut | None], _Needs]] = {
    "magtrack-compatible": _compatible,
    "precise": _precise,
}


_KERNELS = {"magtrack-compatible": "gpu_compatible", "precise": "gpu_precise"}


@cache
def _kernel(method: str, whole: bool) -> Any:
    from napari_beadscope.tracking.specialise import for_cuda

    module = import_module(f"napari_beadscope.tracking.{_KERNELS[method]}")
    return for_cuda(module.whole_pixels if whole else module.float_pixels)
