"""How each bead does, in one state with a colour and a word for it.

Owns the states, their order of importance, their colours and words. Pure numpy; must not know
Qt, napari or the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np

from napari_beadscope.core.types import Annotation, Bead, Reason
from napari_beadscope.ui.trails import Newest


class BeadState(IntEnum):
    """What a bead is shown as: of those that hold, the greatest."""

    WAITING = 0
    TRACKED = 1
    REFERENCE = 2
    LOCKED = 3
    TOUCHING = 4
    DOUBTFUL = 5
    LOST = 6
    SELECTED = 7


@dataclass(frozen=True, slots=True)
class Look:
    """Colour of a state, the word for it, and what it means."""

    colour: str
    word: str
    meaning: str
    short: str = ""  # where room is scarce


LOOKS = {
    BeadState.TRACKED: Look("#00c8ff", "tracked", "position found, and it can be trusted"),
    BeadState.DOUBTFUL: Look("#ff9f1c", "doubtful", "position found, with a doubt: see the table"),
    BeadState.LOST: Look("#ff4d4d", "lost", "no position in the newest frame"),
    BeadState.TOUCHING: Look(
        "#ffe14d", "neighbour", "another bead's centre lies inside its ROI", "near"
    ),
    BeadState.LOCKED: Look("#3ddc84", "locked", "XY-lock: its ROI follows it", "lock"),
    BeadState.REFERENCE: Look(
        "#ffffff", "reference", "stuck to the surface, shows the drift", "ref"
    ),
    BeadState.WAITING: Look("#a9b0b8", "waiting", "no position yet, or tracking has paused"),
    BeadState.SELECTED: Look("#ff40ff", "selected", "in the table and in the image"),
}
_LOST = (Reason.EMPTY, Reason.NOT_FINITE, Reason.OUT_OF_RANGE, Reason.FAILED)


def _rgba(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] + [1.0]


#: ``COLOURS[state]`` is RGBA, 0 to 1.
COLOURS = np.array([_rgba(LOOKS[state].colour) for state in BeadState], np.float32)


@dataclass(frozen=True, eq=False)
class BeadStates:
    """How all beads do; arrays of shape (n,), in the order of the beads.

    Attributes
    ----------
    bead : int64
        IDs.
    tracking : int64
        `WAITING`, `TRACKED`, `DOUBTFUL` or `LOST`.
    reference, locked, touching, selected : bool
        What else holds.
    """

    bead: np.ndarray
    tracking: np.ndarray
    reference: np.ndarray
    locked: np.ndarray
    touching: np.ndarray
    selected: np.ndarray

    @cached_property
    def shown(self) -> np.ndarray:
        """The state that each bead is shown as, int64."""
        shown = self.tracking.copy()
        for holds, state in (
            (self.reference, BeadState.REFERENCE),
            (self.locked, BeadState.LOCKED),
            (self.touching, BeadState.TOUCHING),
            (self.selected, BeadState.SELECTED),
        ):
            np.maximum(shown, int(state), out=shown, where=holds)
        return shown

    @property
    def holding(self) -> dict[BeadState, np.ndarray]:
        """Which beads each state holds for, bool."""
        return {
            BeadState.WAITING: self.tracking == BeadState.WAITING,
            BeadState.TRACKED: self.tracking == BeadState.TRACKED,
            BeadState.REFERENCE: self.reference,
            BeadState.LOCKED: self.locked,
            BeadState.TOUCHING: self.touching,
            BeadState.DOUBTFUL: self.tracking == BeadState.DOUBTFUL,
            BeadState.LOST: self.tracking == BeadState.LOST,
            BeadState.SELECTED: self.selected,
        }

    def roles(self, at: int) -> tuple[Look, ...]:
        """Return what holds for one bead besides how its tracking does."""
        roles = (
            (self.reference, BeadState.REFERENCE),
            (self.locked, BeadState.LOCKED),
            (self.touching, BeadState.TOUCHING),
        )
        return tuple(LOOKS[state] for holds, state in roles if holds[at])

    def labels(self) -> list[str]:
        """Return what stands beside each box: ID, and the words that matter over there."""
        texts = self.bead.astype(str)
        for holds, word in (
            (self.reference, " ref"),
            (self.locked, " lock"),
            (self.tracking == BeadState.LOST, " lost"),
        ):
            texts = np.char.add(texts, np.where(holds, word, ""))
        return [str(text) for text in texts]


def bead_states(
    beads: tuple[Bead, ...],
    newest: Newest | None,
    *,
    touching: np.ndarray,
    locked: Iterable[int] = (),
    annotations: Mapping[int, Annotation] | None = None,
    selected: Iterable[int] = (),
) -> BeadStates:
    """Return how `beads` do.

    Parameters
    ----------
    beads : tuple of Bead
        In the order of the result.
    newest : Newest or None
        Newest positions; None while nothing is tracked.
    touching : bool array, shape (n,)
        Of `touching_beads`.
    locked, selected : iterable of int
        IDs.
    annotations : mapping, optional
        By ID.

    Examples
    --------
    >>> from napari_beadscope.core.types import Roi
    >>> beads = (Bead(4, Roi(0, 0, 32)),)
    >>> states = bead_states(beads, None, touching=touching_beads(beads), locked=[4])
    >>> BeadState(int(states.shown[0])).name, states.labels()
    ('LOCKED', ['4 lock'])
    """
    ids = np.array([bead.bead for bead in beads], np.int64)
    references = [bead for bead, said in (annotations or {}).items() if said.reference]
    return BeadStates(
        ids,
        _tracking(ids, newest),
        np.isin(ids, references),
        np.isin(ids, list(locked)),
        touching,
        np.isin(ids, list(selected)),
    )


def touching_beads(beads: tuple[Bead, ...]) -> np.ndarray:
    """Return, bool (n,), which beads have the centre of another one inside their ROI."""
    if not beads:
        return np.zeros(0, bool)
    centres = np.array([bead.roi.centre_px for bead in beads])
    half = np.array([bead.roi.size for bead in beads])[:, None] / 2
    found = np.zeros(len(beads), bool)
    for start in range(0, len(beads), 256):  # bounds the memory for thousands of beads
        part = slice(start, start + 256)
        apart = np.abs(centres[part, None] - centres[None]).max(axis=2)
        found[part] = (apart < half[part]).sum(axis=1) > 1  # one is the bead itself
    return found


def _tracking(ids: np.ndarray, newest: Newest | None) -> np.ndarray:
    tracking = np.full(len(ids), int(BeadState.WAITING), np.int64)
    if newest is None or not len(newest.bead) or not len(ids):
        return tracking
    at = np.minimum(np.searchsorted(newest.bead, ids), len(newest.bead) - 1)
    known = newest.bead[at] == ids
    finite = np.isfinite(newest.y_px) & np.isfinite(newest.x_px)
    lost = ~finite | np.isin(newest.reason, _LOST)
    state = np.where(
        lost,
        int(BeadState.LOST),
        np.where(newest.reason != 0, int(BeadState.DOUBTFUL), int(BeadState.TRACKED)),
    )
    tracking[known] = state[at[known]]
    return tracking
