"""Sample data: beads to look at when there is no microscope at hand.

Owns what File → Open Sample → BeadScope offers. Must not know any dock but the workspace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from napari_beadscope.core.types import Calibration
from napari_beadscope.ui.layers import mark
from napari_beadscope.ui.opened import KEY, Opened
from napari_beadscope.ui.presenters.beads import BeadsPresenter
from napari_beadscope.ui.reader import read_recording
from napari_beadscope.ui.session import Session
from napari_beadscope.ui.table_layers import LayerData, bead_layer

_LIVE_OPTIONS: dict[str, Any] = {"spacing_px": 96.0, "touching_pairs": 0, "seed": 3}
_ROI_PX = 64
_NM_PER_PX = 100.0  # of the simulated microscope
#: Its folder changes when what the sample shows does: an old one must not be taken for it.
_PULL = Path("samples-1", "recorded_pull")


def recorded_pull() -> list[LayerData]:
    """Return the layers of a recorded force ramp; it is made once, in some seconds, and kept.

    Returns
    -------
    list of (data, attributes, type)
        As of any recording: video, tracks with z, and annotated beads.
    """
    from napari_beadscope.script.samples import record_pull

    with _shown("Recording a pull on the simulated microscope") as step:
        folder = record_pull(_cache() / _PULL, step)
    return read_recording(folder)


def z_sweep() -> list[LayerData]:
    """Return a focus sweep, to build a Z-LUT from.

    Returns
    -------
    list of (data, attributes, type)
        An Image ``(z, y, x)`` whose axis z is the height in um, and the beads; the heights in
        nm are in its metadata as ``z_nm``.
    """
    from napari_beadscope.script.samples import focus_sweep

    with _shown("Sweeping the focus of the simulated microscope") as step:
        stack, z_nm, beads = focus_sweep(step)
    opened = Opened(Path("z-sweep"), Calibration(_NM_PER_PX))
    side, pitch = _NM_PER_PX / 1000, float(z_nm[1] - z_nm[0]) / 1000
    attributes = {
        "name": "Z sweep",
        "axis_labels": ("z", "y", "x"),
        "scale": (pitch, side, side),
        "translate": (float(z_nm[0]) / 1000, 0.0, 0.0),
        "units": ("um", "um", "um"),
        "metadata": {KEY: opened, "z_nm": z_nm.tolist()},
    }
    centres = np.array([bead.roi.centre_px for bead in beads])
    ids, sizes = [bead.bead for bead in beads], [bead.roi.size for bead in beads]
    return [(stack, attributes, "image"), bead_layer("Z sweep beads", opened, ids, centres, sizes)]


def live_microscope() -> list[LayerData]:
    """Open the workspace, start the simulated microscope, find beads, and return its live layer.

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
            _find_once_live(session)
        session.start_live()
    attributes = {"name": LAYER_NAME, "metadata": mark(ROLE), "contrast_limits": (0, 255)}
    return [(frame, attributes, "image")]


def _prepare(session: Session) -> None:
    """Choose the simulated microscope, and have a Z-LUT measured so that z is seen too."""
    model = session.model
    model.camera_id, model.options = "simulated", dict(_LIVE_OPTIONS)
    model.roi_size_px = _ROI_PX
    session.set_beads((), {})  # those of another field of view that waited for this start
    folder = _cache()

    def done(path: Path) -> None:
        model.calibration = replace(model.calibration, zlut=str(path))

    session.run("Measuring a Z-LUT (slow only once)", lambda: _measure_zlut(folder), done)


def _find_once_live(session: Session) -> None:
    """Find beads as soon as frames come; not if the camera does not start."""

    def entered(live: bool) -> None:
        session.model.events.live.disconnect(entered)
        if live:
            BeadsPresenter(session).find()

    session.model.events.live.connect(entered)


def _measure_zlut(folder: Path) -> Path:
    from napari_beadscope.devices.simulated import SimulatedMicroscope
    from napari_beadscope.script.simulated_zlut import simulated_zlut

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"zlut_simulated_{_ROI_PX}px.txt"
    simulated_zlut(SimulatedMicroscope(_LIVE_OPTIONS), _ROI_PX).save(path)
    return path


def _cache() -> Path:
    return user_cache_path("napari-beadscope", appauthor=False)


@contextmanager
def _shown(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give what shows progress in napari's activity dock."""
    from napari.utils import progress

    with progress(total=1, desc=f"BeadScope: {what}") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield step
