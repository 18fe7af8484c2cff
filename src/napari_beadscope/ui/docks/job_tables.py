"""Tables of the Jobs dock: steps and positions, failures, workers.

Owns columns and views. Must not know where rows come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QItemSelectionModel, QModelIndex, Qt
from qtpy.QtGui import QColor, QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from napari_beadscope.batch.journal import Row
from napari_beadscope.ui.docks.parts import TONES
from napari_beadscope.ui.docks.rows_table import Column, RowsModel, RowsView
from napari_beadscope.ui.notices import MessageDialog, open_message
from napari_beadscope.ui.presenters.batch_text import JobRow, failure_message, failure_text

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_FIELDS = ("position", "step", "state", "done", "rate", "left", "failed")
_RIGHT = ("done", "rate", "left", "failed")
_MIN_ROWS = 2


class StepModel(RowsModel):
    """Rows of `JobRow`."""

    columns = (
        Column("position", "Where: a field of view", 0),
        Column("step", "What is computed", 96),
        Column("state", "How it is; Enter or a double click shows results, or why it failed", 62),
        Column("done", "Units that are done, of all: chunks of frames", 60),
        Column("fps", "Frames per second, over the last minute", 48),
        Column("left", "Time that is left, h:min:s", 52),
        Column("failed", "Units that have failed, or cannot be computed without those", 46),
    )

    def identity(self, row: Any) -> tuple[str, str]:
        """Return position and step."""
        return row.position, row.step

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, tooltip, alignment or colour of a cell."""
        row, name = self._rows[index.row()], _FIELDS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return getattr(row, name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.tip
        if role == Qt.ItemDataRole.TextAlignmentRole and name in _RIGHT:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and name in ("state", "failed"):
            colour = TONES[row.tone]
            return QColor(colour) if colour else None
        return None


class StepTable(RowsView):
    """How far each step of each position is.

    Parameters
    ----------
    opened : callable
        Called with position and step when Enter is pressed, or a row is clicked twice.
    """

    def __init__(self, opened: Callable[[str, str], None]) -> None:
        self.rows = StepModel()
        super().__init__(self.rows, _MIN_ROWS)
        self._opened = opened
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setToolTip("How far each step of each position is")
        self.setAccessibleName("Positions and steps")
        self.setMinimumWidth(200)
        self.doubleClicked.connect(lambda index: self._open(index.row()))

    @property
    def chosen(self) -> tuple[str, str] | None:
        """Position and step of the row that is selected."""
        selected = self.selectionModel().selectedRows()
        return self.rows.ids[selected[0].row()] if selected else None

    def show_rows(self, rows: tuple[JobRow, ...]) -> None:
        """Show these rows; the one that was selected stays so."""
        chosen = self.chosen
        if self.rows.show(rows) and chosen is not None and chosen in self.rows.ids:
            index = self.rows.index(self.rows.ids.index(chosen), 0)
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Open the row with Enter."""
        if event is not None and event.key() in _ENTER and self.currentIndex().isValid():
            self._open(self.currentIndex().row())
            return
        super().keyPressEvent(event)

    def _open(self, row: int) -> None:
        self._opened(*self.rows.ids[row])


class FailureList(QListWidget):
    """What has failed; a click or Enter shows the traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip("What has failed; a click or Enter shows the traceback")
        self.setAccessibleName("Failures")
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._shown: tuple[Row, ...] = ()
        self.itemClicked.connect(lambda item: self.open(item.data(Qt.ItemDataRole.UserRole)))

    def show_failures(self, failures: tuple[Row, ...]) -> None:
        """List these."""
        if failures == self._shown:
            return
        self._shown = failures
        self.clear()
        for row in failures:
            text = failure_text(row)
            item = QListWidgetItem(text)
            item.setData(Qt.ItemDataRole.UserRole, row)
            item.setToolTip(text)
            item.setForeground(QColor(TONES["bad"]))
            self.addItem(item)

    def open(self, row: Row) -> None:
        """Show a failure with its traceback."""
        if not self.window().findChildren(MessageDialog):
            open_message(failure_message(row), self)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Open the failure with Enter."""
        item = self.currentItem()
        if event is not None and event.key() in _ENTER and item is not None:
            self.open(item.data(Qt.ItemDataRole.UserRole))
            return
        super().keyPressEvent(event)


class WorkerModel(RowsModel):
    """Rows of text."""

    columns = (
        Column("process", "A worker, or a reader of a file", 70),
        Column("works on", "Step and position", 0),
        Column("for", "How long, s", 44),
        Column("memory", "Resident memory; what is shared counts for each", 60),
        Column("lost", "How often it was lost and replaced", 34),
    )

    def identity(self, row: Any) -> str:
        """Return the name of a process."""
        return str(row[0])

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._rows[index.row()][index.column()]
        return None


class WorkerTable(RowsView):
    """What each worker and reader of the run is doing."""

    def __init__(self) -> None:
        self.rows = WorkerModel()
        super().__init__(self.rows, 1)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setToolTip("Processes of the run")
        self.setAccessibleName("Processes of the run")

    def show_workers(self, lines: tuple[tuple[str, ...], ...]) -> None:
        """Show these lines."""
        self.rows.show(lines)
