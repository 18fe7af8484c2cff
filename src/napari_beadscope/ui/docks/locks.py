"""The Locks dock: ROIs that follow their beads, a focus that holds a height, and how that goes.

Owns its widgets only; all it knows it has from `LocksPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QWidget,
)

from napari_beadscope.core.messages import MotorsChanged
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.history_line import HistoryLine
from napari_beadscope.ui.docks.parts import (
    allow,
    form,
    note,
    spin_box,
    toned,
    two_in_a_row,
    without_arrows,
)
from napari_beadscope.ui.presenters.fields import Field
from napari_beadscope.ui.presenters.locks import HISTORY_S, LocksPresenter

if TYPE_CHECKING:
    import napari

_XY_TIP = "Move each ROI after its bead, also while recording"
_Z_TIP = "Move the focus so that the height stays"
_DECIMALS = {"max_step_px": 0, "max_step_nm": 0, "gain": 2, "nm_per_um": 0, "min_quality": 2}
_HERE, _AT = "height found", "a height of"


class LocksDock(Dock):
    """Hold beads in their ROIs and the focus at a height."""

    min_height_px = 200

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = LocksPresenter(self.session)
        self._boxes: dict[tuple[str, str], Any] = {}
        self._why_no_z = ""
        self._build_xy()
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        self.body.addWidget(line)
        self._build_z()

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return (
            (self.session.heard, self._heard),
            (events.locks, self._show_values),
            (events.beads, self._show_choices),
            (events.annotations, self._show_choices),
            (events.phase, self._show_choices),
            (events.locks, self._show_state),
            (events.beads, self._show_state),
            (events.annotations, self._show_state),
            (events.calibration, self._show_state),
            (events.phase, self._show_state),
            (events.job, self._show_job),
        )

    # widgets

    def _build_xy(self) -> None:
        self.xy_on = _switch("XY-lock")
        self.xy_on.clicked.connect(self.presenter.set_xy)
        self.once = QPushButton("Once")
        self.once.clicked.connect(lambda: self.presenter.look_once())
        self.body.addLayout(_title("XY-lock", "ROIs follow their beads", self.once, self.xy_on))
        fields = self.presenter.xy_fields()
        rows = form()
        every, step = self._box("xy", fields["interval_s"]), self._box("xy", fields["max_step_px"])
        rows.addRow("Every", two_in_a_row(every, "Step", step))
        rows.addRow("Mean of", self._box("xy", fields["window"]))
        self.body.addLayout(rows)
        self.xy_state = note()
        self.body.addWidget(self.xy_state)

    def _build_z(self) -> None:
        self.z_on = _switch("Z-lock")
        self.z_on.clicked.connect(self.presenter.set_z)
        self.body.addLayout(_title("Z-lock", "the focus follows a height", self.z_on))
        self.bead = QComboBox()
        self.bead.setToolTip("Whose height is held: the median of the reference beads, or a bead's")
        self.bead.activated.connect(
            lambda row: self.presenter.set_z_value("bead", self.bead.itemData(row))
        )
        self.aim = QComboBox()
        self.aim.addItems([_HERE, _AT])
        self.aim.setToolTip("Hold the height that is found when the lock begins, or another one")
        self.aim.activated.connect(lambda _: self._aimed())
        self.target = QDoubleSpinBox()
        self.target.setRange(-1e6, 1e6)
        self.target.setMinimumWidth(80)
        without_arrows(self.target)
        self.target.setDecimals(0)
        self.target.setSingleStep(50)
        self.target.setSuffix(" nm")
        self.target.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.target.setKeyboardTracking(False)
        self.target.setToolTip("Height to hold: z as tracked, nm")
        self.target.valueChanged.connect(lambda _: self._aimed())
        fields = self.presenter.z_fields()
        rows = form()
        rows.addRow("Hold", self.bead)
        aim = QHBoxLayout()
        aim.setSpacing(4)
        aim.addWidget(self.aim, 3)  # its words are longer than any number
        aim.addWidget(self.target, 2)
        rows.addRow("At", aim)
        every, step = self._box("z", fields["interval_s"]), self._box("z", fields["max_step_nm"])
        rows.addRow("Every", two_in_a_row(every, "Step", step))
        window, gain = self._box("z", fields["window"]), self._box("z", fields["gain"])
        rows.addRow("Mean of", two_in_a_row(window, "Gain", gain))
        self.body.addLayout(rows)
        self._build_more(fields)
        self.z_state = note()
        self.numbers = note()
        self.history = HistoryLine("nm", HISTORY_S, 20.0)
        self.history.setToolTip("Error of the height, before each correction")
        for widget in (self.z_state, self.numbers, self.history):
            self.body.addWidget(widget)

    def _build_more(self, fields: dict[str, Field]) -> None:
        self.more = QToolButton()
        self.more.setText("Motor and safety")
        self.more.setToolTip("Which motor focuses, what it does to z, and when the lock gives up")
        self.more.setCheckable(True)
        self.more.setAutoRaise(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.toggled.connect(self._unfold)
        self.body.addWidget(self.more)
        self.motor = QComboBox()
        self.motor.setToolTip("The motor that focuses")
        self.motor.textActivated.connect(lambda name: self.presenter.set_z_value("motor", name))
        rows = form()
        rows.addRow("Motor", two_in_a_row(self.motor, "z/µm", self._box("z", fields["nm_per_um"])))
        quality, patience = (self._box("z", fields[n]) for n in ("min_quality", "patience_s"))
        rows.addRow("Quality", two_in_a_row(quality, "Give up", patience))
        self.details = QWidget()
        self.details.setLayout(rows)
        self.details.setVisible(False)
        self.body.addWidget(self.details)

    def _box(self, lock: str, field: Field) -> Any:
        choose = self.presenter.set_xy_value if lock == "xy" else self.presenter.set_z_value
        box = spin_box(field, lambda value: choose(field.name, value))
        without_arrows(box)
        box.setMinimumWidth(66)
        if field.name in _DECIMALS:
            box.blockSignals(True)  # the number shown is still the lowest
            box.setDecimals(_DECIMALS[field.name])
        box.setToolTip(field.tip)
        box.setAccessibleName(field.label)
        _set(box, field.value)
        self._boxes[lock, field.name] = box
        return box

    def _unfold(self, on: bool) -> None:
        self.more.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.details.setVisible(on)

    def _aimed(self) -> None:
        at = self.aim.currentText() == _AT
        self.target.setEnabled(at)
        self.presenter.set_z_value("target_nm", self.target.value() if at else None)

    # what is shown

    def _heard(self, event: Any = None) -> None:
        self.presenter.heard(event)
        if isinstance(event, MotorsChanged):
            self._show_choices()
            self._show_state()

    def _show_values(self, _: Any = None) -> None:
        self.presenter.follow(self.model.locks)
        for lock, fields in (("xy", self.presenter.xy_fields()), ("z", self.presenter.z_fields())):
            for name, field in fields.items():
                box = self._boxes[lock, name]
                if not box.hasFocus():
                    _set(box, field.value)
        target = self.presenter.z.target_nm
        self.aim.setCurrentText(_HERE if target is None else _AT)
        self.target.setEnabled(target is not None)
        found = self.model.locks.z_state.target_nm
        if target is None and found is not None:
            _set(self.target, found)
        elif target is not None and not self.target.hasFocus():
            _set(self.target, target)

    def _show_choices(self, _: Any = None) -> None:
        choices = self.presenter.bead_choices()
        if choices != tuple(
            (self.bead.itemData(row), self.bead.itemText(row)) for row in range(self.bead.count())
        ):
            self.bead.clear()
            for bead, text in choices:
                self.bead.addItem(text, bead)
        self.bead.setCurrentIndex(max(0, self.bead.findData(self.presenter.z.bead)))
        motors = self.presenter.motor_choices() or (self.presenter.z.motor,)
        if motors != tuple(self.motor.itemText(row) for row in range(self.motor.count())):
            self.motor.clear()
            self.motor.addItems(motors)
        self.motor.setCurrentText(self.presenter.z.motor)

    def _show_job(self, _: Any = None) -> None:
        """Tell of a sweep that has begun or ended; how far it is does not matter."""
        why = self.presenter.why_no_z()
        if why != self._why_no_z:
            self._why_no_z = why
            self._show_state()

    def _show_state(self, _: Any = None) -> None:
        locks = self.model.locks
        why_xy, why_z = self.presenter.why_no_xy(), self.presenter.why_no_z()
        for button, on, tip, why in (
            (self.xy_on, locks.xy is not None, _XY_TIP, why_xy),
            (self.z_on, locks.z is not None, _Z_TIP, why_z),
        ):
            button.setChecked(on)
            button.setText("Unlock" if on else "Lock")
            allow(button, tip, (bool(why) and not on, why))
        allow(self.once, "Move each ROI after its bead once, now", (bool(why_xy), why_xy))
        toned(self.xy_state, *self.presenter.xy_text())
        self.xy_state.setToolTip(self.presenter.xy_details())
        toned(self.z_state, *self.presenter.z_text())
        numbers = self.presenter.z_numbers()
        if self.numbers.text() != numbers:
            self.numbers.setText(numbers)
        self.numbers.setVisible(bool(numbers))
        errors = self.presenter.errors()
        self.history.setVisible(len(errors) > 1)
        self.history.show_points(errors)


def _switch(name: str) -> QPushButton:
    button = QPushButton("Lock")
    button.setCheckable(True)
    button.setAccessibleName(name)
    return button


def _title(name: str, meaning: str, *buttons: QWidget) -> QHBoxLayout:
    label = QLabel(f"<b>{name}</b>")
    label.setToolTip(meaning)
    row = QHBoxLayout()
    row.addWidget(label, 1)
    for button in buttons:
        button.setFixedWidth(64)
        row.addWidget(button)
    return row


def _set(box: Any, value: float) -> None:
    box.blockSignals(True)
    box.setValue(value)
    box.blockSignals(False)
