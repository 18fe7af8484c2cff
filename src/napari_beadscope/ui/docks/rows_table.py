"""What tables have in common: a row a thing, columns that explain themselves.

Owns the header and the looks of the view. Must not know what is in the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

_ROW_HEIGHT_PX = 20
_ROOT = QModelIndex()


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, what it means, and its width in px (0: what is left)."""

    title: str
    tip: str
    width_px: int


class RowsModel(QAbstractTableModel):
    """Rows under the columns of the subclass, each told from the others by its `identity`."""

    columns: ClassVar[tuple[Column, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[Any, ...] = ()

    @property
    def ids(self) -> list[Any]:
        """IDs of the beads, or what else tells rows apart, row by row."""
        return [self.identity(row) for row in self._rows]

    def identity(self, row: Any) -> Any:
        """Return what tells a row from the others: the ID of its bead."""
        return row.bead

    def show(self, rows: tuple[Any, ...]) -> bool:
        """Show these rows; return whether the beads are other ones."""
        if [self.identity(row) for row in rows] != self.ids:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return True
        if rows != self._rows:
            self._rows = rows
            last = self.index(len(rows) - 1, len(self.columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
        return False

    def rowCount(self, parent: QModelIndex = _ROOT) -> int:
        """Return the number of beads."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _ROOT) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return a column's name or its explanation."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self.columns[section].title
            if role == Qt.ItemDataRole.ToolTipRole:
                return self.columns[section].tip
        return None


class RowsView(QTableView):
    """A compact view of such rows, which are selected whole.

    Parameters
    ----------
    rows : RowsModel
        What is shown.
    min_rows : int
        How many rows are seen at least.
    """

    def __init__(self, rows: RowsModel, min_rows: int) -> None:
        super().__init__()
        self.setModel(rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT_PX)
        header = self.horizontalHeader()
        # Fitting a column to its content would ask for every cell upon every change.
        for place, column in enumerate(rows.columns):
            modes = QHeaderView.ResizeMode
            header.setSectionResizeMode(
                place, modes.Interactive if column.width_px else modes.Stretch
            )
            if column.width_px:
                header.resizeSection(place, column.width_px)
        header.setHighlightSections(False)
        self.setMinimumHeight((min_rows + 1) * _ROW_HEIGHT_PX + 8)

    def sizeHint(self) -> QSize:
        """Return the size of six lines."""
        return QSize(240, 6 * _ROW_HEIGHT_PX)
