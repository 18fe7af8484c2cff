"""Colours of beads in plots: the same bead has the same colour everywhere.

Must not know Qt.
"""

from __future__ import annotations

#: Hues whose lightness stands out 3 to 1 from napari's dark and light theme, and from white.
BEADS = (
    "#1278df", "#d45105", "#148c32", "#e02391", "#8b56e7", "#9e7908",
    "#0b8a8a", "#e12c2c", "#638a14", "#b74fcc", "#916b46", "#6f80b2",
)  # fmt: skip


def bead_colour(bead: int, neutral: str) -> str:
    """Return the colour of a bead's ID, `neutral` for what is no bead (-1).

    Examples
    --------
    >>> bead_colour(0, "#ffffff"), bead_colour(-1, "#ffffff")
    ('#1278df', '#ffffff')
    """
    return neutral if bead < 0 else BEADS[bead % len(BEADS)]
