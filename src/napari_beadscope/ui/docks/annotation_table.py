"""The table of annotations: edited by keyboard, several rows at a time.

Owns the columns, the Qt model and the keys. Must not know where annotations are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_beadscope.ui.docks.parts import TONES
from napari_beadscope.ui.presenters.annotations import AnnotationRow

ROW_HEIGHT_PX = 20
MIN_ROWS = 2
BEAD, LABEL, GOOD, REFERENCE, NOTE = range(5)
FIELDS = {LABEL: "label", GOOD: "good", REFERENCE: "reference", NOTE: "note"}
_COLUMNS = (
    ("ID", "Bead's ID", 36),
    ("label", "A short name; type to change it in all selected rows", 86),
    ("good", "Fit for use?  Y: yes, N: no, Delete: not judged", 46),
    ("ref.", "Stuck bead that shows the drift?  Space: yes or no", 38),
    ("note", "Anything else; type to change it in all selected rows", 0),
)
_GOOD = {None: "", True: "yes", False: "no"}
_WORDS = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False, "": None}
_ROOT = QModelIndex()
_KEYS = {Qt.Key.Key_Y: True, Qt.Key.Key_N: False}
_DELETE = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)


class AnnotationModel(QAbstractTableModel):
    """Rows of `AnnotationRow`.

    Attributes
    ----------
    edited : Signal
        Row, name of the field and its value, when a cell was edited.
    """

    edited = Signal(int, str, object)

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[AnnotationRow, ...] = ()

    @property
    def ids(self) -> list[int]:
        """IDs of the beads, row by row."""
        return [row.bead for row in self._rows]

    def show(self, rows: tuple[AnnotationRow, ...]) -> bool:
        """Show these rows; return whether the beads are other ones."""
        if [row.bead for row in rows] != self.ids:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return True
        if rows != self._rows:
            self._rows = rows
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, NOTE))
        return False

    def rowCount(self, parent: QModelIndex = _ROOT) -> int:
        """Return the number of beads."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _ROOT) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(_COLUMNS)

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
            return {LABEL: said.label, NOTE: said.note}.get(column) or _COLUMNS[column][1]
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

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return a column's name or its explanation."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return _COLUMNS[section][0]
            if role == Qt.ItemDataRole.ToolTipRole:
                return _COLUMNS[section][1]
        return None


class AnnotationView(QTableView):
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
        super().__init__()
        self.rows = AnnotationModel()
        self._say, self._choose = say, choose
        self._writing = False
        self.setModel(self.rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(
            triggers.DoubleClicked | triggers.EditKeyPressed | triggers.AnyKeyPressed
        )
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT_PX)
        header = self.horizontalHeader()
        for column, (_, _, width) in enumerate(_COLUMNS):
            mode = QHeaderView.ResizeMode.Interactive if width else QHeaderView.ResizeMode.Stretch
            header.setSectionResizeMode(column, mode)
            if width:
                header.resizeSection(column, width)
        header.setHighlightSections(False)
        self.setMinimumHeight((MIN_ROWS + 1) * ROW_HEIGHT_PX + 8)
        self.rows.edited.connect(self._edited)
        self.selectionModel().selectionChanged.connect(self._selected)

    def sizeHint(self) -> QSize:
        """Return the size of six lines."""
        return QSize(240, 6 * ROW_HEIGHT_PX)

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
