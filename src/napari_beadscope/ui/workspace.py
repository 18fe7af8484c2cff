"""All docks in one go, laid out for a laptop's screen.

Owns the layout. Must not know what is in a dock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from npe2 import PluginManager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabWidget

from napari_beadscope.ui.host import unwrapped

if TYPE_CHECKING:
    import napari

PLUGIN = "napari-beadscope"
#: Docks that share a place are tabs of it, in the order in which one needs them.
SET_UP = ("Camera", "Beads", "Z-LUT", "Locks", "Hardware")
ACQUIRE = ("Acquisition", "Record")
LOOK = ("Plots", "Annotations", "Script")
WATCH = ("Status", "Settings")
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
    known = plugin_docks()
    docks: dict[str, QDockWidget] = {}
    for name in (*SET_UP, *ACQUIRE, *LOOK, *WATCH):
        if name in known:
            docks[name] = window.add_plugin_dock_widget(PLUGIN, name)[0]
            docks[name].setWindowTitle(name)  # the tab's; the plugin's name would fill it
    main = docks["Camera"].parent()
    if not isinstance(main, QMainWindow):
        return
    right, bottom = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
    main.setCorner(Qt.Corner.BottomRightCorner, right)
    main.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
    for area in (right, bottom):
        main.setTabPosition(area, QTabWidget.TabPosition.North)
    wide = main.width() >= WIDE_PX
    places = [(SET_UP, right), (ACQUIRE, right)]
    places += [(LOOK, bottom), (WATCH, bottom)] if wide else [((*WATCH, *LOOK), bottom)]
    firsts = []
    for names, area in places:
        first, *others = [docks[name] for name in names if name in docks]
        along = Qt.Orientation.Vertical if area == right else Qt.Orientation.Horizontal
        main.addDockWidget(area, first, along)
        first.show()
        for before, dock in zip([first, *others], others):
            main.tabifyDockWidget(before, dock)
            dock.show()
        first.raise_()
        firsts.append(first)
    upper, lower, *below = firsts
    main.resizeDocks([upper], [_RIGHT_PX], Qt.Orientation.Horizontal)
    low = lower.sizeHint().height()
    main.resizeDocks([upper, lower], [main.height(), low], Qt.Orientation.Vertical)
    main.resizeDocks(below, [_BOTTOM_PX[wide]] * len(below), Qt.Orientation.Vertical)


def plugin_docks() -> list[str]:
    """Return the names of the docks that the plugin contributes."""
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    return [widget.display_name for widget in manifest.contributions.widgets or ()]
