"""Which microscope the settings are of, and the profiles: use, keep, rename, delete.

Owns its widgets only; all it knows it has from `SettingsPresenter`.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QMessageBox,
    QPushButton,
    QWidget,
)
from superqt import QElidingLabel

from napari_beadscope.ui.docks.parts import allow
from napari_beadscope.ui.presenters.settings import SettingsPresenter

_NONE = "none kept yet"


class ProfileRow(QWidget):
    """One line of the Settings dock.

    Parameters
    ----------
    presenter : SettingsPresenter
        Does what is asked for.
    """

    def __init__(self, presenter: SettingsPresenter) -> None:
        super().__init__()
        self._presenter = presenter
        self.microscope = QElidingLabel()
        self.microscope.setMinimumWidth(90)
        self.choice = QComboBox()
        self.choice.setToolTip("Settings that were kept under a name")
        self.choice.setAccessibleName("Profile")
        self.choice.setMinimumContentsLength(12)
        self.use, self.keep = QPushButton("Use"), QPushButton("Keep as…")
        self.rename, self.delete = QPushButton("Rename…"), QPushButton("Delete")
        self.keep.setToolTip("Keep all settings as they are shown here under a name")
        self.use.clicked.connect(lambda: presenter.use_profile(self.name))
        self.keep.clicked.connect(self._keep)
        self.rename.clicked.connect(self._rename)
        self.delete.clicked.connect(self._delete)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.microscope, 1)
        row.addWidget(QLabel("Profile"))
        row.addWidget(self.choice)
        for button in (self.use, self.keep, self.rename, self.delete):
            row.addWidget(button)
        self.show_profiles(())

    @property
    def name(self) -> str:
        """The profile that is chosen, '' if there is none."""
        return str(self.choice.currentData() or "")

    def show_profiles(self, names: Any) -> None:
        """Show these profiles; the chosen one stays chosen."""
        chosen = self.name
        self.choice.blockSignals(True)
        self.choice.clear()
        for name in names:
            self.choice.addItem(name, name)
        if not names:
            self.choice.addItem(_NONE)
        self.choice.setCurrentIndex(max(0, self.choice.findData(chosen)))
        self.choice.blockSignals(False)
        none = (not names, "No profile is kept yet")
        allow(self.use, "Show the settings of this profile; Save lets them hold", none)
        allow(self.rename, "Give this profile another name", none)
        allow(self.delete, "Remove this profile for good", none)

    def show_microscope(self) -> None:
        """Show which microscope the settings are of."""
        camera = self._presenter.microscope()
        self.microscope.setText(f"Microscope: {camera}")
        self.microscope.setToolTip(
            f"The microscope with the camera {camera}: its own pixel size, Z-LUT, motors, locks "
            "and camera settings come back with it"
        )

    def _keep(self) -> None:
        name = self._ask("Keep settings as", self.name)
        if not name:
            return
        there = self.choice.findData(name) >= 0
        if not there or self._sure("Replace", f"Replace the profile {name}?"):
            self._presenter.save_profile(name, overwrite=there)

    def _rename(self) -> None:
        old = self.name
        new = self._ask(f"Rename {old} to", old)
        if new and new != old:
            self._presenter.rename_profile(old, new)

    def _delete(self) -> None:
        if self._sure("Delete", f"Delete the profile {self.name} for good?"):
            self._presenter.delete_profile(self.name)

    def _ask(self, question: str, text: str) -> str:
        name, done = QInputDialog.getText(self, "Profile", question, text=text)
        return name.strip() if done else ""

    def _sure(self, title: str, question: str) -> bool:
        yes = QMessageBox.StandardButton.Yes
        return QMessageBox.question(self, title, question) == yes
