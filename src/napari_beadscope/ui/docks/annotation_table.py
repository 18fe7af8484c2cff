"""The table of annotations: edited by keyboard, several rows at a time.

Owns the columns, the Qt model and the keys. Must not know where annotations are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QKeyEvent
from qtpy.QtWidgets import QAbstractItemView

from napari_beadscope.ui.docks.parts import TONES
from napari_beadscope.ui.docks.rows_table import Column, RowsModel, RowsView
from napari_beadscope.ui.presenters.annotations import AnnotationRow

MIN_ROWS = 2
BEAD, LABEL, GOOD, REFERENCE, NOTE = range(5)
FIELDS = {LABEL: "label", GOOD: "good", REFERENCE: "reference", NOTE: "note"}
_COLUMNS = (
    Column("ID", "Bead's ID", 36),
    Column("label", "A short name; type to change it in all selected rows", 86),
    Column("good", "Fit for use?  Y: yes, N: no, Delete: not judged", 46),
    Column("ref.", "Stuck bead that shows the drift?  Space: yes or no", 38),
    Column("note", "Anything else; type to change it in all selected rows", 0),
)
_GOOD = {None: "", True: "yes", False: "no"}
_WORDS = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False, "": None}
_KEYS = {Qt.Key.Key_Y: True, Qt.Key.Key_N: False}
_DELETE = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)


class AnnotationModel(RowsModel):
    """Rows of `AnnotationRow`.

    Attributes
    ----------
    edited : Signal
        Row, name of the field and its value, when a cell was edited.
    """

    columns = _COLUMNS
    edited = Signal(int, str, object)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Return whether a cell can be selected and edited."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() in (LABEL, NOTE):
            flags |= Qt.ItemFlag.ItemIsEditable
        elif index.column() == REFERENCE:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, tick, tooltip or colour of a cell."""
        row, column = self._rows[index.row()], index.column()
        said = row.said
        if column == REFERENCE:
            if role == Qt.ItemDataRole.CheckStateRole:
                return Qt.CheckState.Checked if said.reference else Qt.CheckState.Unchecked
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            if column == BEAD:
                return str(row.bead)
            text = _GOOD[said.good] if column == GOOD else str(getattr(said, FIELDS[column]))
            shown = role == Qt.ItemDataRole.DisplayRole
            return " ⏎ ".join(text.splitlines()) if shown else text
        if role == Qt.ItemDataRole.ToolTipRole:
            return {LABEL: said.label, NOTE: said.note}.get(column) or _COLUMNS[column].tip
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (BEAD, GOOD):
            right = column == BEAD
            side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignHCenter
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and column == GOOD and said.good is False:
            return QColor(TONES["bad"])
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Pass an edit on; the table shows it when it has been taken."""
        column = index.column()
        if role == Qt.ItemDataRole.CheckStateRole and column == REFERENCE:
            said = self._rows[index.row()].said
            self.edited.emit(index.row(), "reference", not said.reference)
            return True
        if role == Qt.ItemDataRole.EditRole and column in (LABEL, NOTE):
            if value != self.data(index, Qt.ItemDataRole.EditRole):
                self.edited.emit(index.row(), FIELDS[column], str(value))
            return True
        return False


class AnnotationView(RowsView):
    """The table itself.

    Parameters
    ----------
    say : callable
        Called with the IDs of beads, and the field and value to set, for all selected rows.
    choose : callable
        Called with the IDs that the user selects.
    """

    def __init__(
        self,
        say: Callable[[frozenset[int], str, Any], None],
        choose: Callable[[frozenset[int]], None],
    ) -> None:
        rows = AnnotationModel()
        super().__init__(rows, MIN_ROWS)
        self.rows = rows
        self._say, self._choose = say, choose
        self._writing = False
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(
            triggers.DoubleClicked | triggers.EditKeyPressed | triggers.AnyKeyPressed
        )
        self.rows.edited.connect(self._edited)
        self.selectionModel().selectionChanged.connect(self._selected)

    @property
    def chosen(self) -> frozenset[int]:
        """IDs of the beads whose rows are selected."""
        ids = self.rows.ids
        places = {index.row() for index in self.selectionModel().selectedIndexes()}
        return frozenset(ids[place] for place in places)

    def select(self, beads: frozenset[int]) -> None:
        """Select the rows of these beads."""
        if beads == self.chosen:
            return
        selection = QItemSelection()
        for place, bead in enumerate(self.rows.ids):
            if bead in beads:
                selection.select(self.rows.index(place, BEAD), self.rows.index(place, NOTE))
        self._writing = True
        try:
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().select(selection, flags.ClearAndSelect)
        finally:
            self._writing = False

    def show_rows(self, rows: tuple[AnnotationRow, ...], selected: frozenset[int]) -> None:
        """Show these rows with these beads selected."""
        self._writing = True
        try:
            self.rows.show(rows)
        finally:
            self._writing = False
        self.select(selected)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Judge, mark or clear the selected rows by one key; other keys begin an edit."""
        column = self.currentIndex().column()
        if event is None or not self.chosen or event.modifiers() & ~_PLAIN:
            super().keyPressEvent(event)
        elif column == GOOD and event.key() in _KEYS:
            self._say(self.chosen, "good", _KEYS[event.key()])
        elif column == REFERENCE and event.key() in (Qt.Key.Key_Space, *_KEYS):
            here = self.rows.index(self.currentIndex().row(), REFERENCE)
            now = here.data(Qt.ItemDataRole.CheckStateRole)
            on = _KEYS.get(event.key(), not _is_checked(now))
            self._say(self.chosen, "reference", on)
        elif event.key() in _DELETE and column in FIELDS:
            empty = {GOOD: None, REFERENCE: False}.get(column, "")
            self._say(self.chosen, FIELDS[column], empty)
        else:
            super().keyPressEvent(event)

    def _edited(self, row: int, field: str, value: Any) -> None:
        """Set all selected rows if the edited one is among them."""
        bead = self.rows.ids[row]
        chosen = self.chosen
        self._say(chosen if bead in chosen else frozenset({bead}), field, value)

    def _selected(self, *_: Any) -> None:
        if not self._writing:
            self._choose(self.chosen)


_PLAIN = Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier


def _is_checked(state: Any) -> bool:
    return bool(Qt.CheckState(state) == Qt.CheckState.Checked)
