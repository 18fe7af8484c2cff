"""One way to show live frames, measured in a process of its own.

Run as ``python -m napari_beadscope.ui.bench.worker JSON``; prints one JSON object a line.
Owns what is compared; must not know what is made of the figures.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from napari_beadscope.core.types import Bead
from napari_beadscope.ui.bench.frames import (
    FPS,
    ROI_PX,
    StandInScope,
    StandInScopes,
    grid_of_beads,
)
from napari_beadscope.ui.bench.gui_clock import GuiClock

CANVAS_PX = (1200, 900)
TICK_MS = 34
OVERLAY_EVERY_S = 0.1
WARM_UP_S = 2.0
_PATIENCE_S = 60.0


class BeadScopeView:
    """The live view of BeadScope: its host, layers and watch, with no dock open.

    Parameters
    ----------
    viewer : napari viewer
        Shows it.
    labels : bool
        Whether the IDs of the beads are written beside their boxes.
    """

    def __init__(self, viewer: Any, labels: bool = True) -> None:
        self._labels = labels
        from napari_beadscope.ui.host import host_of

        self._host = host_of(viewer, StandInScopes())

    @contextmanager
    def show(self, size_px: int, beads: tuple[Bead, ...]) -> Iterator[Callable[[], int]]:
        """Show frames and beads; give what counts the updates."""
        session, overlays = self._host.session, self._host.overlays
        model = session.model
        model.camera_id, model.options = "stand-in", {"size_px": size_px}
        model.beads = ()
        session.start_live()
        _until(lambda: model.live and self._shape() == (size_px, size_px))
        session.set_beads(beads)
        _until(lambda: len(model.beads) == len(beads))
        _until(lambda: not beads or overlays.trails is not None)
        overlays.boxes.text.visible = self._labels
        yield lambda: self._host.live_view.shown

    def close(self) -> None:
        """Let go of the viewer."""
        self._host.close()

    def _shape(self) -> tuple[int, ...]:
        layer = self._host.live_view.layer
        return () if layer is None else layer.data.shape


class PlainView:
    """What one would write first: a timer, ``layer.data =``, and Shapes for the boxes."""

    def __init__(self, viewer: Any, with_shapes: bool) -> None:
        self._viewer = viewer
        self._with_shapes = with_shapes
        self._image: Any = None
        self._shapes: Any = None
        self._updates = 0

    @contextmanager
    def show(self, size_px: int, beads: tuple[Bead, ...]) -> Iterator[Callable[[], int]]:
        """Show frames, and beads as rectangles; give what counts the updates."""
        from qtpy.QtCore import QTimer

        scope = StandInScope("stand-in", {"size_px": size_px})
        scope.set_beads(beads)
        timer = QTimer()
        timer.setInterval(TICK_MS)
        due_s = 0.0

        def tick() -> None:
            nonlocal due_s
            self._draw(scope.latest_image()[0])
            if self._with_shapes and beads and time.monotonic() > due_s:
                due_s = time.monotonic() + OVERLAY_EVERY_S
                self._draw_boxes(_newest_boxes(scope, len(beads)))

        timer.timeout.connect(tick)
        timer.start()
        _until(lambda: self._updates > 0)
        yield lambda: self._updates
        timer.stop()

    def close(self) -> None:
        """Nothing is left."""

    def _draw(self, image: np.ndarray) -> None:
        self._updates += 1
        if self._image is None:
            self._image = self._viewer.add_image(image, contrast_limits=(0, 4095))
        elif self._image.data.shape != image.shape:
            self._image.data = image
            self._viewer.reset_view()
        else:
            self._image.data = image

    def _draw_boxes(self, boxes: np.ndarray) -> None:
        if self._shapes is None:
            self._shapes = self._viewer.add_shapes(
                boxes, shape_type="rectangle", edge_color="yellow", face_color="transparent"
            )
            return
        self._shapes.data = boxes


def _newest_boxes(scope: StandInScope, beads: int) -> np.ndarray:
    """Return corners ``(n, 4, 2)`` of an ROI around the newest position of each bead."""
    rows = scope.tracks(scope.newest - 1)[-beads:]
    half = ROI_PX / 2
    corners = np.array([[-half, -half], [-half, half], [half, half], [half, -half]])
    centres = np.stack([rows["y_px"], rows["x_px"]], axis=1)
    return np.asarray(centres[:, None, :] + corners)


def _until(what: Callable[[], Any]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not what():
        if time.monotonic() > end:
            raise TimeoutError("the live view did not come up")
        _wait(0.05)


def _wait(seconds: float) -> None:
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def measure(wanted: dict[str, Any]) -> None:
    """Measure one contestant at every size and number of beads."""
    import napari

    name = wanted["contestant"]
    viewer = napari.Viewer()
    viewer.window.resize(*CANVAS_PX)
    view: Any
    if name.startswith("beadscope"):
        view = BeadScopeView(viewer, labels=name == "beadscope")
    else:
        view = PlainView(viewer, with_shapes=name == "shapes")
    clock = GuiClock(viewer)
    for size in wanted["sizes"]:
        for count in wanted["beads"]:
            with view.show(size, grid_of_beads(size, count)) as updates:
                _wait(wanted.get("warm_up_s", WARM_UP_S))
                before = updates()
                clock.start()
                _wait(wanted["seconds"])
                spent = clock.stop()
                row = {
                    "contestant": name,
                    "size_px": size,
                    "beads": count,
                    "updates": updates() - before,
                    "camera_fps": FPS,
                    **{key: getattr(spent, key) for key in ("wall_s", "cpu_s", "draw_s", "draws")},
                }
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
    view.close()
    viewer.close()


if __name__ == "__main__":
    measure(json.loads(sys.argv[1]))
