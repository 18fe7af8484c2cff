"""The Settings dock: every setting with its unit, range, default and meaning.

Owns its widgets only; all it knows it has from `SettingsPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)
from superqt import QElidingLabel

from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.parts import TONES, PathPicker, allow, note, toned
from napari_beadscope.ui.docks.profile_row import ProfileRow
from napari_beadscope.ui.presenters.settings import SECTIONS, SettingRow, SettingsPresenter

_FILES = "Settings (*.yaml *.yml);;All files (*)"
_EDITOR_PX = 150


class SettingsDock(Dock):
    """What holds for this user: looked up, changed, saved."""

    min_height_px = 120

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = SettingsPresenter(self.session)
        self._build_top()
        self.state = note()
        self.body.addWidget(self.state)
        self.lines: dict[str, SettingLine] = {}
        self.heads: dict[str, QLabel] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(4, 1)
        place = 0
        for row in self.presenter.rows():
            if row.section not in self.heads:
                head = self.heads[row.section] = QLabel(row.section)
                head.setStyleSheet("font-weight: bold;")
                grid.addWidget(head, place, 0, 1, 5)
                place += 1
            line = self.lines[row.name] = SettingLine(row, self.presenter)
            for column, widget in enumerate(line.widgets):
                grid.addWidget(widget, place, column)
            place += 1
        self.body.addLayout(grid)
        self.nothing = note("No setting has these words in its name or meaning")
        self.body.addWidget(self.nothing)

    def _build_top(self) -> None:
        self.search = QLineEdit()
        self.search.setPlaceholderText("search")
        self.search.setClearButtonEnabled(True)
        self.search.setToolTip("Show settings with these words in their name or meaning")
        self.search.setAccessibleName("Search settings")
        self.search.textChanged.connect(self._filter)
        self.save = QPushButton("Save")
        self.save.clicked.connect(self.presenter.save)
        self.take_over = QPushButton("Take over")
        self.take_over.clicked.connect(self.presenter.take_over)
        self.load = QPushButton("Load…")
        self.load.setToolTip(
            "Read settings from a file, ours or MagScope's; they are not saved yet"
        )
        self.load.clicked.connect(self._load)
        self.export = QPushButton("Export…")
        self.export.setToolTip("Write these settings to a YAML file, for another computer or user")
        self.export.clicked.connect(self._export)
        self.defaults = QPushButton("Defaults")
        self.defaults.setToolTip("Give every setting its default; that is not saved yet")
        self.defaults.clicked.connect(self.presenter.reset_all)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.search, 1)
        for button in (self.save, self.take_over, self.load, self.export, self.defaults):
            row.addWidget(button)
        self.body.addLayout(row)
        self.profiles = ProfileRow(self.presenter)
        self.body.addWidget(self.profiles)

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return (
            (events.settings, self.show_settings),
            (events.settings_changes, self.show_settings),
            (events.settings_in_use, self._show_state),
            (events.camera_id, self._show_state),
            (events.phase, self._show_state),
            (events.profiles, self._show_profiles),
            (events.busy, self._show_state),
        )

    def wake(self) -> None:
        """Look which profiles there are."""
        self.presenter.look_for_profiles()
        super().wake()

    def show_settings(self, _: Any = None) -> None:
        """Show all values."""
        for row in self.presenter.rows():
            self.lines[row.name].show_row(row)
        self._filter()
        self._show_state()

    def _show_state(self, _: Any = None) -> None:
        text, tone = self.presenter.state()
        toned(self.state, text, tone)
        why_not = self.presenter.why_not_save()
        self.save.setEnabled(not why_not)
        self.save.setToolTip(why_not or "Keep them, each where it belongs")
        no_scope = self.presenter.why_not_take_over()
        allow(
            self.take_over,
            "Take over camera, pixel size, Z-LUT and locks as they are now; not saved yet",
            (bool(no_scope), no_scope),
        )
        self.profiles.show_microscope()

    def _show_profiles(self, _: Any = None) -> None:
        self.profiles.show_profiles(self.model.profiles)

    def _filter(self, _: Any = None) -> None:
        words = self.search.text()
        shown: set[str] = set()
        for row in self.presenter.rows():
            fits = self.presenter.matches(row, words)
            for widget in self.lines[row.name].widgets:
                widget.setVisible(fits)
            if fits:
                shown.add(row.section)
        for section in SECTIONS.values():
            self.heads[section].setVisible(section in shown)
        self.nothing.setVisible(not shown)

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load settings", "", _FILES)
        if path:
            self.presenter.load(path)

    def _export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export settings", "settings.yaml", _FILES)
        if path:
            self.presenter.export(path)


class SettingLine:
    """The widgets of one setting: name, editor, unit, reset, meaning.

    Parameters
    ----------
    row : SettingRow
        What to edit.
    presenter : SettingsPresenter
        Told what is changed.
    """

    def __init__(self, row: SettingRow, presenter: SettingsPresenter) -> None:
        self._name, self._presenter = row.name, presenter
        self._shown = row
        self.label, self.unit, self.meaning = QLabel(row.label), QLabel(row.unit), QElidingLabel()
        self.meaning.setText(row.meaning)
        self.editor = self._make(row)
        self.editor.setAccessibleName(f"{row.section}: {row.label}")
        self.editor.setMinimumWidth(70)
        self.editor.setMaximumWidth(_EDITOR_PX)
        self.reset = QToolButton()
        self.reset.setText("↺")
        self.reset.setAutoRaise(True)
        self.reset.setAccessibleName(f"Reset {row.label}")
        self.reset.clicked.connect(lambda: presenter.reset(self._name))
        self.widgets: tuple[QWidget, ...] = (
            self.label,
            self.editor,
            self.unit,
            self.reset,
            self.meaning,
        )
        for widget in self.widgets:
            widget.setToolTip(row.tip)

    def show_row(self, row: SettingRow) -> None:
        """Show a value, and whether it was changed."""
        self._shown = row
        self.editor.blockSignals(True)
        if isinstance(self.editor, QCheckBox):
            self.editor.setChecked(row.text == "true")
        elif isinstance(self.editor, QComboBox):
            self.editor.setCurrentText(row.text)
        elif isinstance(self.editor, PathPicker):
            self.editor.edit.setText(row.text)
        elif self.editor.text() != row.text:
            self.editor.setText(row.text)
        self.editor.blockSignals(False)
        mark = "• " if row.is_unsaved else ""
        style = "" if row.is_default else "font-weight: bold;"
        self.label.setText(mark + row.label)
        self.label.setStyleSheet(style + (f"color: {TONES['warn']};" if row.is_unsaved else ""))
        self.reset.setEnabled(not row.is_default)
        default = "This is the default" if row.is_default else "Give it its default"
        self.reset.setToolTip(default)

    def _make(self, row: SettingRow) -> Any:
        if row.kind == "bool":
            box = QCheckBox()
            box.toggled.connect(lambda on: self._set("true" if on else "false"))
            return box
        if row.kind == "choice":
            combo = QComboBox()
            combo.addItems(row.choices)
            combo.currentTextChanged.connect(self._set)
            return combo
        if row.kind in ("folder", "file"):
            picker = PathPicker(row.kind, f"Choose: {row.label}")
            picker.changed.connect(self._set)
            return picker
        line = QLineEdit()
        line.setReadOnly(row.kind == "shown")
        if row.unit:
            line.setAlignment(Qt.AlignmentFlag.AlignRight)
        line.editingFinished.connect(lambda: self._set(line.text()))
        return line

    def _set(self, text: str) -> None:
        if text != self._shown.text:  # leaving a field is no change
            self._presenter.set(self._name, text)
