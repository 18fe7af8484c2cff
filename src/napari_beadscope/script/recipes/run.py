"""Runs a recipe: sets the microscope up, does the steps, and leaves it as it was.

What went wrong ends it: the recording is closed, and what still moves is seen to by the process
that runs it (`script.runner`). Must not know files of recipes.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from napari_beadscope.control.force_clamp import ForceClampLaw
from napari_beadscope.core.errors import EngineError, InputError, StateError
from napari_beadscope.script.recipes.force import measure, watch
from napari_beadscope.script.recipes.models import (
    ForceClamp,
    ForceRamp,
    ForceSeries,
    MagnetRecipe,
    Recipe,
    TimeLapse,
)
from napari_beadscope.script.scope import Scope

STEPS_NAME = "steps.csv"
_LOCK_S, _FAR_S, _END_S = 60.0, 3600.0, 5.0


def run_recipe(recipe: Recipe) -> None:
    """Do what a recipe says, on the engine that runs or on a microscope of its own.

    Raises
    ------
    BeadscopeError
        What keeps it from that.
    """
    with _microscope(recipe) as scope:
        _set_up(scope, recipe)
        with _locks(scope, recipe):
            match recipe:
                case ForceRamp():
                    _ramp(scope, recipe)
                case ForceSeries():
                    _series(scope, recipe)
                case ForceClamp():
                    _clamp(scope, recipe)
                case TimeLapse():
                    _lapse(scope, recipe)
        scope.progress(1, 1, "done")


# --- before -----------------------------------------------------------------------------------


def _microscope(recipe: Recipe) -> Scope:
    if recipe.microscope is not None:
        own = recipe.microscope
        return Scope.attach_or_start(own.camera, options=own.options)
    try:
        return Scope.attach()
    except EngineError as error:
        raise EngineError(
            error.what, "press Live in napari, or give the recipe a 'microscope' to start"
        ) from error


def _set_up(scope: Scope, recipe: Recipe) -> None:
    if recipe.microscope is not None:
        for name, motor in recipe.microscope.motors.items():
            if name not in scope.motor_positions():
                scope.add_hardware(name, motor.id, **motor.options)
    if isinstance(recipe, MagnetRecipe):
        _check_reach(scope, recipe)
    recording = scope.status().recording
    if recording:
        raise StateError(f"a recording into {recording} is on", "stop that one first")
    scope.start_live()
    scope.newest_frame()
    if recipe.beads == "find" or not scope.beads:
        _say(f"{len(scope.find_beads())} beads were found")
    if isinstance(recipe, ForceClamp):
        known = {bead.bead for bead in scope.beads}
        missing = sorted(set(recipe.measure) - known)
        if missing:
            raise InputError(f"there is no bead {missing[0]}", "choose others in 'measure'")


def _check_reach(scope: Scope, recipe: MagnetRecipe) -> None:
    """Refuse positions that the motor cannot reach, before anything has moved."""
    info = next((one.info for one in scope.motors() if one.info.name == recipe.motor), None)
    if info is None:
        known = ", ".join(scope.motor_positions()) or "none"
        raise InputError(f"there is no motor named {recipe.motor!r}", f"known motors: {known}")
    for target in recipe.targets:
        if not info.low <= target <= info.high:
            raise InputError(
                f"{target:g} {info.unit} is beyond the {recipe.motor} motor's limits",
                f"stay within {info.low:g} to {info.high:g} {info.unit}",
            )


@contextmanager
def _locks(scope: Scope, recipe: Recipe) -> Iterator[None]:
    """Switch on the locks that the recipe wants, and in the end those off that were not on."""
    xy_on, z_on = scope.locks.xy is not None, scope.locks.z is not None
    if recipe.xy_lock:
        scope.set_xy_lock()
    if recipe.z_lock is not False:
        bead = "reference" if isinstance(recipe.z_lock, (bool, str)) else recipe.z_lock
        scope.set_z_lock(bead=bead)  # type: ignore[arg-type]
        scope.wait_for("focus locked", _LOCK_S)
    yield
    if recipe.z_lock is not False and not z_on:
        scope.set_z_lock(False)
    if recipe.xy_lock and not xy_on:
        scope.set_xy_lock(False)


# --- recordings -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Step:
    """A stretch of a recording in which nothing was moved; times on the monotonic clock."""

    target: float
    began_ns: int
    ended_ns: int = 0
    values: tuple[float, ...] = ()


@dataclass(slots=True)
class _Steps:
    """What is written beside a recording: when the motor was where."""

    columns: tuple[str, ...] = ()
    rows: list[_Step] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write ``steps.csv``; times are those of the recording's own tables."""
        from napari_beadscope.storage import open_recording

        first_ns = open_recording(folder).manifest.first_time_ns
        with (folder / STEPS_NAME).open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("step", "target", "began_s", "ended_s", *self.columns))
            for number, step in enumerate(self.rows):
                times = (step.began_ns, step.ended_ns)
                seconds = ("" if first_ns is None else f"{(t - first_ns) / 1e9:.4f}" for t in times)
                values = (f"{value:.6g}" for value in step.values)
                writer.writerow((number, f"{step.target:.6g}", *seconds, *values))


@contextmanager
def _recording(scope: Scope, recipe: Recipe, suffix: str, steps: _Steps) -> Iterator[Path]:
    """Record what is inside; gives the folder."""
    name = (recipe.name or recipe.recipe) + suffix
    note = "\n".join(part for part in (recipe.note, f"recipe: {recipe.model_dump_json()}") if part)
    folder = scope.start_recording(recipe.folder or None, recipe.mode, name=name, note=note)
    _say(f"recording in {folder}")
    try:
        yield folder
    finally:
        if scope.status().recording == str(folder):
            scope.stop_recording()
            if sys.exc_info()[0] is not None:
                _say(f"the recording {folder} was ended, complete")
        if steps.rows:
            steps.write(folder)


def _stay(scope: Scope, folder: Path, seconds: float) -> None:
    """Wait while a recording goes on; raise why it does not."""
    left_s = seconds
    while left_s > 0:
        scope.sleep(min(left_s, 1.0))
        left_s -= 1.0
        if scope.status().recording != str(folder):
            scope.wait_recorded(_END_S)
            raise StateError(f"somebody has ended the recording in {folder}", "start again")


def _hold(scope: Scope, recipe: MagnetRecipe, folder: Path, target: float, seconds: float) -> _Step:
    """Move the motor, let it settle, and stay; return when it rested."""
    scope.move(recipe.motor, target, timeout_s=_FAR_S)
    scope.sleep(recipe.settle_s)
    step = _Step(target, time.monotonic_ns())
    _stay(scope, folder, seconds)
    step.ended_ns = time.monotonic_ns()
    return step


@contextmanager
def _back(scope: Scope, recipe: MagnetRecipe) -> Iterator[None]:
    """Bring the motor back in the end; after an error it stays where it is."""
    home = scope.motor_positions()[recipe.motor]
    yield
    if recipe.back:
        scope.progress(1, 1, f"{recipe.motor} back to {home:g}")
        scope.move(recipe.motor, home, timeout_s=_FAR_S)


# --- the kinds --------------------------------------------------------------------------------


def _ramp(scope: Scope, recipe: ForceRamp) -> None:
    targets, steps = recipe.targets, _Steps()
    with _back(scope, recipe), _recording(scope, recipe, "", steps) as folder:
        for number, target in enumerate(targets):
            scope.progress(number, len(targets), f"{recipe.motor} at {target:g}")
            steps.rows.append(_hold(scope, recipe, folder, target, recipe.seconds_each))
            _say(f"step {number + 1} of {len(targets)}: {recipe.motor} at {target:g}")


def _series(scope: Scope, recipe: ForceSeries) -> None:
    count = len(recipe.forces_pn)
    with _back(scope, recipe):
        for number, force in enumerate(recipe.forces_pn):
            scope.progress(number, count, f"{force:g} pN")
            steps = _Steps(("force_pn",))
            target = recipe.position_of(force)
            scope.move(recipe.motor, target, timeout_s=_FAR_S)
            with _recording(scope, recipe, f"-{force:g}pN", steps) as folder:
                step = _hold(scope, recipe, folder, target, recipe.seconds_each)
                step.values = (force,)
                steps.rows.append(step)


def _clamp(scope: Scope, recipe: ForceClamp) -> None:
    info = next(one.info for one in scope.motors() if one.info.name == recipe.motor)
    law = ForceClampLaw(
        recipe.force_pn, recipe.units_per_e, recipe.gain, recipe.max_step, info.low, info.high
    )
    beads = recipe.measure or [bead.bead for bead in scope.beads]
    scale = scope.calibration.nm_per_px
    steps = _Steps(("force_pn", "relative_error"))
    looks = max(1, round(recipe.seconds / recipe.window_s))
    at_limit = False
    with _back(scope, recipe), _recording(scope, recipe, "", steps) as folder:
        target = scope.motor_positions()[recipe.motor]
        for number in range(looks):
            step = _Step(target, time.monotonic_ns())
            rows = watch(scope, recipe.window_s)
            _stay(scope, folder, 0.01)
            step.ended_ns = time.monotonic_ns()
            force, error = measure(rows, beads, scale, recipe)
            step.values = (force, error)
            steps.rows.append(step)
            decided = law.step(target, force, error)
            words = f"{force:.3g} ± {force * error:.2g} pN, {recipe.motor} at {target:g}"
            scope.progress(number + 1, looks, words)
            _say(f"look {number + 1} of {looks}: {words}")
            if decided.what == "limit" and not at_limit:
                _say(f"the {recipe.motor} motor is at its limit: the force cannot be held")
            at_limit = decided.what == "limit"
            if decided.what == "moved" and number + 1 < looks:
                target = decided.target
                scope.move(recipe.motor, target, timeout_s=_FAR_S)
                scope.sleep(recipe.settle_s)


def _lapse(scope: Scope, recipe: TimeLapse) -> None:
    begun, count = time.monotonic(), recipe.recordings
    late = 0
    for number in range(count):
        scope.progress(number, count, "waiting for the next recording")
        left_s = begun + number * recipe.every_s - time.monotonic()
        if left_s > 0:
            scope.sleep(left_s)
        late += left_s < -1
        scope.progress(number, count, f"recording {number + 1}")
        with _recording(scope, recipe, f"-{number:04d}", _Steps()) as folder:
            _stay(scope, folder, recipe.seconds_each)
    if late:
        _say(f"{late} of {count} recordings began late")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
