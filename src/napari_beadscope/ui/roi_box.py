"""A box drawn in the viewer with the mouse, once.

Owns the Shapes layer it is drawn in, which is made at the first time and hidden afterwards:
removing layers while frames are drawn is unsafe. Must not know Qt or what the box is for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.ui.layers import as_live, find_layer, mark

if TYPE_CHECKING:
    from napari.components import ViewerModel

ROLE = "roi-box"
COLOUR = "#ff9d00"
_EDGE_OF_FRAME = 1 / 200


@dataclass(frozen=True, slots=True)
class Box:
    """Corners in px of the frame, pixel centres at integers."""

    top: float
    left: float
    bottom: float
    right: float


class RoiBox:
    """The tool that draws a box.

    Parameters
    ----------
    viewer : napari viewer
        Where it is drawn.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._before: Any = None
        self._drawn: Callable[[Box], None] | None = None
        self._ended: Callable[[], None] = lambda: None

    @property
    def drawing(self) -> bool:
        """Whether a box is being waited for."""
        return self._drawn is not None

    @property
    def layer(self) -> Any:
        """The Shapes layer, None if there is none (any more)."""
        if self._layer is not None and self._layer not in self._viewer.layers:
            self._forget()
        return self._layer

    def start(
        self, shape: tuple[int, int], drawn: Callable[[Box], None], ended: Callable[[], None]
    ) -> None:
        """Let the user draw a box; call `drawn` with it, then `ended`, which a cancel calls too.

        Parameters
        ----------
        shape : tuple of int
            ``(y, x)`` of the frame, px; lines are a fraction of it wide.
        """
        if self._viewer.dims.ndisplay != 2:
            self._viewer.dims.ndisplay = 2
        self._drawn, self._ended = drawn, ended
        self._before = self._viewer.layers.selection.active
        layer = self.layer or self._make()
        layer.data = []
        self._viewer.layers.events.removed.connect(self._removed)
        layer.current_edge_width = max(1.0, max(shape) * _EDGE_OF_FRAME)
        layer.visible = True
        self._viewer.layers.move(self._viewer.layers.index(layer), len(self._viewer.layers))
        self._viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"

    def cancel(self) -> None:
        """Wait for no box; does nothing if none is waited for."""
        if self._drawn is None:
            return
        self._end()
        self._ended()

    def close(self) -> None:
        """Let go of the layer, which stays hidden in the viewer."""
        self.cancel()
        if self._layer is not None:
            self._forget()

    def _make(self) -> Any:
        self._layer = find_layer(self._viewer, ROLE)
        if self._layer is None:
            self._layer = self._viewer.add_shapes(
                name="Camera ROI",
                metadata=mark(ROLE),
                ndim=2,
                edge_color=COLOUR,
                face_color="transparent",
                **as_live(self._viewer),
            )
        self._layer.events.data.connect(self._edited)
        return self._layer

    def _forget(self) -> None:
        self._layer.events.data.disconnect(self._edited)
        self._layer = None

    def _edited(self, event: Any) -> None:
        """Called by napari; a box is added when the mouse button is released."""
        if self._drawn is None or str(event.action) != "added" or not len(self._layer.data):
            return
        corners = np.asarray(self._layer.data[-1])[:, -2:]
        (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0)
        drawn = self._drawn
        self._end()
        drawn(Box(float(top), float(left), float(bottom), float(right)))
        self._ended()

    def _removed(self, _: Any) -> None:
        if self.layer is None:
            self.cancel()

    def _end(self) -> None:
        self._drawn = None
        self._viewer.layers.events.removed.disconnect(self._removed)
        layer = self.layer
        if layer is None:
            return
        layer.mode = "pan_zoom"
        layer.visible = False
        # napari is still busy with the mouse: the box goes when the next one is drawn
        if self._before is not None and self._before in self._viewer.layers:
            self._viewer.layers.selection.active = self._before
