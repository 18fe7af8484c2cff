"""Watching a run: how far each position and step is, how fast, with what memory, what went wrong.

Owns counting and estimating; it only watches, and nothing waits for it. Must not know how work is
given out, nor who looks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import psutil

from napari_beadscope.batch.units import Unit, UnitId

if TYPE_CHECKING:
    from napari_beadscope.batch.coordinator import Coordinator

#: Where the journal keeps the latest `Snapshot`.
LIVE_NOTE = "live"
_EVERY_S = 1.0
_WINDOW_S = 60.0
_ERRORS_KEPT = 50


class StepProgress(msgspec.Struct):
    """How far a step of a position is.

    ``units`` all, of which `done`, `failed`, and `blocked` by a failure; ``frames_per_s`` over
    the last minute and ``eta_s``, the seconds that are left, are None as long as nobody can say.
    """

    position: str
    step: str
    units: int = 0
    done: int = 0
    failed: int = 0
    blocked: int = 0
    frames: int = 0
    frames_done: int = 0
    frames_per_s: float | None = None
    eta_s: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.done + self.failed + self.blocked == self.units


class WorkerView(msgspec.Struct, frozen=True):
    """A worker or reader: what it is busy with and for how long, '' if idle."""

    name: str
    kind: str
    pid: int
    category: str
    busy_with: str
    busy_s: float
    silent_s: float
    rss_bytes: int
    deaths: int


class Snapshot(msgspec.Struct, frozen=True):
    """A run at one moment.

    Attributes
    ----------
    state : str
        running, draining, complete, failed (some units have), interrupted, or stopped (it could
        not go on).
    elapsed_s : float
        Since this run began.
    eta_s : float or None
        Seconds that are left, None as long as nobody can say.
    steps : tuple of StepProgress
        Position by position, step by step.
    workers : tuple of WorkerView
        Workers, then readers.
    backlog : dict of str to int
        Units that wait for a worker, by category.
    frames_ahead, bytes_ahead : int
        Frames that have been read ahead, or are being read.
    rss_bytes : int
        Memory of all processes; shared memory counts once for each that looks at it.
    errors : tuple of str
        The latest failures, one sentence each.
    deaths : int
        Workers that were lost.
    pid : int
        Process of the run.
    """

    state: str
    elapsed_s: float
    eta_s: float | None
    steps: tuple[StepProgress, ...]
    workers: tuple[WorkerView, ...]
    backlog: dict[str, int]
    frames_ahead: int
    bytes_ahead: int
    rss_bytes: int
    errors: tuple[str, ...]
    deaths: int
    pid: int

    @classmethod
    def nothing(cls) -> Snapshot:
        """Return what is known of a run that has said nothing yet."""
        return cls("running", 0.0, None, (), (), {}, 0, 0, 0, (), 0, 0)

    @property
    def done(self) -> int:
        """Units that are done."""
        return sum(step.done for step in self.steps)

    @property
    def units(self) -> int:
        """All units."""
        return sum(step.units for step in self.steps)


class Monitor:
    """Counts what happens in a run and shows it about once a second.

    Parameters
    ----------
    units : sequence of Unit
        All units of the run.
    done : set of int
        Numbers of those that were done before.
    show : callable, optional
        Called with a `Snapshot`.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        done: set[int],
        show: Callable[[Snapshot], None] = lambda snapshot: None,
    ) -> None:
        self._show = show
        self._began_s = time.monotonic()
        self._shown_s = 0.0
        self._process = psutil.Process()
        self._steps: dict[tuple[str, str], StepProgress] = {}
        self._recent: dict[tuple[str, str], deque[tuple[float, int]]] = {}
        self._spent: dict[str, list[float]] = {}  # by step: units, seconds
        self._errors: deque[str] = deque(maxlen=_ERRORS_KEPT)
        self._deaths = 0
        order = {unit.id[:2]: number for number, unit in enumerate(units)}
        for position, step in sorted(order, key=order.__getitem__):  # steps as the plan has them
            self._steps[position, step] = StepProgress(position, step)
        for number, unit in enumerate(units):
            progress = self._of(unit.id)
            progress.units += 1
            progress.frames += unit.id[3] - unit.id[2]
            if number in done:
                progress.done += 1
                progress.frames_done += unit.id[3] - unit.id[2]

    def finished(self, unit: UnitId, seconds: float) -> None:
        """Take in that a unit is done."""
        position, step, first, last = unit
        progress = self._of(unit)
        progress.done += 1
        progress.frames_done += last - first
        recent = self._recent.setdefault((position, step), deque())
        recent.append((time.monotonic(), last - first))
        spent = self._spent.setdefault(step, [0.0, 0.0])
        spent[0] += 1
        spent[1] += seconds

    def failed(self, unit: UnitId, what: str, blocked: Sequence[UnitId]) -> None:
        """Take in that a unit has failed, and which ones cannot be computed without it."""
        self._of(unit).failed += 1
        for other in blocked:
            self._of(other).blocked += 1
        position, step, first, last = unit
        self._errors.append(f"{step} of {position}, frames {first} to {last - 1}: {what}")

    def taken_back(self, unit: UnitId, what: str) -> None:
        """Take in that a unit that was done does not count, because of what has happened since."""
        progress = self._of(unit)
        progress.done -= 1
        progress.frames_done -= unit[3] - unit[2]
        self.failed(unit, what, ())

    def note_death(self, unit: UnitId, why: str) -> None:
        """Take in that a worker was lost over a unit, which goes back."""
        self._deaths += 1

    def tick(self, run: Coordinator) -> None:
        """Show how the run is, if it is time to."""
        if time.monotonic() - self._shown_s >= _EVERY_S:
            self._shown_s = time.monotonic()
            self._show(self.snapshot(run, "draining" if run.is_draining else "running"))

    def snapshot(self, run: Coordinator | None, state: str) -> Snapshot:
        """Return how the run is now; without a run, what it came to."""
        workers = () if run is None else tuple(_workers(run))
        count = 1 if run is None else max(1, len(run.workers.posts))
        self._estimate(count)
        left = [step.eta_s for step in self._steps.values() if not step.is_over]
        known = [eta for eta in left if eta is not None]
        return Snapshot(
            state=state,
            elapsed_s=time.monotonic() - self._began_s,
            eta_s=sum(known) if len(known) == len(left) else None,
            steps=tuple(self._steps.values()),
            workers=workers,
            backlog={} if run is None else dict(run.scheduler.backlog()),
            frames_ahead=0 if run is None else run.scheduler.frames_ahead,
            bytes_ahead=0 if run is None else run.scheduler.bytes_ahead,
            rss_bytes=self._process.memory_info().rss + sum(one.rss_bytes for one in workers),
            errors=tuple(self._errors),
            deaths=self._deaths,
            pid=self._process.pid,
        )

    def _of(self, unit: UnitId) -> StepProgress:
        return self._steps[unit[:2]]

    def _estimate(self, workers: int) -> None:
        now = time.monotonic()
        window = max(1.0, min(_WINDOW_S, now - self._began_s))
        for place, progress in self._steps.items():
            recent = self._recent.get(place)
            while recent and now - recent[0][0] > _WINDOW_S:
                recent.popleft()
            frames = sum(count for _, count in recent) if recent else 0
            progress.frames_per_s = frames / window if frames else None
            units, seconds = self._spent.get(progress.step, (0.0, 0.0))
            left = progress.units - progress.done - progress.failed - progress.blocked
            progress.eta_s = left * seconds / units / workers if units else None


def _workers(run: Coordinator) -> list[WorkerView]:
    now = time.monotonic()
    views = []
    for kind, crew in (("worker", run.workers), ("reader", run.readers)):
        for post in crew.posts:
            child = post.child
            if child is None:
                continue
            busy = post.task is not None
            views.append(
                WorkerView(
                    name=post.name,
                    kind=post.taste.kind or kind,
                    pid=child.pid,
                    category=post.taste.category,
                    busy_with=run.told(post.task) if busy else "",
                    busy_s=now - post.since_s if busy else 0.0,
                    silent_s=now - child.beat_s,
                    rss_bytes=child.rss_bytes,
                    deaths=post.deaths,
                )
            )
    return views
