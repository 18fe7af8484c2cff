"""Jobs in napari's worker threads, with their progress in the activity dock.

Owns the launch of one job. Must not know what the job does.
"""

from __future__ import annotations

from collections.abc import Callable

from napari.qt.threading import create_worker

from napari_beadscope.ui.jobs import Outcome


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
    progress = {"desc": f"BeadScope: {label}", "total": 0} if label else None
    worker = create_worker(work, _start_thread=False, _progress=progress)
    worker.returned.connect(deliver)
    worker.start()
