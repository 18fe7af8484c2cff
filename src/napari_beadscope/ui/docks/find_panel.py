"""The panel below Find: which candidates are taken, adjusted while one looks at them.

Owns its widgets only; all it knows it has from `FindingPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
)

from napari_beadscope.ui.candidates import LEAST_SCORE
from napari_beadscope.ui.docks.parts import allow, note
from napari_beadscope.ui.presenters.finding import FindingPresenter
from napari_beadscope.ui.session import Session

_STEPS = 100


class FindPanel(QFrame):
    """Criteria of the search and what to do with what it found.

    Parameters
    ----------
    session : Session
        Whose search.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._model = session.model
        self.presenter = FindingPresenter(session)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._build_criteria()
        self.summary = note()
        self.replace = QPushButton("Replace")
        self.replace.setToolTip("Track what was found instead of the present beads")
        self.replace.clicked.connect(self.presenter.replace)
        self.add = QPushButton("Add")
        self.add.setToolTip("Track what was found besides the present beads")
        self.add.clicked.connect(self.presenter.add)
        self.discard = QPushButton("Discard")
        self.discard.setToolTip("Forget what was found; the present beads stay")
        self.discard.clicked.connect(self.presenter.discard)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.summary)
        for row in (
            (QLabel("Score ≥"), self.score, self.score_value),
            (QLabel("Radius"), self.min_radius, QLabel("to"), self.max_radius),
            (self.alone,),
            (self.replace, self.add, self.discard),
        ):
            line = QHBoxLayout()
            line.setSpacing(4)
            for widget in row:
                line.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
            layout.addLayout(line)
        self.hide()

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot, for the dock to add to its own."""
        events = self._model.events
        return (
            (events.candidates, self.show_found),
            (events.criteria, self.show_found),
            (events.recording, self.show_found),
            (events.roi_size_px, self._resized),
        )

    def show_found(self, _: Any = None) -> None:
        """Show what is taken."""
        choice = self.presenter.choice()
        self.setVisible(choice is not None)
        if choice is None:
            return
        criteria = self._model.criteria
        for widget, value in (
            (self.score, round(criteria.min_score * _STEPS)),
            (self.min_radius, criteria.min_radius_px),
            (self.max_radius, criteria.max_radius_px),
        ):
            widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(False)
        self.alone.blockSignals(True)
        self.alone.setChecked(criteria.alone_only)
        self.alone.blockSignals(False)
        self.score_value.setText(f"{criteria.min_score:.2f}")
        self.summary.setText(self.presenter.summary())
        reasons = (
            (self._model.recording is not None, "Beads cannot change while recording"),
            (not len(choice), "No candidate meets the criteria"),
        )
        beads = f"{len(choice)} bead{'' if len(choice) == 1 else 's'}"
        self.replace.setText(f"Replace by {len(choice)}")
        self.add.setText(f"Add {len(choice)}")
        allow(self.replace, f"Track these {beads} instead of the present ones", *reasons)
        allow(self.add, f"Track these {beads} besides the present ones", *reasons)

    def _build_criteria(self) -> None:
        self.score = QSlider(Qt.Orientation.Horizontal)
        self.score.setRange(round(LEAST_SCORE * _STEPS), _STEPS)
        self.score.setToolTip("Least score, 0 to 1: how sure it is that this is a bead")
        self.score.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.score.valueChanged.connect(
            lambda value: self.presenter.require(min_score=value / _STEPS)
        )
        self.score_value = QLabel()
        self.score_value.setMinimumWidth(self.fontMetrics().horizontalAdvance("0.00") + 4)
        self.min_radius = self._radius("any", "Least radius of the outermost ring, px")
        self.min_radius.valueChanged.connect(
            lambda value: self.presenter.require(min_radius_px=value)
        )
        self.max_radius = self._radius("any", "Greatest radius of the outermost ring, px")
        self.max_radius.valueChanged.connect(
            lambda value: self.presenter.require(max_radius_px=value)
        )
        self.alone = QCheckBox("Only those that stand alone")
        self.alone.setToolTip("Leave out beads with another one's rings inside their ROI")
        self.alone.toggled.connect(lambda on: self.presenter.require(alone_only=on))

    def _radius(self, special: str, tip: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0.0, 100.0)
        box.setDecimals(1)
        box.setSuffix(" px")
        box.setSpecialValueText(special)
        box.setMinimumWidth(72)
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        box.setToolTip(tip)
        return box

    def _resized(self, _: Any = None) -> None:
        self.presenter.resize()
