"""Small widgets that several docks use.

Owns editors for `Field`s, a path picker and the colours of tones. Must not know any presenter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_beadscope.ui.presenters.fields import Field

#: Colours that can be read on napari's dark and light theme.
TONES = {"ok": "", "warn": "#d98c00", "bad": "#e5484d"}
RECORD_RED = "#c62a2f"


def toned(label: QLabel, text: str, tone: str, style: str = "") -> None:
    """Set a label's text, colour and further `style`; nothing is done if all are set already."""
    if label.text() != text:
        label.setText(text)
    style = (f"color: {TONES[tone]};" if TONES[tone] else "") + style
    if label.styleSheet() != style:
        label.setStyleSheet(style)


def allow(widget: QWidget, tip: str, *reasons: tuple[bool, str]) -> None:
    """Enable `widget` unless one of `reasons` holds, which is then its tooltip."""
    against = next((text for holds, text in reasons if holds), "")
    widget.setEnabled(not against)
    widget.setToolTip(against or tip)


def note(text: str = "") -> QLabel:
    """Return a label for a line of explanation that may wrap."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def two_in_a_row(first: QWidget, label: str, second: QWidget) -> QHBoxLayout:
    """Return a row for a form: an editor, and another one with its own label."""
    row = QHBoxLayout()
    row.setSpacing(4)
    row.addWidget(first, 1)
    row.addWidget(QLabel(label))
    row.addWidget(second, 1)
    return row


def form() -> QFormLayout:
    """Return an empty form, labels on the left."""
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(4)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return layout


class PathPicker(QWidget):
    """A path to type or to browse for.

    Parameters
    ----------
    kind : str
        'file', 'folder' or 'any'.
    title, pattern, placeholder : str
        Of the dialog, its filter, and the empty field.
    """

    changed = Signal(str)

    def __init__(
        self, kind: str, title: str, pattern: str = "All files (*)", placeholder: str = ""
    ) -> None:
        super().__init__()
        self._kind, self._title, self._pattern = kind, title, pattern
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(placeholder)
        self.edit.setToolTip(title)
        self.edit.editingFinished.connect(lambda: self.changed.emit(self.edit.text()))
        self.button = QPushButton("…")
        self.button.setFixedWidth(30)
        self.button.setToolTip(title)
        self.button.clicked.connect(self.browse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        row.addWidget(self.edit)
        row.addWidget(self.button)

    def show_path(self, path: str) -> None:
        """Show a path without telling anybody."""
        if self.edit.text() != path and not self.edit.hasFocus():
            self.edit.setText(path)
            self.edit.setToolTip(path or self._title)

    def browse(self) -> None:
        """Ask for a path."""
        if self._kind == "folder":
            path = QFileDialog.getExistingDirectory(self, self._title, self.edit.text())
        else:
            path, _ = QFileDialog.getOpenFileName(
                self, self._title, self.edit.text(), self._pattern
            )
        if path:
            self.edit.setText(path)
            self.changed.emit(path)


class FieldForm(QWidget):
    """Editors for a list of fields."""

    changed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self._form = form()
        self.setLayout(self._form)
        self._editors: dict[str, QWidget] = {}
        self._shape: tuple[Any, ...] = ()

    def editor(self, name: str) -> Any:
        """Return the editor of one field."""
        return self._editors[name]

    def show_fields(self, fields: Iterable[Field]) -> None:
        """Show these fields; editors are kept as long as only values change."""
        fields = tuple(fields)
        shape = tuple((f.name, f.kind, f.minimum, f.maximum, f.choices) for f in fields)
        if shape != self._shape:
            self._rebuild(fields)
            self._shape = shape
        for field in fields:
            editor = self._editors[field.name]
            if not editor.hasFocus():
                editor.blockSignals(True)
                _set(editor, field.value)
                editor.blockSignals(False)

    def _rebuild(self, fields: tuple[Field, ...]) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        self._editors.clear()
        for field in fields:
            editor = self._editors[field.name] = self._make(field)
            editor.setToolTip(field.tip)
            editor.setAccessibleName(field.label)
            self._form.addRow(field.label, editor)

    def _make(self, field: Field) -> QWidget:
        def emit(value: Any) -> None:
            self.changed.emit(field.name, value)

        if field.kind == "choice":
            combo = QComboBox()
            combo.addItems([str(choice) for choice in field.choices])
            combo.currentTextChanged.connect(emit)
            return combo
        if field.kind == "bool":
            box = QCheckBox()
            box.toggled.connect(emit)
            return box
        if field.kind == "path":
            picker = PathPicker("file", f"Choose: {field.label}", placeholder="choose a file")
            picker.changed.connect(emit)
            return picker
        if field.kind in {"int", "float"}:
            return spin_box(field, emit)
        line = QLineEdit()
        line.editingFinished.connect(lambda: emit(line.text()))
        return line


def spin_box(field: Field, emit: Any) -> QSpinBox | QDoubleSpinBox:
    """Return a spin box with unit and range, which tells its value when editing is done."""
    box: QSpinBox | QDoubleSpinBox
    if field.kind == "int":
        box = QSpinBox()
        box.setRange(int(field.minimum), int(min(field.maximum, 2**31 - 1)))
    else:
        box = QDoubleSpinBox()
        box.setDecimals(3 if field.maximum <= 10 else 2 if field.maximum <= 100 else 1)
        box.setRange(field.minimum, field.maximum)
    if field.unit:
        box.setSuffix(f" {field.unit}")
    box.setKeyboardTracking(False)
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    box.setMinimumWidth(90)
    box.valueChanged.connect(emit)
    return box


def _set(editor: Any, value: Any) -> None:
    if isinstance(editor, QComboBox):
        editor.setCurrentText(str(value))
    elif isinstance(editor, QCheckBox):
        editor.setChecked(bool(value))
    elif isinstance(editor, QSpinBox):
        editor.setValue(int(value))
    elif isinstance(editor, QDoubleSpinBox):
        editor.setValue(float(value))
    elif isinstance(editor, PathPicker):
        editor.show_path(str(value))
    else:
        editor.setText(str(value))


def without_arrows(box: QAbstractSpinBox) -> None:
    """Give a number the room of its arrows; keys and wheel change it.

    Not by ``NoButtons``: with napari's style sheet, Qt 6.11.3 then gives the text no room at all.
    """
    box.setStyleSheet(
        "QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0px; border: none; }"
        "QAbstractSpinBox::up-arrow, QAbstractSpinBox::down-arrow { image: none; width: 0px; }"
    )
