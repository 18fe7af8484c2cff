"""What a search has found, drawn over the frame before anything is tracked.

Owns one Points layer of circles, as large as the outermost ring of each bead. It is made at the
first search and hidden in between. Must not know Qt or how beads are found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.ui.layers import as_live, find_layer, mark

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_beadscope.ui.candidates import Candidates, Choice

TAKEN = np.array([0.24, 0.86, 0.52, 1.0], np.float32)
LEFT_OUT = np.array([0.95, 0.95, 0.95, 0.6], np.float32)


class CandidateLayer:
    """The preview layer of one viewer.

    Parameters
    ----------
    viewer : napari viewer
        Where the layer goes.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._shown: Candidates | None = None

    @property
    def layer(self) -> Any:
        """The Points layer, None if there is none."""
        return self._layer if self._layer in self._viewer.layers else None

    def show(self, candidates: Candidates, choice: Choice) -> None:
        """Draw all candidates, those that are taken in green, with their scores."""
        layer = self.layer
        if layer is None:
            layer = self._layer = find_layer(self._viewer, "candidates") or self._add()
            self._shown = None
        layer.visible = True  # first: what changes while hidden, napari does not take note of
        if self._shown is not candidates:
            self._shown = candidates
            layer.selected_data = set()
            layer.data = np.stack([candidates.y_px, candidates.x_px], axis=1)
            if len(candidates):
                layer.size = 2.0 * candidates.radius_px
        if len(candidates):
            layer.border_color = np.where(choice.taken[:, None], TAKEN, LEFT_OUT)
            layer.features = {
                "label": choice.labels,
                "score": np.round(candidates.score.astype(float), 2),
                "radius_px": np.round(candidates.radius_px, 1),
            }
            layer.refresh_text()

    def hide(self) -> None:
        """Show nothing."""
        layer = self.layer
        if layer is not None:
            if len(layer.data):
                layer.visible = True
                layer.selected_data = set()
                layer.data = np.zeros((0, 2))
            layer.visible = False
        self._shown = None

    def close(self) -> None:
        """Let go of the layer."""
        self._layer = self._shown = None

    def _add(self) -> Any:
        active = self._viewer.layers.selection.active
        layer = self._viewer.add_points(
            np.zeros((0, 2)),
            name="Found: preview",
            metadata=mark("candidates"),
            features={"label": np.zeros(0, object)},
            symbol="disc",
            size=40.0,
            face_color="transparent",
            border_color=TAKEN,
            border_width=0.05,
            text={"string": "{label}", "size": 8, "color": "white", "anchor": "center"},
            **as_live(self._viewer),
        )
        layer.editable = False
        if active is not None:
            self._viewer.layers.selection.active = active
        return layer
