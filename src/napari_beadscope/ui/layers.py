"""The plugin's own layers: how it finds them again, and how they are drawn in micrometres.

Owns the mark in ``layer.metadata`` and the scale of the layers that carry it. Their data stay
in pixels of the present frame. Must not know Qt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_beadscope.core.types import Calibration

_KEY = "napari-beadscope"
UNIT = "um"
_FILL = 0.95  # of the canvas, as napari's own button does


def mark(role: str) -> dict[str, Any]:
    """Return the metadata of a layer with this role, which follows the live calibration.

    Examples
    --------
    >>> mark("live")
    {'napari-beadscope': 'live'}
    """
    return {_KEY: role}


def is_marked(layer: Any) -> bool:
    """Return whether a layer is one of the plugin's live ones."""
    return _KEY in layer.metadata


def find_layer(viewer: ViewerModel, role: str) -> Any:
    """Return the layer with this role, None if the viewer has none."""
    for layer in viewer.layers:
        if layer.metadata.get(_KEY) == role:
            return layer
    return None


def scale_um(calibration: Calibration, ndim: int = 2) -> tuple[float, ...]:
    """Return the ``scale`` of a layer whose data are pixels: um in y and x, 1 before.

    Parameters
    ----------
    calibration : Calibration
        Tells the size of a pixel.
    ndim : int
        Of the layer; axes before y and x, such as t, keep a step of 1.

    Examples
    --------
    >>> from napari_beadscope.core.types import Calibration
    >>> scale_um(Calibration(nm_per_px=100.0)), scale_um(Calibration(nm_per_px=50.0), ndim=3)
    ((0.1, 0.1), (1.0, 0.05, 0.05))
    """
    side = calibration.nm_per_px / 1000.0
    return (*(1.0,) * (ndim - 2), side, side)


def units_um(ndim: int = 2) -> tuple[str, ...]:
    """Return the ``units`` that go with `scale_um`: napari's default before y and x.

    Examples
    --------
    >>> units_um(3)
    ('pixel', 'um', 'um')
    """
    return (*("pixel",) * (ndim - 2), UNIT, UNIT)


def as_live(viewer: ViewerModel, ndim: int = 2) -> dict[str, Any]:
    """Return ``scale`` and ``units`` for a new marked layer, so that it lies over the live image.

    A layer that gets them only after it was added makes napari warn of mixed units.
    """
    live = find_layer(viewer, "live")
    if live is None:
        return {}
    side = tuple(float(step) for step in live.scale[-2:])
    return {"scale": (*(1.0,) * (ndim - 2), *side), "units": units_um(ndim)}


def rescale(viewer: ViewerModel, calibration: Calibration) -> None:
    """Draw all marked layers in um, with the image where it was on the screen.

    The scale bar is switched on with the first of them; later it is the user's.

    Parameters
    ----------
    viewer : napari viewer
        Other layers in it are left alone.
    calibration : Calibration
        The present one.
    """
    side = scale_um(calibration)[0]
    factor, fresh = 1.0, False
    for layer in list(viewer.layers):
        if not is_marked(layer):
            continue
        if tuple(layer.scale[-2:]) != (side, side):
            if layer.metadata[_KEY] == "live":
                factor = side / float(layer.scale[-1])
            layer.scale = scale_um(calibration, layer.ndim)
        units = units_um(layer.ndim)
        if not all(str(now) in (unit, "micrometer") for now, unit in zip(layer.units, units)):
            layer.units = units
            fresh = fresh or layer.metadata[_KEY] == "live"
    camera = _scene(viewer).camera
    if factor != 1.0:  # what was in view is as large as before
        camera.center = tuple(float(place) * factor for place in camera.center)
        camera.zoom = camera.zoom / factor
    if fresh:
        show_scale_bar(viewer)


def redraw(viewer: ViewerModel, layer: Any, thumbnail: bool = False) -> None:
    """Draw a layer anew whose data have changed in place, by the cheapest public way.

    Without a thumbnail nothing changes in the list of layers, so it is not told: napari would
    paint all its rows again, which takes as long as the refresh itself.
    """
    if thumbnail:
        layer.refresh(thumbnail=True, highlight=False, extent=False)
        return
    with viewer.layers.events.blocker_all():
        layer.refresh(thumbnail=False, highlight=False, extent=False)


def fit_view(viewer: ViewerModel, image: Any) -> None:
    """Fit the view to an Image layer alone, whatever other layers still show of old frames."""
    viewer.reset_view()
    canvas: Any = getattr(viewer, "canvas", None)
    if viewer.dims.ndisplay != 2 or canvas is None:  # an older napari can fit all layers only
        return
    size = np.array(image.data.shape[-2:]) * image.scale[-2:]
    middle = image.data_to_world((np.array(image.data.shape) - 1) / 2)
    camera = _scene(viewer).camera
    camera.center = (0.0, *(float(place) for place in middle[-2:]))
    camera.zoom = _FILL * float(np.min(canvas.viewbox_size(viewer.layers) / size))


@contextmanager
def same_view(viewer: ViewerModel) -> Iterator[None]:
    """Keep zoom and centre while layers come: napari fits the view anew with another axis."""
    camera = _scene(viewer).camera
    center, zoom = tuple(camera.center), camera.zoom
    yield
    camera.center, camera.zoom = center, zoom


def show_scale_bar(viewer: ViewerModel) -> None:
    """Switch the scale bar on; from there on it is the user's."""
    _canvas(viewer).scale_bar.visible = True


def _scene(viewer: Any) -> Any:
    """Return what has the camera; napari moved it in 0.9."""
    return getattr(viewer, "scene", viewer)


def _canvas(viewer: Any) -> Any:
    """Return what has the scale bar; napari moved it in 0.9."""
    canvas = getattr(viewer, "canvas", None)
    return viewer if canvas is None else canvas.overlays
