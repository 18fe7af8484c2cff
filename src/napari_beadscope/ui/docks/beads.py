"""The Beads dock: find, add, remove; ROI size and calibration.

Owns its widgets only; all it knows it has from `BeadsPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QItemSelection, QItemSelectionModel, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
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
from napari_beadscope.ui.docks.parts import PathPicker, form
from napari_beadscope.ui.presenters.beads import MAX_ROI_PX, MIN_ROI_PX, BeadsPresenter

if TYPE_CHECKING:
    import napari

_ROW_HEIGHT_PX = 20


class BeadsDock(Dock):
    """Which beads are tracked, and how they are measured."""

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
        self.find_button.clicked.connect(lambda: self.presenter.find(self.at_most.value()))
        self.at_most = QSpinBox()
        self.at_most.setRange(0, 2000)
        self.at_most.setSpecialValueText("all")
        self.at_most.setPrefix("at most ")
        self.at_most.setToolTip("Take the most bead-like ones, at most this many")
        row = QHBoxLayout()
        row.addWidget(self.find_button, 1)
        row.addWidget(self.at_most)
        self.body.addLayout(row)
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        keep = self.progress.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(keep)
        self.body.addWidget(self.progress)
        self.add = QPushButton("Add by click")
        self.add.setCheckable(True)
        self.add.setToolTip("Click beads in the image to add them; press again when done")
        self.add.toggled.connect(self._adding)
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Forget the beads that are selected in the table or the image")
        self.remove.clicked.connect(self.presenter.remove_selected)
        self.clear = QPushButton("Clear")
        self.clear.setToolTip("Forget all beads")
        self.clear.clicked.connect(self.presenter.clear)
        row = QHBoxLayout()
        for button in (self.add, self.remove, self.clear):
            row.addWidget(button)
        self.body.addLayout(row)

    def _build_table(self) -> None:
        self.rows = BeadTableModel()
        self.table = QTableView()
        self.table.setModel(self.rows)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setAlternatingRowColors(False)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT_PX)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setHighlightSections(False)
        self.table.setMinimumHeight(3 * _ROW_HEIGHT_PX)
        self.table.selectionModel().selectionChanged.connect(self._selected)
        self.count = QLabel()
        self.body.addWidget(self.count)
        self.body.addWidget(self.table, 1)

    def _build_measures(self) -> None:
        self.roi_size = QSpinBox()
        self.roi_size.setRange(MIN_ROI_PX - 2, MAX_ROI_PX)
        self.roi_size.setSingleStep(2)
        self.roi_size.setSpecialValueText("auto")
        self.roi_size.setSuffix(" px")
        self.roi_size.setKeyboardTracking(False)
        self.roi_size.setToolTip("Side of the square around each bead; auto: what suits the beads")
        self.roi_size.valueChanged.connect(
            lambda value: self.presenter.set_roi_size(value if value >= MIN_ROI_PX else 0)
        )
        self.nm_per_px = QDoubleSpinBox()
        self.nm_per_px.setRange(0.1, 10_000)
        self.nm_per_px.setDecimals(2)
        self.nm_per_px.setSuffix(" nm/px")
        self.nm_per_px.setKeyboardTracking(False)
        self.nm_per_px.setToolTip("Size of a camera pixel in the sample")
        self.nm_per_px.valueChanged.connect(self.presenter.set_nm_per_px)
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
        measures = form()
        measures.addRow("ROI size", self.roi_size)
        measures.addRow("Pixel size", self.nm_per_px)
        measures.addRow("Z-LUT file", self.zlut)
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
        free = not model.busy and model.recording is None
        self.find_button.setEnabled(free and model.live)
        self.find_button.setText("Finding…" if model.busy == "Finding beads" else "Find beads")
        self.add.setEnabled(model.recording is None and self.host.overlays.boxes is not None)
        self.remove.setEnabled(free and bool(model.selected))
        self.clear.setEnabled(free and bool(model.beads))

    def _show_rows(self, _: Any = None) -> None:
        self.rows.show(self.presenter.rows())
        text = self.presenter.summary()
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
