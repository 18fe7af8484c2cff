"""The Status dock: rates, drops, workers, messages.

Owns its widgets only; all it knows it has from `StatusPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QFontDatabase
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.parts import TONES, note, toned
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.presenters.status import Metric, StatusPresenter, message_line

_SEVERITY_TONE = {"info": "ok", "warning": "warn", "error": "bad"}
_ROW_HEIGHT_PX = 20
_TILE_WIDTH_PX = 84  # room for '1000.0 fps'


class MetricTile(QFrame):
    """One number, large, with its name above and a detail below."""

    def __init__(self) -> None:
        super().__init__()
        self.label, self.value, self.detail = QLabel(), QLabel(), QElidingLabel()
        self.setMinimumWidth(_TILE_WIDTH_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 2, 4, 2)
        column.setSpacing(0)
        for label in (self.label, self.value, self.detail):
            column.addWidget(label)

    def show_metric(self, metric: Metric) -> None:
        """Show a metric."""
        toned(self.label, metric.label, "ok", "font-weight: bold;")
        toned(self.value, f"{metric.value} {metric.unit}", metric.tone, "font-size: 16px;")
        toned(self.detail, metric.detail, metric.tone, "font-size: 11px;")
        self.setToolTip(metric.tip + (f"\n{metric.detail}" if metric.detail else ""))


class StatusDock(Dock):
    """How the instrument does."""

    min_height_px = 120

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = StatusPresenter(self.session)
        self.headline = QElidingLabel()
        self.tracking = QElidingLabel()
        self.tiles: dict[str, MetricTile] = {}
        left = QVBoxLayout()
        left.addWidget(self.headline)
        tiles = QHBoxLayout()
        tiles.setSpacing(2)
        for metric in self.presenter.metrics():
            tile = self.tiles[metric.name] = MetricTile()
            tiles.addWidget(tile)
        left.addLayout(tiles)
        left.addWidget(self.tracking)
        left.addStretch(1)
        self.workers = self._worker_table()
        self.messages = QListWidget()
        self.messages.setToolTip("Click a message for its whole text and traceback")
        self.messages.setWordWrap(True)
        self.messages.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.messages.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.messages.setMinimumHeight(3 * _ROW_HEIGHT_PX)
        self.messages.itemClicked.connect(self._details)
        self.clear = QPushButton("Clear")
        self.clear.setToolTip("Forget all messages")
        self.clear.clicked.connect(self.presenter.clear_messages)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.messages, "Messages")
        self.tabs.addTab(self.workers, "Workers")
        self.tabs.setMinimumWidth(220)
        self.tabs.setCornerWidget(self.clear)
        columns = QHBoxLayout()
        columns.addLayout(left)
        columns.addWidget(self.tabs, 1)
        self.body.addLayout(columns)

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return (
            (events.status, self._show_numbers),
            (events.screen, self._show_numbers),
            (events.drop_reason, self._show_numbers),
            (events.live, self._show_numbers),
            (events.status, self._show_workers),
            (events.status, self._show_headline),
            (events.phase, self._show_headline),
            (events.busy, self._show_headline),
            (events.live, self._show_headline),
            (events.recording, self._show_headline),
            (events.answer_age_s, self._show_headline),
            (events.messages, self._show_messages),
        )

    def _worker_table(self) -> QTableWidget:
        table = QTableWidget(0, 4)
        table.setHorizontalHeaderLabels(["process", "PID", "state", "restarts"])
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT_PX)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        table.setShowGrid(False)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        table.setMinimumHeight(3 * _ROW_HEIGHT_PX)
        table.setToolTip("Processes of the engine")
        return table

    def _show_numbers(self, _: Any = None) -> None:
        for metric in self.presenter.metrics():
            self.tiles[metric.name].show_metric(metric)

    def _show_headline(self, _: Any = None) -> None:
        text, tone = self.presenter.headline()
        toned(self.headline, text, tone, "font-weight: bold;")
        tracking = self.presenter.tracking()
        toned(
            self.tracking, f"Tracks with {tracking}" if tracking else "", "ok", "font-size: 11px;"
        )
        self.tracking.setToolTip(tracking)

    def _show_workers(self, _: Any = None) -> None:
        rows = self.presenter.workers()
        self.workers.setRowCount(len(rows))
        worst = max((row.tone for row in rows), key=list(TONES).index, default="ok")
        self.tabs.tabBar().setTabTextColor(1, QColor(TONES[worst]))
        for place, row in enumerate(rows):
            for column, text in enumerate((row.name, row.pid, row.state, row.restarts)):
                item = self.workers.item(place, column)
                if item is None:
                    item = QTableWidgetItem()
                    self.workers.setItem(place, column, item)
                if item.text() != text:
                    item.setText(text)
                colour = TONES[row.tone] if column >= 2 else ""
                item.setData(Qt.ItemDataRole.ForegroundRole, QColor(colour) if colour else None)
                item.setToolTip(row.tip)

    def _show_messages(self, _: Any = None) -> None:
        self.messages.clear()
        for message in reversed(self.model.messages):
            item = QListWidgetItem(message_line(message))
            item.setData(Qt.ItemDataRole.UserRole, message)
            item.setToolTip(message.text)
            colour = TONES[_SEVERITY_TONE[message.severity]]
            if colour:
                item.setForeground(QColor(colour))
            self.messages.addItem(item)
        count = len(self.model.messages)
        self.tabs.setTabText(0, f"Messages ({count})" if count else "Messages")
        self.clear.setEnabled(count > 0)

    def _details(self, item: QListWidgetItem) -> None:
        if not self.findChildren(MessageDialog):
            MessageDialog(item.data(Qt.ItemDataRole.UserRole), self).open()


class MessageDialog(QDialog):
    """One message with its traceback, to read and to copy."""

    def __init__(self, message: Message, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("BeadScope message")
        self.resize(640, 360)
        column = QVBoxLayout(self)
        column.addWidget(note(message_line(message)))
        self.text = QPlainTextEdit(message.traceback or "No traceback: nothing went wrong inside.")
        self.text.setReadOnly(True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        column.addWidget(self.text)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
