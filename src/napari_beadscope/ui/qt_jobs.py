"""Jobs in napari's worker threads, with their progress in the activity dock.

Owns the launch of one job, and that Python does not end while one runs. Must not know what the
job does.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from functools import cache

from napari.qt.threading import create_worker
from qtpy.QtCore import QThreadPool

from napari_beadscope.ui.jobs import Outcome

logger = logging.getLogger(__name__)

#: The longest that the end of Python waits for a job.
WAIT_AT_EXIT_S = 60.0


def launch_in_thread(
    label: str, work: Callable[[], Outcome], deliver: Callable[[Outcome], None]
) -> None:
    """Run `work` in a thread of the pool; `deliver` is called on the GUI thread.

    Parameters
    ----------
    label : str
        Shown in napari's activity dock while the job runs; '' shows nothing.
    work, deliver : callable
        See `napari_beadscope.ui.jobs.Launch`.
    """
    _wait_at_exit()
    progress = {"desc": f"BeadScope: {label}", "total": 0} if label else None
    worker = create_worker(work, _start_thread=False, _progress=progress)
    worker.returned.connect(deliver)
    worker.start()


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
