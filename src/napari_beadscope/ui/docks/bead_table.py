"""The table of beads: values change in place, selection stays, states have their colours.

Owns the columns, the Qt model and the view. Must not know where the rows come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSize,
    Qt,
)
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QKeySequence, QPainter, QPixmap

from napari_beadscope.ui.bead_states import LOOKS, BeadState
from napari_beadscope.ui.docks.parts import TONES
from napari_beadscope.ui.docks.rows_table import Column, RowsModel, RowsView

MIN_ROWS = 3
_CHIP_PX = 10
_FIELDS = ("bead", "x_px", "y_px", "z_nm", "state")
_COLUMNS = (
    Column("ID", "Bead's ID, which lives as long as its ROI", 40),
    Column("x (px)", "Newest x in pixels of the full frame; pixel centres at integers", 56),
    Column("y (px)", "Newest y in pixels of the full frame; pixel centres at integers", 56),
    Column("z (nm)", "Newest height; needs a Z-LUT", 50),
    Column("state", "Whether the newest position can be trusted, and what else holds", 0),
)
_GONE_WRONG = (BeadState.DOUBTFUL, BeadState.LOST)


def chip(colour: str) -> QIcon:
    """Return a small square of this colour, with an edge that shows on any background."""
    pixels = QPixmap(_CHIP_PX, _CHIP_PX)
    pixels.fill(QColor("#606060"))
    inner = QPixmap(_CHIP_PX - 2, _CHIP_PX - 2)
    inner.fill(QColor(colour))
    painter = QPainter(pixels)
    painter.drawPixmap(1, 1, inner)
    painter.end()
    return QIcon(pixels)


class BeadTableModel(RowsModel):
    """Rows of `BeadRow`."""

    columns = _COLUMNS

    def __init__(self) -> None:
        super().__init__()
        self._chips: dict[BeadState, QIcon] = {}

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, tooltip, alignment or colour of a cell."""
        row = self._rows[index.row()]
        name = _FIELDS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return str(getattr(row, name))
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.tip
        if name != "state":
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            return None
        if role == Qt.ItemDataRole.DecorationRole:
            return self._chip(row.shown)
        if role == Qt.ItemDataRole.ForegroundRole and row.shown in _GONE_WRONG:
            return QColor(TONES["bad" if row.shown is BeadState.LOST else "warn"])
        return None

    def _chip(self, state: BeadState) -> QIcon:
        if state not in self._chips:
            self._chips[state] = chip(LOOKS[state].colour)
        return self._chips[state]


class BeadTable(RowsView):
    """The view, which asks for a few lines only.

    Parameters
    ----------
    on_select : callable
        Called with the IDs that the user selected.
    """

    def __init__(self, on_select: Callable[[frozenset[int]], None]) -> None:
        rows = BeadTableModel()
        super().__init__(rows, MIN_ROWS)
        self.rows = rows
        self._on_select = on_select
        self._keys: dict[QKeySequence.StandardKey, Callable[[], None]] = {}
        self.setIconSize(QSize(_CHIP_PX, _CHIP_PX))
        self.selectionModel().selectionChanged.connect(self._selected)

    def bind(self, key: QKeySequence.StandardKey, act: Callable[[], None]) -> None:
        """Call `act` when `key` is pressed in the table."""
        self._keys[key] = act

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Act on the keys that are bound; others move in the table."""
        assert event is not None
        for key, act in self._keys.items():
            if event.matches(key):
                act()
                event.accept()
                return
        super().keyPressEvent(event)

    def show_selected(self, beads: frozenset[int]) -> None:
        """Select these beads without telling anybody; one that was not in view comes there."""
        selection = QItemSelection()
        last = self.rows.columnCount() - 1
        found = [row for row, bead in enumerate(self.rows.ids) if bead in beads]
        for row in found:
            selection.select(self.rows.index(row, 0), self.rows.index(row, last))
        picker = self.selectionModel()
        if {index.row() for index in picker.selectedRows()} != set(found):
            picker.blockSignals(True)
            picker.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            picker.blockSignals(False)
            if len(found) == 1 and not self.hasFocus():
                self.scrollTo(self.rows.index(found[0], 0))
        self.viewport().update()

    def _selected(self, *_: Any) -> None:
        ids = self.rows.ids
        chosen = {ids[index.row()] for index in self.selectionModel().selectedRows()}
        self._on_select(frozenset(chosen))
