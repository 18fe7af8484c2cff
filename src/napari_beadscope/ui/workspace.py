"""All docks in one go, laid out for a laptop's screen.

Owns the layout. Must not know what is in a dock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow

from napari_beadscope.ui.host import unwrapped

if TYPE_CHECKING:
    import napari

PLUGIN = "napari-beadscope"
_RIGHT = ("Camera", "Beads", "Record")
_BOTTOM = "Status"


def open_workspace(viewer: napari.viewer.Viewer) -> None:
    """Open Camera, Beads and Record on the right and Status below the image.

    Parameters
    ----------
    viewer : napari viewer
        Where the docks go; docks that are open already are moved.
    """
    window = unwrapped(viewer).window
    docks = [window.add_plugin_dock_widget(PLUGIN, name)[0] for name in (*_RIGHT, _BOTTOM)]
    main = docks[0].parent()
    if not isinstance(main, QMainWindow):
        return
    main.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    main.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
    for dock in docks[:-1]:
        main.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock, Qt.Orientation.Vertical)
        dock.show()
    main.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, docks[-1])
    docks[-1].show()
    heights = [dock.sizeHint().height() for dock in docks[:-1]]
    main.resizeDocks(docks[:-1], heights, Qt.Orientation.Vertical)
    main.resizeDocks(docks[-1:], [150], Qt.Orientation.Vertical)
