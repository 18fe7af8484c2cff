"""The newest frame in one Image layer.

Owns the preview buffer, the layer over it, and the count of what was not shown. Must not know
Qt, docks or how frames come about. One buffer and one layer for the life of a camera format:
assigning ``layer.data`` costs more than a refresh, and removing layers while drawing is unsafe.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Calibration
from napari_beadscope.ui.layers import (
    find_layer,
    fit_view,
    is_marked,
    mark,
    redraw,
    scale_um,
    show_scale_bar,
    units_um,
)
from napari_beadscope.ui.model import ScreenRate

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_beadscope.core.types import FrameFormat
    from napari_beadscope.ui.ports import ScopePort

ROLE = "live"
LAYER_NAME = "BeadScope live"
THUMBNAIL_EVERY_S = 2.0


class LiveView:
    """Shows a scope's frames in a viewer.

    Parameters
    ----------
    viewer : napari viewer
        Where the layer goes.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._buffer = np.zeros((0, 0), np.uint8)
        self._format: FrameFormat | None = None
        self._calibration = Calibration()
        self._layer: Image | None = None
        self._fresh = False  # the buffer has not yet held a frame
        self._last_frame = -1
        self._thumbnail_due_s = 0.0
        self._window_s = time.perf_counter()
        self._window_shown = 0
        self._spent_s = 0.0
        self._shown = 0
        self._skipped = 0
        self.rate = ScreenRate()
        self.shown_ns = 0  # when the frame that is shown was exposed

    @property
    def layer(self) -> Any:
        """The Image layer, None if there is none (any more)."""
        if self._layer is not None and self._layer not in self._viewer.layers:
            self._layer = None
        return self._layer

    @property
    def shown(self) -> int:
        """How many frames were shown since `begin`."""
        return self._shown

    def begin(self, frame_format: FrameFormat, calibration: Calibration | None = None) -> None:
        """Make buffer and layer ready for frames of this format, with pixels of this size.

        A layer that the user has deleted comes back. Contrast limits that a layer has are kept
        as long as pixels are of the same type, and the zoom as long as the size is the same.
        """
        if calibration is not None:
            self._calibration = calibration
        if self._layer is None:
            self._layer = find_layer(self._viewer, ROLE)
        self._format = frame_format
        shape, dtype = frame_format.shape, np.dtype(frame_format.dtype)
        if (self._buffer.shape, self._buffer.dtype) != (shape, dtype):
            self._buffer = np.zeros(shape, dtype)
        self._last_frame = -1
        self._shown = self._skipped = 0
        layer = self.layer
        if layer is None:
            self._layer = self._add_layer()
            self._fresh = True
        elif layer.data is self._buffer:
            return
        else:
            full = _full_range(layer.dtype)
            self._fresh = layer.dtype != dtype or tuple(layer.contrast_limits) == full
            if layer.dtype != dtype:  # limits beyond the range of its pixels break a layer
                layer.contrast_limits = _full_range(min(layer.dtype, dtype, key=_full_range))
            layer.data = self._buffer
        fit_view(self._viewer, self._layer)

    def update(self, scope: ScopePort) -> bool:
        """Show the newest frame; return whether there was a new one to show."""
        layer = self.layer
        if layer is None or not layer.visible:
            self._last_frame = -1  # what nobody wants to see is not skipped
            self._count(0.0, shown=False)
            return False
        start_s = time.perf_counter()
        if scope.format != self._format or layer.data is not self._buffer:
            self.begin(scope.format)
        try:
            stamp = scope.copy_latest_into(self._buffer)
        except InputError:  # the format has changed since; the next update sees it
            stamp = None
        if stamp is None or stamp.frame == self._last_frame:
            self._count(time.perf_counter() - start_s, shown=False)
            return False
        if 0 <= self._last_frame < stamp.frame:
            self._skipped += stamp.frame - self._last_frame - 1
        self._last_frame = stamp.frame
        self.shown_ns = stamp.time_ns
        if self._fresh:
            self._fresh = False
            self._fit_contrast(layer)
        thumbnail = start_s >= self._thumbnail_due_s
        if thumbnail:
            self._thumbnail_due_s = start_s + THUMBNAIL_EVERY_S
        redraw(self._viewer, layer, thumbnail)
        self._count(time.perf_counter() - start_s, shown=True)
        return True

    def _add_layer(self) -> Image:
        """Add the layer below all others, so that it hides none."""
        layer = self._viewer.add_image(
            self._buffer,
            name=LAYER_NAME,
            metadata=mark(ROLE),
            contrast_limits=_full_range(self._buffer.dtype),
            scale=scale_um(self._calibration),
            units=units_um(),
        )
        show_scale_bar(self._viewer)
        layers = self._viewer.layers
        ours = [one for one in layers if is_marked(one)]
        if ours[0] is not layer:
            layers.move(layers.index(layer), layers.index(ours[0]))
        return layer

    def _fit_contrast(self, layer: Image) -> None:
        """Set contrast limits once, with room on both sides; later ones are the user's."""
        sample = self._buffer[:: max(1, self._buffer.shape[0] // 512), ::]
        low, high = (float(v) for v in np.percentile(sample, (0.1, 99.9)))
        full = _full_range(self._buffer.dtype)
        margin = max(1.0, 0.15 * (high - low))
        if self._buffer.dtype.itemsize > 1:
            full = (0.0, min(full[1], 2.0 * high + 1.0))
        layer.contrast_limits_range = full
        layer.contrast_limits = (max(full[0], low - margin), min(full[1], high + margin))

    def _count(self, spent_s: float, shown: bool) -> None:
        self._spent_s += spent_s
        if shown:
            self._shown += 1
            self._window_shown += 1
        now = time.perf_counter()
        elapsed = now - self._window_s
        if elapsed < 1.0:
            return
        self.rate = ScreenRate(
            fps=self._window_shown / elapsed,
            shown=self._shown,
            skipped=self._skipped,
            update_ms=1e3 * self._spent_s / max(1, self._window_shown),
        )
        self._window_s, self._window_shown, self._spent_s = now, 0, 0.0


def _full_range(dtype: np.dtype) -> tuple[float, float]:
    """Return the range of a type's values; without end for those that no camera has."""
    return (0.0, float(np.iinfo(dtype).max) if dtype.kind in "iu" else np.inf)
