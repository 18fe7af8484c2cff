"""A fresh engine brought to what the user has chosen before there was one.

Owns the order of these commands. Must not know Qt.
"""

from __future__ import annotations

from napari_beadscope.ui.model import SessionModel
from napari_beadscope.ui.ports import ScopePort


def set_up(scope: ScopePort, model: SessionModel) -> None:
    """Start the camera with calibration, method and beads of `model`; runs on a job's thread."""
    scope.set_calibration(model.calibration.nm_per_px, model.calibration.zlut)
    if model.method:
        scope.set_method(model.method)
    scope.start_live()
    shape = scope.format.shape
    beads = tuple(bead for bead in model.beads if bead.roi.inside(shape))
    if beads:
        ids = {bead.bead for bead in beads}
        said = model.annotations.items()
        scope.set_beads(beads, {bead: text for bead, text in said if bead in ids})
