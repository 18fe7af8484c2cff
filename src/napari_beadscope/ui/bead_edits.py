"""What the user wants the beads to be, until the engine has agreed or refused.

Owns the way of an edit: it shows at once, goes to the engine, and is taken back if that says no.
One set is on its way at a time, so that quick edits neither overtake nor undo one another. Must
not know Qt or layers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_beadscope.core.messages import StreamChanged
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.ui.bead_history import (
    BeadHistory,
    Said,
    by_id,
    change_between,
    renumbered,
)
from napari_beadscope.ui.model import format_of

if TYPE_CHECKING:
    from napari_beadscope.ui.session import Session

NEW = -1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a box is in the viewer; ``bead`` is `NEW` for one that has no ID yet."""

    bead: int
    y_px: float
    x_px: float


@dataclass(frozen=True, slots=True)
class _Wish:
    beads: tuple[Bead, ...]
    said: Said | None  # None: as the engine has it
    history: BeadHistory  # with it


class BeadEdits:
    """Edits of one session's beads.

    Parameters
    ----------
    session : Session
        Its model's ``wanted_beads`` and ``history`` are written here.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._model = session.model
        self._sent: _Wish | None = None
        self._next: _Wish | None = None
        self._sure = BeadHistory()
        self._copied: tuple[tuple[float, float], ...] = ()
        session.heard.connect(self._heard)

    @property
    def beads(self) -> tuple[Bead, ...]:
        """The beads as the user sees them."""
        wanted = self._model.wanted_beads
        return self._model.beads if wanted is None else wanted

    @property
    def roi_size_px(self) -> int:
        """Side of the ROI of a bead that is added now."""
        beads = self.beads
        return beads[-1].roi.size if beads else self._model.roi_size_px or self._model.click_roi_px

    def edit(self, beads: Iterable[Bead], what: str = "", *, said: Said | None = None) -> None:
        """Track `beads` instead of the present ones, as one step that can be undone.

        Parameters
        ----------
        beads : iterable of Bead
            All of them.
        what : str
            In words for the Undo button; '' finds words itself.
        said : mapping, optional
            Annotations that go with them, if their IDs mean other beads than before.
        """
        beads = by_id(beads)
        change = change_between(
            self.beads, beads, self._said(), said, what=what, renames=said is not None
        )
        if change is None and said is None:
            self._model.events.wanted_beads.emit(self._model.wanted_beads)
            return
        history = self._history()
        self._want(_Wish(beads, said, history.after(change) if change else history))

    def place(self, places: Iterable[Place]) -> None:
        """Take over where the user has put boxes: moved, added, or taken away."""
        known = {bead.bead: bead for bead in self.beads}
        number, size = self.next_bead, self.roi_size_px
        found: dict[int, Bead] = {}
        for place in places:
            bead = known.get(place.bead)
            if bead is None or place.bead in found:
                found[number] = Bead(number, Roi.around(place.y_px, place.x_px, size))
                number += 1
            else:
                roi = Roi.around(place.y_px, place.x_px, bead.roi.size)
                found[place.bead] = replace(bead, roi=roi)
        self.edit(found.values())

    def now(self) -> tuple[tuple[Bead, ...], Said]:
        """Return the beads as the user sees them, with their annotations."""
        return self.beads, self._said()

    def took(
        self, beads: tuple[Bead, ...], what: str, before: tuple[tuple[Bead, ...], Said]
    ) -> None:
        """Take over beads that the engine tracks since, instead of those `before` (see `now`)."""
        change = change_between(before[0], beads, before[1], {}, what=what, renames=True)
        if change is not None and self._sent is None:
            self._model.history = self._history().after(change)
        self._session.took_beads(self._true(beads))

    def undo(self) -> None:
        """Take the last step back; nothing happens if there is none."""
        history = self._model.history
        if history.done:
            beads, said = history.done[-1].revert(self.beads, self._said())
            self._want(_Wish(beads, said, history.stepped_back()))

    def redo(self) -> None:
        """Do again what was taken back; nothing happens if there is nothing."""
        history = self._model.history
        if history.undone:
            beads, said = history.undone[-1].apply(self.beads, self._said())
            self._want(_Wish(beads, said, history.stepped_forth()))

    def renumber(self) -> None:
        """Give the beads new IDs in reading order; annotations stay with their beads."""
        new = renumbered(self.beads)
        said = {new[old].bead: what for old, what in self._said().items() if old in new}
        chosen = frozenset(new[old].bead for old in self._model.selected if old in new)
        if any(old != bead.bead for old, bead in new.items()):
            self.edit(new.values(), "number by position", said=said)
            self._model.selected = chosen

    def copy(self) -> int:
        """Remember where the selected beads are; return how many."""
        chosen = self._model.selected
        self._copied = tuple(bead.roi.centre_px for bead in self.beads if bead.bead in chosen)
        return len(self._copied)

    def paste(self) -> None:
        """Add beads beside those that were copied, with IDs of their own, and select them."""
        if not self._copied:
            return
        size, number = self.roi_size_px, self.next_bead
        for step in (size // 2, -size // 2):
            rois = [Roi.around(y + step, x + step, size) for y, x in self._copied]
            if self._fit(rois):
                break
        new = tuple(Bead(number + i, roi) for i, roi in enumerate(rois))
        self.edit((*self.beads, *new))
        self._model.selected = frozenset(bead.bead for bead in new)
        self._copied = tuple(bead.roi.centre_px for bead in new)

    def _fit(self, rois: list[Roi]) -> bool:
        status = self._model.status
        return status is None or all(roi.inside(format_of(status).shape) for roi in rois)

    def _said(self) -> Said:
        wish = self._next or self._sent
        return self._model.annotations if wish is None or wish.said is None else wish.said

    def _history(self) -> BeadHistory:
        return replace(self._model.history, next_bead=self.next_bead)

    @property
    def next_bead(self) -> int:
        """The ID of the next bead that is added."""
        known = (*self._model.beads, *self.beads)
        return max([self._model.history.next_bead, *(bead.bead + 1 for bead in known)])

    def _heard(self, event: object) -> None:
        if isinstance(event, StreamChanged):  # places from before are places in other frames
            self._copied = ()
            self._model.history = BeadHistory(next_bead=self.next_bead)
            self._model.candidates = None

    # to the engine and back

    def _want(self, wish: _Wish) -> None:
        if self._sent is None:
            self._sure = self._model.history
        self._next = wish
        self._model.history = wish.history
        self._model.wanted_beads = wish.beads
        self._match_roi_size(wish.beads)
        if self._sent is None:
            self._send()

    def _send(self) -> None:
        wish = self._sent = self._next
        self._next = None
        assert wish is not None
        if self._session.scope is None:
            self._agreed()
            return
        self._session.on_scope(
            "Setting beads",
            lambda scope: scope.set_beads(wish.beads, wish.said),
            lambda _: self._agreed(),
            self._refused,
        )

    def _agreed(self) -> None:
        wish, self._sent = self._sent, None
        assert wish is not None
        self._sure = wish.history
        chosen = self._model.selected
        if wish.said is not None:
            self._model.annotations = dict(wish.said)
        self._session.took_beads(self._true(wish.beads))
        self._model.selected = chosen & {bead.bead for bead in self.beads}
        if self._next is not None:
            self._send()
        else:
            self._model.wanted_beads = None

    def _true(self, beads: tuple[Bead, ...]) -> tuple[Bead, ...]:
        """Return what is tracked: another viewer, or a search, may have been quicker."""
        scope = self._session.scope
        return beads if scope is None else tuple(scope.beads)

    def _refused(self) -> None:
        self._sent = self._next = None
        self._model.history = self._sure
        self._model.wanted_beads = None
        self._model.selected = self._model.selected & {bead.bead for bead in self._model.beads}
        self._match_roi_size(self._model.beads)

    def _match_roi_size(self, beads: tuple[Bead, ...]) -> None:
        """Let the size that was chosen be that of the beads, also after Undo or a refusal."""
        if self._model.roi_size_px and beads:
            self._model.roi_size_px = beads[0].roi.size
