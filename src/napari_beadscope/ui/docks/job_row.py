"""How far the long job is, in one row with a Cancel button.

Owns its widgets only; follows `SessionModel.job`. Docks that start long work show it; so does the
Status dock, for any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_beadscope.ui.session import Session


class JobRow(QWidget):
    """Progress and Cancel of a long job; takes no room while there is none.

    Parameters
    ----------
    session : Session
        Whose jobs.
    labels : collection of str, optional
        Only jobs whose label begins with one of these; default all.
    """

    def __init__(self, session: Session, labels: Collection[str] = ()) -> None:
        super().__init__()
        self._session, self._labels = session, tuple(labels)
        self.bar = QProgressBar()
        self.bar.setMinimumWidth(60)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("End this as soon as possible; nothing is changed by then")
        self.cancel.clicked.connect(session.jobs.cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        self.hide()

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot, for the dock to add to its own."""
        return ((self._session.model.events.job, self.show_job),)

    def show_job(self, _: Any = None) -> None:
        """Show how far the job is."""
        job = self._session.model.job
        if job is None or (self._labels and not job.label.startswith(self._labels)):
            self.hide()
            return
        self.bar.setRange(0, 0 if job.fraction is None else 100)
        self.bar.setValue(round(100 * (job.fraction or 0.0)))
        text = "cancelling…" if job.cancelling else job.text or f"{job.label}…"
        self.bar.setFormat(text)
        self.bar.setToolTip(f"{job.label}: {text}" if text != f"{job.label}…" else text)
        self.cancel.setEnabled(not job.cancelling)
        self.show()
