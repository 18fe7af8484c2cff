"""The demo in napari: a live simulated microscope, its beads tracked, its magnet moving.

Owns the engine while the window is open. Must not import Qt or napari: `ui` does.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_beadscope.cli.demo.scene import MAGNET, PULLED_MM
from napari_beadscope.cli.output import Output
from napari_beadscope.cli.running import running
from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope

_PULL_EVERY_S = 5.0


def show(options: dict[str, Any], prepare: Any, verbose: bool, output: Output) -> None:
    """Start the microscope, open napari on it, and stop it when the window is closed.

    Parameters
    ----------
    options : dict
        Of the simulated camera.
    prepare : callable
        Called with scope, microscope, folder for the Z-LUT, and output, before the window opens.
    verbose : bool
        Log details.
    output : Output
        Where words go.
    """
    from napari_beadscope.ui.app import show_engine

    scope = Scope("simulated", options=options, verbose=verbose)
    scope.add_hardware(MAGNET, "simulated-magnet")
    output.note("starting a simulated microscope")
    with running(scope), tempfile.TemporaryDirectory(prefix="beadscope-") as folder:
        prepare(scope, SimulatedMicroscope(options), Path(folder), output)
        output.note("opening napari; close its window to end the demo")
        with _pulling(scope):
            show_engine(scope.engine.engine_id, "BeadScope demo")


@contextmanager
def _pulling(scope: Scope) -> Iterator[None]:
    """Move the magnet up and down every few seconds, so that there is something to see."""
    over = threading.Event()

    def pull() -> None:
        target = PULLED_MM
        while not over.wait(_PULL_EVERY_S):
            try:
                scope.move(MAGNET, target, wait=False)
            except BeadscopeError:  # the engine was stopped from the window
                return
            target = PULLED_MM - target

    thread = threading.Thread(target=pull, name="demo-magnet")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
