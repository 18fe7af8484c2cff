"""The Acquisition dock: what to keep, where, how long; start and stop; what it takes.

Owns its widgets only; all it knows it has from `AcquisitionPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
)

from napari_beadscope.core.types import AcquisitionMode
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.parts import RECORD_RED, PathPicker, form, note, toned, two_in_a_row
from napari_beadscope.ui.presenters.acquisition import (
    BY_FRAMES,
    BY_TIME,
    MODE_LABELS,
    MODE_TIPS,
    UNTIL_STOPPED,
    AcquisitionPresenter,
)

_LIMITS = {UNTIL_STOPPED: "by hand", BY_TIME: "after a time", BY_FRAMES: "after frames"}


class AcquisitionDock(Dock):
    """Save tracks and video."""

    min_height_px = 250

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = AcquisitionPresenter(self.session)
        self._rows = form()
        self._build_settings()
        self._build_limit()
        self.body.addLayout(self._rows)
        self.button = QPushButton("● Record")
        self.button.setMinimumHeight(28)
        self.button.clicked.connect(self._toggle)
        self.open = QPushButton("Open last")
        self.open.clicked.connect(self._open_last)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button, 1)
        buttons.addWidget(self.open)
        self.body.addLayout(buttons)
        self.progress, self.estimate, self.disk = note(), note(), note()
        self.estimate.setToolTip("What a recording in this mode takes, with these beads and rate")
        self.disk.setToolTip("Free space, and how long it lasts at the data rate of this mode")
        for label in (self.progress, self.estimate, self.disk):
            self.body.addWidget(label)

    def _build_settings(self) -> None:
        self.mode = QComboBox()
        for row, (mode, label) in enumerate(MODE_LABELS.items()):
            self.mode.addItem(label, mode.value)
            tip = f"{MODE_TIPS[mode]}\nmode: {mode.value}"
            self.mode.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
        self.mode.activated.connect(
            lambda row: self.presenter.set_mode(AcquisitionMode(self.mode.itemData(row)))
        )
        self.root = PathPicker("folder", "Choose where recordings go")
        self.root.setToolTip("Each recording gets a folder of its own in this one")
        self.root.changed.connect(self.presenter.set_root)
        self.name = QLineEdit()
        self.name.setToolTip("The recording's folder is called <date>_<name>")
        self.name.editingFinished.connect(lambda: self.presenter.set_name(self.name.text()))
        self.note = QLineEdit()
        self.note.setPlaceholderText("is kept too")
        self.note.setToolTip("A note, such as buffer and tether; it is kept in recording.yaml")
        self.note.editingFinished.connect(lambda: self.presenter.set_note(self.note.text()))
        self._rows.addRow("Save", self.mode)
        self._rows.addRow("Folder", self.root)
        self._rows.addRow("Name", two_in_a_row(self.name, "Note", self.note))

    def _build_limit(self) -> None:
        self.limit_kind = QComboBox()
        for kind, label in _LIMITS.items():
            self.limit_kind.addItem(label, kind)
        self.limit_kind.setToolTip("How the recording ends")
        self.limit_kind.activated.connect(
            lambda row: self.presenter.set_limit_kind(self.limit_kind.itemData(row))
        )
        self.limit_s = QDoubleSpinBox()
        self.limit_s.setRange(0.1, 7 * 24 * 3600)
        self.limit_s.setDecimals(1)
        self.limit_s.setSuffix(" s")
        self.limit_s.setToolTip("Stop by itself after this time, in s (0.1 to 604,800)")
        self.limit_s.valueChanged.connect(self.presenter.set_limit_s)
        self.limit_frames = QSpinBox()
        self.limit_frames.setRange(1, 1_000_000_000)
        self.limit_frames.setSuffix(" frames")
        self.limit_frames.setToolTip("Stop by itself after so many frames")
        self.limit_frames.valueChanged.connect(self.presenter.set_limit_frames)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.limit_kind, 1)
        for box in (self.limit_s, self.limit_frames):
            box.setAlignment(Qt.AlignmentFlag.AlignRight)
            box.setKeyboardTracking(False)
            row.addWidget(box, 1)
        self._rows.addRow("Stop", row)

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        settings = ("mode", "root", "name", "note", "limit_kind", "limit_s", "limit_frames")
        state = ("recording", "last_recording", "busy", "job", "mode", "root", "name", "beads")
        numbers = ("status", "recording", "last_recording", "recorded_s", "beads", *settings)
        return (
            *((getattr(events, name), self._show_settings) for name in settings),
            *((getattr(events, name), self._show_state) for name in state),
            *((getattr(events, name), self._show_numbers) for name in numbers),
        )

    def _show_settings(self, _: Any = None) -> None:
        model = self.model
        self.mode.setCurrentIndex(self.mode.findData(model.mode.value))
        self.mode.setToolTip(MODE_TIPS[model.mode])
        self.root.show_path(str(model.root))
        for line, text in ((self.name, model.name), (self.note, model.note)):
            if not line.hasFocus():
                line.setText(text)
        self.limit_kind.setCurrentIndex(self.limit_kind.findData(model.limit_kind))
        for box, value, kind in (
            (self.limit_s, model.limit_s, BY_TIME),
            (self.limit_frames, model.limit_frames, BY_FRAMES),
        ):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
            box.setVisible(model.limit_kind == kind)

    def _show_state(self, _: Any = None) -> None:
        model = self.model
        on = model.recording is not None
        self._allow(on, self.presenter.why_not())
        self.button.setText("■ Stop recording" if on else "● Record")
        self.button.setStyleSheet(
            f"QPushButton {{ background-color: {RECORD_RED}; color: white; }}" if on else ""
        )
        for editor in (
            self.mode,
            self.root,
            self.name,
            self.note,
            self.limit_kind,
            self.limit_s,
            self.limit_frames,
        ):
            editor.setEnabled(not on)
        self.open.setEnabled(not on and model.last_recording is not None)
        if on:
            self.open.setToolTip("Not while recording")
        elif model.last_recording is None:
            self.open.setToolTip("Nothing has been recorded yet")
        else:
            self.open.setToolTip(f"Open as layers: {model.last_recording}")

    def _allow(self, on: bool, why_not: str) -> None:
        what = "End the recording and close its files" if on else "Start to save, with the camera"
        self.button.setToolTip(why_not or what)
        self.button.setEnabled(not why_not)

    def _show_numbers(self, _: Any = None) -> None:
        on, why_not = self.model.recording is not None, self.presenter.why_not()
        self._allow(on, why_not)  # another program may claim a motor, or give it back
        if on:
            toned(self.progress, self.presenter.progress(), "bad", "font-weight: bold;")
        elif why_not:
            toned(self.progress, why_not, "warn")
        else:
            toned(self.progress, self.presenter.progress(), "ok")
        self.progress.setToolTip(str(self.model.recording or self.model.last_recording or ""))
        toned(self.estimate, self.presenter.estimate(), "ok")
        self.estimate.setVisible(bool(self.estimate.text()))
        toned(self.disk, self.presenter.disk(), self.presenter.disk_tone())

    def _toggle(self) -> None:
        """Start with what the fields say, also one that is being typed into; or stop."""
        if self.model.recording is None:
            name, text = self.name.text(), self.note.text()  # both before either is shown again
            self.presenter.set_name(name)
            self.presenter.set_note(text)
            if self.presenter.why_not():  # the name; it is said below
                return
        self.presenter.toggle()

    def _open_last(self) -> None:
        path = self.model.last_recording
        if path is not None:
            self.host.viewer.open(str(path), plugin="napari-beadscope")
