"""The reference backend: the magtrack package itself, on the CPU or through CuPy.

Owns how magtrack is called and kept from harming its surroundings. The same few lines run on
both; only the array module differs. The chain is the one MagScope uses by default (that of
``magtrack.stack_to_xyzp``), called stage by stage so that a ROI which would make magtrack raise
for the whole batch is left out of the next stage instead.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np

from napari_beadscope.core.types import Reason
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.verdict import judge, screen
from napari_beadscope.tracking.zlut import ZLut

#: Refinements by multi-line auto-convolution, and the share of lines that each one averages.
_ITERATIONS = 5
_LINE_RATIO = 0.1
#: magtrack needs 24 bytes of scratch per pixel of a call.
_PIXELS_AT_ONCE = 8_000_000
_import_lock = Lock()


def why_not_cpu() -> str:
    """Return '' if magtrack can run, else why not."""
    return "" if find_spec("magtrack") else "install it with: pip install magtrack"


def why_not_gpu() -> str:
    """Return '' if magtrack can run through CuPy, else why not."""
    if not find_spec("magtrack"):
        return why_not_cpu()
    if not find_spec("cupy"):
        return 'install CuPy with: pip install "napari-beadscope[gpu]"'
    if not _magtrack().check_cupy():
        return "CuPy finds no usable CUDA device"
    return ""


def on_cpu(method: str = "magtrack-compatible", threads: int = 1) -> MagtrackBackend:
    """Return the reference backend on the CPU (it has one method and no use for `threads`)."""
    del method, threads
    return MagtrackBackend("magtrack", "cpu", np)


def on_gpu(method: str = "magtrack-compatible", threads: int = 1) -> MagtrackBackend:
    """Return the reference backend on the first CUDA device."""
    del method, threads
    import cupy

    return MagtrackBackend("magtrack-gpu", "cuda:0", cupy)


class MagtrackBackend:
    """magtrack's own code behind our contract; slow, and the yardstick for all others."""

    method = "magtrack-compatible"

    def __init__(self, name: str, device: str, xp: Any) -> None:
        self.name = name
        self.device = device
        self._xp = xp

    def warm_up(self, size_px: int, dtype: str, zlut: ZLut | None) -> None:
        """Import magtrack and the verdict's kernels, and let the GPU compile its own."""
        y, x = np.indices((size_px, size_px)) - size_px / 2
        rings = 100 + 50 * np.cos(np.hypot(x, y))
        self.track(rings[np.newaxis].astype(dtype), zlut)

    def track(self, stack: np.ndarray, zlut: ZLut | None) -> TrackResult:
        """See `Backend.track`."""
        size_px = stack.shape[1]
        if zlut is not None:
            zlut.check_matches(size_px)
        result = TrackResult.empty(len(stack), size_px)
        screened = screen(stack)
        result.reason[:] = screened.reason
        rows = np.flatnonzero(screened.reason == Reason.OK)
        at_once = max(1, _PIXELS_AT_ONCE // size_px**2)
        with np.errstate(all="ignore"):
            for start in range(0, len(rows), at_once):
                self._chain(stack, rows[start : start + at_once], zlut, result)
        judge(screened, zlut, result)
        return result

    def _chain(
        self, stack: np.ndarray, rows: np.ndarray, zlut: ZLut | None, result: TrackResult
    ) -> None:
        """Run magtrack's chain on ``stack[rows]`` and write into `result`."""
        magtrack, xp = _magtrack(), self._xp
        floats = stack[rows].astype(np.float64)
        images = xp.ascontiguousarray(xp.asarray(floats).transpose(1, 2, 0))
        x, y = magtrack.center_of_mass(images)
        x, y = magtrack.auto_conv(images, x, y)
        margin = int(stack.shape[1] * _LINE_RATIO // 2)
        for _ in range(_ITERATIONS):
            inside = _to_host(_inside(xp, x, y, margin, stack.shape[1] - 1))
            if not inside.all():
                result.reason[rows[~inside]] = Reason.OUT_OF_RANGE
                rows = rows[inside]
                if not len(rows):
                    return
                keep = xp.asarray(inside)
                images, x, y = images[:, :, keep], x[keep], y[keep]
            x, y = magtrack.auto_conv_multiline_sub_pixel(images, x, y, line_ratio=_LINE_RATIO)
        found = _to_host(_inside(xp, x, y, 0, stack.shape[1] - 1))
        result.reason[rows[~found]] = Reason.OUT_OF_RANGE
        rows, keep = rows[found], xp.asarray(found)
        if not len(rows):
            return
        images, x, y = images[:, :, keep], x[keep], y[keep]
        profiles = magtrack.radial_profile(images, x, y)
        result.x_px[rows], result.y_px[rows] = _to_host(x), _to_host(y)
        result.profiles[rows] = _to_host(profiles).T
        if zlut is not None:
            table = xp.asarray(np.vstack([zlut.z_nm, zlut.at_one_px(stack.shape[1] // 2).T]))
            result.z_nm[rows] = _to_host(magtrack.lookup_z(profiles, table))


def _inside(xp: Any, x: Any, y: Any, margin: int, last: int) -> Any:
    """Whether centres (NaN is not) lie so far inside the ROI that its lines can be read."""
    low, high = margin - 0.49, last - margin + 0.49
    return (x > low) & (x < high) & (y > low) & (y < high)


def _to_host(array: Any) -> np.ndarray:
    """Copy a CuPy array to the host; numpy arrays pass."""
    return array if isinstance(array, np.ndarray) else array.get()


@cache
def _magtrack() -> Any:
    """Import magtrack without its effects on numpy's error state and on the warnings."""
    with _import_lock, np.errstate(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import magtrack

    return magtrack
