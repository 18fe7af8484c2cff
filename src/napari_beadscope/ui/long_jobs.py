"""Long work that the user can follow and cancel, beside the lane of quick commands.

Owns the lane of long jobs and what `SessionModel.job` says of it, so that Stop buttons act at once
while a sweep, a search or an export goes on. Must not know Qt, napari or what the jobs do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from napari_beadscope.core.errors import StateError
from napari_beadscope.ui.jobs import Job, JobLane, Launch, Outcome, Progress
from napari_beadscope.ui.model import JobState, Message, SessionModel
from napari_beadscope.ui.ports import ScopePort

T = TypeVar("T")


class LongJobs:
    """Runs long jobs one after the other, each with its `Progress`.

    Parameters
    ----------
    model : SessionModel
        Its ``job`` says what runs and how far it is.
    launch : callable
        Runs one job, see `JobLane`.
    scope : callable
        Returns the engine's facade, None without an engine.
    fail : callable
        Shows an error, its traceback and what was being done.
    say : callable
        Shows a message.
    """

    def __init__(
        self,
        model: SessionModel,
        launch: Launch,
        scope: Callable[[], ScopePort | None],
        fail: Callable[[BaseException, str, str], None],
        say: Callable[[Message], None],
    ) -> None:
        self._model, self._scope, self._fail, self._say = model, scope, fail, say
        self._lane = JobLane(launch, self._began, self._told)

    def run(
        self,
        label: str,
        work: Callable[[Progress], T],
        done: Callable[[T], None] | None = None,
        undo: Callable[[], None] | None = None,
    ) -> None:
        """Run ``work(progress)`` as a job and give its value to `done`.

        Parameters
        ----------
        label : str
            What is being done, such as 'Finding beads'; shown while it runs.
        work : callable
            Runs on another thread. It calls ``progress(done, total, text)`` between its steps,
            which raises `Cancelled` once the user has cancelled, or looks at
            ``progress.cancelled``.
        done : callable, optional
            Called on the GUI thread with what `work` returned; not if it was cancelled.
        undo : callable, optional
            Called on the GUI thread if the job failed or was cancelled.
        """
        progress = Progress()

        def failed(outcome: Outcome) -> None:
            if undo is not None:
                undo()
            if outcome.error is not None:
                self._fail(outcome.error, outcome.traceback, label)
            elif outcome.cancelled:
                self._say(Message("info", f"{label}: cancelled", time.time()))

        self._lane.submit(
            Job(label, lambda: work(progress), done or (lambda _: None), failed, progress=progress)
        )

    def on_scope(
        self,
        label: str,
        work: Callable[[ScopePort, Progress], T],
        done: Callable[[T], None] | None = None,
        undo: Callable[[], None] | None = None,
    ) -> None:
        """Run ``work(scope, progress)`` as a job, see `run`; without an engine it fails."""

        def run(progress: Progress) -> T:
            scope = self._scope()
            if scope is None:
                raise StateError("the camera is not running", "press Live first")
            return work(scope, progress)

        self.run(label, run, done, undo)

    def cancel(self) -> None:
        """Cancel the job that runs; the next one that waits begins when it has ended."""
        self._lane.cancel()

    def close(self) -> None:
        """Cancel everything; what comes back is ignored."""
        self._lane.close()

    def _began(self, label: str) -> None:
        self._model.job = JobState(label) if label else None

    def _told(self, progress: Progress) -> None:
        if self._model.job is not None:
            self._model.job = JobState(
                self._model.job.label, progress.fraction, progress.text, progress.cancelled
            )
