"""The Beads dock: find, add, remove; ROI size and calibration.

Owns its widgets only; all it knows it has from `BeadsPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.bead_legend import BeadLegend
from napari_beadscope.ui.docks.bead_table import BeadTable
from napari_beadscope.ui.docks.find_panel import FindPanel
from napari_beadscope.ui.docks.job_row import JobRow
from napari_beadscope.ui.docks.parts import PathPicker, allow, form, two_in_a_row, without_arrows
from napari_beadscope.ui.presenters.beads import MAX_ROI_PX, MIN_ROI_PX, BeadsPresenter
from napari_beadscope.ui.presenters.finding import LABEL as FINDING

if TYPE_CHECKING:
    import napari

_UNCHANGING = "Beads cannot change while recording"


class BeadsDock(Dock):
    """Which beads are tracked, and how they are measured."""

    #: Down to the third line of the table.
    min_height_px = 216
    stretches_last = False

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = BeadsPresenter(self.session)
        self._build_find()
        self._build_edit()
        self._build_table()
        self._build_measures()

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        edits = (events.live, events.wanted_beads, events.beads, events.recording)
        return (
            *((signal, self._show_find) for signal in (*edits, events.busy, events.job)),
            *((signal, self._show_edits) for signal in (*edits, events.selected, events.history)),
            (events.adding, self._show_edits),
            (events.beads, self._show_rows),
            (events.wanted_beads, self._show_rows),
            (events.status, self._show_live),
            (events.criteria, self._show_criteria),
            (events.annotations, self._show_rows),
            (events.locked, self._show_rows),
            (events.selected, self._show_rows),
            (events.roi_size_px, self._show_measures),
            (events.calibration, self._show_measures),
            (events.method, self._show_measures),
            (events.recording, self._show_measures),
            *self.panel.wiring(),
            *self.job.wiring(),
        )

    def rest(self) -> None:
        """Stop to follow the model."""
        if self.awake and not self.host.closed:
            self.model.adding = False
        super().rest()

    def _build_find(self) -> None:
        self.find_button = QPushButton("Find beads")
        self.preview = QPushButton("Preview…")
        self.at_most = QSpinBox()
        self.at_most.setRange(0, 2000)
        self.at_most.setSpecialValueText("all")
        self.at_most.setMinimumWidth(86)
        self.at_most.setPrefix("≤ ")
        self.at_most.setToolTip("Take the most bead-like ones, at most this many")
        self.find_button.clicked.connect(lambda: self.presenter.find(self.at_most.value()))
        self.panel = FindPanel(self.session)
        self.preview.clicked.connect(self.panel.presenter.start)
        self.at_most.valueChanged.connect(lambda value: self.panel.presenter.require(at_most=value))
        self.job = JobRow(self.session, (FINDING,))
        self._row(self.find_button, self.preview, self.at_most)
        self.body.addWidget(self.job)
        self.body.addWidget(self.panel)

    def _build_edit(self) -> None:
        self.add = QPushButton("Add by click")
        self.add.setCheckable(True)
        self.add.toggled.connect(self._adding)
        self.remove = QPushButton("Remove")
        self.remove.clicked.connect(self.presenter.remove_selected)
        self.clear = QPushButton("Clear")
        self.clear.clicked.connect(self.presenter.clear)
        self._row(self.add, self.remove, self.clear)
        self.undo = QPushButton("↶ Undo")
        self.undo.clicked.connect(self.presenter.undo)
        self.redo = QPushButton("↷ Redo")
        self.redo.clicked.connect(self.presenter.redo)
        self.renumber = QPushButton("Renumber")
        self.renumber.clicked.connect(self.presenter.renumber)
        self._row(self.undo, self.redo, self.renumber)

    def _build_table(self) -> None:
        self.table = BeadTable(self.presenter.select)
        self.rows = self.table.rows
        self.table.setToolTip("Delete removes what is selected, Ctrl+Z takes it back")
        keys = QKeySequence.StandardKey
        self.table.bind(keys.Delete, lambda: self._if_allowed(self.remove))
        self.table.bind(keys.Undo, lambda: self._if_allowed(self.undo))
        self.table.bind(keys.Redo, lambda: self._if_allowed(self.redo))
        self.count = QLabel()
        self.legend = BeadLegend(self.presenter.select)
        self.body.addWidget(self.count)
        self.body.addWidget(self.table, 1)
        self.body.addWidget(self.legend)

    def _row(self, *widgets: QWidget) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        for widget in widgets:
            row.addWidget(widget, 1)
        self.body.addLayout(row)

    @staticmethod
    def _if_allowed(button: QPushButton) -> None:
        if button.isEnabled():
            button.click()

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
        without_arrows(self.nm_per_px)
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
        self.model.adding = on

    def _show_find(self, _: Any = None) -> None:
        model = self.model
        job = model.job is not None and model.job.label == FINDING
        reasons = (
            (not model.live, "Press Live first"),
            (job, f"{FINDING}…"),
        )
        recording = (model.recording is not None, _UNCHANGING)
        allow(
            self.find_button,
            "Find beads on the newest frame and track them instead of the present ones",
            recording,
            *reasons,
        )
        allow(
            self.preview,
            "Find beads on the newest frame and look at them first; nothing changes yet",
            *reasons,
        )

    def _show_edits(self, _: Any = None) -> None:
        model, beads = self.model, self.session.edits.beads
        recording = (model.recording is not None, _UNCHANGING)
        history = model.history
        self.add.blockSignals(True)
        self.add.setChecked(model.adding)
        self.add.blockSignals(False)
        allow(
            self.add,
            "Click beads in the image to add them; press again when done",
            recording,
            (not model.live and self.host.overlays.boxes is None, "Press Live first"),
        )
        allow(
            self.remove,
            "Forget the beads that are selected in the table or the image (Delete)",
            recording,
            (not model.selected, "Select beads in the table or the image first"),
        )
        none = (not beads, "There are no beads")
        allow(self.clear, "Forget all beads", recording, none)
        allow(
            self.renumber,
            "Number the beads from 0, line by line from the upper left; labels stay with them",
            recording,
            none,
        )
        for button, steps, word, keys in (
            (self.undo, history.done, "Undo", "Ctrl+Z"),
            (self.redo, history.undone, "Redo", "Ctrl+Shift+Z"),
        ):
            what = steps[-1].what if steps else ""
            nothing = (not steps, f"Nothing to {word.lower()}")
            allow(button, f"{word}: {what} ({keys} in the image)", recording, nothing)

    def _show_criteria(self, _: Any = None) -> None:
        self.at_most.blockSignals(True)
        self.at_most.setValue(self.model.criteria.at_most)
        self.at_most.blockSignals(False)

    def _show_live(self, _: Any = None) -> None:
        if self.isVisible():  # behind another tab, nobody looks at the newest values
            self._show_rows()

    def _show_rows(self, _: Any = None) -> None:
        rows = self.presenter.rows()
        self.rows.show(rows)
        self.table.show_selected(self.model.selected)
        text = self.presenter.summary(rows)
        if self.count.text() != text:
            self.count.setText(text)
        self.legend.show_entries(self.presenter.legend())

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
