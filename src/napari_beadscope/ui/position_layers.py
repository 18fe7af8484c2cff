"""Positions and trails drawn over the live frame.

Owns two layers: positions (Points) and trails (Tracks). They are made once and updated in place,
and a layer that the user deletes stays away until `begin`. Must not know Qt or the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.ui.bead_states import COLOURS, LOOKS, BeadState
from napari_beadscope.ui.layers import as_live, find_layer, mark, redraw, same_view

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_beadscope.ui.trails import Newest

#: A Tracks layer can't be empty; a trail without length is not seen.
_NO_TRAILS = np.zeros((2, 4))


class PositionLayers:
    """Where the beads are and where they have been, in one viewer.

    Parameters
    ----------
    viewer : napari viewer
        Where the layers go.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._positions: Any = None
        self._trails: Any = None
        self._wants_trails = False
        self._codes: np.ndarray | None = None

    @property
    def positions(self) -> Any:
        """The Points layer of positions, None if there is none."""
        return self._positions if self._positions in self._viewer.layers else None

    @property
    def trails(self) -> Any:
        """The Tracks layer, None if there is none."""
        return self._trails if self._trails in self._viewer.layers else None

    def begin(self) -> None:
        """Make the layers that are missing."""
        if self.positions is None:
            self._positions = find_layer(self._viewer, "positions") or self._add_positions()
            self._codes = None
        self._wants_trails = True

    def close(self) -> None:
        """Let go of the layers, which stay in the viewer."""
        self._positions = self._trails = None

    def show_positions(self, newest: Newest) -> None:
        """Draw the newest position of each bead; orange where it is in doubt."""
        layer = self.positions
        if layer is None or not layer.visible:
            return
        found = np.isfinite(newest.y_px) & np.isfinite(newest.x_px)
        points = np.stack([newest.y_px, newest.x_px], axis=1)
        points[~found] = 0.0
        codes = np.where(newest.reason != 0, int(BeadState.DOUBTFUL), int(BeadState.TRACKED))
        codes[~found] = -1
        anew = len(layer.data) != len(points)
        if anew:
            layer.data = points
        else:
            layer.data[:] = points
        if anew or self._codes is None or not np.array_equal(codes, self._codes):
            self._colour(layer, codes)
        if not anew:
            redraw(self._viewer, layer)

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
        if layer.visible:
            layer.data = vertices if len(vertices) else _NO_TRAILS

    def _colour(self, layer: Any, codes: np.ndarray) -> None:
        """Colour the positions; one that was not found keeps its place in the row, unseen."""
        self._codes = codes
        if len(codes):
            colours = COLOURS[codes]
            colours[codes < 0, 3] = 0.0
            layer.face_color = colours

    def _add_positions(self) -> Any:
        return self._viewer.add_points(
            np.zeros((0, 2)),
            name="Positions",
            metadata=mark("positions"),
            symbol="disc",
            size=6,
            face_color=LOOKS[BeadState.TRACKED].colour,
            border_width=0,
            **as_live(self._viewer),
        )

    def _add_trails(self, vertices: np.ndarray) -> Any:
        active = self._viewer.layers.selection.active
        with same_view(self._viewer):
            layer = self._viewer.add_tracks(
                vertices,
                name="Trails",
                metadata=mark("trails"),
                blending="translucent",
                tail_width=1,
                **as_live(self._viewer, 3),
            )
        layers = self._viewer.layers
        if self.positions is not None:
            layers.move(layers.index(layer), layers.index(self.positions))
        if active is not None:
            layers.selection.active = active
        return layer
