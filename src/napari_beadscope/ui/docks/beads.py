"""The Beads dock: find, add, remove; ROI size and calibration.

Owns its widgets only; all it knows it has from `BeadsPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QItemSelection, QItemSelectionModel, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QTableView,
)

from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.bead_table import BeadTableModel
from napari_beadscope.ui.docks.parts import PathPicker, form, two_in_a_row
from napari_beadscope.ui.presenters.beads import MAX_ROI_PX, MIN_ROI_PX, BeadsPresenter

if TYPE_CHECKING:
    import napari

_ROW_HEIGHT_PX = 20
_MIN_ROWS = 3


class _LowTable(QTableView):
    """A table that asks for a few lines only."""

    def sizeHint(self) -> QSize:
        """Return the size of six lines."""
        return QSize(240, 6 * _ROW_HEIGHT_PX)


class BeadsDock(Dock):
    """Which beads are tracked, and how they are measured."""

    #: Down to the third line of the table.
    min_height_px = 186
    stretches_last = False

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = BeadsPresenter(self.session)
        self._build_find()
        self._build_table()
        self._build_measures()

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return (
            (events.busy, self._show_busy),
            (events.live, self._show_busy),
            (events.beads, self._show_busy),
            (events.recording, self._show_busy),
            (events.selected, self._show_busy),
            (events.beads, self._show_rows),
            (events.status, self._show_rows),
            (events.selected, self._show_selected),
            (events.beads, self._show_selected),
            (events.roi_size_px, self._show_measures),
            (events.calibration, self._show_measures),
            (events.method, self._show_measures),
            (events.recording, self._show_measures),
        )

    def rest(self) -> None:
        """Stop to follow the model."""
        if self.awake and not self.host.closed and self.add.isChecked():
            self.add.setChecked(False)
        super().rest()

    def _build_find(self) -> None:
        self.find_button = QPushButton("Find beads")
        self.find_button.setToolTip(
            "Find beads on the newest frame and track them, instead of the present"
        )
        self.at_most = QSpinBox()
        self.at_most.setRange(0, 2000)
        self.at_most.setSpecialValueText("all")
        self.at_most.setMinimumWidth(90)
        self.at_most.setPrefix("at most ")
        self.at_most.setToolTip("Take the most bead-like ones, at most this many")
        self.find_button.clicked.connect(lambda: self.presenter.find(self.at_most.value()))
        row = QHBoxLayout()
        row.addWidget(self.find_button, 1)
        row.addWidget(self.at_most)
        self.body.addLayout(row)
        self.add = QPushButton("Add by click")
        self.add.setCheckable(True)
        self.add.toggled.connect(self._adding)
        self.remove = QPushButton("Remove")
        self.remove.clicked.connect(self.presenter.remove_selected)
        self.clear = QPushButton("Clear")
        self.clear.clicked.connect(self.presenter.clear)
        row = QHBoxLayout()
        for button in (self.add, self.remove, self.clear):
            row.addWidget(button)
        self.body.addLayout(row)

    def _build_table(self) -> None:
        self.rows = BeadTableModel()
        self.table = _LowTable()
        self.table.setModel(self.rows)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setAlternatingRowColors(False)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT_PX)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        # Fitting a column to its content would ask for every cell upon every change.
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(0, 36)
        header.setHighlightSections(False)
        self.table.setMinimumHeight((_MIN_ROWS + 1) * _ROW_HEIGHT_PX + 8)
        self.table.selectionModel().selectionChanged.connect(self._selected)
        self.count = QLabel()
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.progress.setVisible(False)
        row = QHBoxLayout()
        row.addWidget(self.count, 1)
        row.addWidget(self.progress, 1)
        self.body.addLayout(row)
        self.body.addWidget(self.table, 1)

    def _build_measures(self) -> None:
        self.roi_size = QSpinBox()
        self.roi_size.setRange(MIN_ROI_PX - 2, MAX_ROI_PX)
        self.roi_size.setSingleStep(2)
        self.roi_size.setSpecialValueText("auto")
        self.roi_size.setKeyboardTracking(False)
        self.roi_size.setToolTip("Side of the square around a bead, px; auto: what suits the beads")
        self.roi_size.valueChanged.connect(
            lambda value: self.presenter.set_roi_size(value if value >= MIN_ROI_PX else 0)
        )
        self.nm_per_px = QDoubleSpinBox()
        self.nm_per_px.setRange(0.1, 10_000)
        self.nm_per_px.setDecimals(2)
        self.nm_per_px.setSuffix(" nm")
        self.nm_per_px.setKeyboardTracking(False)
        self.nm_per_px.setToolTip("Size of a camera pixel in the sample, nm/px")
        self.nm_per_px.valueChanged.connect(self.presenter.set_nm_per_px)
        self.roi_size.setMinimumWidth(80)
        self.nm_per_px.setMinimumWidth(72)
        self.nm_per_px.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        for box in (self.roi_size, self.nm_per_px):
            box.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.zlut = PathPicker(
            "file",
            "Choose a Z-LUT",
            "Z-LUT (*.txt *.csv *.radialzlut);;All files (*)",
            "none: no z",
        )
        self.zlut.setToolTip("Look-up table from ring pattern to height (MagTrack's text layout)")
        self.zlut.changed.connect(self.presenter.set_zlut)
        self.method = QComboBox()
        self.method.setToolTip("How positions are found")
        for place, choice in enumerate(self.presenter.methods()):
            self.method.addItem(choice.name)
            self.method.setItemData(place, choice.tip, Qt.ItemDataRole.ToolTipRole)
        self.method.textActivated.connect(self.presenter.set_method)
        measures = form()
        measures.addRow("ROI (px)", two_in_a_row(self.roi_size, "Pixel", self.nm_per_px))
        measures.addRow("Z-LUT", self.zlut)
        measures.addRow("Method", self.method)
        self.body.addLayout(measures)

    def _adding(self, on: bool) -> None:
        self.host.overlays.start_adding(on)

    def _selected(self, *_: Any) -> None:
        ids = self.rows.ids
        chosen = {ids[index.row()] for index in self.table.selectionModel().selectedRows()}
        self.presenter.select(frozenset(chosen))

    def _show_busy(self, _: Any = None) -> None:
        model = self.model
        self.progress.setVisible(model.busy == "Finding beads")
        recording, finding = model.recording is not None, model.busy == "Finding beads"
        self.find_button.setText("Finding…" if finding else "Find beads")
        _allow(
            self.find_button,
            "Find beads on the newest frame and track them instead of the present ones",
            (recording, "Beads cannot change while recording"),
            (not model.live, "Press Live first"),
            (bool(model.busy), f"{model.busy}…"),
        )
        _allow(
            self.add,
            "Click beads in the image to add them; press again when done",
            (recording, "Beads cannot change while recording"),
            (self.host.overlays.boxes is None, "Press Live first"),
        )
        _allow(
            self.remove,
            "Forget the beads that are selected in the table or the image",
            (recording, "Beads cannot change while recording"),
            (not model.selected, "Select beads in the table or the image first"),
        )
        _allow(
            self.clear,
            "Forget all beads",
            (recording, "Beads cannot change while recording"),
            (not model.beads, "There are no beads"),
        )

    def _show_rows(self, _: Any = None) -> None:
        rows = self.presenter.rows()
        self.rows.show(rows)
        text = self.presenter.summary(rows)
        if self.count.text() != text:
            self.count.setText(text)

    def _show_selected(self, _: Any = None) -> None:
        ids = self.rows.ids
        selection = QItemSelection()
        for row, bead in enumerate(ids):
            if bead in self.model.selected:
                index = self.rows.index(row, 0)
                selection.select(index, self.rows.index(row, self.rows.columnCount() - 1))
        picker = self.table.selectionModel()
        picker.blockSignals(True)
        picker.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        picker.blockSignals(False)
        self.table.viewport().update()

    def _show_measures(self, _: Any = None) -> None:
        model = self.model
        for box, value in (
            (self.roi_size, model.roi_size_px or MIN_ROI_PX - 2),
            (self.nm_per_px, model.calibration.nm_per_px),
        ):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
        self.zlut.show_path(model.calibration.zlut)
        chosen = self.method.findText(model.method) if model.method else 0
        self.method.setCurrentIndex(chosen)
        tip = self.method.itemData(chosen, Qt.ItemDataRole.ToolTipRole)
        recording = model.recording is not None
        self.method.setEnabled(not recording)
        self.method.setToolTip("The method cannot change while recording" if recording else tip)


def _allow(button: QPushButton, tip: str, *reasons: tuple[bool, str]) -> None:
    """Enable `button` unless one of `reasons` holds, which is then its tooltip."""
    against = next((text for holds, text in reasons if holds), "")
    button.setEnabled(not against)
    button.setToolTip(against or tip)
