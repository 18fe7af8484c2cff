"""What was done to the beads, and how it is taken back.

Owns the steps that can be undone and redone, and which IDs are used up. Pure values; must not
know Qt, napari or the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from napari_beadscope.core.types import Annotation, Bead

MAX_STEPS = 100

Said = Mapping[int, Annotation]


@dataclass(frozen=True, slots=True)
class BeadChange:
    """One step: beads that were changed or taken away, and those that came instead.

    Attributes
    ----------
    what : str
        In words for the Undo button, such as 'move bead 3'.
    before, after : tuple of Bead
        Only those that differ.
    said_before, said_after : mapping
        Annotations of the beads in `before` and `after`.
    renames : bool
        Whether an ID means another bead afterwards, as after a search or a renumbering.
    """

    what: str
    before: tuple[Bead, ...]
    after: tuple[Bead, ...]
    said_before: Said = field(default_factory=dict)
    said_after: Said = field(default_factory=dict)
    renames: bool = False

    def apply(self, beads: Iterable[Bead], said: Said) -> tuple[tuple[Bead, ...], Said | None]:
        """Return the beads and annotations after the step; None leaves annotations alone."""
        return self._turn(beads, said, self.before, self.after, self.said_after)

    def revert(self, beads: Iterable[Bead], said: Said) -> tuple[tuple[Bead, ...], Said | None]:
        """Return the beads and annotations before the step; None leaves annotations alone."""
        return self._turn(beads, said, self.after, self.before, self.said_before)

    def _turn(
        self,
        beads: Iterable[Bead],
        said: Said,
        old: tuple[Bead, ...],
        new: tuple[Bead, ...],
        new_said: Said,
    ) -> tuple[tuple[Bead, ...], Said | None]:
        gone, come = {bead.bead for bead in old}, {bead.bead for bead in new}
        kept = [bead for bead in beads if bead.bead not in gone | come]
        found = by_id((*kept, *new))
        fresh = gone | come if self.renames else come - gone
        back = {bead: what for bead, what in new_said.items() if bead in fresh & come}
        if not back and not self.renames:
            return found, None
        ids = {bead.bead for bead in found}
        stay = {bead: what for bead, what in said.items() if bead in ids - fresh}
        return found, {**stay, **back}


@dataclass(frozen=True, slots=True)
class BeadHistory:
    """All steps, those that were done and those that were taken back.

    Examples
    --------
    >>> from napari_beadscope.core.types import Roi
    >>> one = Bead(0, Roi(10, 10, 32))
    >>> history = BeadHistory().after(change_between((), (one,)))
    >>> history.done[-1].what, history.next_bead
    ('add bead 0', 1)
    >>> history.stepped_back().undone[-1].what
    'add bead 0'
    """

    done: tuple[BeadChange, ...] = ()
    undone: tuple[BeadChange, ...] = ()
    next_bead: int = 0  # IDs are not used twice: a bead's rows stay those of one bead

    def after(self, change: BeadChange) -> BeadHistory:
        """Return the history with one step more, which ends what could be redone."""
        ids = [bead.bead + 1 for bead in (*change.before, *change.after)]
        if change.renames:
            ids = [bead.bead + 1 for bead in change.after]
        next_bead = max(ids, default=0) if change.renames else max([self.next_bead, *ids])
        return BeadHistory((*self.done, change)[-MAX_STEPS:], (), next_bead)

    def stepped_back(self) -> BeadHistory:
        """Return the history after Undo; there must be a step to undo."""
        change = self.done[-1]
        return replace(
            self._counted(change.before), done=self.done[:-1], undone=(*self.undone, change)
        )

    def stepped_forth(self) -> BeadHistory:
        """Return the history after Redo; there must be a step to redo."""
        change = self.undone[-1]
        return replace(
            self._counted(change.after), done=(*self.done, change), undone=self.undone[:-1]
        )

    def _counted(self, beads: Iterable[Bead]) -> BeadHistory:
        return replace(self, next_bead=max([self.next_bead, *(bead.bead + 1 for bead in beads)]))


def change_between(
    before: Iterable[Bead],
    after: Iterable[Bead],
    said: Said | None = None,
    said_after: Said | None = None,
    *,
    what: str = "",
    renames: bool = False,
) -> BeadChange | None:
    """Return the step from `before` to `after`, None if nothing differs.

    Parameters
    ----------
    before, after : iterable of Bead
        All beads.
    said, said_after : mapping, optional
        Annotations now; and then, if the step renames.
    what : str
        In words; by default what can be seen from the difference.
    renames : bool
        Whether an ID means another bead afterwards.
    """
    old = {bead.bead: bead for bead in before}
    new = {bead.bead: bead for bead in after}
    if old == new:
        return None
    differ = [one for one in sorted(old.keys() | new.keys()) if old.get(one) != new.get(one)]
    if renames:
        differ = sorted(old.keys() | new.keys())
    gone = tuple(old[one] for one in differ if one in old)
    come = tuple(new[one] for one in differ if one in new)
    return BeadChange(
        what or _in_words(gone, come),
        gone,
        come,
        {one.bead: said[one.bead] for one in gone if said and one.bead in said},
        dict(said_after or {}) if renames else {},
        renames,
    )


def by_id(beads: Iterable[Bead]) -> tuple[Bead, ...]:
    """Return the beads in the order of their IDs."""
    return tuple(sorted(beads, key=lambda bead: bead.bead))


def renumbered(beads: Iterable[Bead]) -> dict[int, Bead]:
    """Return the beads numbered in reading order, by their old IDs.

    Lines of text are made of beads whose centres are less than half an ROI apart in y.

    Examples
    --------
    >>> from napari_beadscope.core.types import Roi
    >>> field = (Bead(7, Roi(60, 0, 20)), Bead(4, Roi(0, 50, 20)), Bead(9, Roi(4, 10, 20)))
    >>> {old: bead.bead for old, bead in renumbered(field).items()}
    {9: 0, 4: 1, 7: 2}
    """
    lines: list[list[Bead]] = []
    for bead in sorted(beads, key=lambda one: one.roi.centre_px):
        if lines and bead.roi.centre_px[0] - lines[-1][0].roi.centre_px[0] < bead.roi.size / 2:
            lines[-1].append(bead)
        else:
            lines.append([bead])
    ordered = [bead for line in lines for bead in sorted(line, key=lambda one: one.roi.x0)]
    return {bead.bead: replace(bead, bead=number) for number, bead in enumerate(ordered)}


def _in_words(gone: tuple[Bead, ...], come: tuple[Bead, ...]) -> str:
    old, new = {bead.bead: bead.roi for bead in gone}, {bead.bead: bead.roi for bead in come}
    if not gone:
        return f"add {_named(come)}"
    if not come:
        return f"remove {_named(gone)}"
    if old.keys() != new.keys():
        return f"change {_named(come)}"
    sized = any(old[bead].size != new[bead].size for bead in old)
    return f"{'resize' if sized else 'move'} {_named(come)}"


def _named(beads: tuple[Bead, ...]) -> str:
    return f"bead {beads[0].bead}" if len(beads) == 1 else f"{len(beads)} beads"
