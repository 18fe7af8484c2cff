"""The Hardware dock's mind: where motors are, go to, jog, stop, add.

Owns the rules for steps and targets. Must not know Qt. Motors have a lane of jobs of their own, so
that no other command holds up a Stop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError, StateError
from napari_beadscope.ui.jobs import Job, JobLane, Outcome
from napari_beadscope.ui.ports import ScopePort
from napari_beadscope.ui.preferences import forget_motor, keep_motor
from napari_beadscope.ui.session import Session

UNITS = {"um": "µm", "mm": "mm"}
STEPS = {
    "um": (0.01, 0.05, 0.1, 0.5, 1.0, 5.0),
    "mm": (0.01, 0.05, 0.1, 0.5, 1.0, 2.0),
    "turn": (0.01, 0.1, 0.25, 1.0, 5.0, 10.0),
}
USUAL_STEP = {"um": 0.1, "mm": 0.1, "turn": 1.0}
Z_LOCK = "the Z-lock"
#: Page keys jog by so many steps.
PAGE_STEPS = 10
#: How much of the past a card shows.
PAST_S = 20.0
_DECIMALS = 3
_ROUND = 9  # digits: jogs add up without 0.30000000000000004


@dataclass(frozen=True, slots=True)
class MotorCard:
    """What one motor's card shows; positions in `unit`.

    ``state`` is what it does in a few words and ``tone`` how bad that is; ``ready`` whether it
    takes commands, ``held`` says what has it for itself. A sensor does not ``moves``.
    """

    name: str
    unit: str
    low: float
    high: float
    position: float
    target: float
    moving: bool
    ready: bool
    held: str
    state: str
    tone: str
    moves: bool = True

    @property
    def text(self) -> str:
        """The position with its unit."""
        return f"{number(self.position)} {self.unit}"

    @property
    def range_text(self) -> str:
        """The limits with their unit, '' of a sensor."""
        if not self.moves:
            return ""
        return f"{number(self.low, 0)} to {number(self.high, 0)} {self.unit}"


class HardwarePresenter:
    """What the Hardware dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._wanted: dict[str, float] = {}  # targets that are on their way to a motor
        self._lane = JobLane(session.launch, lambda _: None)

    # what there is

    def cards(self) -> tuple[MotorCard, ...]:
        """Return the motors as they are now; cheap enough for ten times a second."""
        scope = self._session.scope
        if scope is None:
            return ()
        try:
            readings = scope.motors()
        except BeadscopeError:  # the engine has just gone, which is told elsewhere
            return ()
        return tuple(self._card(reading) for reading in readings)

    def past(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a motor's last positions: seconds from now (negative), and where it was."""
        scope = self._session.scope
        now_ns = time.monotonic_ns()
        if scope is None:
            return np.empty(0), np.empty(0)
        try:
            samples = scope.motor_history(name, now_ns - int(PAST_S * 1e9))
        except BeadscopeError:
            return np.empty(0), np.empty(0)
        return (samples["time_ns"] - now_ns) * 1e-9, samples["value"]

    def words(self) -> str:
        """Return what to say instead of cards, '' when there are some."""
        if self._session.scope is None:
            return "No motors yet: press Live, and those of the camera are here"
        return "" if self.cards() else "This engine has no motors yet: add one"

    # moving

    def go(self, name: str, target: float) -> None:
        """Send a motor to `target`, in its unit."""
        card = self._known(name)
        if card is None:
            return
        target = round(target, _ROUND)
        if not card.low <= target <= card.high:
            what = f"the {name} motor cannot go to {number(target)} {card.unit}"
            self._session.fail(DeviceError(what, f"its limits are {card.range_text}"))
            return
        self._wanted[name] = target
        self._do(
            f"Moving {name}",
            lambda scope: scope.move(name, target, wait=False),
            lambda: self._arrived(name, target),
        )

    def jog(self, name: str, steps: float, step: float) -> None:
        """Move a motor by `steps` of `step` from where it is or was last told to go."""
        card = self._known(name)
        if card is None:
            return
        here = self._wanted.get(name, card.target if card.moving else card.position)
        target = min(max(here + steps * step, card.low), card.high)
        if math.isclose(target, here, abs_tol=1e-9):
            end = "highest" if steps > 0 else "lowest"
            what = f"the {name} motor is at its {end} position, {number(here)} {card.unit}"
            self._session.fail(DeviceError(what, f"its limits are {card.range_text}"))
            return
        self.go(name, target)

    def stop(self, name: str) -> None:
        """Halt one motor."""
        self._wanted.pop(name, None)
        self._do(f"Stopping {name}", lambda scope: scope.stop_motor(name))

    def stop_all(self) -> None:
        """Halt every motor."""
        self._wanted.clear()
        if self._session.scope is not None:
            self._do("Stopping the motors", lambda scope: scope.stop_motors())

    # adding

    def add(self, name: str, motor: str, options: dict[str, Any]) -> None:
        """Add a motor under a name of its own."""
        name = name.strip()
        if not name:
            self._session.fail(InputError("the motor has no name", "give it one, such as focus"))
            return
        if not motor:
            self._session.fail(InputError("it is not said which motor", "choose one"))
            return
        self._do(
            f"Adding the motor {name}",
            lambda scope: scope.add_hardware(name, motor, **options),
            lambda: keep_motor(self._session, name, motor, options),
        )

    def remove(self, name: str) -> None:
        """End a motor's or sensor's process; it does not come back with this camera."""
        self._wanted.pop(name, None)
        self._do(
            f"Removing {name}",
            lambda scope: scope.remove_hardware(name),
            lambda: forget_motor(self._session, name),
        )

    def why_not_add(self) -> str:
        """Return why no motor can be added now, '' if one can."""
        if self._session.scope is None:
            return "A motor belongs to a running engine: press Live first"
        return ""

    # inside

    def _known(self, name: str) -> MotorCard | None:
        card = next((card for card in self.cards() if card.name == name), None)
        if card is None:
            self._session.fail(StateError(f"the {name} motor is not there", "press Live first"))
        return card

    def _do(
        self, label: str, work: Callable[[ScopePort], Any], done: Callable[[], None] | None = None
    ) -> None:
        scope = self._session.scope
        if scope is None:
            self._session.fail(StateError("there are no motors", "press Live first"))
            return

        def failed(outcome: Outcome) -> None:
            self._wanted.clear()
            if outcome.error is not None:
                self._session.fail(outcome.error, outcome.traceback, label)

        def succeeded(_: Any) -> None:
            if done is not None:
                done()

        self._lane.submit(Job(label, lambda: work(scope), succeeded, failed, quick=True))

    def _arrived(self, name: str, target: float) -> None:
        """The motor knows; from now on its own target is the one to jog from."""
        if self._wanted.get(name) == target:
            del self._wanted[name]

    def _card(self, reading: Any) -> MotorCard:
        info = reading.info
        unit = UNITS.get(info.unit, info.unit)
        state, tone = "", "ok"
        held = self._held_by(info)
        worker = self._worker(info.name)
        ready = worker is None or worker.state not in ("DOWN", "FAILED", "STARTING")
        if not ready and worker is not None:
            failed = worker.state == "FAILED"
            state = "failed; add it again" if failed else "its process is being restarted"
            tone = "bad" if failed else "warn"
        elif held:
            state, tone = f"held by {held}", "warn"
        elif reading.moving:
            state = f"→ {number(reading.target)} {unit}"
        return MotorCard(
            info.name,
            unit,
            info.low,
            info.high,
            reading.position,
            reading.target,
            bool(reading.moving and ready),
            ready,
            held,
            state,
            tone,
            info.moves,
        )

    def _held_by(self, info: Any) -> str:
        lock = self._session.model.locks.z
        return Z_LOCK if lock is not None and lock.motor == info.name else str(info.claimed)

    def _worker(self, name: str) -> Any:
        status = self._session.model.status
        workers = () if status is None else status.workers
        return next((worker for worker in workers if worker.name == f"motor-{name}"), None)


def steps_of(unit: str, low: float, high: float) -> tuple[tuple[float, ...], float]:
    """Return the steps of a jog, and the usual one; of other units by the range.

    Examples
    --------
    >>> steps_of("deg", 0.0, 180.0)
    ((0.1, 1.0, 10.0, 100.0), 1.0)
    """
    if unit in STEPS:
        return STEPS[unit], USUAL_STEP[unit]
    least = 10.0 ** math.floor(math.log10(max(high - low, 1e-6) / 1000))
    steps = tuple(float(f"{least * factor:.3g}") for factor in (1, 10, 100, 1000))
    return steps, steps[1]


def number(value: float, decimals: int = _DECIMALS) -> str:
    """Return a number with a real minus; without `decimals` only those that it has.

    Examples
    --------
    >>> number(-1.25), number(-50.0, 0), number(0.5, 0)
    ('−1.250', '−50', '0.5')
    """
    text = f"{value:.{decimals}f}" if decimals else f"{value:g}"
    return text.replace("-", "−")
