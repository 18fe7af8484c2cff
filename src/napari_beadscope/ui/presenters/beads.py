"""The Beads dock's mind: find, add, remove beads; how they are measured.

Owns the rules for ROI sizes and new beads. Must not know Qt or layers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.ui.jobs import Progress
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.presenters.bead_rows import (
    BeadRow,
    LegendEntry,
    legend_of,
    rows_of,
    states_of,
)
from napari_beadscope.ui.presenters.finding import LABEL as FINDING
from napari_beadscope.ui.presenters.finding import NOTHING_FOUND
from napari_beadscope.ui.session import Session

if TYPE_CHECKING:
    from napari_beadscope.ui.ports import ScopePort

#: ROI size 0 stands for "take the size that suits the beads that are found".
AUTO_SIZE = 0
MIN_ROI_PX, MAX_ROI_PX = 8, 256


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """A tracking method, and what it is for."""

    name: str
    tip: str


_METHODS = (
    MethodChoice("precise", "As close to the limit of photon noise as can be had; with its errors"),
    MethodChoice(
        "magtrack-compatible",
        "The numbers that magtrack and MagScope give; for moving an experiment from there",
    ),
)


class BeadsPresenter:
    """What the Beads dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, max_beads: int = 0) -> None:
        """Find beads on the newest frame and track them at once; 0 means all there are."""
        size, before = self._session.model.roi_size_px, self._session.edits.now()

        def work(scope: ScopePort, progress: Progress) -> tuple[Bead, ...]:
            beads = _find(scope, size, max_beads, progress)
            if beads:
                scope.set_beads(beads, {})  # the numbers are those of other beads now
            return beads

        self._session.jobs.on_scope(FINDING, work, lambda beads: self._found(beads, before))

    def edit(self, beads: tuple[Bead, ...]) -> None:
        """Track `beads` instead of the present ones."""
        self._session.edits.edit(beads)

    def remove_selected(self) -> None:
        """Forget the selected beads."""
        chosen = self._session.model.selected
        self.edit(tuple(bead for bead in self._session.edits.beads if bead.bead not in chosen))

    def clear(self) -> None:
        """Forget all beads."""
        self._session.edits.edit((), "remove all beads")

    def undo(self) -> None:
        """Take the last edit of the beads back."""
        self._session.edits.undo()

    def redo(self) -> None:
        """Do the edit again that was taken back last."""
        self._session.edits.redo()

    def renumber(self) -> None:
        """Give the beads new IDs in reading order."""
        self._session.edits.renumber()

    def set_roi_size(self, size_px: int) -> None:
        """Give every bead, and new ones, an ROI of `size_px`; 0 leaves the choice to Find."""
        model = self._session.model
        if size_px == model.roi_size_px:
            return
        model.roi_size_px = size_px
        beads = self._session.edits.beads
        if size_px != AUTO_SIZE and beads:
            self.edit(
                tuple(replace(bead, roi=Roi.around(*bead.roi.centre_px, size_px)) for bead in beads)
            )

    def set_nm_per_px(self, value: float) -> None:
        """Set the size of a camera pixel in the sample, in nm."""
        model = self._session.model
        self._calibrate(replace(model.calibration, nm_per_px=value))

    def set_zlut(self, path: str) -> None:
        """Measure z with this Z-LUT file; '' measures none."""
        model = self._session.model
        self._calibrate(replace(model.calibration, zlut=path))

    def methods(self) -> tuple[MethodChoice, ...]:
        """Return the tracking methods to choose from."""
        return _METHODS

    def set_method(self, name: str) -> None:
        """Track with this method from now on."""
        model, before = self._session.model, self._session.model.method
        if name == before:
            return
        model.method = name
        if self._session.scope is not None:
            self._session.on_scope(
                "Setting the method",
                lambda scope: scope.set_method(name),
                undo=lambda: setattr(model, "method", before),
            )

    def select(self, beads: frozenset[int]) -> None:
        """Select these beads everywhere."""
        self._session.model.selected = beads

    def rows(self) -> tuple[BeadRow, ...]:
        """Return the table: one row per bead, newest values."""
        return rows_of(self._session)

    def legend(self) -> tuple[LegendEntry, ...]:
        """Return all states of beads, and which beads each holds for."""
        return legend_of(states_of(self._session))

    def summary(self, rows: tuple[BeadRow, ...]) -> str:
        """Return how many beads there are and how they do."""
        if not rows:
            return "No beads yet"
        tracked = sum(row.good for row in rows)
        text = f"{len(rows)} bead{'s' if len(rows) > 1 else ''}"
        seen = any(not row.state.startswith(("waiting", "paused")) for row in rows)
        return f"{text}, {tracked} tracked" if seen else text

    def _found(self, beads: tuple[Bead, ...], before: Any) -> None:
        if beads:
            count = f"{len(beads)} bead{'' if len(beads) == 1 else 's'}"
            self._session.edits.took(beads, f"find {count}", before)
            text = f"{count} found, ROI {beads[0].roi.size} px"
            self._session.say(Message("info", text, time.time()))
        else:
            self._session.say(Message("warning", NOTHING_FOUND, time.time()))

    def _calibrate(self, calibration: Any) -> None:
        model = self._session.model
        before = model.calibration
        if calibration == before:
            return
        model.calibration = calibration
        if self._session.scope is None:
            return

        self._session.on_scope(
            "Setting the calibration",
            lambda scope: scope.set_calibration(calibration.nm_per_px, calibration.zlut),
            undo=lambda: setattr(model, "calibration", before),
        )


def _find(scope: ScopePort, size_px: int, max_beads: int, progress: Progress) -> tuple[Bead, ...]:
    """Return what the search takes for beads on the newest frame."""
    from napari_beadscope.tracking import beads_from_found, find_beads, suggest_roi_size

    newest = scope.newest_frame()
    progress(0, 1, f"looking at frame {newest.frame}")
    found = find_beads(newest.image, size_px=size_px or None)
    size = size_px or suggest_roi_size(found)
    beads = beads_from_found(found, newest.image.shape, size)[: max_beads or None]
    progress(1, 1, f"setting {len(beads)} beads")
    return beads
