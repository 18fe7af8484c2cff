"""The form for a new motor or sensor: kind, which one, name, options.

Owns its widgets only; all it knows it has from `AddingPresenter` and `HardwarePresenter`.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_beadscope.ui.docks.parts import FieldForm, allow, form
from napari_beadscope.ui.presenters.adding import OWN, AddingPresenter, Kind
from napari_beadscope.ui.presenters.hardware import HardwarePresenter

_FILES = "Python (*.py);;All files (*)"
_NARROW = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon


class AddingPanel(QWidget):
    """What is unfolded by *Add a motor or sensor*.

    Parameters
    ----------
    presenter : HardwarePresenter
        Adds what is asked for.
    adding : AddingPresenter
        Knows what there is.
    """

    def __init__(self, presenter: HardwarePresenter, adding: AddingPresenter) -> None:
        super().__init__()
        self._presenter, self._adding = presenter, adding
        self._values: dict[str, Any] = {}
        self.kind = QComboBox()
        self.kind.setToolTip("What kind of motor or sensor")
        self.kind.setSizeAdjustPolicy(_NARROW)
        self.kind.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.kind.currentIndexChanged.connect(self._kind_chosen)
        self.search = QPushButton("Search")
        self.search.setToolTip("Look for motors that are connected; that takes seconds")
        self.search.clicked.connect(lambda: adding.search(self._searched))
        self.which = QComboBox()
        self.which.setEditable(True)
        self.which.setSizeAdjustPolicy(_NARROW)
        self.which.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.which.setAccessibleName("Which motor")
        self.which.currentTextChanged.connect(self._which_chosen)
        self.browse = QToolButton()
        self.browse.setText("…")
        self.browse.setToolTip("Choose the Python file with the class; it is read, not run")
        self.browse.clicked.connect(self._browse)
        self.name = QLineEdit()
        self.name.setToolTip(
            "Name of the new motor; the simulated microscope obeys those called focus, magnet "
            "and rotation"
        )
        self.options = FieldForm()
        self.options.changed.connect(self._values.__setitem__)
        self.add = QPushButton("Add")
        self.add.clicked.connect(self._add)
        self._top = form()
        self._top.addRow("Kind", _beside(self.kind, self.search))
        self._which_row = _beside(self.which, self.browse)
        self._top.addRow("Which", self._which_row)
        self._top.addRow("Name", self.name)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._top)
        column.addWidget(self.options)
        column.addWidget(self.add)
        self._fill()

    @property
    def motor(self) -> str:
        """The ID that is chosen."""
        chosen = self._kind
        return self.which.currentText().strip() if chosen.example else chosen.motor

    def show_allowed(self) -> None:
        """Show whether a motor can be added now."""
        why_not = self._presenter.why_not_add()
        tip = "Start its process; it comes back with this camera until it is removed"
        allow(self.add, tip, (bool(why_not), why_not))

    @property
    def _kind(self) -> Kind:
        kind: Kind = self.kind.currentData()
        return kind

    def _fill(self) -> None:
        self.kind.blockSignals(True)
        self.kind.clear()
        for kind in self._adding.kinds():
            self.kind.addItem(kind.label, kind)
            row = self.kind.count() - 1
            self.kind.setItemData(
                row, kind.why_not or kind.example or kind.motor, Qt.ItemDataRole.ToolTipRole
            )
            if kind.why_not:
                item: Any = self.kind.model()
                item.item(row).setEnabled(False)
        self.kind.blockSignals(False)
        self._kind_chosen()

    def _searched(self, count: int) -> None:
        self._fill()
        self.search.setText("Search" if count else "None found")

    def _kind_chosen(self, _: int = 0) -> None:
        kind = self._kind
        self._top.setRowVisible(self._which_row, bool(kind.example))
        self.browse.setVisible(kind.motor == OWN)
        self.which.blockSignals(True)
        self.which.clear()
        self.which.setEditText("" if kind.motor == OWN else kind.motor)
        self.which.blockSignals(False)
        self.which.setToolTip(f"Write it as {kind.example}")
        edit: Any = self.which.lineEdit()
        edit.setPlaceholderText(kind.example)
        self.name.setText(kind.usual_name)
        self._show_options()

    def _which_chosen(self, text: str) -> None:
        if self._kind.motor == OWN:
            self.name.setText(text.rpartition(":")[2].lower())
        self._show_options()

    def _show_options(self) -> None:
        self._values.clear()
        self.options.show_fields(self._adding.fields(self.motor))

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "A class of your own", "", _FILES)
        classes = self._adding.classes_of(path) if path else ()
        if classes:
            self.which.clear()
            self.which.addItems(classes)
            self.which.setToolTip(classes[0])

    def _add(self) -> None:
        self._presenter.add(self.name.text(), self.motor, dict(self._values))


def _beside(first: QWidget, second: QWidget) -> QWidget:
    both = QWidget()
    row = QHBoxLayout(both)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(3)
    row.addWidget(first, 1)
    row.addWidget(second)
    return both
