"""The menu's command that tracks the beads of an opened file live.

Owns which file is meant. Must not know how beads get to the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_beadscope.core.errors import InputError, StateError
from napari_beadscope.ui.host import host_of
from napari_beadscope.ui.presenters.annotations import AnnotationsPresenter, LayerBeads

if TYPE_CHECKING:
    import napari


def take_over_live(viewer: napari.viewer.Viewer) -> None:
    """Track the beads of the selected layer's file live, with annotations and calibration.

    Parameters
    ----------
    viewer : napari viewer
        Passed by napari. Without a selected layer of an opened file it is told what to do.
    """
    host = host_of(viewer)
    presenter = AnnotationsPresenter(host.session, host.viewer.layers)
    presenter.follow(host.viewer.layers.selection.active)
    if not isinstance(presenter.target, LayerBeads):
        host.session.fail(
            InputError(
                "no beads of an opened recording or table are selected",
                "select one of its layers first",
            )
        )
        return
    why = presenter.why_not_take_over()
    if why:
        host.session.fail(StateError(why))
        return
    presenter.take_over()
