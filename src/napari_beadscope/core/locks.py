"""The two locks as values: what was asked for, and how it goes.

XY-lock moves each bead's ROI after the bead, Z-lock moves the focus motor after the height of a
bead. Owns their parameters with units and ranges. The laws are in `control`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Bead

#: As `ZLock.bead`: the median of the reference beads.
REFERENCES = -1


@dataclass(frozen=True, slots=True)
class LockRange:
    """What a parameter of a lock may be."""

    unit: str
    low: float
    high: float


#: Range of every number of both locks.
RANGES = {
    "interval_s": LockRange("s", 0.0, 3600.0),
    "max_step_px": LockRange("px", 1.0, 100.0),
    "window": LockRange("frames", 1, 1000),
    "target_nm": LockRange("nm", -1e6, 1e6),
    "max_step_nm": LockRange("nm", 1.0, 1e5),
    "gain": LockRange("", 0.01, 1.5),
    "nm_per_um": LockRange("nm/um", -1e5, 1e5),
    "min_quality": LockRange("", 0.0, 1.0),
    "patience_s": LockRange("s", 0.0, 3600.0),
}


@dataclass(frozen=True, slots=True)
class XYLock:
    """Parameters of the XY-lock.

    Parameters
    ----------
    interval_s : float
        Time between two looks at where the beads are, s.
    max_step_px : float
        An ROI moves by at most this in x and in y at a time, px.
    window : int
        A bead is where it was on average in its last so many frames.
    """

    interval_s: float = 10.0
    max_step_px: float = 10.0
    window: int = 10


@dataclass(frozen=True, slots=True)
class ZLock:
    """Parameters of the Z-lock.

    Parameters
    ----------
    bead : int
        The bead whose height is held; `REFERENCES` for the median of the reference beads.
    target_nm : float, optional
        The height to hold, nm; None for the one that is found when the lock begins.
    interval_s : float
        Shortest time between two corrections, s.
    max_step_nm : float
        The focus moves by at most this at a time, nm.
    window : int
        Frames whose heights are averaged for a correction, all exposed after the last one.
    gain : float
        Share of the error that one correction takes away: 1 all of it, less is calmer.
    motor : str
        The focus motor's name.
    nm_per_um : float
        By how many nm the measured height falls when the motor goes up by 1 um. Negative for a
        motor that is mounted the other way round.
    min_quality : float
        Rows of less quality do not count.
    patience_s : float
        The lock ends when no height could be measured for this long, s.
    """

    bead: int = REFERENCES
    target_nm: float | None = None
    interval_s: float = 0.2
    max_step_nm: float = 100.0
    window: int = 10
    gain: float = 0.5
    motor: str = "focus"
    nm_per_um: float = 1000.0
    min_quality: float = 0.1
    patience_s: float = 5.0


def check_lock(lock: XYLock | ZLock) -> None:
    """Raise unless every number is in its range.

    Raises
    ------
    InputError
        Names the parameter, the value and what is allowed.

    Examples
    --------
    >>> check_lock(XYLock(max_step_px=0))
    Traceback (most recent call last):
    ...
    napari_beadscope.core.errors.InputError: max_step_px of the XY-lock is 0: give 1 to 100 px
    """
    name = "XY-lock" if isinstance(lock, XYLock) else "Z-lock"
    for field in fields(lock):
        allowed, value = RANGES.get(field.name), getattr(lock, field.name)
        if allowed is None or value is None:
            continue
        if not (math.isfinite(value) and allowed.low <= value <= allowed.high):
            unit = f" {allowed.unit}" if allowed.unit else ""
            raise InputError(
                f"{field.name} of the {name} is {value:g}",
                f"give {allowed.low:.10g} to {allowed.high:.10g}{unit}",
            )
    if isinstance(lock, ZLock) and lock.nm_per_um == 0:
        raise InputError("nm_per_um of the Z-lock is 0", "measure by how much z falls per um")


@dataclass(frozen=True, slots=True)
class HeldBead:
    """A bead whose ROI stays where it is, and why."""

    bead: int
    why: str


@dataclass(frozen=True, slots=True)
class XYState:
    """How the XY-lock goes.

    ``phase`` is 'off', 'starting', 'waiting' (for frames), 'on', or 'stopped' (by itself).
    ``followed`` are the beads that are held in their ROIs, ``held`` those that are not followed
    at present. ``moved`` ROIs moved at the last look, by at most ``step_px``; ``looks`` counts.
    """

    phase: str = "off"
    why: str = ""
    followed: tuple[int, ...] = ()
    held: tuple[HeldBead, ...] = ()
    moved: int = 0
    step_px: float = 0.0
    looks: int = 0


@dataclass(frozen=True, slots=True)
class ZState:
    """How the Z-lock goes.

    ``phase`` is 'off', 'starting', 'waiting' (for frames), 'locked', 'held' (the focus stays
    because of ``why``), or 'stopped' (by itself, because of ``why``). ``height_nm`` is the mean
    of the last window, ``error_nm`` that less the target, ``step_nm`` the last correction as
    the height that it takes away, ``corrections`` their number. ``offsets_nm`` has
    ``(bead, nm)``: by how much each bead was above the median when the lock began.
    """

    phase: str = "off"
    why: str = ""
    target_nm: float | None = None
    height_nm: float | None = None
    error_nm: float | None = None
    step_nm: float | None = None
    corrections: int = 0
    offsets_nm: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Locks:
    """Both locks: what was asked for (None: off), and how it goes."""

    xy: XYLock | None = None
    z: ZLock | None = None
    xy_state: XYState = XYState()
    z_state: ZState = ZState()

    @property
    def locked(self) -> frozenset[int]:
        """The beads that the XY-lock follows at present."""
        return frozenset(self.xy_state.followed if self.xy is not None else ())


@dataclass(frozen=True, slots=True)
class LockTask:
    """All that the control process must know.

    A lock begins anew when its number changes. ``stream`` names the frame ring: with another one,
    rows from before count no more. ``held`` are the beads whose height is held by the Z-lock;
    its motor has the row ``motor_row`` in the table of positions and goes from ``low`` to ``high``
    in ``unit``. ``z_state`` is where a control process that takes over goes on.
    """

    xy: XYLock | None = None
    z: ZLock | None = None
    xy_number: int = 0
    z_number: int = 0
    beads: tuple[Bead, ...] = ()
    shape: tuple[int, int] = (0, 0)
    stream: str = ""
    held: tuple[int, ...] = ()
    motor_row: int = 0
    unit: str = "um"
    low: float = 0.0
    high: float = 0.0
    z_state: ZState = ZState()
