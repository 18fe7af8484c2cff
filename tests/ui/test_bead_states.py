"""States of beads: which one is shown, in which words."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_beadscope.core.types import Annotation, Bead, Reason, Roi
from napari_beadscope.ui.bead_states import (
    COLOURS,
    LOOKS,
    BeadState,
    bead_states,
    touching_beads,
)
from napari_beadscope.ui.presenters.bead_rows import legend_of
from napari_beadscope.ui.trails import Newest

BEADS = tuple(Bead(number, Roi(0, 100 * number, 40)) for number in range(5))


def newest(reasons: dict[int, Reason]) -> Newest:
    ids = sorted(reasons)
    lost = [reasons[bead] == Reason.OUT_OF_RANGE for bead in ids]
    places = np.where(lost, np.nan, 20.0)
    return Newest(
        bead=np.array(ids),
        frame=np.zeros(len(ids), np.int64),
        y_px=places,
        x_px=places,
        z_nm=places,
        quality=np.ones(len(ids)),
        reason=np.array([int(reasons[bead]) for bead in ids]),
    )


def states(**more: Any) -> Any:
    reasons = {0: Reason.OK, 1: Reason.POOR_MATCH, 2: Reason.OUT_OF_RANGE, 4: Reason.OK}
    return bead_states(BEADS, newest(reasons), touching=touching_beads(BEADS), **more)


def names(found: Any) -> list[str]:
    return [BeadState(int(code)).name for code in found.shown]


def test_tracking_shows() -> None:
    assert names(states()) == ["TRACKED", "DOUBTFUL", "LOST", "WAITING", "TRACKED"]
    nothing = bead_states(BEADS, None, touching=touching_beads(BEADS))
    assert names(nothing) == ["WAITING"] * 5


def test_what_matters_most_is_shown_and_all_is_said() -> None:
    found = states(
        locked=[2, 4],
        annotations={4: Annotation(reference=True), 0: Annotation(reference=True)},
        selected=[1],
    )
    assert names(found) == ["REFERENCE", "SELECTED", "LOST", "WAITING", "LOCKED"]
    assert found.labels() == ["0 ref", "1", "2 lock lost", "3", "4 ref lock"]
    assert [look.word for look in found.roles(4)] == ["reference", "locked"]


def test_a_neighbour_inside_the_roi_shows() -> None:
    beads = (Bead(0, Roi(0, 0, 40)), Bead(1, Roi(0, 19, 40)), Bead(2, Roi(0, 60, 40)))
    assert touching_beads(beads).tolist() == [True, True, False]
    assert touching_beads(()).tolist() == []
    many = tuple(Bead(i, Roi(41 * (i // 40), 41 * (i % 40), 40)) for i in range(600))
    assert not touching_beads(many).any()


def test_the_legend_counts_every_state() -> None:
    entries = {entry.word: entry for entry in legend_of(states(selected=[0, 1]))}
    assert {word: set(entry.beads) for word, entry in entries.items() if entry.beads} == {
        "tracked": {0, 4},
        "doubtful": {1},
        "lost": {2},
        "waiting": {3},
        "selected": {0, 1},
    }
    assert len({look.colour for look in LOOKS.values()}) == len(LOOKS) == len(BeadState)
    assert len({look.word for look in LOOKS.values()}) == len(LOOKS)
    assert COLOURS.shape == (len(BeadState), 4)
