"""The Beads dock's mind: find, add, remove beads; how they are measured.

Owns the rules for ROI sizes and new beads. Must not know Qt or layers.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

from napari_beadscope.core.types import Bead, Reason, Roi
from napari_beadscope.ui.model import DEFAULT_ROI_PX, Message
from napari_beadscope.ui.session import Session

#: ROI size 0 stands for "take the size that suits the beads that are found".
AUTO_SIZE = 0
MIN_ROI_PX, MAX_ROI_PX = 8, 256

_STATE = {
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


@dataclass(frozen=True, slots=True)
class BeadRow:
    """One line of the table of beads, as text."""

    bead: int
    x_px: str
    y_px: str
    z_nm: str
    state: str
    good: bool


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
        """Find beads on the newest frame; 0 means as many as there are."""
        size = self._session.model.roi_size_px or None
        self._session.on_scope(
            "Finding beads",
            lambda scope: tuple(scope.find_beads(max_beads=max_beads or None, size_px=size)),
            self._found,
        )

    def edit(self, beads: tuple[Bead, ...]) -> None:
        """Track `beads` instead of the present ones."""
        self._session.set_beads(beads)

    def remove_selected(self) -> None:
        """Forget the selected beads."""
        model = self._session.model
        self.edit(tuple(bead for bead in model.beads if bead.bead not in model.selected))

    def clear(self) -> None:
        """Forget all beads."""
        self.edit(())

    def set_roi_size(self, size_px: int) -> None:
        """Give every bead, and new ones, an ROI of `size_px`; 0 leaves the choice to Find."""
        model = self._session.model
        if size_px == model.roi_size_px:
            return
        model.roi_size_px = size_px
        if size_px != AUTO_SIZE and model.beads:
            self.edit(
                tuple(
                    replace(bead, roi=Roi.around(*bead.roi.centre_px, size_px))
                    for bead in model.beads
                )
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
        overlay = self._session.overlay
        newest: dict[int, Any] = {}
        if overlay is not None:
            now = overlay.newest
            columns = zip(now.bead, now.x_px, now.y_px, now.z_nm, now.reason)
            newest = {int(bead): values for bead, *values in columns}
        status = self._session.model.status
        paused = status is not None and not status.streaming
        return tuple(
            _row(bead, newest.get(bead.bead), paused) for bead in self._session.model.beads
        )

    def summary(self, rows: tuple[BeadRow, ...]) -> str:
        """Return how many beads there are and how they do."""
        if not rows:
            return "No beads yet"
        tracked = sum(row.good for row in rows)
        text = f"{len(rows)} bead{'s' if len(rows) > 1 else ''}"
        seen = any(row.state not in ("waiting", "paused") for row in rows)
        return f"{text}, {tracked} tracked" if seen else text

    def _found(self, beads: tuple[Bead, ...]) -> None:
        self._session.took_beads(beads)
        if beads:
            text = f"{len(beads)} beads found, ROI {beads[0].roi.size} px"
            self._session.say(Message("info", text, time.time()))
        else:
            text = "No beads found: focus until rings are visible, or add beads by click"
            self._session.say(Message("warning", text, time.time()))

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


def roi_size_for_click(beads: tuple[Bead, ...], roi_size_px: int) -> int:
    """Return the ROI size of a bead added by click.

    Examples
    --------
    >>> roi_size_for_click((), 0), roi_size_for_click((Bead(0, Roi(0, 0, 40)),), 0)
    (64, 40)
    """
    if roi_size_px != AUTO_SIZE:
        return roi_size_px
    return beads[-1].roi.size if beads else DEFAULT_ROI_PX


def _row(bead: Bead, values: Any, paused: bool) -> BeadRow:
    if values is None:
        y_px, x_px = bead.roi.centre_px
        return BeadRow(bead.bead, f"{x_px:.1f}", f"{y_px:.1f}", "–", "waiting", False)
    x_px, y_px, z_nm, reason = values
    found = math.isfinite(x_px) and math.isfinite(y_px)
    return BeadRow(
        bead.bead,
        f"{x_px:.2f}" if found else "–",
        f"{y_px:.2f}" if found else "–",
        f"{z_nm:.0f}" if math.isfinite(z_nm) else "–",
        "paused" if paused else _STATE.get(Reason(int(reason)), "doubtful"),
        int(reason) == Reason.OK,
    )
