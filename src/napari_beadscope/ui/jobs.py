"""One lane of background jobs: work that may take longer than a GUI thread can spare.

Owns their order (one at a time, first come first served) and the delivery of their outcome.
Where a job runs is the launcher's business. Must not know Qt or napari.
"""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_beadscope.core.errors import BeadscopeError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job returned, or the error that ended it with its traceback."""

    value: Any = None
    error: Exception | None = None
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work and what to do with its outcome, back on the GUI thread."""

    label: str
    work: Callable[[], Any]
    done: Callable[[Any], None]
    failed: Callable[[Outcome], None]
    quick: bool = False  # over before anybody would look for its progress


#: ``launch(label, work, deliver)`` runs ``work`` somewhere and calls ``deliver`` with the outcome
#: on the GUI thread; it shows progress under ``label`` unless that is ''.
Launch = Callable[[str, Callable[[], Outcome], Callable[[Outcome], None]], None]


def attempt(work: Callable[[], Any]) -> Outcome:
    """Run `work` and return its value or its error.

    Examples
    --------
    >>> attempt(lambda: 2 + 2).value
    4
    >>> type(attempt(lambda: 1 / 0).error).__name__
    'ZeroDivisionError'
    """
    try:
        return Outcome(value=work())
    except BeadscopeError as error:
        return Outcome(error=error, traceback=traceback.format_exc())
    except Exception as error:  # a boundary: it becomes an outcome, which is reported
        logger.exception("unexpected error in a background job")
        return Outcome(error=error, traceback=traceback.format_exc())


def launch_inline(
    label: str, work: Callable[[], Outcome], deliver: Callable[[Outcome], None]
) -> None:
    """Run `work` here and now: for scripts and tests without an event loop."""
    del label
    deliver(work())


class JobLane:
    """Runs jobs one after the other.

    Parameters
    ----------
    launch : callable
        Runs one job's work and delivers its outcome on the GUI thread.
    on_busy : callable
        Called with the label of the job that starts, and with '' when the lane is empty.
    """

    def __init__(self, launch: Launch, on_busy: Callable[[str], None]) -> None:
        self._launch = launch
        self._on_busy = on_busy
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return self._running is not None or bool(self._waiting)

    def submit(self, job: Job) -> None:
        """Queue `job`; ignored after `close`."""
        if self._closed:
            return
        self._waiting.append(job)
        if self._running is None:
            self._next()

    def close(self) -> None:
        """Forget what waits and ignore the outcome of what runs."""
        self._closed = True
        self._waiting.clear()

    def _next(self) -> None:
        if not self._waiting:
            self._on_busy("")
            return
        job = self._running = self._waiting.popleft()
        self._on_busy(job.label)
        shown = "" if job.quick else job.label
        self._launch(shown, lambda: attempt(job.work), lambda outcome: self._end(job, outcome))

    def _end(self, job: Job, outcome: Outcome) -> None:
        self._running = None
        if self._closed:
            return
        try:
            if outcome.error is None:
                job.done(outcome.value)
            else:
                job.failed(outcome)
        finally:
            self._next()
