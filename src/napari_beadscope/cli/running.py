"""An engine for as long as a command needs it, whatever signal comes when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_beadscope.cli import interrupts
from napari_beadscope.script import Scope


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
