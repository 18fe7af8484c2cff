"""A worker's process: started with nothing of this one's, watched until it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from napari_beadscope.engine.config import WorkerConfig

_WORDS_BYTES = 8_000


def python_command(module: str) -> list[str]:
    """Return the command that runs a module of this package in a fresh interpreter.

    ``-P``: a user's `queue.py` in the present folder must not take the place of Python's.
    """
    return [sys.executable, "-P", "-m", module]


def background_flags() -> dict:
    """Return the `Popen` arguments for a process that no console signal reaches."""
    if os.name == "nt":
        return {"creationflags": 0x08000200}  # CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP
    return {"start_new_session": True}


class WorkerProcess:
    """One life of a worker.

    Parameters
    ----------
    config : WorkerConfig
        What it is told on its standard input.
    log : Path
        Takes its standard output and error.
    on_end : callable
        Called with this object, on a thread of its own, when the process has ended.
    """

    def __init__(
        self, config: WorkerConfig, log: Path, on_end: Callable[[WorkerProcess], None]
    ) -> None:
        self.name = config.name
        self.why = ""
        self.words = ""
        self._log = log
        self._on_end = on_end
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                python_command("napari_beadscope.engine.worker"),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                **background_flags(),
            )
        self.pid = self._process.pid
        assert self._process.stdin is not None
        try:
            with self._process.stdin as stdin:
                stdin.write(msgspec.json.encode(config) + b"\n")
        except BrokenPipeError:
            pass  # it died at once; the watch below tells
        threading.Thread(target=self._watch, name=f"{self.name}-watch", daemon=True).start()

    def kill(self) -> None:
        """Kill it; nothing happens if it has ended."""
        self._process.kill()

    def _watch(self) -> None:
        code = self._process.wait()
        if code < 0:
            self.why = f"killed by {signal.Signals(-code).name}"
        else:
            self.why = f"ended with exit code {code}"
        if code != 0 and self._log.exists():
            self.words = self._log.read_bytes()[-_WORDS_BYTES:].decode(errors="replace").strip()
        self._on_end(self)
