"""How the plugin finds its own layers again, whatever the user calls them.

Owns the mark in ``layer.metadata``. Must not know Qt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel

_KEY = "napari-beadscope"


def mark(role: str) -> dict[str, Any]:
    """Return the metadata of a layer with this role.

    Examples
    --------
    >>> mark("live")
    {'napari-beadscope': 'live'}
    """
    return {_KEY: role}


def find_layer(viewer: ViewerModel, role: str) -> Any:
    """Return the layer with this role, None if the viewer has none."""
    for layer in viewer.layers:
        if layer.metadata.get(_KEY) == role:
            return layer
    return None
