"""Sample data: beads to look at when there is no microscope at hand.

Owns what File → Open Sample → BeadScope offers. Must not know any dock but the workspace.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from napari_beadscope.core.types import Roi
from napari_beadscope.ui.layers import mark
from napari_beadscope.ui.reader import LayerData
from napari_beadscope.ui.session import Session

_OPTIONS: dict[str, Any] = {"width_px": 384, "height_px": 384, "beads": 12, "seed": 7}
_LIVE_OPTIONS: dict[str, Any] = {"spacing_px": 96.0, "touching_pairs": 0, "seed": 3}
_FRAMES = 60
_ROI_PX = 64


def simulated_recording() -> list[LayerData]:
    """Return a short simulated recording: frames and the tracks measured on them.

    Returns
    -------
    list of (data, attributes, type)
        An Image ``(60, 384, 384)`` uint8 and Tracks of 12 beads in pixels.
    """
    from napari_beadscope.devices.simulated.microscope import SimulatedMicroscope
    from napari_beadscope.tracking import track_stack

    microscope = SimulatedMicroscope(_OPTIONS)
    video = np.stack([microscope.render(number) for number in range(_FRAMES)])
    vertices = []
    for bead, (x_px, y_px) in enumerate(microscope.bead_positions_px()):
        roi = Roi.around(y_px, x_px, _ROI_PX)
        if not roi.inside(video.shape[1:]):
            continue
        found = track_stack(np.ascontiguousarray(roi.crop(video)))
        good = np.isfinite(found.x_px) & np.isfinite(found.y_px)
        rows = np.stack(
            [np.full(_FRAMES, bead), np.arange(_FRAMES), found.y_px + roi.y0, found.x_px + roi.x0],
            axis=1,
        )
        vertices.append(rows[good])
    return [
        (video, {"name": "Simulated beads", "axis_labels": ("t", "y", "x")}, "image"),
        (
            np.concatenate(vertices),
            {"name": "Simulated beads, tracks", "blending": "translucent"},
            "tracks",
        ),
    ]


def live_microscope() -> list[LayerData]:
    """Open the workspace, start the simulated microscope, and return its live layer.

    Returns
    -------
    list of (data, attributes, type)
        The Image that shows live frames as soon as the first one is there.
    """
    import napari

    from napari_beadscope.ui.host import host_of
    from napari_beadscope.ui.live_view import LAYER_NAME, ROLE
    from napari_beadscope.ui.workspace import open_workspace

    viewer = napari.current_viewer()
    frame = np.zeros((512, 512), np.uint8)
    if viewer is not None:
        open_workspace(viewer)
        session = host_of(viewer).session
        if session.scope is None:
            _prepare(session)
        session.start_live()
    attributes = {"name": LAYER_NAME, "metadata": mark(ROLE), "contrast_limits": (0, 255)}
    return [(frame, attributes, "image")]


def _prepare(session: Session) -> None:
    """Choose the simulated microscope, and have a Z-LUT measured so that z is seen too."""
    model = session.model
    model.camera_id, model.options = "simulated", dict(_LIVE_OPTIONS)
    model.roi_size_px = _ROI_PX
    folder = user_cache_path("napari-beadscope", appauthor=False)

    def done(path: Path) -> None:
        model.calibration = replace(model.calibration, zlut=str(path))

    session.run("Measuring a Z-LUT (slow only once)", lambda: _measure_zlut(folder), done)


def _measure_zlut(folder: Path) -> Path:
    from napari_beadscope.devices.simulated import SimulatedMicroscope
    from napari_beadscope.script.simulated_zlut import simulated_zlut

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"zlut_simulated_{_ROI_PX}px.txt"
    simulated_zlut(SimulatedMicroscope(_LIVE_OPTIONS), _ROI_PX).save(path)
    return path
