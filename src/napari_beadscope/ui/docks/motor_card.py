"""One motor or sensor as a card: where it is, go to, jog, stop, its travel and its last seconds.

Owns its widgets and keys only; what they do is the presenter's business.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QKeyEvent, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_beadscope.ui.docks.parts import TONES, allow, toned, without_arrows
from napari_beadscope.ui.presenters.hardware import (
    PAGE_STEPS,
    PAST_S,
    UNITS,
    Z_LOCK,
    HardwarePresenter,
    MotorCard,
    number,
    steps_of,
)

_BORDER = "#motorCard { border: 1px solid rgba(128, 128, 128, 100); border-radius: 4px; }"
_BLUE = "#1278df"  # stands out from both themes
_UNIT_NAMES = {shown: name for name, shown in UNITS.items()}
_JOGS: dict[int, int] = {
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_PageUp: PAGE_STEPS,
    Qt.Key.Key_PageDown: -PAGE_STEPS,
}


class Travel(QWidget):
    """Where a motor is between its limits, where it goes, and where it was."""

    def __init__(self) -> None:
        super().__init__()
        self._card: MotorCard | None = None
        self._past = (np.empty(0), np.empty(0))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return the size of a line's bar and a short curve."""
        return QSize(160, 44)

    def show_card(self, card: MotorCard, past: tuple[np.ndarray, np.ndarray]) -> None:
        """Show a motor and its last seconds."""
        self._card, self._past = card, past
        self.setToolTip(
            f"Limits {card.range_text}; below: the last {PAST_S:g} s, "
            f"{number(self._span[0])} to {number(self._span[1])} {card.unit}"
        )
        self.update()

    @property
    def _span(self) -> tuple[float, float]:
        values = self._past[1]
        if not len(values):
            return 0.0, 0.0
        return float(values.min()), float(values.max())

    def paintEvent(self, event: QEvent | None) -> None:
        """Draw the bar with its marks, and the curve under it."""
        card = self._card
        if card is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().text().color()
        faint = QColor(text)
        faint.setAlpha(70)
        if card.moves:
            self._draw_bar(painter, card, faint)
        self._draw_past(painter, card, faint)
        painter.end()

    def _draw_bar(self, painter: QPainter, card: MotorCard, faint: QColor) -> None:
        def place(value: float) -> float:
            share = (value - card.low) / max(card.high - card.low, 1e-12)
            return 5 + min(max(share, 0.0), 1.0) * (self.width() - 10)

        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(faint)
        painter.drawRoundedRect(QRectF(5, 5, self.width() - 10, 4), 2, 2)
        if card.moving:
            painter.setBrush(QColor(TONES["warn"]))
            painter.drawRect(QRectF(place(card.target) - 1, 1, 2, 12))
        painter.setBrush(QColor(_BLUE))
        painter.drawEllipse(QPointF(place(card.position), 7), 4.5, 4.5)

    def _draw_past(self, painter: QPainter, card: MotorCard, faint: QColor) -> None:
        seconds, values = self._past
        if len(values) < 2:
            return
        low, high = self._span
        # What is next to nothing of the range is drawn as rest.
        room = max(high - low, 1e-4 * (card.high - card.low), 1e-9)
        top, height = 17.0, self.height() - 20.0
        seconds, values = np.append(seconds, 0.0), np.append(values, values[-1])
        x = 5 + (1 + seconds / PAST_S) * (self.width() - 10)
        y = top + height * (0.5 - (values - (low + high) / 2) / room)
        painter.setPen(QPen(faint, 1))
        painter.drawLine(QPointF(5, top + height), QPointF(self.width() - 5, top + height))
        painter.setPen(QPen(QColor(_BLUE), 1.3))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF([QPointF(*at) for at in zip(x.tolist(), y.tolist())]))


class MotorCardWidget(QFrame):
    """The card of one motor; arrows and page keys jog it while it has the focus.

    Parameters
    ----------
    card : MotorCard
        Which motor; unit and limits stay.
    presenter : HardwarePresenter
        Does what is asked for.
    """

    def __init__(self, card: MotorCard, presenter: HardwarePresenter) -> None:
        super().__init__()
        self.name, self.unit, self.moves = card.name, card.unit, card.moves
        self._presenter = presenter
        self._card = card
        self.setObjectName("motorCard")
        self.setStyleSheet(_BORDER)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"{'motor' if card.moves else 'sensor'} {card.name}")
        keys = f"arrow keys jog by one step, page keys by {PAGE_STEPS}, Escape stops"
        self.setToolTip(f"{card.name}: {keys}" if card.moves else f"{card.name}: a sensor")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(3)
        layout.addLayout(self._head(card))
        self.travel = Travel()
        layout.addWidget(self.travel)
        if card.moves:
            layout.addLayout(self._controls(card))
        self.show_card(card, (np.empty(0), np.empty(0)))

    @property
    def step(self) -> float:
        """The chosen jog step, in the motor's unit."""
        return float(self.steps.currentData())

    def show_card(self, card: MotorCard, past: tuple[np.ndarray, np.ndarray]) -> None:
        """Show where the motor is now."""
        self._card = card
        if self.position.text() != card.text:
            self.position.setText(card.text)
        toned(self.state, card.state or f"{card.range_text}", card.tone)
        self.travel.show_card(card, past)
        down = (not card.ready, f"The {card.name} motor does not answer now")
        off = "switch it off, or press Stop" if card.held == Z_LOCK else "wait, or press Stop"
        held = (bool(card.held), f"This motor is moved by {card.held}: {off}")
        allow(
            self.remove,
            f"Remove {card.name}: end its process, and do not start it with this camera again",
            held,
        )
        if not card.moves:
            return
        allow(self.go, "Go to the position on the left (Enter)", down, held)
        allow(self.less, f"Jog down by one step (↓; Page Down: {PAGE_STEPS} steps)", down, held)
        allow(self.more, f"Jog up by one step (↑; Page Up: {PAGE_STEPS} steps)", down, held)
        ends = f"; that ends {card.held}" if card.held else ""
        allow(self.stop, f"Halt this motor where it is (Escape: all motors){ends}", down)
        bold = card.moving
        if self.stop.font().bold() != bold:
            font = QFont(self.stop.font())
            font.setBold(bold)
            self.stop.setFont(font)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Jog by arrow and page keys."""
        steps = None if event is None else _JOGS.get(event.key())
        card = self._card
        if steps is not None and card.moves and card.ready and not card.held:
            self._presenter.jog(self.name, steps, self.step)
        else:
            super().keyPressEvent(event)

    def _head(self, card: MotorCard) -> QHBoxLayout:
        title = QLabel(card.name)
        font = title.font()
        font.setBold(True)
        title.setFont(font)
        self.position = QLabel()
        font = QFont(self.position.font())
        font.setPointSizeF(font.pointSizeF() * 1.3)
        self.position.setFont(font)
        what = "Where the motor is" if card.moves else "What the sensor reads"
        self.position.setToolTip(f"{what}, {card.unit}")
        self.state = QLabel()
        limits = f"Limits of the motor ({card.range_text}), or what it does"
        self.state.setToolTip(limits if card.moves else "What it does, if it does not read")
        self.remove = QToolButton()
        self.remove.setText("✕")
        self.remove.setAutoRaise(True)
        self.remove.setAccessibleName(f"remove {card.name}")
        self.remove.clicked.connect(self._remove)
        row = QHBoxLayout()
        row.addWidget(title)
        row.addWidget(self.position)
        row.addStretch(1)
        row.addWidget(self.state)
        row.addWidget(self.remove)
        return row

    def _controls(self, card: MotorCard) -> QGridLayout:
        self.target = QDoubleSpinBox()
        self.target.setRange(-1e6, 1e6)  # what is beyond the limits is told so
        self.target.setDecimals(3)
        self.target.setPrefix("to ")
        self.target.setSuffix(f" {card.unit}")
        self.target.setValue(card.position)
        without_arrows(self.target)
        self.target.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.target.setKeyboardTracking(False)
        self.target.setAccessibleName(f"target of {card.name}")
        self.target.setToolTip(f"Where to go, {card.range_text}; Enter goes there")
        edit: Any = self.target.lineEdit()
        edit.returnPressed.connect(self._go)
        self.go = QPushButton("Go")
        self.go.clicked.connect(self._go)
        self.stop = QPushButton("Stop")
        self.stop.clicked.connect(lambda: self._presenter.stop(self.name))
        self.less, self.more = QPushButton("−"), QPushButton("+")
        for button, steps in ((self.less, -1), (self.more, 1)):
            button.setAutoRepeat(True)
            button.setAutoRepeatDelay(400)
            button.setAccessibleName(f"jog {card.name} {'up' if steps > 0 else 'down'}")
            button.clicked.connect(
                lambda _=False, steps=steps: self._presenter.jog(self.name, steps, self.step)
            )
        self.steps = QComboBox()
        unit = _UNIT_NAMES.get(card.unit, card.unit)
        choices, usual = steps_of(unit, card.low, card.high)
        for step in choices:
            self.steps.addItem(f"step {step:g} {card.unit}", step)
        self.steps.setCurrentIndex(choices.index(usual))
        self.steps.setToolTip("Length of one jog")
        grid = QGridLayout()
        grid.setSpacing(4)
        for place, widget in enumerate((self.target, self.go, self.stop)):
            grid.addWidget(widget, 0, place)
        for place, widget in enumerate((self.steps, self.less, self.more)):
            grid.addWidget(widget, 1, place)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        return grid

    def _remove(self) -> None:
        question = f"Remove {self.name}? It is not started with this camera again."
        yes = QMessageBox.StandardButton.Yes
        if QMessageBox.question(self, "Remove", question) == yes:
            self._presenter.remove(self.name)

    def _go(self) -> None:
        self.target.interpretText()
        self._presenter.go(self.name, self.target.value())
