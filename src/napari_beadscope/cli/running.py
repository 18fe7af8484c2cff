"""An engine for as long as a command needs it, and what is said while one waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from napari_beadscope.cli import interrupts
from napari_beadscope.cli.output import Output
from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.script import Scope

_SLOW_S = 1.5


@contextmanager
def running(scope: Scope) -> Iterator[Scope]:
    """Start the scope's engine and stop it in the end; neither is cut short by a signal."""
    try:
        with interrupts.held():
            scope.start()
        yield scope
    finally:
        with interrupts.held():
            scope.stop()


@contextmanager
def said_if_slow(output: Output, step: Callable[[], str]) -> Iterator[None]:
    """Say what is being prepared, if it takes more than a moment.

    Parameters
    ----------
    output : Output
        Where it is said.
    step : callable
        Called on a thread of its own after that moment; returns the words, '' for none.
    """

    def say() -> None:
        with suppress(BeadscopeError):  # an engine that has gone is told elsewhere
            if text := step():
                output.note(f"{text}... (once: the result is kept on disk)")

    timer = threading.Timer(_SLOW_S, say)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
