"""A batch as the Jobs dock shows it: a plan or a folder, and one look at the journal.

Owns what is read. Only reads, on any thread, and keeps nothing open. Must not know Qt or
napari.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from napari_beadscope.batch.journal import NAME, Journal, Row
from napari_beadscope.batch.monitor import Snapshot, StepProgress
from napari_beadscope.batch.planning import open_plan
from napari_beadscope.batch.run import PLAN_NAME
from napari_beadscope.batch.run_lock import is_running
from napari_beadscope.batch.status import read_status
from napari_beadscope.core.errors import BeadscopeError, InputError

_MOST_FAILURES = 200
#: States of a batch that a run writes into.
ON = ("starting", "running", "draining")


@dataclass(frozen=True, slots=True)
class BatchLook:
    """A batch at one moment.

    Attributes
    ----------
    folder : Path
        Its output folder.
    state : str
        'new' (nothing is there yet), 'starting', 'cut off' (its run died), or that of a
        `Snapshot`.
    now : Snapshot or None
        How far it is; None as long as there is no journal.
    failures : tuple of Row
        The first units that have failed, in the plan's order.
    """

    folder: Path
    state: str
    now: Snapshot | None = None
    failures: tuple[Row, ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether a run writes into the folder."""
        return self.state in ON

    @property
    def steps(self) -> tuple[StepProgress, ...]:
        """How far each step of each position is."""
        return () if self.now is None else self.now.steps


def is_batch(folder: Path) -> bool:
    """Return whether a folder holds a batch's results."""
    return (folder / NAME).is_file()


def look_at(folder: Path) -> BatchLook:
    """Read how a batch is.

    Raises
    ------
    BeadscopeError
        Its journal cannot be read.
    """
    if not is_batch(folder):
        return BatchLook(folder, "starting" if is_running(folder) else "new")
    try:
        now = read_status(folder)
    except InputError:
        if is_running(folder):  # its journal is just being made
            return BatchLook(folder, "starting")
        raise
    state = now.state
    if state == "cut off" and now.steps and all(step.is_over for step in now.steps):
        state = "failed" if any(step.failed for step in now.steps) else "complete"
    failures: tuple[Row, ...] = ()
    if any(step.failed for step in now.steps):
        with Journal.open(folder) as journal:
            failures = tuple(islice(journal.rows(state="failed"), _MOST_FAILURES))
    return BatchLook(folder, state, now, failures)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found under the path that was chosen.

    ``plan`` and ``folder`` are None where there is none; ``stamp`` is the plan's time of change,
    ``words`` what it comes to, ``problem`` why it cannot be run.
    """

    path: Path
    plan: Path | None = None
    folder: Path | None = None
    stamp: int = 0
    words: str = ""
    problem: str = ""
    look: BatchLook | None = None


def read_path(path: Path, before: Reading | None = None) -> Reading:
    """Find out what a path is, a plan or a batch's folder, and how far that batch is.

    Parameters
    ----------
    path : Path
        What was chosen.
    before : Reading, optional
        The last one; a plan that has not changed since is not checked again.
    """
    if path.is_dir():
        if not (is_batch(path) or (path / PLAN_NAME).is_file()):
            what = "This folder holds no batch: choose one with results, or a plan"
            return Reading(path, problem=what)
        own = path / PLAN_NAME
        return Reading(path, own if own.is_file() else None, path, look=look_at(path))
    if not path.is_file():
        return Reading(path, problem=f"There is no {path}")
    stamp = path.stat().st_mtime_ns
    if before is None or before.path != path or before.stamp != stamp:
        before = _checked(path, stamp)
    look = None if before.folder is None else look_at(before.folder)
    return Reading(path, path, before.folder, stamp, before.words, before.problem, look)


def _checked(path: Path, stamp: int) -> Reading:
    try:
        batch = open_plan(path)
    except BeadscopeError as error:
        return Reading(path, path, stamp=stamp, problem=str(error))
    positions, steps = len(batch.positions), len(batch.steps)
    words = f"{positions} position{'s' * (positions > 1)} × {steps} step{'s' * (steps > 1)}"
    return Reading(path, path, batch.output, stamp, words)
