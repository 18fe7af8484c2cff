"""The locks: ROIs that follow their beads, and a focus that follows a height.

Must not know Qt or napari.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import msgspec

from napari_beadscope.core.commands import ExecuteXYLock, SetXYLock, SetZLock
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.locks import REFERENCES, Locks, XYState
from napari_beadscope.script.configure import number, whole_number
from napari_beadscope.script.link import Link

_WHOLE = ("window",)


class Locking(Link):
    """What the engine holds by itself."""

    @property
    def locks(self) -> Locks:
        """Both locks: what was asked for (None: off), and how it goes."""
        return self._view.locks

    def set_xy_lock(
        self,
        on: bool = True,
        *,
        interval_s: float | None = None,
        max_step_px: float | None = None,
        window: int | None = None,
    ) -> None:
        """Let the ROI of each bead follow it, also while recording, or end that.

        Defaults are those of the settings, section ``xy_lock``.

        Parameters
        ----------
        on : bool
            False ends it.
        interval_s : float, optional
            Time between two looks at where the beads are, s; default 10.
        max_step_px : float, optional
            An ROI moves by at most this in x and in y at a time, px; default 10.
        window : int, optional
            A bead is where it was on average in its last so many frames; default 10.

        Raises
        ------
        StateError
            There are no beads.
        InputError
            A number is out of its range.
        """
        given = {"interval_s": interval_s, "max_step_px": max_step_px, "window": window}
        lock = _changed(self.locks.xy or self.settings.xy_lock.lock, given)
        self._ask(SetXYLock(lock if on else None))

    def execute_xy_lock(
        self, *, max_step_px: float | None = None, window: int | None = None
    ) -> XYState:
        """Let ROIs follow their beads once, now; return which beads were held back and why.

        Raises
        ------
        StateError
            There are no beads, or no frame has been tracked yet.
        """
        given = {"max_step_px": max_step_px, "window": window}
        lock = _changed(self.locks.xy or self.settings.xy_lock.lock, given)
        return msgspec.convert(self._ask(ExecuteXYLock(lock)), XYState)

    def set_z_lock(
        self,
        on: bool = True,
        *,
        bead: int | Literal["reference"] = "reference",
        target_nm: float | None = None,
        interval_s: float | None = None,
        max_step_nm: float | None = None,
        window: int | None = None,
        gain: float | None = None,
        motor: str | None = None,
        nm_per_um: float | None = None,
        min_quality: float | None = None,
        patience_s: float | None = None,
    ) -> None:
        """Let the focus motor hold the height of a bead, or end that.

        Defaults are those of the settings, section ``z_lock``.

        Parameters
        ----------
        on : bool
            False ends it; the focus stays where it is.
        bead : int or 'reference'
            The bead whose height is held, or the median of the reference beads.
        target_nm : float, optional
            The height to hold, nm; default the one that is found when the lock begins.
        interval_s : float, optional
            Shortest time between two corrections, s; default 0.2.
        max_step_nm : float, optional
            The focus moves by at most this at a time, nm; default 100.
        window : int, optional
            Frames whose heights are averaged for a correction; default 10.
        gain : float, optional
            Share of the error that one correction takes away; default 0.5.
        motor : str, optional
            The focus motor's name; default that of the settings, ``focus``.
        nm_per_um : float, optional
            By how many nm the measured height falls when the motor goes up by 1 um; default 1000.
            Negative for a motor that is mounted the other way round.
        min_quality : float, optional
            Rows of less quality do not count; default 0.1.
        patience_s : float, optional
            The lock ends when no height could be measured for this long, s; default 5.

        Raises
        ------
        StateError
            There is no Z-LUT, no such motor, or no reference bead.
        InputError
            There is no such bead, or a number is out of its range.
        """
        if not on:
            self._ask(SetZLock(None))
            return
        if isinstance(bead, str) and bead != "reference":
            raise InputError(f"bead is {bead!r}", "give a bead's number, or 'reference'")
        held = REFERENCES if isinstance(bead, str) else whole_number("bead", bead)
        if held < 0 and bead != "reference":
            raise InputError(f"there is no bead {held}", "give a bead's number, or 'reference'")
        given = {
            "target_nm": target_nm,
            "interval_s": interval_s,
            "max_step_nm": max_step_nm,
            "window": window,
            "gain": gain,
            "nm_per_um": nm_per_um,
            "min_quality": min_quality,
            "patience_s": patience_s,
        }
        usual = self.settings.z_lock.lock
        begun = replace(usual, bead=held, motor=motor or usual.motor)
        self._ask(SetZLock(_changed(begun, given)))


def _changed(lock: Any, given: dict[str, Any]) -> Any:
    """Return `lock` with what was given as numbers in its place."""
    numbers = {
        name: whole_number(name, value) if name in _WHOLE else number(name, value)
        for name, value in given.items()
        if value is not None
    }
    return replace(lock, **numbers)
