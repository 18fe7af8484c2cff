"""The Z-LUT dock: what z is measured with, and a guided sweep that makes it.

Owns its widgets only; all it knows it has from `ZLutPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
)
from superqt import QElidingLabel

from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.job_row import JobRow
from napari_beadscope.ui.docks.parts import allow, form, note, two_in_a_row, without_arrows
from napari_beadscope.ui.plots.canvas import PlotCanvas
from napari_beadscope.ui.plots.zlut import LEGEND, no_zlut_figure, sweep_figure, zlut_figure
from napari_beadscope.ui.presenters.zlut import CHOICES, SWEEPING, ZLutPresenter

if TYPE_CHECKING:
    import napari

_LEAST_PICTURE_PX, _PICTURE_PX = 150, 260
_FACTS = ("Planes", "Range", "Usable", "Reach", "Precision", "Own error")
_TIPS = {
    "Planes": "How many heights there are, and their distance",
    "Range": "Lowest and highest plane; 0 is where the beads were when the sweep began",
    "Usable": "Where z is unique and precise; beyond, z is doubted",
    "Reach": "How far from the bead's centre rings are known, and the largest ROI that suits",
    "Precision": "Best possible standard deviation of z, from the noise of a pixel",
    "Own error": "What the noise of the sweep itself adds to every z, slowly varying with z",
}


class ZLutDock(Dock):
    """What rings say about height."""

    min_height_px = 200

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = ZLutPresenter(self.session)
        self._build_file()
        self._build_sweep()
        self.canvas = PlotCanvas()
        self.canvas.setMinimumSize(200, _LEAST_PICTURE_PX)
        self.canvas.setMaximumHeight(_PICTURE_PX)
        self.canvas.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.canvas.setToolTip(
            "Ring pattern of each height, with its own brightness and contrast; below, how far "
            "off z may be. Drag to move, wheel to zoom, Home to see all"
        )
        self.body.addWidget(self.canvas, 1)
        self._build_facts()

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return (
            (events.calibration, self.presenter.follow),
            (self.presenter.changed, self._show_present),
            (events.job, self._show_planes),
            *((getattr(events, name), self._show_sweep) for name in _SWEEP_DEPENDS_ON),
            *self.job.wiring(),
        )

    def wake(self) -> None:
        """Follow the model and the theme."""
        was = self.awake
        super().wake()
        if self.awake and not was:
            self.host.viewer.events.theme.connect(self._paint)
            self._paint()

    def rest(self) -> None:
        """Let go; a sweep that goes on is ended, and the focus comes back."""
        if self.awake and not self.host.closed and self.presenter.sweeping:
            self.session.jobs.cancel()
        if self.awake and not self.host.closed:
            self.host.viewer.events.theme.disconnect(self._paint)
        super().rest()

    # the present one

    def _build_file(self) -> None:
        self.file = QElidingLabel()
        self.file.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.load = QPushButton("Load…")
        self.load.clicked.connect(self._browse)
        self.clear = QPushButton("Clear")
        self.clear.clicked.connect(lambda: self.presenter.choose(""))
        row = QHBoxLayout()
        row.addWidget(self.file, 1)
        row.addWidget(self.load)
        row.addWidget(self.clear)
        self.body.addLayout(row)

    def _build_facts(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(1, 1)
        self.facts: dict[str, tuple[QLabel, QLabel]] = {}
        for row, name in enumerate(_FACTS):
            labels = QLabel(name), QLabel()
            for column, label in enumerate(labels):
                label.setToolTip(_TIPS[name])
                grid.addWidget(label, row, column)
            labels[1].setWordWrap(True)
            labels[1].setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.facts[name] = labels
        self.body.addLayout(grid)

    def _browse(self) -> None:
        start = self.model.calibration.zlut or str(self.model.root)
        path, _ = QFileDialog.getOpenFileName(
            self, "Choose a Z-LUT", start, "Z-LUT (*.txt *.csv *.radialzlut);;All files (*)"
        )
        if path:
            self.presenter.choose(path)

    def _show_present(self, _: Any = None) -> None:
        present = self.presenter.present
        rows = {} if present is None else dict(present.rows)
        self.file.setText(
            "No Z-LUT: z is not measured" if present is None else _short(present.path)
        )
        self.file.setToolTip("" if present is None else str(present.path))
        for name, labels in self.facts.items():
            labels[1].setText(rows.get(name, ""))
            for label in labels:
                label.setVisible(name in rows)
        if not self.presenter.planes:
            figure = no_zlut_figure() if present is None else zlut_figure(present.report)
            self.canvas.show_figure(figure, LEGEND)
        self._show_sweep()

    def _paint(self, _: Any = None) -> None:
        theme = get_theme(self.host.viewer.theme)
        self.canvas.set_theme(theme.background.as_hex("long"), theme.text.as_hex("long"))

    # the sweep

    def _build_sweep(self) -> None:
        title = QLabel("Make one by a focus sweep")
        font = title.font()
        font.setBold(True)
        title.setFont(font)
        self.body.addWidget(title)
        self.beads = QComboBox()
        for key, text in CHOICES.items():
            self.beads.addItem(text, key)
        self.beads.setToolTip(
            "Beads that rest, without neighbours within their ROIs; of several, one common Z-LUT "
            "is made. Of those standing alone, at most five are taken"
        )
        self.motor = QComboBox()
        self.motor.setToolTip("What moves the focus")
        self._build_numbers()
        rows = form()
        rows.addRow("Beads", self.beads)
        rows.addRow("Motor", self.motor)
        rows.addRow("Focus", two_in_a_row(self.low, "to", self.high))
        rows.addRow("Step", two_in_a_row(self.step, "frames", self.frames))
        self.body.addLayout(rows)
        self.estimate = note()
        self.body.addWidget(self.estimate)
        self.start = QPushButton("Start the sweep")
        self.start.clicked.connect(self._begin)
        self.body.addWidget(self.start)
        self.job = JobRow(self.session, (SWEEPING,))
        self.body.addWidget(self.job)
        self.beads.currentIndexChanged.connect(self._chosen)
        self.motor.currentIndexChanged.connect(self._chosen)

    def _build_numbers(self) -> None:
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        for box, what in ((self.low, "First"), (self.high, "Last")):
            box.setRange(-1000.0, 1000.0)
            box.setDecimals(2)
            box.setSingleStep(0.5)
            box.setSuffix(" µm")
            box.setToolTip(
                f"{what} position of the focus, µm above where it is now; with the focus up, "
                "beads are lower"
            )
        self.step = QDoubleSpinBox()
        self.step.setRange(1.0, 10_000.0)
        self.step.setDecimals(0)
        self.step.setSuffix(" nm")
        self.step.setSingleStep(10.0)
        self.step.setToolTip("Distance between planes, nm; 50 nm suit most beads")
        self.frames = QSpinBox()
        self.frames.setRange(1, 1000)
        self.frames.setToolTip("Frames of each plane; those unlike the others do not count")
        starts = self.presenter.choices
        values = (starts.low_um, starts.high_um, starts.step_nm, starts.frames)
        for box, value in zip((self.low, self.high, self.step, self.frames), values):
            box.setKeyboardTracking(False)
            box.setAlignment(Qt.AlignmentFlag.AlignRight)
            without_arrows(box)
            box.setMinimumWidth(76)
            box.setValue(value)
            box.valueChanged.connect(self._chosen)

    def _chosen(self, _: Any = None) -> None:
        self.presenter.choices = replace(
            self.presenter.choices,
            beads=self.beads.currentData(),
            motor=self.motor.currentText() or self.presenter.choices.motor,
            low_um=self.low.value(),
            high_um=self.high.value(),
            step_nm=self.step.value(),
            frames=self.frames.value(),
        )
        self._show_sweep()

    def _begin(self) -> None:
        self.presenter.start()
        self._show_sweep()

    def _show_sweep(self, _: Any = None) -> None:
        choices, motors = self.presenter.choices, self.presenter.motors()
        editors = (self.beads, self.motor, self.low, self.high, self.step, self.frames)
        for editor in editors:
            editor.blockSignals(True)
        if [self.motor.itemText(k) for k in range(self.motor.count())] != list(motors):
            self.motor.clear()
            self.motor.addItems(motors)
        self.motor.setCurrentText(choices.motor)
        self.beads.setCurrentIndex(self.beads.findData(choices.beads))
        values = (choices.low_um, choices.high_um, choices.step_nm, choices.frames)
        for box, value in zip((self.low, self.high, self.step, self.frames), values):
            if not box.hasFocus():
                box.setValue(value)
        for editor in editors:
            editor.blockSignals(False)
            editor.setEnabled(not self.presenter.sweeping)
        self.estimate.setText(self.presenter.estimate())
        why_not = self.presenter.why_not()
        allow(
            self.start,
            "Move the focus through the range, make the Z-LUT, bring the focus back and measure "
            f"z from then on; files go into a new folder in {self.model.root}",
            (bool(why_not), why_not),
        )
        allow(self.load, "Choose a Z-LUT file (MagTrack's text layout)", *self._locked())
        nothing = (self.presenter.present is None, "There is no Z-LUT")
        allow(self.clear, "Measure no z from now on", nothing, *self._locked())

    def _locked(self) -> tuple[tuple[bool, str], ...]:
        recording = self.model.recording is not None
        return (
            (recording, "Not while recording: stop the recording first"),
            (self.presenter.sweeping, "A sweep goes on"),
        )

    def _show_planes(self, _: Any = None) -> None:
        came = self.presenter.take_planes()
        planes = self.presenter.planes
        if came and self.presenter.sweeping:
            self.canvas.show_figure(sweep_figure(planes, min(planes[0].profiles)), {})
        elif planes and not self.presenter.sweeping:  # it has ended
            planes.clear()
            self._show_present()


_SWEEP_DEPENDS_ON = ("job", "beads", "selected", "phase", "recording", "root", "live", "locks")


def _short(path: Path) -> str:
    """Return a path's file with its folder: files of sweeps are all called alike."""
    return f"{path.parent.name}/{path.name}"
