"""One frame to keep: taken from the engine, shown as a layer of its own.

Owns what a snap is and how it is named. Must not know Qt.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.types import Calibration
from napari_beadscope.ui.layers import find_layer, scale_um, units_um

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_beadscope.ui.ports import ScopePort

METADATA_KEY = "beadscope_snap"
_PATIENCE_S = 5.0
_LOOK_EVERY_S = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class Snap:
    """A frame and how it came about.

    Attributes
    ----------
    image : ndarray, shape (y, x), uint8 or uint16
        A copy of the frame.
    frame : int
        The camera's number for it.
    exposed_unix_s : float
        When it was exposed, seconds since the epoch.
    camera_id : str
        Which camera.
    properties : dict
        Of the camera, by name, such as ``exposure_ms``.
    calibration : Calibration
        Size of its pixels.
    """

    image: np.ndarray
    frame: int
    exposed_unix_s: float
    camera_id: str
    properties: dict[str, Any]
    calibration: Calibration

    @property
    def name(self) -> str:
        """What the layer is called: the frame's number and the local time."""
        when = datetime.fromtimestamp(self.exposed_unix_s)
        return f"Snap {self.frame}, {when:%H:%M:%S}"

    @property
    def metadata(self) -> dict[str, Any]:
        """What is kept with the layer; times are UTC, sizes have their unit in the name."""
        when = datetime.fromtimestamp(self.exposed_unix_s, UTC)
        return {
            "frame": self.frame,
            "time_utc": when.isoformat(timespec="milliseconds"),
            "camera": self.camera_id,
            "exposure_ms": self.properties.get("exposure_ms"),
            "nm_per_px": self.calibration.nm_per_px,
            "properties": dict(self.properties),
        }


def take_snap(scope: ScopePort) -> Snap:
    """Return the newest frame; of a camera that pauses the next one, after which it pauses again.

    Raises
    ------
    DeviceError
        No frame came within 5 s.
    """
    status = scope.status()
    found = scope.latest_frame() if status.streaming else None
    if found is None:
        found = _next_frame(scope, status.streaming)
    age_s = 1e-9 * (time.monotonic_ns() - found.time_ns)
    return Snap(
        np.array(found.image),
        found.frame,
        time.time() - age_s,
        status.camera_id,
        {prop["name"]: prop["value"] for prop in scope.camera_properties()},
        scope.calibration,
    )


def _next_frame(scope: ScopePort, streaming: bool) -> Any:
    before = scope.latest_frame()
    if not streaming:
        scope.start_live()
    try:
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            found = scope.latest_frame()
            if found is not None and (before is None or found.frame != before.frame):
                return found
            time.sleep(_LOOK_EVERY_S)
    finally:
        if not streaming:
            scope.stop_live()
    raise DeviceError(
        f"the camera gave no frame within {_PATIENCE_S:g} s", "check its frame rate and trigger"
    )


def show_snap(viewer: ViewerModel, snap: Snap) -> Image:
    """Add a snap as an Image layer, just above the live image, so that it is seen at once.

    Contrast limits and colours are those of the live image, if there is one; what is selected
    stays selected.
    """
    shown = find_layer(viewer, "live")
    look: dict[str, Any] = {"contrast_limits": (0, float(np.iinfo(snap.image.dtype).max))}
    if shown is not None and shown.dtype == snap.image.dtype:
        look = {"contrast_limits": tuple(shown.contrast_limits), "colormap": shown.colormap}
    active = viewer.layers.selection.active
    layer = viewer.add_image(
        snap.image,
        name=snap.name,
        scale=scale_um(snap.calibration),
        units=units_um(),
        metadata={METADATA_KEY: snap.metadata},
        **look,
    )
    if shown is not None:
        layers = viewer.layers
        layers.move(layers.index(layer), layers.index(shown) + 1)
    if active is not None:
        viewer.layers.selection.active = active
    return layer
