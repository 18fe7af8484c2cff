"""What the colours of the beads mean, how many there are of each, and a click that selects them.

Owns its widgets only. Must not know how a state comes about.
"""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from napari_beadscope.ui.bead_states import LOOKS, BeadState
from napari_beadscope.ui.docks.bead_table import chip
from napari_beadscope.ui.presenters.bead_rows import LegendEntry

_COLUMNS = 3


class BeadLegend(QWidget):
    """A colour, a word and a number for each state.

    Parameters
    ----------
    on_select : callable
        Called with the IDs of the beads whose state was clicked.
    """

    def __init__(self, on_select: Callable[[frozenset[int]], None]) -> None:
        super().__init__()
        self._on_select = on_select
        self._beads: dict[BeadState, frozenset[int]] = {}
        self.entries: dict[BeadState, QToolButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(1)
        for place, (state, look) in enumerate(LOOKS.items()):
            button = self.entries[state] = QToolButton()
            button.setIcon(chip(look.colour))
            button.setIconSize(QSize(10, 10))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setAutoRaise(True)
            button.setText(look.word)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setStyleSheet("QToolButton { padding: 1px; margin: 0px; text-align: left; }")
            button.clicked.connect(lambda _, state=state: self._pick(state))
            grid.addWidget(button, *divmod(place, _COLUMNS))
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)

    def show_entries(self, entries: tuple[LegendEntry, ...]) -> None:
        """Show how many beads there are of each state."""
        for entry in entries:
            if self._beads.get(entry.state) == entry.beads:
                continue
            self._beads[entry.state] = entry.beads
            count = len(entry.beads)
            button = self.entries[entry.state]
            button.setText(f"{entry.word} {count}" if count else entry.word)
            button.setEnabled(bool(count))
            which = "these beads" if count > 1 else "this bead"
            click = f"click to select {which}" if count else "none now"
            button.setToolTip(f"{entry.word}: {entry.meaning}; {click}")

    def _pick(self, state: BeadState) -> None:
        self._on_select(self._beads.get(state, frozenset()))
