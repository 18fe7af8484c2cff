"""The choices of the Plots dock: kind, source, beads, window, rows, axes.

Owns its widgets only; what can be chosen it has from `PlotsPresenter`.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_beadscope.ui.plots.figure import AXES, Kind
from napari_beadscope.ui.presenters.plots import (
    FIRST,
    KINDS,
    LIVE,
    PLACES,
    WINDOWS_S,
    PlotsPresenter,
)

_TIP = Qt.ItemDataRole.ToolTipRole
_OF_BEADS = (Kind.TIME, Kind.RELATION, Kind.PROFILE, Kind.ALLAN, Kind.SPECTRUM)
_PLACED = (Kind.TIME, Kind.RELATION)
_AXIS = (Kind.ALLAN, Kind.SPECTRUM)


class PlotControls(QWidget):
    """Editors of `PlotChoices`.

    Parameters
    ----------
    presenter : PlotsPresenter
        Whose choices are edited.
    """

    show_all = Signal()

    def __init__(self, presenter: PlotsPresenter) -> None:
        super().__init__()
        self._presenter, self._choices = presenter, presenter.choices
        self._shown_rows: tuple[tuple[str, str], ...] = ()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addLayout(self._what())
        rows.addLayout(self._which())
        rows.addLayout(self._when())
        rows.addLayout(self._how())
        self.show_choices()

    def show_choices(self, _: Any = None) -> None:
        """Show what is chosen, and what can be."""
        choices, presenter = self._choices, self._presenter
        _offer(self.source, presenter.sources())
        if self.source.findData(choices.source) < 0:  # its layer is gone
            choices.source = LIVE
            return
        self.source.setCurrentIndex(self.source.findData(choices.source))
        for at in range(1, self.source.count()):
            self.source.setItemData(at, self.source.itemData(at).removeprefix("layer:"), _TIP)
        for at, kind in enumerate(KINDS):
            why = presenter.why_not_live(kind)
            self.kind.model().item(at).setEnabled(not why)
            self.kind.setItemData(at, why or KINDS[kind][1], _TIP)
        self.kind.setCurrentIndex(self.kind.findData(choices.kind.value))
        self._show_times()
        self._show_parts()
        self.show_rows()

    def show_rows(self) -> None:
        """Show which quantities there are to choose from."""
        rows = self._presenter.rows()
        items = tuple((name, label) for name, label, _ in rows)
        menu = self.rows.menu()
        assert menu is not None
        if items != self._shown_rows:
            self._shown_rows = items
            menu.clear()
            for name, label in items:
                action = menu.addAction(label)
                action.setCheckable(True)
                action.triggered.connect(lambda on, name=name: self._presenter.show_row(name, on))
        for action, (_, _, on) in zip(menu.actions(), rows):
            action.setChecked(on)
        for combo, value in ((self.up, self._choices.up), (self.across, self._choices.across)):
            _offer(combo, items)
            combo.setCurrentIndex(max(0, combo.findData(value)))

    # the widgets

    def _what(self) -> QHBoxLayout:
        self.kind = _combo("What to plot")
        self.kind.setMinimumContentsLength(12)
        for kind, (label, tip) in KINDS.items():
            self.kind.addItem(label, kind.value)
            self.kind.setItemData(self.kind.count() - 1, tip, _TIP)
        self.kind.activated.connect(
            lambda at: setattr(self._choices, "kind", Kind(self.kind.itemData(at)))
        )
        self.source = _combo("Whose tracks: the engine's, live, or those of an opened recording")
        self.source.activated.connect(self._source_chosen)
        row = _row(self.kind, self.source)
        row.setStretch(0, 3)
        row.setStretch(1, 2)
        return row

    def _which(self) -> QHBoxLayout:
        self.beads_label = QLabel("Beads")
        self.beads = QLineEdit()
        self.beads.setPlaceholderText(f"selected, or first {FIRST}")
        self.beads.setClearButtonEnabled(True)
        self.beads.setToolTip(
            "Numbers such as 0, 3, 5-8, or all.\n"
            f"Empty: the beads that are selected, else the first {FIRST}"
        )
        self.beads.editingFinished.connect(
            lambda: setattr(self._choices, "beads", self.beads.text())
        )
        self.beads.textChanged.connect(self._beads_cleared)
        self.region = _combo("Which pixels are counted")
        self.region.addItem("whole frame", "frame")
        self.region.addItem("ROIs of these beads", "beads")
        self.region.activated.connect(
            lambda at: setattr(self._choices, "region", self.region.itemData(at))
        )
        return _row(self.beads_label, self.beads, self.region)

    def _when(self) -> QHBoxLayout:
        self.window_box = _combo("How much of the past is seen")
        for seconds in WINDOWS_S:
            label = f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"
            self.window_box.addItem(label, float(seconds))
        self.window_box.activated.connect(
            lambda at: setattr(self._choices, "window_s", self.window_box.itemData(at))
        )
        self.pause = QPushButton("Pause")
        self.pause.setCheckable(True)
        self.pause.clicked.connect(self._pause_clicked)
        return _row(self.window_box, self.pause)

    def _how(self) -> QVBoxLayout:
        self.rows = QPushButton("Rows")
        self.rows.setToolTip("Which coordinates, motors and own quantities are shown")
        self.rows.setMenu(QMenu(self.rows))
        self.up = _combo("What is plotted upwards")
        self.against = QLabel("over")
        self.across = _combo("What is plotted across")
        self.axis = _combo("Which coordinate")
        for name in AXES:
            self.axis.addItem(name, name)
        self.place = _combo("How the curves of several beads lie to each other")
        for name, tip in PLACES.items():
            self.place.addItem(name, name)
            self.place.setItemData(self.place.count() - 1, tip, _TIP)
        for combo, field in (
            (self.up, "up"),
            (self.across, "across"),
            (self.axis, "axis"),
            (self.place, "place"),
        ):
            combo.activated.connect(
                lambda at, combo=combo, field=field: setattr(
                    self._choices, field, combo.itemData(at)
                )
            )
        self.corrected = QCheckBox("less drift")
        self.corrected.clicked.connect(lambda on: setattr(self._choices, "corrected", on))
        rows = QVBoxLayout()
        rows.setSpacing(4)
        rows.addLayout(_row(self.up, self.against, self.across))
        rows.addLayout(_row(self.axis, self.rows, self.place, self.corrected))
        return rows

    # what is shown

    def _show_times(self) -> None:
        choices = self._choices
        live = choices.source == LIVE
        runs = choices.kind not in (Kind.HISTOGRAM, Kind.PROFILE)
        self.window_box.setVisible(runs)
        self.window_box.setEnabled(live)
        self.window_box.setCurrentIndex(self.window_box.findData(choices.window_s))
        self.window_box.setToolTip(
            "How much of the past is seen"
            if live
            else "A recording is seen as a whole: zoom with the wheel"
        )
        self.pause.setCheckable(live)
        self.pause.setText("Pause" if live else "Show all")
        self.pause.setChecked(live and choices.halted)
        self.pause.setToolTip(
            "Let the plot stand still, to look closer (space bar); recording and tracking go on"
            if live
            else "Show the whole recording again (Home)"
        )

    def _show_parts(self) -> None:
        choices, presenter = self._choices, self._presenter
        kind = choices.kind
        if self.beads.text() != choices.beads and not self.beads.hasFocus():
            self.beads.setText(choices.beads)
        self.region.setVisible(kind is Kind.HISTOGRAM)
        self.region.setCurrentIndex(self.region.findData(choices.region))
        of_beads = kind in _OF_BEADS or choices.region == "beads"
        self.beads.setVisible(of_beads)
        self.beads_label.setVisible(of_beads)
        for widget in (self.up, self.against, self.across):
            widget.setVisible(kind is Kind.RELATION)
        self.axis.setVisible(kind in _AXIS)
        self.axis.setCurrentIndex(self.axis.findData(choices.axis))
        self.rows.setVisible(kind is Kind.TIME)
        self.place.setVisible(kind in _PLACED)
        self.place.setCurrentIndex(self.place.findData(choices.place))
        self.corrected.setVisible(kind in (*_PLACED, *_AXIS))
        why = presenter.why_not_corrected()
        self.corrected.setEnabled(not why)
        self.corrected.setChecked(choices.corrected and not why)
        names = ", ".join(str(bead) for bead in presenter.references())
        self.corrected.setToolTip(why or f"Take off the drift of reference beads {names} (median)")

    # what the user does

    def _source_chosen(self, at: int) -> None:
        self._presenter.choose_source(self.source.itemData(at))

    def _beads_cleared(self, text: str) -> None:
        if not text:
            self._choices.beads = ""

    def _pause_clicked(self, on: bool) -> None:
        if self._choices.source == LIVE:
            self._choices.halted = on
        else:
            self._choices.halted = False
            self.show_all.emit()


def _combo(tip: str) -> QComboBox:
    combo = QComboBox()
    combo.setToolTip(tip)
    combo.setAccessibleName(tip)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(4)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget)
    return row


def _offer(combo: QComboBox, items: tuple[tuple[str, str], ...]) -> None:
    """Fill a combo box with keys and labels, unless it has just these."""
    there = tuple((combo.itemData(i), combo.itemText(i)) for i in range(combo.count()))
    if there == items:
        return
    combo.clear()
    for key, label in items:
        combo.addItem(label, key)
        combo.setItemData(combo.count() - 1, label, _TIP)
