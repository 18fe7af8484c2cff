"""The Jobs dock's table of what was found, chosen and judged by mouse and keys.

Owns its widgets only; all it knows it has from `BatchResultsPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, Qt
from qtpy.QtGui import QColor, QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_beadscope.ui.docks.parts import TONES, allow
from napari_beadscope.ui.docks.rows_table import Column, RowsModel, RowsView
from napari_beadscope.ui.presenters.batch_results import BatchResultsPresenter, ThingRow

_FIELDS = ("number", "frames", "first", "second", "good", "note")
_KEYS = {
    Qt.Key.Key_Y: True,
    Qt.Key.Key_N: False,
    Qt.Key.Key_Delete: None,
    Qt.Key.Key_Backspace: None,
}
_LEFT = ("good", "note")


class ThingModel(RowsModel):
    """Rows of `ThingRow`; two columns are named by what they show."""

    columns = (
        Column("ID", "Number of the cell, bead or particle", 36),
        Column("frames", "In how many frames it was found", 50),
        Column("", "Mean over its frames", 112),
        Column("", "Mean over its frames", 112),
        Column("good", "Fit for use?  Y: yes, N: no, Delete: not judged", 42),
        Column("note", "What is said about it", 0),
    )
    names = ("", "")

    def identity(self, row: Any) -> int:
        """Return the thing's number."""
        return int(row.number)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return a column's name or its explanation."""
        if orientation == Qt.Orientation.Horizontal and section in (2, 3):
            name = self.names[section - 2]
            if role == Qt.ItemDataRole.DisplayRole:
                return name
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{name}: mean over its frames" if name else ""
        return super().headerData(section, orientation, role)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, tooltip, alignment or colour of a cell."""
        row, name = self._rows[index.row()], _FIELDS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return str(getattr(row, name))
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.note or row.tip
        if role == Qt.ItemDataRole.TextAlignmentRole and name not in _LEFT:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and name == "good" and row.good == "no":
            return QColor(TONES["bad"])
        return None


class ThingTable(RowsView):
    """The table itself.

    Parameters
    ----------
    choose : callable
        Called with the numbers that the user selects.
    judge : callable
        Called with true, false or None when a key says so of the selected rows.
    """

    def __init__(
        self, choose: Callable[[frozenset[int]], None], judge: Callable[[bool | None], None]
    ) -> None:
        self.rows = ThingModel()
        super().__init__(self.rows, 2)
        self._choose, self._judge, self._writing = choose, judge, False
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setToolTip("What was found; selected rows are selected in the image")
        self.setAccessibleName("What was found")
        self.horizontalHeader().setSectionResizeMode(5, QHeaderView.ResizeMode.Stretch)
        self.selectionModel().selectionChanged.connect(self._selected)

    def show_rows(self, rows: tuple[ThingRow, ...], selected: frozenset[int]) -> None:
        """Show these rows with these selected; one that was not in view comes there."""
        self._writing = True
        try:
            self.rows.show(rows)
            ids = self.rows.ids
            now = {ids[index.row()] for index in self.selectionModel().selectedRows()}
            if now != selected:
                self._select([at for at, number in enumerate(ids) if number in selected])
        finally:
            self._writing = False

    def _select(self, places: list[int]) -> None:
        selection = QItemSelection()
        for at in places:
            selection.select(self.rows.index(at, 0), self.rows.index(at, len(_FIELDS) - 1))
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().select(selection, flags.ClearAndSelect)
        if places and not self.hasFocus():
            self.scrollTo(self.rows.index(places[0], 0))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Judge the selected rows by one key."""
        if event is not None and event.key() in _KEYS and not event.modifiers():
            self._judge(_KEYS[event.key()])
            return
        super().keyPressEvent(event)

    def _selected(self, *_: Any) -> None:
        if not self._writing:
            ids = self.rows.ids
            chosen = {ids[index.row()] for index in self.selectionModel().selectedRows()}
            self._choose(frozenset(chosen))


class ResultsPanel(QWidget):
    """What was found at a position, and what is said about it.

    Parameters
    ----------
    presenter : BatchResultsPresenter
        What is shown.
    """

    def __init__(self, presenter: BatchResultsPresenter) -> None:
        super().__init__()
        self._presenter = presenter
        self.title = QElidingLabel()
        self.good, self.bad = QPushButton("Good"), QPushButton("Bad")
        self.clear = QPushButton("✕")
        self.clear.setAccessibleName("Not judged")
        for button, value in ((self.good, True), (self.bad, False), (self.clear, None)):
            text = button.text()
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(text) + 14)
            button.clicked.connect(lambda _=False, value=value: self._judge(value))
        self.note = QLineEdit()
        self.note.setPlaceholderText("note")
        self.note.setMinimumWidth(60)
        self.note.editingFinished.connect(self._noted)
        self.table = ThingTable(presenter.select, self._judge)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.title, 2)
        row.addWidget(self.note, 1)
        for button in (self.good, self.bad, self.clear):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 2, 2)
        column.setSpacing(3)
        column.addLayout(row)
        column.addWidget(self.table, 1)

    def show_results(self) -> None:
        """Show everything anew."""
        presenter = self._presenter
        if self.title.text() != presenter.title:
            self.title.setText(presenter.title)
        self.title.setToolTip(presenter.title)
        self.table.rows.names = presenter.columns()
        rows = presenter.rows()
        self.table.show_rows(rows, presenter.selected)
        self.table.horizontalHeader().viewport().update()
        why = presenter.why_not_judge()
        beside = "; it goes into flags.csv, results stay as they are"
        for widget, tip in (
            (self.good, f"Fit for use: the selected ones (Y){beside}"),
            (self.bad, f"Not fit for use: the selected ones (N){beside}"),
            (self.clear, f"Take back what is said of the selected ones (Delete){beside}"),
            (self.note, f"What is said about the selected ones{beside}"),
        ):
            allow(widget, tip, (bool(why), why))
        notes = {row.note for row in rows if row.number in presenter.selected}
        if not (self.note.hasFocus() and self.note.isModified()):
            self.note.setText(notes.pop() if len(notes) == 1 else "")

    def _judge(self, good: bool | None) -> None:
        self._presenter.judge(self._presenter.selected, good=good)

    def _noted(self) -> None:
        if self.note.isModified():
            self.note.setModified(False)
            self._presenter.judge(self._presenter.selected, note=self.note.text().strip())
