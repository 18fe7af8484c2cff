"""The Acquisition dock: what to keep, where, start and stop, what is left of the disk.

Owns its widgets only; all it knows it has from `AcquisitionPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QLabel, QLineEdit, QPushButton

from napari_beadscope.core.types import AcquisitionMode
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.parts import RECORD_RED, PathPicker, form, toned
from napari_beadscope.ui.presenters.acquisition import MODE_LABELS, AcquisitionPresenter

if TYPE_CHECKING:
    import napari


class AcquisitionDock(Dock):
    """Save tracks and video."""

    min_height_px = 400

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = AcquisitionPresenter(self.session)
        self._build_settings()
        self._build_buttons()
        self.progress = QLabel()
        self.progress.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.disk = QLabel()
        self.disk.setToolTip("Free space, and how long it lasts at the data rate of this mode")
        for label in (self.progress, self.disk):
            self.body.addWidget(label)

    def _build_settings(self) -> None:
        self.mode = QComboBox()
        for mode, label in MODE_LABELS.items():
            self.mode.addItem(label, mode.value)
            self.mode.setItemData(
                self.mode.count() - 1, f"mode: {mode.value}", Qt.ItemDataRole.ToolTipRole
            )
        self.mode.setToolTip("What is saved")
        self.mode.activated.connect(
            lambda row: self.presenter.set_mode(AcquisitionMode(self.mode.itemData(row)))
        )
        self.root = PathPicker("folder", "Choose where recordings go")
        self.root.setToolTip("Each recording gets a folder of its own in this one")
        self.root.changed.connect(self.presenter.set_root)
        self.name = QLineEdit()
        self.name.setToolTip("The recording's folder is called <date>_<name>")
        self.name.editingFinished.connect(lambda: self.presenter.set_name(self.name.text()))
        self.limit = QDoubleSpinBox()
        self.limit.setRange(0, 7 * 24 * 3600)
        self.limit.setDecimals(1)
        self.limit.setSuffix(" s")
        self.limit.setSpecialValueText("when I press Stop")
        self.limit.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.limit.setKeyboardTracking(False)
        self.limit.setToolTip("Stop by itself after this time; at 0 it goes on until stopped")
        self.limit.valueChanged.connect(self.presenter.set_limit_s)
        rows = form()
        rows.addRow("Save", self.mode)
        rows.addRow("Folder", self.root)
        rows.addRow("Name", self.name)
        rows.addRow("Stop", self.limit)
        self.body.addLayout(rows)

    def _build_buttons(self) -> None:
        self.button = QPushButton("Record")
        self.button.clicked.connect(self.presenter.toggle)
        self.open = QPushButton("Open")
        self.open.setToolTip("Open the recording that was just saved as layers")
        self.open.clicked.connect(self._open_last)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button, 1)
        buttons.addWidget(self.open)
        self.body.addLayout(buttons)

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return (
            (events.mode, self._show_settings),
            (events.root, self._show_settings),
            (events.name, self._show_settings),
            (events.limit_s, self._show_settings),
            (events.recording, self._show_state),
            (events.last_recording, self._show_state),
            (events.busy, self._show_state),
            (events.status, self._show_numbers),
            (events.recording, self._show_numbers),
            (events.last_recording, self._show_numbers),
            (events.recorded_s, self._show_numbers),
            (events.mode, self._show_numbers),
            (events.root, self._show_numbers),
            (events.beads, self._show_numbers),
        )

    def _show_settings(self, _: Any = None) -> None:
        model = self.model
        self.mode.setCurrentIndex(self.mode.findData(model.mode.value))
        self.root.show_path(str(model.root))
        if not self.name.hasFocus():
            self.name.setText(model.name)
        self.limit.blockSignals(True)
        self.limit.setValue(model.limit_s)
        self.limit.blockSignals(False)

    def _show_state(self, _: Any = None) -> None:
        model = self.model
        on = model.recording is not None
        self.button.setText("■ Stop recording" if on else "● Record")
        self.button.setToolTip(
            "End the recording and close its files" if on else "Start to save, with the camera"
        )
        self.button.setStyleSheet(
            f"QPushButton {{ background-color: {RECORD_RED}; color: white; }}" if on else ""
        )
        self.button.setEnabled(not model.busy.endswith("the recording"))
        for editor in (self.mode, self.root, self.name, self.limit):
            editor.setEnabled(not on)
        self.open.setEnabled(not on and model.last_recording is not None)

    def _show_numbers(self, _: Any = None) -> None:
        on, hint = self.model.recording is not None, self.presenter.hint()
        if on:
            toned(self.progress, self.presenter.progress(), "bad", "font-weight: bold;")
        elif hint:
            toned(self.progress, hint, "warn")
        else:
            toned(self.progress, self.presenter.progress(), "ok")
        self.progress.setToolTip(str(self.model.recording or self.model.last_recording or ""))
        toned(self.disk, self.presenter.disk(), "bad" if self.presenter.disk_is_short() else "ok")

    def _open_last(self) -> None:
        path = self.model.last_recording
        if path is not None:
            self.host.viewer.open(str(path), plugin="napari-beadscope")
