"""Beads, positions and trails drawn over the live frame.

Owns three layers: ROI boxes (Points with square symbols: 20 times cheaper than Shapes),
positions (Points) and trails (Tracks). They are made once and updated in place, and a layer
that the user deletes stays away until `begin`. Must not know Qt or the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.ui.layers import find_layer, mark

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_beadscope.ui.trails import Newest

BOX_COLOUR = "#ffd400"
SELECTED_COLOUR = "#ff40ff"
TRACKED_COLOUR = "#00e5ff"
LOST_COLOUR = "#ff4d4d"
_EDITS = {"added", "removed", "changed"}


class Overlays:
    """The overlay layers of one viewer.

    Parameters
    ----------
    viewer : napari viewer
        Where the layers go.
    on_edit : callable
        Called with the beads after the user added, moved or deleted boxes in napari.
    on_select : callable
        Called with the IDs of the boxes that the user selected.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        on_edit: Callable[[tuple[Bead, ...]], None],
        on_select: Callable[[frozenset[int]], None],
    ) -> None:
        self._viewer = viewer
        self._on_edit = on_edit
        self._on_select = on_select
        self._writing = False
        self._boxes: Any = None
        self._positions: Any = None
        self._trails: Any = None
        self._wants_trails = False
        self._size_px = 64
        self._next_bead = 0
        self._colours: np.ndarray | None = None

    @property
    def boxes(self) -> Any:
        """The Points layer of ROI boxes, None if there is none."""
        return self._boxes if self._boxes in self._viewer.layers else None

    @property
    def positions(self) -> Any:
        """The Points layer of positions, None if there is none."""
        return self._positions if self._positions in self._viewer.layers else None

    @property
    def trails(self) -> Any:
        """The Tracks layer, None if there is none."""
        return self._trails if self._trails in self._viewer.layers else None

    def begin(self, beads: tuple[Bead, ...], size_px: int) -> None:
        """Make the layers that are missing and show `beads`."""
        active = self._viewer.layers.selection.active
        if self.positions is None:
            self._positions = find_layer(self._viewer, "positions") or self._add_positions()
        if self.boxes is None:
            self._boxes = find_layer(self._viewer, "beads") or self._add_boxes()
            self._boxes.events.data.connect(self._edited)
            self._boxes.selected_data.events.items_changed.connect(self._selected)
        self._wants_trails = True
        if active is not None:
            self._viewer.layers.selection.active = active
        self.show_beads(beads, size_px)

    def close(self) -> None:
        """Let go of the layers, which stay in the viewer."""
        if self._boxes is not None:
            self._boxes.events.data.disconnect(self._edited)
            self._boxes.selected_data.events.items_changed.disconnect(self._selected)
        self._boxes = self._positions = self._trails = None

    def show_beads(self, beads: tuple[Bead, ...], size_px: int) -> None:
        """Draw the boxes of `beads`; new ones the user adds get `size_px`."""
        self._size_px = size_px
        self._next_bead = max([self._next_bead, *(bead.bead + 1 for bead in beads)])
        layer = self.boxes
        if layer is None:
            return
        centres = np.array([bead.roi.centre_px for bead in beads], float).reshape(-1, 2)
        sizes = np.array([bead.roi.size for bead in beads], float)
        self._writing = True
        try:
            layer.selected_data = set()
            layer.data = centres
            layer.features = {"bead": np.array([bead.bead for bead in beads], int)}
            layer.feature_defaults = {"bead": [-1]}
            if len(beads):
                layer.size = sizes
                layer.border_color = BOX_COLOUR
                half = float(sizes.max()) / 2
                layer.text.translation = np.array([-half, -half])
            layer.current_size = float(size_px)
            layer.refresh_text()
        finally:
            self._writing = False

    def select(self, beads: frozenset[int]) -> None:
        """Highlight the boxes of these beads."""
        layer = self.boxes
        if layer is None:
            return
        chosen = {i for i, bead in enumerate(layer.features["bead"]) if int(bead) in beads}
        if len(layer.data):
            layer.border_color = [
                SELECTED_COLOUR if i in chosen else BOX_COLOUR for i in range(len(layer.data))
            ]
        if chosen != set(layer.selected_data):
            self._writing = True
            try:
                layer.selected_data = chosen
            finally:
                self._writing = False

    def start_adding(self, on: bool) -> None:
        """Make a click in the image add a bead, or not any more."""
        layer = self.boxes
        if layer is None:
            return
        if on:
            layer.visible = True
            self._viewer.layers.selection.active = layer
        layer.mode = "add" if on else "pan_zoom"

    def show_positions(self, newest: Newest) -> None:
        """Draw the newest position of each bead; red where it was not found."""
        layer = self.positions
        if layer is None:
            return
        found = np.isfinite(newest.y_px) & np.isfinite(newest.x_px)
        points = np.stack([newest.y_px, newest.x_px], axis=1)[found]
        colours = (newest.reason != 0)[found]
        if len(layer.data) == len(points):
            layer.data[:] = points
            if self._colours is None or not np.array_equal(colours, self._colours):
                self._colour(layer, colours)
            layer.refresh(thumbnail=False, highlight=False, extent=False)
            return
        layer.data = points
        self._colour(layer, colours)

    def show_trails(self, vertices: np.ndarray) -> None:
        """Draw the trails, ``(n, 4)`` rows of bead, 0, y, x."""
        layer = self.trails
        if layer is None:
            if self._wants_trails and len(vertices):
                self._wants_trails = False
                self._trails = find_layer(self._viewer, "trails")
                if self._trails is None:
                    self._trails = self._add_trails(vertices)
                    return
                self._trails.data = vertices
            return
        if layer.visible and len(vertices):
            layer.data = vertices

    def _colour(self, layer: Any, doubtful: np.ndarray) -> None:
        self._colours = doubtful
        if len(doubtful):
            layer.face_color = np.where(doubtful, LOST_COLOUR, TRACKED_COLOUR)

    def _add_boxes(self) -> Any:
        return self._viewer.add_points(
            np.zeros((0, 2)),
            name="Beads",
            metadata=mark("beads"),
            features={"bead": np.zeros(0, int)},
            symbol="square",
            size=float(self._size_px),
            face_color="transparent",
            border_color=BOX_COLOUR,
            border_width=0.03,
            antialiasing=0,
            text={
                "string": "{bead}",
                "size": 9,
                "color": BOX_COLOUR,
                "anchor": "lower_left",
            },
        )

    def _add_positions(self) -> Any:
        return self._viewer.add_points(
            np.zeros((0, 2)),
            name="Positions",
            metadata=mark("positions"),
            symbol="disc",
            size=6,
            face_color=TRACKED_COLOUR,
            border_width=0,
        )

    def _add_trails(self, vertices: np.ndarray) -> Any:
        active = self._viewer.layers.selection.active
        layer = self._viewer.add_tracks(
            vertices, name="Trails", metadata=mark("trails"), blending="translucent", tail_width=1
        )
        layers = self._viewer.layers
        if self.positions is not None:
            layers.move(layers.index(layer), layers.index(self.positions))
        if active is not None:
            layers.selection.active = active
        return layer

    def _selected(self, *_: Any) -> None:
        layer = self.boxes
        if self._writing or layer is None:
            return
        ids = layer.features["bead"].to_numpy()
        self._on_select(frozenset(int(ids[i]) for i in layer.selected_data if i < len(ids)))

    def _edited(self, event: Any) -> None:
        layer = self.boxes
        if self._writing or layer is None or str(event.action) not in _EDITS:
            return
        beads = []
        sizes = np.broadcast_to(layer.size, (len(layer.data),))
        for (y, x), size, number in zip(layer.data, sizes, layer.features["bead"]):
            bead = int(number)
            if bead < 0:
                bead = self._next_bead
                self._next_bead += 1
                size = self._size_px
            beads.append(Bead(bead, Roi.around(float(y), float(x), round(size))))
        self._on_edit(tuple(beads))
