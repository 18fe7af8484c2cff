"""The search for beads with a preview: nothing is tracked before the user has seen it.

Owns the way from a frame to candidates, and from those that are taken to beads. Must not know Qt
or layers.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.ui.candidates import Candidates, Choice, choose, look
from napari_beadscope.ui.model import Message

if TYPE_CHECKING:
    from napari_beadscope.ui.ports import ScopePort
    from napari_beadscope.ui.session import Session

LABEL = "Finding beads"
NOTHING_FOUND = "No beads found: focus until rings are visible, or add beads by click"


class FindingPresenter:
    """What the search panel shows and does.

    Parameters
    ----------
    session : Session
        Its model's ``candidates`` and ``criteria`` are written here.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._model = session.model

    @property
    def finding(self) -> bool:
        """Whether a search is on."""
        job = self._model.job
        return job is not None and job.label == LABEL

    def start(self) -> None:
        """Look at the newest frame and show what might be a bead; nothing is tracked yet."""
        size = self._model.roi_size_px

        def work(scope: ScopePort, progress: Any) -> Candidates:
            newest = scope.newest_frame()
            return look(newest.image, newest.frame, size, progress)

        self._session.jobs.on_scope(LABEL, work, self._found)

    def resize(self) -> None:
        """Look at the same frame again, after the ROI size was changed."""
        found, size = self._model.candidates, self._model.roi_size_px
        if found is None or size in (0, found.size_px) or self.finding:
            return
        self._session.jobs.run(
            LABEL, lambda progress: look(found.image, found.frame, size, progress), self._found
        )

    def cancel(self) -> None:
        """End the search."""
        self._session.jobs.cancel()

    def require(self, **criteria: Any) -> None:
        """Change some criteria, by their names in `Criteria`."""
        self._model.criteria = replace(self._model.criteria, **criteria)

    def choice(self) -> Choice | None:
        """Return which candidates are taken, None without a search."""
        found = self._model.candidates
        return None if found is None else choose(found, self._model.criteria)

    def summary(self) -> str:
        """Return in words what is taken."""
        found, choice = self._model.candidates, self.choice()
        if found is None or choice is None:
            return ""
        return f"{len(choice)} of {len(found)} taken · ROI {found.size_px} px · frame {found.frame}"

    def beads_to_replace(self) -> tuple[Bead, ...]:
        """Return what is taken as beads, those that stand alone first, numbered from 0."""
        found, choice = self._model.candidates, self.choice()
        if found is None or choice is None:
            return ()
        places = np.flatnonzero(choice.taken)
        places = places[np.argsort(~found.alone_among_sure[places], kind="stable")]
        return tuple(
            Bead(number, _roi(found, place, found.size_px))
            for number, place in enumerate(places.tolist())
        )

    def replace(self) -> None:
        """Track what is taken instead of the present beads."""
        beads = self.beads_to_replace()
        if beads:
            self._session.edits.edit(beads, f"find {len(beads)} beads", said={})
            self.discard()

    def add(self) -> None:
        """Track what is taken besides the present beads; those that are there stay as they are."""
        found, choice = self._model.candidates, self.choice()
        if found is None or choice is None:
            return
        edits = self._session.edits
        present = edits.beads
        size = present[0].roi.size if present else found.size_px
        centres = np.array([bead.roi.centre_px for bead in present]).reshape(-1, 2)
        number = edits.next_bead
        new: list[Bead] = []
        for place in np.flatnonzero(choice.taken).tolist():
            here = (found.y_px[place], found.x_px[place])
            if not (np.abs(centres - here).max(axis=1) < size / 4).any():
                new.append(Bead(number + len(new), _roi(found, place, size)))
        there = len(choice) - len(new)
        if new:
            edits.edit((*present, *new), f"find {len(new)} beads")
        self.discard()
        were = f", {there} {'was' if there == 1 else 'were'} there already" if there else ""
        self._say(f"{len(new)} bead{'' if len(new) == 1 else 's'} added{were}")

    def discard(self) -> None:
        """Forget what was found."""
        self._model.candidates = None

    def _found(self, found: Candidates) -> None:
        if len(found):
            self._model.candidates = found
        else:
            self.discard()
            self._session.say(Message("warning", NOTHING_FOUND, time.time()))

    def _say(self, text: str) -> None:
        self._session.say(Message("info", text, time.time()))


def _roi(found: Candidates, place: int, size: int) -> Roi:
    return Roi.around(float(found.y_px[place]), float(found.x_px[place]), size)
