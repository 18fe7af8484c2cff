"""The table of beads as a Qt model: values change in place, selection stays.

Owns the columns. Must not know where the rows come from.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QColor

from napari_beadscope.ui.docks.parts import TONES
from napari_beadscope.ui.presenters.beads import BeadRow

_COLUMNS = (
    ("bead", "ID", "Bead's ID, which lives as long as its ROI"),
    ("x_px", "x (px)", "Newest x in pixels of the full frame; pixel centres at integers"),
    ("y_px", "y (px)", "Newest y in pixels of the full frame; pixel centres at integers"),
    ("z_nm", "z (nm)", "Newest height; needs a Z-LUT"),
    ("state", "state", "Whether the newest position can be trusted"),
)
_ROOT = QModelIndex()


class BeadTableModel(QAbstractTableModel):
    """Rows of `BeadRow`."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[BeadRow, ...] = ()

    @property
    def ids(self) -> list[int]:
        """IDs of the beads, row by row."""
        return [row.bead for row in self._rows]

    def show(self, rows: tuple[BeadRow, ...]) -> None:
        """Show these rows."""
        if [row.bead for row in rows] != self.ids:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        elif rows != self._rows:
            self._rows = rows
            last = self.index(len(rows) - 1, len(_COLUMNS) - 1)
            roles = [Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ForegroundRole]
            self.dataChanged.emit(self.index(0, 0), last, roles)

    def rowCount(self, parent: QModelIndex = _ROOT) -> int:
        """Return the number of beads."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _ROOT) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, alignment or colour of a cell."""
        row = self._rows[index.row()]
        name = _COLUMNS[index.column()][0]
        if role == Qt.ItemDataRole.DisplayRole:
            return str(getattr(row, name))
        if role == Qt.ItemDataRole.TextAlignmentRole and name != "state":
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        waiting = row.state == "waiting"
        if role == Qt.ItemDataRole.ForegroundRole and name == "state" and not row.good:
            return None if waiting else QColor(TONES["bad"])
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return a column's name or its explanation."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return _COLUMNS[section][1]
            if role == Qt.ItemDataRole.ToolTipRole:
                return _COLUMNS[section][2]
        return None
