"""Buttons that copy and save what the Plots dock shows.

Owns the dialog. Must not know how pictures or tables are written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.ui.plots import export
from napari_beadscope.ui.plots.canvas import PlotCanvas
from napari_beadscope.ui.plots.figure import Request
from napari_beadscope.ui.presenters.plots import PlotsPresenter

_FILTERS = {
    "Picture (*.png)": ".png",
    "Drawing (*.svg)": ".svg",
    "Data in full resolution (*.csv)": ".csv",
}


class PlotSaving(QWidget):
    """Copy and Save.

    Parameters
    ----------
    presenter : PlotsPresenter
        Writes tables and tells what was saved.
    canvas : PlotCanvas
        What is copied and saved as a picture.
    request : callable
        Returns what is shown now.
    """

    def __init__(
        self, presenter: PlotsPresenter, canvas: PlotCanvas, request: Callable[[], Request]
    ) -> None:
        super().__init__()
        self._presenter, self._canvas, self._request = presenter, canvas, request
        self._folder = Path.home()
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy the plot as a picture (Ctrl+C in the plot)")
        self.copy_button.clicked.connect(self.copy)
        self.save_button = QPushButton("Save…")
        self.save_button.setToolTip(
            "Save the plot as PNG or SVG, or what it shows as CSV (Ctrl+S in the plot)"
        )
        self.save_button.clicked.connect(self.ask)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.copy_button)
        row.addWidget(self.save_button)
        for keys, slot in (
            (QKeySequence.StandardKey.Copy, self.copy),
            (QKeySequence.StandardKey.Save, self.ask),
        ):
            shortcut = QShortcut(QKeySequence(keys), canvas)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(slot)

    def copy(self) -> None:
        """Put the plot on the clipboard."""
        export.copy(self._canvas)

    def ask(self) -> None:
        """Ask for a name, which the dialog has asked about if it is taken, and save."""
        name = str(self._folder / f"{self._request().kind.value}.png")
        chosen, pattern = QFileDialog.getSaveFileName(
            self, "Save the plot", name, ";;".join(_FILTERS)
        )
        if not chosen:
            return
        path = Path(chosen)
        self._folder = path.parent
        if path.suffix.lower() in _FILTERS.values():
            self.save(path, overwrite=True)
        else:  # the name that is written is not the one that was asked about
            self.save(path.with_name(path.name + _FILTERS.get(pattern, ".png")))

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Save as what the name's ending says; errors are told.

        Parameters
        ----------
        path : path
            Ends in .png, .svg or .csv.
        overwrite : bool
            Whether a file that is there may be replaced.
        """
        path = Path(path)
        try:
            if path.suffix.lower() == ".csv":
                self._presenter.save_table(self._request(), path, overwrite)
                return
            export.save_picture(self._canvas, path, overwrite)
            self._presenter.saved(path, "the plot")
        except BeadscopeError as error:
            self._presenter.fail(error)
