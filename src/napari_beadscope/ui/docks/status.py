"""The Status dock: rates, latency, drops, what is left, workers, messages.

Owns its widgets only; all it knows it has from `StatusPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
)
from superqt import QElidingLabel

from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.job_row import JobRow
from napari_beadscope.ui.docks.parts import TONES, note, toned
from napari_beadscope.ui.notices import MessageDialog, open_message
from napari_beadscope.ui.presenters.status import Metric, StatusPresenter, message_line

_SEVERITY_TONE = {"info": "ok", "warning": "warn", "error": "bad"}
_ROW_HEIGHT_PX = 20
_TILE_WIDTH_PX = 84  # room for '100.0 fps'
_TILES_PER_ROW = 5
_COLUMNS = ("process", "PID", "state", "heartbeat", "memory", "restarts")


class MetricTile(QFrame):
    """One number, large, with its name above and a detail below."""

    def __init__(self) -> None:
        super().__init__()
        self.label, self.value, self.detail = QLabel(), QLabel(), QElidingLabel()
        self.setMinimumWidth(_TILE_WIDTH_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 1, 2, 1)
        column.setSpacing(0)
        for label in (self.label, self.value, self.detail):
            column.addWidget(label)

    def show_metric(self, metric: Metric) -> None:
        """Show a metric."""
        toned(self.label, metric.label, "ok", "font-size: 11px; font-weight: bold;")
        now = metric.reading
        toned(self.value, now.value, now.tone, "font-size: 14px;")
        toned(self.detail, now.detail, now.tone, "font-size: 11px;")
        self.detail.setToolTip(f"{now.detail}\n{metric.tip}" if now.detail else "")
        self.setToolTip(metric.tip + (f"\n{now.detail}" if now.detail else ""))


class StatusDock(Dock):
    """How the instrument does."""

    min_height_px = 120

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = StatusPresenter(self.session)
        self.headline, self.tracking = _whole_line(), _whole_line()
        self.notice = note()
        self.job = JobRow(self.session)
        self.tiles: dict[str, MetricTile] = {}
        tiles = QGridLayout()
        tiles.setSpacing(2)
        for place, metric in enumerate(self.presenter.metrics()):
            tile = self.tiles[metric.name] = MetricTile()
            tiles.addWidget(tile, *divmod(place, _TILES_PER_ROW))
        left = QVBoxLayout()
        left.setSpacing(2)
        for widget in (self.headline, self.notice, self.job):
            left.addWidget(widget)
        left.addLayout(tiles)
        left.addWidget(self.tracking)
        left.addStretch(1)
        columns = QHBoxLayout()
        columns.addLayout(left, 1)
        columns.addWidget(self._tabs(), 1)
        self.body.addLayout(columns)

    def _tabs(self) -> QTabWidget:
        self.workers = _worker_table()
        self.messages = QListWidget()
        self.messages.setToolTip("Enter or a click opens a message with its traceback")
        self.messages.setAccessibleName("Messages")
        self.messages.setWordWrap(True)
        self.messages.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.messages.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.messages.setMinimumHeight(3 * _ROW_HEIGHT_PX)
        self.messages.itemClicked.connect(self._details)
        self.messages.installEventFilter(self)
        self.clear = QToolButton()
        self.clear.setText("✕")
        self.clear.setAccessibleName("Forget all messages")
        self.clear.clicked.connect(self.presenter.clear_messages)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.messages, "Messages")
        self.tabs.addTab(self.workers, "Workers")
        self.tabs.setMinimumWidth(190)
        self.tabs.setCornerWidget(self.clear)
        return self.tabs

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        numbers = ("status", "screen", "screen_latency_ms", "drop_reason", "live", "recording")
        headline = ("status", "phase", "busy", "live", "recording", "answer_age_s", "engines")
        return (
            *((getattr(events, name), self._show_numbers) for name in numbers),
            *((getattr(events, name), self._show_numbers) for name in ("mode", "root", "beads")),
            *((getattr(events, name), self._show_headline) for name in headline),
            (events.status, self._show_workers),
            (events.messages, self._show_messages),
            *self.job.wiring(),
        )

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Open a message with the keyboard."""
        if watched is self.messages and event.type() == QEvent.Type.KeyPress:
            item = self.messages.currentItem()
            if item is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._details(item)
                return True
        return bool(super().eventFilter(watched, event))

    def _show_numbers(self, _: Any = None) -> None:
        for metric in self.presenter.metrics():
            self.tiles[metric.name].show_metric(metric)
        text, tone = self.presenter.notice()
        toned(self.notice, text, tone)
        self.notice.setVisible(bool(text))

    def _show_headline(self, _: Any = None) -> None:
        text, tone = self.presenter.headline()
        toned(self.headline, text, tone, "font-weight: bold;")
        self.headline.setToolTip(text)
        tracking = self.presenter.tracking()
        toned(
            self.tracking, f"Tracks with {tracking}" if tracking else "", "ok", "font-size: 11px;"
        )
        self.tracking.setToolTip(tracking)

    def _show_workers(self, _: Any = None) -> None:
        rows = self.presenter.workers()
        self.workers.setRowCount(len(rows))
        worst = max((row.tone for row in rows), key=list(TONES).index, default="ok")
        self.tabs.setTabText(1, "Workers" if worst == "ok" else "Workers ⚠")
        for place, row in enumerate(rows):
            texts = (row.name, row.pid, row.state, row.heartbeat, row.memory, row.restarts)
            for column, text in enumerate(texts):
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
        self.clear.setToolTip("Forget all messages" if count else "There are no messages")

    def _details(self, item: QListWidgetItem) -> None:
        if not self.window().findChildren(MessageDialog):
            open_message(item.data(Qt.ItemDataRole.UserRole), self)


def _whole_line() -> QElidingLabel:
    """Return a label that elides its text, but is never lower than the text is."""
    label = QElidingLabel()
    policy = label.sizePolicy()
    policy.setVerticalPolicy(QSizePolicy.Policy.Minimum)
    label.setSizePolicy(policy)
    return label


def _worker_table() -> QTableWidget:
    table = QTableWidget(0, len(_COLUMNS))
    table.setHorizontalHeaderLabels(list(_COLUMNS))
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT_PX)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setShowGrid(False)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.setMinimumHeight(3 * _ROW_HEIGHT_PX)
    table.setToolTip("Processes of the engine")
    table.setAccessibleName("Processes of the engine")
    return table
