"""All docks in one go, laid out for a laptop's screen.

Owns the layout. Must not know what is in a dock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from npe2 import PluginManager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabWidget

from napari_beadscope.ui.host import unwrapped
from napari_beadscope.ui.places import ACQUIRE, BELOW, LOOK, PLUGIN, SET_UP, WATCH, name_of

if TYPE_CHECKING:
    import napari

#: From this width of the window on, what one looks at has a place beside the status.
WIDE_PX = 1700
_RIGHT_PX = 340
_BOTTOM_PX = {False: 190, True: 330}


def open_workspace(viewer: napari.viewer.Viewer) -> None:
    """Open every dock: what is set on the right, what is watched below the image.

    Parameters
    ----------
    viewer : napari viewer
        Where the docks go; docks that are open already are moved.
    """
    window = unwrapped(viewer).window
    docks: dict[str, QDockWidget] = {}
    for title in plugin_docks():
        dock, content = window.add_plugin_dock_widget(PLUGIN, title)
        content.placed = True
        dock.setWindowTitle(name_of(dock))
        docks[title] = dock
    main = docks["Camera"].parent()
    if not isinstance(main, QMainWindow):
        return
    right, bottom = SET_UP.area, BELOW.area
    main.setCorner(Qt.Corner.BottomRightCorner, right)
    main.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
    for area in (right, bottom):
        main.setTabPosition(area, QTabWidget.TabPosition.North)
    for dock in docks.values():
        main.removeDockWidget(dock)  # else Qt leaves its old tabs where they were
    size = main.size()
    wide = size.width() >= WIDE_PX
    firsts = []
    for place in (SET_UP, ACQUIRE, *((LOOK, WATCH) if wide else (BELOW,))):
        first, *others = [docks[name] for name in place.names if name in docks]
        along = Qt.Orientation.Vertical if place.area == right else Qt.Orientation.Horizontal
        main.addDockWidget(place.area, first, along)
        first.show()
        for before, dock in zip([first, *others], others):
            main.addDockWidget(place.area, dock)  # the window owns it again
            main.tabifyDockWidget(before, dock)
            dock.show()
        first.raise_()
        firsts.append(first)
    upper, lower, *below = firsts
    main.resizeDocks([upper], [_RIGHT_PX], Qt.Orientation.Horizontal)
    low = lower.sizeHint().height()
    main.resizeDocks([upper, lower], [main.height(), low], Qt.Orientation.Vertical)
    main.resizeDocks(below, [_BOTTOM_PX[wide]] * len(below), Qt.Orientation.Vertical)
    main.resize(size)  # which it outgrew while docks were on their way


def plugin_docks() -> list[str]:
    """Return the names of the docks that the plugin contributes."""
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    return [widget.display_name for widget in manifest.contributions.widgets or ()]
