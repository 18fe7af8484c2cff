"""The beads as lines of a table and as entries of a legend, in words.

Owns the words. Must not know Qt or layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.core.types import Bead, Reason
from napari_beadscope.ui.bead_states import (
    LOOKS,
    BeadState,
    BeadStates,
    bead_states,
    touching_beads,
)

if TYPE_CHECKING:
    from napari_beadscope.ui.session import Session

_WORDS = {
    Reason.OK: "tracked",
    Reason.EMPTY: "empty ROI",
    Reason.SATURATED: "saturated",
    Reason.CLIPPED: "at the edge",
    Reason.NOT_FINITE: "bad pixels",
    Reason.OUT_OF_RANGE: "lost",
    Reason.Z_OUT_OF_RANGE: "z out of range",
    Reason.POOR_MATCH: "poor z match",
    Reason.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class BeadRow:
    """One line of the table of beads, as text."""

    bead: int
    x_px: str
    y_px: str
    z_nm: str
    state: str
    good: bool
    shown: BeadState = BeadState.WAITING
    tip: str = ""


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A state with its colour and the beads it holds for."""

    state: BeadState
    word: str
    colour: str
    meaning: str
    beads: frozenset[int]


def states_of(session: Session) -> BeadStates:
    """Return how the beads of a session do now, as the user sees them."""
    model, overlay = session.model, session.overlay
    beads = session.edits.beads
    status = model.status
    running = model.live or (status is not None and status.streaming)
    return bead_states(
        beads,
        overlay.newest if overlay is not None and running and not overlay.stale else None,
        touching=_touching(beads),
        locked=model.locked,
        annotations=model.annotations,
        selected=model.selected,
    )


def rows_of(session: Session) -> tuple[BeadRow, ...]:
    """Return the table: one row per bead, newest values."""
    overlay, status = session.overlay, session.model.status
    newest: dict[int, Any] = {}
    if overlay is not None:
        now = overlay.newest
        columns = zip(now.bead, now.x_px, now.y_px, now.z_nm, now.reason)
        newest = {int(bead): values for bead, *values in columns}
    paused = status is not None and not status.streaming
    states = states_of(session)
    return tuple(
        _row(bead, newest.get(bead.bead), states, at, paused)
        for at, bead in enumerate(session.edits.beads)
    )


def legend_of(states: BeadStates) -> tuple[LegendEntry, ...]:
    """Return all states, and which beads each holds for."""
    holding = states.holding
    return tuple(
        LegendEntry(
            state,
            look.word,
            look.colour,
            look.meaning,
            frozenset(int(bead) for bead in states.bead[holding[state]]),
        )
        for state, look in LOOKS.items()
    )


@lru_cache(maxsize=4)
def _touching(beads: tuple[Bead, ...]) -> np.ndarray:
    return touching_beads(beads)


def _row(bead: Bead, values: Any, states: BeadStates, at: int, paused: bool) -> BeadRow:
    shown = BeadState(int(states.shown[at]))
    roles = states.roles(at)
    if values is None:
        y_px, x_px = bead.roi.centre_px
        word, good = "waiting", False
        cells = (f"{x_px:.1f}", f"{y_px:.1f}", "–")
    else:
        x, y, z_nm, reason = values
        found = math.isfinite(x) and math.isfinite(y)
        good = int(reason) == Reason.OK
        word = "paused" if paused else _WORDS.get(Reason(int(reason)), "doubtful")
        cells = (
            f"{x:.2f}" if found else "–",
            f"{y:.2f}" if found else "–",
            f"{z_nm:.0f}" if math.isfinite(z_nm) else "–",
        )
    said = ", ".join((word, *(role.short for role in roles)))
    meant = "".join(f"; {role.word}: {role.meaning}" for role in roles)
    return BeadRow(bead.bead, *cells, said, good, shown, f"Bead {bead.bead}: {word}{meant}")
