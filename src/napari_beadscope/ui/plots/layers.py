"""Opened tracks as a source of plots: all rows of the file, not only those that are drawn.

Owns which layers can be plotted. Must not know Qt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from napari_beadscope.core.types import Annotation
from napari_beadscope.ui.opened import annotations_in, bead_layer_of, opened_of
from napari_beadscope.ui.plots.sources import RecordedSource


def plottable(layers: Iterable[Any]) -> list[Any]:
    """Return the Tracks layers that were opened by us and whose times are known."""
    return [
        layer
        for layer in layers
        if type(layer).__name__ == "Tracks"
        and (opened := opened_of(layer)) is not None
        and (opened.rows is not None or "time_s" in layer.features)
    ]


def source_of(layer: Any) -> RecordedSource:
    """Return the source of a layer that is `plottable`."""
    opened = opened_of(layer)
    if opened is None or opened.rows is None:
        # Positions are in px, and the layer's scale says how many um that is.
        return RecordedSource.of_layer(
            np.asarray(layer.data), layer.features, 1000.0 * float(layer.scale[-1])
        )

    def load() -> np.ndarray:
        rows = opened.rows
        assert rows is not None
        return rows

    return RecordedSource(load)


def annotations_of(layer: Any, layers: Iterable[Any]) -> dict[int, Annotation]:
    """Return what is said about the beads of an opened file."""
    opened = opened_of(layer)
    if opened is None:
        return {}
    beads = bead_layer_of(layers, opened)
    return dict(opened.annotations) if beads is None else annotations_in(beads.features)
