"""The Hardware dock: a card per motor and sensor, stop all motors, add one.

Owns its widgets only; all it knows it has from `HardwarePresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QPushButton,
    QToolButton,
    QVBoxLayout,
)

from napari_beadscope.ui.docks.adding import AddingPanel
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.motor_card import MotorCardWidget
from napari_beadscope.ui.docks.parts import allow, note
from napari_beadscope.ui.presenters.adding import AddingPresenter
from napari_beadscope.ui.presenters.hardware import HardwarePresenter

if TYPE_CHECKING:
    import napari

#: Positions are shown ten times a second.
_REFRESH_MS = 100


class HardwareDock(Dock):
    """What moves: where it is, go to, jog, stop."""

    min_height_px = 200

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = HardwarePresenter(self.session)
        self.cards: dict[str, MotorCardWidget] = {}
        self._clock = QTimer(self)
        self._clock.setInterval(_REFRESH_MS)
        self._clock.timeout.connect(self._tick)
        self.stop_all = QPushButton("■ Stop all motors")
        self.stop_all.clicked.connect(self.presenter.stop_all)
        self.body.addWidget(self.stop_all)
        self.words = note()
        self.body.addWidget(self.words)
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        self.body.addLayout(self._list)
        self._build_adding()

    def wake(self) -> None:
        """Follow the motors."""
        super().wake()
        if self.awake:
            self._clock.start()

    def rest(self) -> None:
        """Stop to follow the motors."""
        self._clock.stop()
        super().rest()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Stop every motor by Escape, wherever in the dock the focus is."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.presenter.stop_all()
        else:
            super().keyPressEvent(event)

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return (
            (events.phase, self.show_motors),
            (events.status, self.show_motors),
            (events.phase, self._show_adding),
        )

    def show_motors(self, _: Any = None) -> None:
        """Show where every motor is; cards stay as long as their motors do."""
        cards = self.presenter.cards()
        if [(card.name, card.unit, card.moves) for card in cards] != list(self._keys()):
            self._rebuild(cards)
        for card in cards:
            self.cards[card.name].show_card(card, self.presenter.past(card.name))
        words = self.presenter.words()
        if self.words.text() != words:
            self.words.setText(words)
        self.words.setVisible(bool(words))
        allow(
            self.stop_all,
            "Halt every motor where it is (Escape)",
            (not any(card.moves for card in cards), "There are no motors"),
        )

    def _keys(self) -> Any:
        return ((name, widget.unit, widget.moves) for name, widget in self.cards.items())

    def _rebuild(self, cards: Any) -> None:
        for widget in self.cards.values():
            self._list.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self.cards = {card.name: MotorCardWidget(card, self.presenter) for card in cards}
        for widget in self.cards.values():
            self._list.addWidget(widget)

    def _tick(self) -> None:
        if self.isVisible():
            self.show_motors()

    # adding

    def _build_adding(self) -> None:
        self.unfold = QToolButton()
        self.unfold.setText("Add a motor or sensor")
        self.unfold.setCheckable(True)
        self.unfold.setAutoRaise(True)
        self.unfold.setArrowType(Qt.ArrowType.RightArrow)
        self.unfold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.unfold.setToolTip("Show what a new one needs: kind, name, options")
        self.unfold.toggled.connect(self._unfold)
        self.adding = AddingPanel(self.presenter, AddingPresenter(self.session))
        self.body.addWidget(self.unfold)
        self.body.addWidget(self.adding)
        self.adding.hide()

    def _unfold(self, on: bool) -> None:
        self.unfold.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.adding.setVisible(on)

    def _show_adding(self, _: Any = None) -> None:
        self.adding.show_allowed()
