"""Jobs in napari's worker threads, with their progress in the activity dock.

Owns the launch of one job, its line in the activity dock with the Cancel button, and that Python
does not end while one runs. Must not know what the job does.
"""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable
from functools import cache

from napari.qt.threading import FunctionWorker, create_worker
from napari.utils.progress import cancelable_progress, progress
from qtpy.QtCore import QObject, QThreadPool, Signal
from qtpy.QtWidgets import QApplication

from napari_beadscope.ui.jobs import Outcome, Progress, Task

logger = logging.getLogger(__name__)

#: The longest that the end of Python waits for a job.
WAIT_AT_EXIT_S = 60.0
#: How often at most progress is shown.
_TELL_EVERY_S = 0.1
_WHOLE = 100


def launch_in_thread(task: Task) -> None:
    """Run a task in a thread of the pool, with its progress in napari's activity dock."""
    _wait_at_exit()
    shown = _Shown(task)
    work = _Work(task)
    # napari keeps what it is told of workers, and asks before it closes while one runs: for quick
    # jobs that would be a leak and a nuisance.
    worker = create_worker(work, _start_thread=False) if task.label else FunctionWorker(work)
    worker.returned.connect(shown.deliver)
    worker.start()


class _Work:
    """A task's work, with a name for napari's messages, and forgotten when it is done."""

    def __init__(self, task: Task) -> None:
        self._name = f"BeadScope: {task.label}"
        self._work: Callable[[], Outcome] | None = task.work

    def __call__(self) -> Outcome:
        work, self._work = self._work, None
        assert work is not None
        return work()

    def __repr__(self) -> str:
        return self._name


class _Shown(QObject):
    """A task's progress on the GUI thread; lives until its outcome is delivered."""

    told = Signal()

    def __init__(self, task: Task) -> None:
        super().__init__(QApplication.instance())
        self._task = task
        self._bar = _bar(task)
        self._told_s = 0.0
        self.told.connect(self.show)
        task.progress.listen(self._heard)

    def _heard(self) -> None:
        """Pass on, not too often, what the job's thread says."""
        now, now_done = time.monotonic(), self._task.progress.fraction == 1.0
        if now_done or self._task.progress.cancelled or now - self._told_s >= _TELL_EVERY_S:
            self._told_s = now
            self.told.emit()

    def show(self) -> None:
        """Show how far the job is."""
        self._task.told()
        bar, state = self._bar, self._task.progress
        if bar is None:
            return
        if state.fraction is not None:
            if bar.total != _WHOLE:
                bar.total = _WHOLE
            bar.update(round(_WHOLE * state.fraction) - bar.n)
        text = "cancelling…" if state.cancelled else state.text
        label = f"BeadScope: {self._task.label}" + (f", {text}" if text else "")
        # Updating lets Qt handle events, so that the job may have ended meanwhile.
        if self._bar is not None and bar.desc.removesuffix(": ") != label:
            bar.set_description(label)

    def deliver(self, outcome: Outcome) -> None:
        """Take the job's line away and hand its outcome over."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
        self._task.deliver(outcome)
        self.deleteLater()


class _CancellableBar(cancelable_progress):
    """A line of the activity dock whose Cancel button cancels the job."""

    def __init__(self, job: Progress, text: str) -> None:
        self._job = job
        super().__init__(desc=text, total=0)

    def cancel(self) -> None:
        """Cancel the job."""
        super().cancel()
        self._job.cancel()


def _bar(task: Task) -> progress | None:
    if not task.label:
        return None
    text = f"BeadScope: {task.label}"
    if task.progress.can_cancel:
        return _CancellableBar(task.progress, text)
    return progress(desc=text, total=0)


@cache
def _wait_at_exit() -> None:
    """See to it, once, that jobs end before Qt does.

    A script may close its viewer and end while a job runs. Qt's objects are then deleted under
    the thread, which aborts the process. What is registered last runs first: before Qt's end.
    """
    atexit.register(_wait)


def _wait() -> None:
    if not QThreadPool.globalInstance().waitForDone(int(1000 * WAIT_AT_EXIT_S)):
        logger.warning("a job still ran after %g s and was cut off", WAIT_AT_EXIT_S)
