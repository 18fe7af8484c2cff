"""The Locks dock's mind: what the locks are to do, why one cannot begin, and how they go.

Owns the parameters that are chosen but not yet in use. Must not know Qt.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from dataclasses import asdict, replace
from typing import Any

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.locks import (
    RANGES,
    REFERENCES,
    HeldBead,
    Locks,
    XYLock,
    XYState,
    ZLock,
    ZState,
)
from napari_beadscope.core.messages import LocksChanged
from napari_beadscope.ui.model import Phase
from napari_beadscope.ui.presenters.fields import Field
from napari_beadscope.ui.presenters.zlut import why_claimed
from napari_beadscope.ui.session import Session

#: How much of the error's past is shown, s.
HISTORY_S = 120.0
_LENGTHS = ("nm", "um", "mm")
_NAMED = 6  # beads that are named one by one
_HELD = {
    "it is lost": "lost",
    "its ROI would leave the frame": "at the frame's edge",
    "its ROI would lie over": "too near a neighbour",
}

_LABELS = {
    "interval_s": ("Every", "Time between two looks at where the beads are"),
    "max_step_px": ("Step", "An ROI moves by at most this in x and in y at a time"),
    "window": ("Mean of", "So many of the last frames are averaged"),
}
_Z_LABELS = {
    "interval_s": ("Every", "Shortest time between two corrections of the focus"),
    "max_step_nm": ("Step", "The focus moves by at most this at a time"),
    "window": ("Mean of", "Frames whose heights are averaged for one correction"),
    "gain": ("Gain", "Share of the error that one correction takes away; less is calmer"),
    "nm_per_um": (
        "z per µm",
        "By how much z falls when the focus motor goes up by 1 µm; negative the other way round",
    ),
    "min_quality": ("Quality", "Rows of less quality do not count"),
    "patience_s": ("Give up", "The lock ends when z could not be measured for this long"),
}
_UNITS = {"window": "frames", "nm_per_um": "nm"}


class LocksPresenter:
    """What the Locks dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.xy = session.model.locks.xy or session.model.settings.xy_lock.lock
        self.z = session.model.locks.z or session.model.settings.z_lock.lock
        self.last_look = ""
        self._errors: deque[tuple[float, float]] = deque()

    # parameters

    def xy_fields(self) -> dict[str, Field]:
        """Return the parameters of the XY-lock."""
        return _fields(self.xy, _LABELS)

    def z_fields(self) -> dict[str, Field]:
        """Return the numbers of the Z-lock but its target."""
        return _fields(self.z, _Z_LABELS)

    def set_xy_value(self, name: str, value: Any) -> None:
        """Choose a parameter of the XY-lock; it holds at once if the lock is on."""
        self.xy = replace(self.xy, **{name: value})
        if self._session.model.locks.xy is not None:
            self.set_xy(True)

    def set_z_value(self, name: str, value: Any) -> None:
        """Choose a parameter of the Z-lock; it holds at once if the lock is on."""
        if getattr(self.z, name) == value:
            return
        self.z = replace(self.z, **{name: value})
        if self._session.model.locks.z is not None:
            self._lock_z(keep=name not in ("bead", "target_nm"))

    # what is done

    def set_xy(self, on: bool) -> None:
        """Switch the XY-lock on or off."""
        values = asdict(self.xy)
        self._session.on_scope(
            "Setting the XY-lock",
            lambda scope: scope.set_xy_lock(True, **values) if on else scope.set_xy_lock(False),
            undo=self._back,
        )

    def look_once(self) -> None:
        """Let ROIs follow their beads once."""
        step, window = self.xy.max_step_px, self.xy.window
        self._session.on_scope(
            "Looking where the beads are",
            lambda scope: scope.execute_xy_lock(max_step_px=step, window=window),
            self._looked,
        )

    def set_z(self, on: bool) -> None:
        """Switch the Z-lock on or off."""
        if on:
            self._errors.clear()
            self._lock_z(keep=False)
            return
        self._session.on_scope(
            "Setting the Z-lock", lambda scope: scope.set_z_lock(False), undo=self._back
        )

    def heard(self, event: Any) -> None:
        """Take an event of the engine in."""
        if not isinstance(event, LocksChanged):
            return
        state, now = event.locks.z_state, time.monotonic()
        if event.locks.z is not None and state.error_nm is not None:
            self._errors.append((now, state.error_nm))
        while self._errors and now - self._errors[0][0] > HISTORY_S:
            self._errors.popleft()

    def follow(self, locks: Locks) -> None:
        """Show what another front end has asked for."""
        if locks.xy is not None:
            self.xy = locks.xy
        if locks.z is not None:
            target = self.z.target_nm if self.z.target_nm is None else locks.z.target_nm
            self.z = replace(locks.z, target_nm=target)

    # what is shown

    def bead_choices(self) -> tuple[tuple[int, str], ...]:
        """Return what can be held: the reference beads, or one bead."""
        model = self._session.model
        references = self._references()
        text = "Reference beads"
        if references:
            text += f" ({', '.join(map(str, references[:_NAMED]))})"
        beads = tuple((one.bead, f"Bead {one.bead}") for one in model.beads)
        return ((REFERENCES, text), *beads)

    def motor_choices(self) -> tuple[str, ...]:
        """Return the motors that move by lengths; the first choice is named focus."""
        scope = self._session.scope
        if scope is None:
            return ()
        try:
            names = [one.info.name for one in scope.motors() if one.info.unit in _LENGTHS]
        except BeadscopeError:  # the engine has just ended, which the session tells
            return ()
        return tuple(sorted(names, key=lambda name: name != "focus"))

    def why_no_xy(self) -> str:
        """Return why the XY-lock cannot begin, '' if it can."""
        return self._no_engine() or ("" if self._session.model.beads else "Find or add beads first")

    def why_no_z(self) -> str:
        """Return why the Z-lock cannot begin, '' if it can."""
        model = self._session.model
        why = self._no_engine() or why_claimed(self._session, self.z.motor)
        if why:
            return why
        if not model.calibration.zlut:
            return "No Z-LUT: load one, or measure one in the Z-LUT dock"
        if self.z.motor not in self.motor_choices():
            return f"No motor named {self.z.motor}: add it in the Hardware dock"
        if self.z.bead == REFERENCES and not self._references():
            return "No reference bead: mark one in the Annotations dock, or choose a bead here"
        if self.z.bead != REFERENCES and self.z.bead not in {one.bead for one in model.beads}:
            return f"Bead {self.z.bead} is not tracked: choose another"
        return ""

    def xy_text(self) -> tuple[str, str]:
        """Return how the XY-lock goes in words, and the tone."""
        locks = self._session.model.locks
        state = locks.xy_state
        if locks.xy is None:
            if state.phase == "stopped":
                return f"Ended: {state.why}", "bad"
            return self.last_look or self.why_no_xy() or "Off", "ok"
        if state.phase != "on":
            return ("Starting…" if state.phase == "starting" else f"Waiting: {state.why}"), "ok"
        return _followed_text(state), "warn" if state.held else "ok"

    def xy_details(self) -> str:
        """Return for every bead that is held in its place why, a line each; '' if all follow."""
        locks = self._session.model.locks
        held = locks.xy_state.held if locks.xy is not None else ()
        return "\n".join(f"Bead {one.bead}: {one.why}" for one in held)

    def z_text(self) -> tuple[str, str]:
        """Return how the Z-lock goes in words, and the tone."""
        locks = self._session.model.locks
        state = locks.z_state
        if state.phase == "stopped":
            return f"Ended: {state.why}", "bad"
        if locks.z is None:
            return self.why_no_z() or "Off", "ok"
        if state.phase == "held":
            return f"Focus held: {state.why}", "warn"
        if state.phase == "locked" and state.target_nm is not None:
            return f"Locked at {_number(state.target_nm, 0)} nm", "ok"
        return "Waiting for frames…", "ok"

    def z_numbers(self) -> str:
        """Return error and correction now, and how well the height was held lately."""
        state: ZState = self._session.model.locks.z_state
        if self._session.model.locks.z is None or state.error_nm is None:
            return ""
        parts = [f"Error {_number(state.error_nm, 1, sign=True)} nm"]
        if state.step_nm is not None and self.z.nm_per_um:
            moved_nm = 1000 * state.step_nm / self.z.nm_per_um
            parts.append(f"focus moved {_number(moved_nm, 1, sign=True)} nm")
        text = " · ".join(parts)
        errors = [error for _, error in self._errors]
        if len(errors) > 4:
            rms = math.sqrt(sum(error * error for error in errors) / len(errors))
            text += f"\n{_number(rms, 1)} nm rms · {state.corrections:,} corrections"
        return text

    def errors(self) -> tuple[tuple[float, float], ...]:
        """Return ``(age in s, error in nm)`` of the last two minutes, oldest first."""
        now = time.monotonic()
        return tuple((now - when, error) for when, error in self._errors)

    # inside

    def _references(self) -> list[int]:
        model = self._session.model
        said = model.annotations
        ids = [one.bead for one in model.beads]
        return [bead for bead in ids if bead in said and said[bead].reference]

    def _no_engine(self) -> str:
        ready = self._session.scope is not None and self._session.model.phase is Phase.READY
        return "" if ready else "Press Live in the Camera dock first"

    def _lock_z(self, *, keep: bool) -> None:
        values: dict[str, Any] = asdict(self.z)
        bead = values.pop("bead")
        if keep and values["target_nm"] is None:
            values["target_nm"] = self._session.model.locks.z_state.target_nm
        self._session.on_scope(
            "Setting the Z-lock",
            lambda scope: scope.set_z_lock(
                True, bead="reference" if bead == REFERENCES else bead, **values
            ),
            undo=self._back,
        )

    def _looked(self, state: XYState) -> None:
        self.last_look = f"Looked once. {_followed_text(state)}"
        self._back()

    def _back(self) -> None:
        """Let the dock show what is true, although nothing has changed."""
        model = self._session.model
        model.events.locks.emit(model.locks)


def _fields(lock: XYLock | ZLock, labels: dict[str, tuple[str, str]]) -> dict[str, Field]:
    found = {}
    for name, (label, tip) in labels.items():
        allowed = RANGES[name]
        kind = "int" if name == "window" else "float"
        unit = _UNITS.get(name, allowed.unit)
        span = f"{allowed.low:g} to {allowed.high:g} {unit}".strip()
        found[name] = Field(
            name, label, kind, getattr(lock, name), unit, allowed.low, allowed.high,
            tip=f"{tip}; {span}",
        )  # fmt: skip
    return found


def _followed_text(state: XYState) -> str:
    """Return whom the XY-lock follows and, in few words, whom not.

    Examples
    --------
    >>> held = tuple(HeldBead(k, f"its ROI would lie over that of bead {k + 1}") for k in (4, 5))
    >>> print(_followed_text(XYState("on", "", (1, 2), (HeldBead(3, "it is lost"), *held))))
    Follows 2 beads
    Held: 4, 5 (too near a neighbour), 3 (lost)
    """
    count = len(state.followed)
    text = f"Follows {count} {'bead' if count == 1 else 'beads'}"
    if state.moved:
        text += f" · moved {state.moved} by up to {state.step_px:.0f} px"
    kinds = Counter(_kind(held) for held in state.held)
    parts = []
    for kind, number in kinds.most_common():
        names = [str(held.bead) for held in state.held if _kind(held) == kind]
        shown = ", ".join(names[:_NAMED])
        shown += f" and {number - _NAMED} more" if number > _NAMED else ""
        parts.append(f"{shown} ({kind})")
    return f"{text}\nHeld: {', '.join(parts)}" if parts else text


def _kind(held: HeldBead) -> str:
    return next((words for start, words in _HELD.items() if held.why.startswith(start)), held.why)


def _number(value: float, decimals: int, *, sign: bool = False) -> str:
    """Return a number for people.

    Examples
    --------
    >>> _number(-2.04, 1, sign=True), _number(0.02, 1, sign=True), _number(1500.4, 0)
    ('−2.0', '+0.0', '1,500')
    """
    text = f"{abs(value):,.{decimals}f}"
    if value < 0 and float(text.replace(",", "")) != 0:
        return f"−{text}"
    return f"+{text}" if sign else text
