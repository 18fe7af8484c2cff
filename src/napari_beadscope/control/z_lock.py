"""The Z-lock's law: the focus follows the height of a bead, or of the reference beads.

``z`` is a bead's height above the focal plane, nm, so raising the focus by 1 um lowers every z by
``nm_per_um``: 1000 for a dry objective, less when the refractive indices of immersion and sample
differ, negative for a motor mounted upside down. Once ``window`` frames have been exposed since
the motor arrived, and ``interval_s`` after the last correction,

    error = mean height - target                        nm
    step  = gain * error, at most +- max_step_nm        nm of height to take away
    motor target += step / nm_per_um                    um

The motor's *target* is what is added to, so that its noise and hysteresis do not enter; what it
did not do shows in the next error. With drift of ``v`` nm/s the error settles at
``v * interval / gain``; noise of ``s`` nm of one window's mean becomes
``s * sqrt(gain / (2 - gain))`` of focus.

The height of several reference beads is the median of their heights, each less its offset from
the median at the beginning: a bead that is lost meanwhile does not make a step.

The focus is *held* while fewer than half of the window's frames can be measured. The lock *stops*,
the focus stays, and the reason is told, when that lasts for ``patience_s``; when the motor would
leave its limits, or does not arrive; when it oscillates (the last ten errors change sign nearly
every time, do not shrink, and are more than noise; with windows of less than five frames, whose
noise is not known, the last forty alternate); when the height goes the other way at the beginning
(wrong sign; until it is known that it follows, steps are small: `control.response`); or when later
the error grows against four steps of ``max_step_nm`` in a row (drift is faster than
``max_step_nm / interval_s``).

Owns the decision only. Must not know where rows come from or who moves the motor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from napari_beadscope.control.response import MEMORY, UNPROVEN_NM, follows
from napari_beadscope.core.locks import ZLock, ZState
from napari_beadscope.core.types import Reason

_SWINGS = 10  # errors that tell whether it oscillates
_STEADY = 5  # from this window on, the noise of its mean is known
_MANY_SWINGS = 40  # errors that tell it else
_ALTERNATING = -0.9  # correlation of an error with the next that noise does not have
_RUNAWAY = 5  # errors that tell whether it runs away
_NOISE = 4.0  # times the error of a mean: not noise any more
_LEAST_NM = 5.0  # smaller swings do no harm
_ARRIVE_S = 10.0
_CLOSE_UM = 1e-9

_WORDS = {
    Reason.EMPTY: "its image is empty",
    Reason.SATURATED: "its image is saturated",
    Reason.CLIPPED: "its ROI is cut by the edge",
    Reason.OUT_OF_RANGE: "it is out of its ROI",
    Reason.Z_OUT_OF_RANGE: "it is beyond the heights of the Z-LUT",
    Reason.POOR_MATCH: "it does not look like the Z-LUT",
}


@dataclass(frozen=True, slots=True)
class FocusReading:
    """The focus motor as its process last said, um, on the monotonic clock."""

    target_um: float
    moving: bool
    time_ns: int
    limits_um: tuple[float, float] = (-np.inf, np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class ZLoop:
    """What the law remembers between two steps.

    ``heights`` ``(frames, beads)`` are those since the focus rests (NaN: not measured), of
    ``beads``; ``errors`` and ``steps`` the last ones, nm; ``noise_nm`` the standard error of a
    window's mean; ``follows`` whether the height is known to follow the focus. Frames exposed
    before ``rests_ns`` don't count.
    """

    state: ZState = ZState("starting")
    beads: tuple[int, ...] = ()
    heights: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    reasons: tuple[int, ...] = ()
    rests_ns: int = 0
    due_ns: int = 0
    told_ns: int = 0
    told_um: float | None = None  # on its way there
    bad_since_ns: int | None = None
    errors: tuple[float, ...] = ()
    steps: tuple[float, ...] = ()
    noise_nm: float = 0.0
    follows: bool = False

    def became(self, phase: str, why: str = "") -> ZLoop:
        """Return it in another phase."""
        return replace(self, state=replace(self.state, phase=phase, why=why))


def hold_height(
    loop: ZLoop,
    rows: np.ndarray,
    focus: FocusReading,
    lock: ZLock,
    beads: Sequence[int],
    now_ns: int,
) -> tuple[ZLoop, float | None]:
    """Return what to remember, and where to send the focus motor, um (None: it stays).

    Parameters
    ----------
    loop : ZLoop
        From the step before.
    rows : ndarray of TRACK_ROW
        New since then, in frame order, whole frames.
    focus : FocusReading
        Newest.
    lock : ZLock
        What is asked for.
    beads : sequence of int
        Those whose height is held: one bead, or the reference beads.
    now_ns : int
        Monotonic time.

    Examples
    --------
    >>> from napari_beadscope.core.types import TRACK_ROW
    >>> rows = np.zeros(10, TRACK_ROW)
    >>> rows["seq"] = rows["time_ns"] = np.arange(1, 11)
    >>> rows["z_nm"], rows["quality"] = 1500.0, 1.0
    >>> lock = ZLock(bead=0, target_nm=1480.0)
    >>> loop, target_um = hold_height(ZLoop(), rows, FocusReading(3.0, False, 0), lock, [0], 11)
    >>> loop.state.error_nm, target_um
    (20.0, 3.01)
    """
    if loop.state.phase == "stopped":
        return loop, None
    if loop.beads != tuple(beads):
        loop = replace(loop, beads=tuple(beads), heights=np.empty((0, len(beads))), reasons=())
    loop = _rest(loop, focus, now_ns)
    if loop.state.phase == "stopped" or loop.told_um is not None:
        return loop, None
    fresh = rows[rows["time_ns"] > loop.rests_ns]
    loop, came = _collect(loop, fresh, lock)
    if loop.state.phase == "starting":
        loop = loop.became("waiting")
    if len(loop.heights) < lock.window:
        return loop, None
    if came or loop.bad_since_ns is not None:
        loop = _measure(loop, lock, now_ns)
    if loop.state.phase != "locked" or now_ns < loop.due_ns or not came:
        return loop, None
    return _correct(loop, focus, lock, now_ns)


def _rest(loop: ZLoop, focus: FocusReading, now_ns: int) -> ZLoop:
    """Note whether the focus is where it was sent; frames from before don't count."""
    if loop.told_um is not None:
        there = abs(focus.target_um - loop.told_um) < _CLOSE_UM and not focus.moving
        if there and focus.time_ns >= loop.told_ns:
            return replace(loop, told_um=None, rests_ns=focus.time_ns, heights=loop.heights[:0])
        if now_ns - loop.told_ns > _ARRIVE_S * 1e9:
            where = f"{loop.told_um:.3f} um"
            return loop.became("stopped", f"the focus motor did not arrive at {where}")
        return loop
    if focus.moving:
        return replace(loop, rests_ns=focus.time_ns, heights=loop.heights[:0])
    return loop


def _collect(loop: ZLoop, rows: np.ndarray, lock: ZLock) -> tuple[ZLoop, int]:
    """Add the heights of new frames; return how many there were."""
    rows = rows[np.isin(rows["bead"], loop.beads)]
    if not len(rows):
        return loop, 0
    frames, frame = np.unique(rows["seq"], return_inverse=True)
    heights = np.full((len(frames), len(loop.beads)), np.nan)
    good = (rows["reason"] == Reason.OK) & (rows["quality"] >= lock.min_quality)
    order = np.argsort(loop.beads)
    column = order[np.searchsorted(np.asarray(loop.beads)[order], rows["bead"])]
    heights[frame[good], column[good]] = rows["z_nm"][good]
    kept = np.concatenate([loop.heights, heights])[-lock.window :]
    reasons = (*loop.reasons, *rows["reason"][~good].tolist())[-lock.window :]
    return replace(loop, heights=kept, reasons=reasons), len(frames)


def _measure(loop: ZLoop, lock: ZLock, now_ns: int) -> ZLoop:
    """Find the height of the window, or hold the focus because there is none."""
    loop = _with_offsets(loop)
    offsets = dict(loop.state.offsets_nm)
    known = np.array([offsets.get(bead, np.nan) for bead in loop.beads])
    levelled = loop.heights - known
    seen = np.isfinite(levelled).any(axis=1)
    if 2 * seen.sum() < lock.window or not seen.any():
        return _hold(loop, lock, now_ns)
    # one bead, the usual case at full rate, has no need of a median
    frames = levelled[seen, 0] if levelled.shape[1] == 1 else np.nanmedian(levelled[seen], axis=1)
    height = float(frames.mean())
    spread = float(frames.std(ddof=1)) if len(frames) > 1 else 0.0
    target = loop.state.target_nm
    if target is None:
        target = height if lock.target_nm is None else lock.target_nm
    state = replace(
        loop.state,
        phase="locked",
        why="",
        target_nm=target,
        height_nm=height,
        error_nm=height - target,
    )
    noise = spread / np.sqrt(len(frames))
    if loop.noise_nm:
        noise = np.sqrt(0.9 * loop.noise_nm**2 + 0.1 * noise**2)
    return replace(loop, state=state, bad_since_ns=None, noise_nm=float(noise), reasons=())


def _with_offsets(loop: ZLoop) -> ZLoop:
    """Give every bead that is measured its offset from the median, if it has none."""
    offsets = dict(loop.state.offsets_nm)
    often = 2 * np.isfinite(loop.heights).sum(axis=0) >= max(1, len(loop.heights))
    means = {
        bead: float(np.nanmean(loop.heights[:, column]))
        for column, bead in enumerate(loop.beads)
        if often[column]
    }
    new = means.keys() - offsets.keys()
    if not new:
        return loop
    if len(loop.beads) == 1:
        level = means[loop.beads[0]]
    else:
        levelled = [means[bead] - offsets[bead] for bead in means.keys() & offsets.keys()]
        level = float(np.median(levelled or list(means.values())))
    offsets |= {bead: means[bead] - level for bead in new}
    state = replace(loop.state, offsets_nm=tuple(sorted(offsets.items())))
    return replace(loop, state=state)


def _hold(loop: ZLoop, lock: ZLock, now_ns: int) -> ZLoop:
    """Keep the focus where it is; end the lock when that has lasted too long."""
    since = now_ns if loop.bad_since_ns is None else loop.bad_since_ns
    who = f"bead {loop.beads[0]}" if len(loop.beads) == 1 else "no reference bead"
    what = f"{who} cannot be measured" if len(loop.beads) == 1 else f"{who} can be measured"
    common = Counter(loop.reasons).most_common(1)
    words = _WORDS.get(Reason(common[0][0]), "") if common else ""
    if len(loop.beads) == 1 and not words:
        words = "its quality is low"
    why = f"{what}: {words}" if words and len(loop.beads) == 1 else what
    loop = replace(loop, bad_since_ns=since)
    if now_ns - since > lock.patience_s * 1e9:
        return loop.became("stopped", f"{why}, for {lock.patience_s:g} s")
    return loop.became("held", why)


def _correct(
    loop: ZLoop, focus: FocusReading, lock: ZLock, now_ns: int
) -> tuple[ZLoop, float | None]:
    """Take a share of the error away, unless something is wrong."""
    error = loop.state.error_nm
    assert error is not None
    loop = replace(loop, errors=(*loop.errors, error)[-MEMORY:])
    largest = lock.max_step_nm if loop.follows else min(lock.max_step_nm, UNPROVEN_NM)
    trouble = _trouble(loop, lock)
    if not loop.follows:
        verdict = follows(loop.errors, loop.steps, loop.noise_nm)
        loop = replace(loop, follows=verdict is True)
        trouble = trouble or (_went_away(error) if verdict is False else "")
    step = float(np.clip(lock.gain * error, -largest, largest))
    target = focus.target_um + step / lock.nm_per_um
    low, high = focus.limits_um
    if not trouble and not low <= target <= high:
        trouble = (
            f"the focus motor is at its limit: it goes from {low:g} to {high:g} um, "
            f"{target:.3f} um was needed"
        )
    if trouble:
        return loop.became("stopped", trouble), None
    state = replace(loop.state, step_nm=step, corrections=loop.state.corrections + 1)
    loop = replace(
        loop,
        state=state,
        steps=(*loop.steps, step)[-MEMORY:],
        told_um=target,
        told_ns=now_ns,
        due_ns=now_ns + int(lock.interval_s * 1e9),
    )
    return loop, target


def _trouble(loop: ZLoop, lock: ZLock) -> str:
    """Return why the loop must not go on, '' if it may."""
    errors = np.array(loop.errors)
    # noise alone makes the errors of a sound loop this large now and then
    floor = max(_NOISE * loop.noise_nm * np.sqrt(2 / (2 - lock.gain)), _LEAST_NM)
    swing = _swing(errors, floor) if lock.window >= _STEADY else _long_swing(errors)
    if swing:
        return f"it oscillates by {swing:.0f} nm: a smaller gain is needed"
    steps = np.abs(loop.steps[-(_RUNAWAY - 1) :])
    last = errors[-_RUNAWAY:]
    if len(last) < _RUNAWAY or len(steps) < _RUNAWAY - 1 or np.ptp(np.sign(last)) > 0:
        return ""
    at_full = bool((steps >= lock.max_step_nm * (1 - 1e-9)).all())
    if at_full and abs(last[-1]) > abs(last[0]) + floor:
        return _went_away(float(last[-1]))
    return ""


def _went_away(error_nm: float) -> str:
    return (
        f"the error grew to {error_nm:.0f} nm against the corrections: nm per um has the wrong "
        "sign, or the drift is too fast for step and interval"
    )


def _swing(errors: np.ndarray, floor: float) -> float:
    """Return the size of an oscillation that stands out of the noise, nm; 0 for none."""
    last = errors[-_SWINGS:]
    if len(last) < _SWINGS:
        return 0.0
    turns = int((np.sign(last[1:]) != np.sign(last[:-1])).sum())
    early, late = (float(np.abs(half).mean()) for half in np.split(last, 2))
    return late if turns >= _SWINGS - 2 and late > 0.8 * early and late > floor else 0.0


def _long_swing(errors: np.ndarray) -> float:
    """Return the size of an oscillation in errors whose noise is not known, nm; 0 for none."""
    errors = errors[-_MANY_SWINGS:]
    if len(errors) < _MANY_SWINGS:
        return 0.0
    alike = float(errors[1:] @ errors[:-1]) / max(float(errors @ errors), _CLOSE_UM)
    size = float(np.abs(errors).mean())
    return size if alike < _ALTERNATING and size > _LEAST_NM else 0.0
