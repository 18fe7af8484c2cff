"""What all docks have in common: a scroll area, the viewer's session, and an end.

Owns the connection of a dock to its model. Closing a dock with its × only takes its parent
away, so that is when it lets go; and when its host ends. Must not know what any dock shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_beadscope.ui.host import host_of
from napari_beadscope.ui.places import settle

if TYPE_CHECKING:
    import napari

MARGIN_PX = 6
SPACING_PX = 4


class Dock(QWidget):
    """One dock of the plugin.

    Subclasses fill ``self.body`` in `build` and name in `wiring` what to do upon which signal.

    Parameters
    ----------
    viewer : napari viewer
        Passed by napari.
    """

    #: The dock is not made lower than its content, nor than this; then it scrolls.
    min_height_px = 80
    #: Room that is left over goes below the content.
    stretches_last = True

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.host = host_of(viewer)
        self.session = self.host.session
        self.model = self.session.model
        #: Whether it has its place in the window; if not, it takes it when it is there.
        self.placed = False
        self._chosen_places = dict(get_settings().application.plugin_widget_positions)
        self._connected: list[tuple[Any, Callable[..., Any]]] = []
        self.body = QVBoxLayout()
        self.body.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        self.body.setSpacing(SPACING_PX)
        content = QWidget()
        content.setLayout(self.body)
        scroll = _Scroll(content, self.min_height_px)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self.build()
        if self.stretches_last:
            self.body.addStretch(1)
        self.host.ending.connect(self._let_go)
        self.wake()

    def build(self) -> None:
        """Make the widgets, into `body`; by default there are none."""

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot; every slot is called once on waking."""
        return ()

    @property
    def awake(self) -> bool:
        """Whether the dock follows its model."""
        return bool(self._connected)

    def wake(self) -> None:
        """Follow the model."""
        if self._connected or self.host.closed:
            return
        self._connected = list(self.wiring())
        for signal, slot in self._connected:
            signal.connect(slot)
        self.refresh()

    def rest(self) -> None:
        """Stop to follow the model; twice is fine."""
        for signal, slot in self._connected:
            signal.disconnect(slot, missing_ok=True)
        self._connected = []

    def refresh(self) -> None:
        """Show everything anew."""
        for slot in dict.fromkeys(slot for _, slot in self._connected):
            slot()

    def event(self, event: QEvent) -> bool:
        """Follow the dock's life."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self.rest()
            else:
                self.wake()
                QTimer.singleShot(0, self._meet_window)
        elif event.type() == QEvent.Type.Show:
            self._meet_window()
        return bool(super().event(event))

    def _let_go(self) -> None:
        self.rest()

    def _meet_window(self) -> None:
        if self.host.closed:
            return
        self.host.watch_window(self)
        dock = self.parent()
        if isinstance(dock, QDockWidget) and not self.placed:
            self.placed = True
            settle(dock, free=dock.objectName() not in self._chosen_places)


class _Scroll(QScrollArea):
    """Scrolls when the laptop's screen is too low; else as high as its content."""

    def __init__(self, content: QWidget, min_height_px: int) -> None:
        super().__init__()
        self._min_height_px = min_height_px
        content.installEventFilter(self)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def sizeHint(self) -> QSize:
        """Return the content's size."""
        widget = self.widget()
        return QSize(100, 100) if widget is None else widget.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Return the width of content and scroll bar, and the height up to the dock's limit."""
        widget = self.widget()
        if widget is None:
            return QSize(100, self._min_height_px)
        height = min(self._min_height_px, widget.sizeHint().height())
        # Without room of its own, the bar would lie over the right end of the content.
        bar = self.verticalScrollBar().sizeHint().width() + SPACING_PX
        return QSize(widget.minimumSizeHint().width() + bar, height)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Pass on that the content wants another size."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))
