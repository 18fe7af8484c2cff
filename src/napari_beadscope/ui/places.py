"""Where each dock belongs in napari's window.

Owns the groups of docks that share a place, one tab each. Must not know what is in a dock.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabWidget

PLUGIN = "napari-beadscope"
_RIGHT, _BOTTOM = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea


@dataclass(frozen=True, slots=True)
class Place:
    """Docks that are tabs of one place, in the order in which one needs them."""

    area: Qt.DockWidgetArea
    names: tuple[str, ...]


SET_UP = Place(_RIGHT, ("Camera", "Beads", "Z-LUT", "Locks", "Hardware"))
ACQUIRE = Place(_RIGHT, ("Acquisition",))
WATCH = Place(_BOTTOM, ("Status", "Settings"))
LOOK = Place(_BOTTOM, ("Plots", "Annotations", "Script", "Jobs"))
BELOW = Place(_BOTTOM, WATCH.names + LOOK.names)


def name_of(dock: QDockWidget) -> str:
    """Return a dock's name without the plugin's, which napari adds."""
    return str(dock.objectName()).removesuffix(f" ({PLUGIN})")


def settle(dock: QDockWidget, free: bool) -> None:
    """Bring a dock that was opened by itself to those that it belongs to.

    Parameters
    ----------
    dock : QDockWidget
        In the window already, where napari put it.
    free : bool
        Whether the user has not yet chosen an area for it. napari puts new docks to the right,
        where a wide one would leave no room for the image.
    """
    main, name = dock.parent(), name_of(dock)
    place = next((one for one in (SET_UP, ACQUIRE, BELOW) if name in one.names), None)
    if place is None or not isinstance(main, QMainWindow):
        return
    dock.setWindowTitle(name)  # the tab's; with the plugin's it would fill the bar
    if free and main.dockWidgetArea(dock) != place.area:
        main.addDockWidget(place.area, dock)
    area = main.dockWidgetArea(dock)
    main.setTabPosition(area, QTabWidget.TabPosition.North)
    mates = [
        mate
        for mate in main.findChildren(QDockWidget)
        if mate is not dock
        and name_of(mate) in place.names
        and mate.isVisible()
        and not mate.isFloating()
        and main.dockWidgetArea(mate) == area
    ]
    if mates and dock not in main.tabifiedDockWidgets(mates[0]):
        main.tabifyDockWidget(mates[-1], dock)
    dock.show()
    dock.raise_()
