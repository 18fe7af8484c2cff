"""One lane of background jobs: work that may take longer than a GUI thread can spare.

Owns their order (one at a time, first come first served), the delivery of their outcome, and how
a job tells how far it is and hears that it is not wanted any more. Where a job runs is the
launcher's business. Must not know Qt or napari.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from napari_beadscope.core.errors import BeadscopeError

logger = logging.getLogger(__name__)


class Cancelled(Exception):
    """Ends a job's work because the user has cancelled it."""


class Progress:
    """How far a job is and whether it is wanted still; told by one thread, read by another.

    Call it between two steps: it raises `Cancelled` if the user has cancelled the job.

    Parameters
    ----------
    can_cancel : bool
        Whether the work looks at it, so that a Cancel button makes sense.

    Examples
    --------
    >>> progress = Progress()
    >>> progress(3, 12, "plane 3 of 12")
    >>> progress.fraction, progress.text
    (0.25, 'plane 3 of 12')
    >>> progress.cancel()
    >>> progress.cancelled
    True
    """

    def __init__(self, can_cancel: bool = True) -> None:
        self.can_cancel = can_cancel
        self.fraction: float | None = None  # None: not known
        self.text = ""
        self._cancelled = threading.Event()
        self._listeners: list[Callable[[], None]] = []

    def __call__(self, done: float, total: float = 1.0, text: str = "") -> None:
        """Tell that `done` of `total` is done, and what comes next in a few words.

        Raises
        ------
        Cancelled
            The user has cancelled the job.
        """
        self.fraction = min(1.0, max(0.0, done / total)) if total > 0 else None
        self.text = text
        self._tell()
        self.check()

    def check(self) -> None:
        """Raise `Cancelled` if the user has cancelled the job."""
        if self.cancelled:
            raise Cancelled

    @property
    def cancelled(self) -> bool:
        """Whether the user has cancelled the job."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the job to end soon; twice is fine."""
        self._cancelled.set()
        self._tell()

    def listen(self, callback: Callable[[], None]) -> None:
        """Call `callback` on every change, on whichever thread makes it."""
        self._listeners.append(callback)

    def _tell(self) -> None:
        for callback in self._listeners:
            callback()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job returned, or the error that ended it with its traceback, or that it was ended."""

    value: Any = None
    error: Exception | None = None
    traceback: str = ""
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work and what to do with its outcome, back on the GUI thread."""

    label: str
    work: Callable[[], Any]
    done: Callable[[Any], None]
    failed: Callable[[Outcome], None]
    quick: bool = False  # over before anybody would look for its progress
    progress: Progress = field(default_factory=lambda: Progress(can_cancel=False))


@dataclass(frozen=True, slots=True)
class Task:
    """What a launcher is given: `work` runs anywhere, the rest is called on the GUI thread.

    ``label`` is '' for a job whose progress nobody would look for; ``told`` is to be called
    some time after each change of ``progress``.
    """

    label: str
    work: Callable[[], Outcome]
    deliver: Callable[[Outcome], None]
    progress: Progress
    told: Callable[[], None]


#: Runs one task and shows its progress.
Launch = Callable[[Task], None]


def attempt(work: Callable[[], Any]) -> Outcome:
    """Run `work` and return its value, its error, or that it was cancelled.

    Examples
    --------
    >>> attempt(lambda: 2 + 2).value
    4
    >>> type(attempt(lambda: 1 / 0).error).__name__
    'ZeroDivisionError'
    """
    try:
        return Outcome(value=work())
    except Cancelled:
        return Outcome(cancelled=True)
    except BeadscopeError as error:
        return Outcome(error=error, traceback=traceback.format_exc())
    except Exception as error:  # a boundary: it becomes an outcome, which is reported
        logger.exception("unexpected error in a background job")
        return Outcome(error=error, traceback=traceback.format_exc())


def launch_inline(task: Task) -> None:
    """Run a task here and now: for scripts and tests without an event loop."""
    task.progress.listen(task.told)
    task.deliver(task.work())


class JobLane:
    """Runs jobs one after the other.

    Parameters
    ----------
    launch : callable
        Runs one job's work and delivers its outcome on the GUI thread.
    on_busy : callable
        Called with the label of the job that starts, and with '' when the lane is empty.
    on_progress : callable, optional
        Called when the job that runs has told how far it is.
    """

    def __init__(
        self,
        launch: Launch,
        on_busy: Callable[[str], None],
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._launch = launch
        self._on_busy = on_busy
        self._on_progress = on_progress
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return self._running is not None or bool(self._waiting)

    @property
    def progress(self) -> Progress | None:
        """Of the job that runs, None while none does."""
        return None if self._running is None else self._running.progress

    def submit(self, job: Job) -> None:
        """Queue `job`; ignored after `close`."""
        if self._closed:
            return
        self._waiting.append(job)
        if self._running is None:
            self._next()

    def cancel(self) -> None:
        """Ask the job that runs to end; what it returns all the same is not used."""
        if self._running is not None and self._running.progress.can_cancel:
            self._running.progress.cancel()

    def close(self) -> None:
        """Forget what waits, ask what runs to end, and ignore its outcome."""
        self._closed = True
        self._waiting.clear()
        self.cancel()

    def _next(self) -> None:
        if not self._waiting:
            self._on_busy("")
            return
        job = self._running = self._waiting.popleft()
        self._on_busy(job.label)
        self._launch(
            Task(
                "" if job.quick else job.label,
                lambda: attempt(job.work),
                lambda outcome: self._end(job, outcome),
                job.progress,
                lambda: self._told(job),
            )
        )

    def _told(self, job: Job) -> None:
        if self._running is job and not self._closed:
            self._on_progress(job.progress)

    def _end(self, job: Job, outcome: Outcome) -> None:
        self._running = None
        if self._closed:
            return
        try:
            if outcome.cancelled or (outcome.error is None and job.progress.cancelled):
                job.failed(Outcome(cancelled=True))
            elif outcome.error is None:
                job.done(outcome.value)
            else:
                job.failed(outcome)
        finally:
            self._next()
