"""A thread that computes one figure at a time, always the one that was asked for last.

Owns that nobody waits for it. Must not know Qt or what a figure is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from napari_beadscope.ui.jobs import Outcome, attempt

_LOG = logging.getLogger(__name__)


class PlotWorker:
    """Computes in the background; the thread begins with the first question.

    Examples
    --------
    >>> worker = PlotWorker()
    >>> worker.ask(lambda: 2 + 2)
    >>> while (found := worker.take()) is None:
    ...     time.sleep(0.001)
    >>> found.value
    4
    >>> worker.close()
    """

    def __init__(self) -> None:
        self._wanted: Callable[[], Any] | None = None
        self._found: Outcome | None = None
        self._busy = False
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self.spent_s = 0.0

    @property
    def busy(self) -> bool:
        """Whether something is being computed or waits to be."""
        return self._busy or self._wanted is not None

    def ask(self, work: Callable[[], Any]) -> None:
        """Compute `work` next, in place of what has not been begun."""
        with self._changed:
            if self._closed:
                return
            self._wanted = work
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="beadscope-plots", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def take(self) -> Outcome | None:
        """Return what was found since the last call, None for nothing."""
        with self._changed:
            found, self._found = self._found, None
            return found

    def close(self) -> None:
        """End the thread after what it is at; waits at most 1 s."""
        with self._changed:
            self._closed = True
            self._wanted = None
            self._changed.notify()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=1.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted is not None or self._closed)
                if self._closed:
                    return
                work, self._wanted = self._wanted, None
                self._busy = True
            start_s = time.thread_time()
            outcome = attempt(work)  # type: ignore[arg-type]
            with self._changed:
                self.spent_s = time.thread_time() - start_s
                self._found, self._busy = outcome, False
