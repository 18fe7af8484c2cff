"""The processes of a running engine: who they are, and whether all have gone.

Owns looking at them from outside. Knows nothing of what they do.
"""

from __future__ import annotations

import time

import psutil

from napari_beadscope.ring.segment import segment_names
from napari_beadscope.script import Scope
from napari_beadscope.wire import runtime_folder


class EngineTree:
    """The processes of one engine, remembered also after they have died.

    Parameters
    ----------
    scope : Scope
        Attached to the engine.
    """

    def __init__(self, scope: Scope) -> None:
        self.session = scope.engine.engine_id
        self.supervisor = psutil.Process(scope.engine.pid)
        self._known = {self.supervisor.pid: self.supervisor}
        self.look()

    def look(self) -> list[psutil.Process]:
        """Return all processes of the engine that live, and remember them."""
        try:
            for child in self.supervisor.children(recursive=True):
                self._known[child.pid] = child
        except psutil.NoSuchProcess:
            pass  # those known go on by themselves
        return [process for process in self._known.values() if _lives(process)]

    def left(self, patience_s: float = 0.0) -> list[str]:
        """Return what is still there of the engine after at most `patience_s`."""
        deadline = time.monotonic() + patience_s
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    def _left(self) -> list[str]:
        return [
            *(f"process {process.pid}" for process in self.look()),
            *(f"segment {name}" for name in segment_names(self.session)),
            *(path.name for path in runtime_folder().glob(f"engine-{self.session}*")),
        ]


def worker_pid(scope: Scope, name: str, *, timeout_s: float = 20.0) -> int:
    """Return the process ID of a worker that is up; wait for it if it is being restarted."""
    deadline = time.monotonic() + timeout_s
    while True:
        for worker in scope.status().workers:
            up = worker.state in ("READY", "RUNNING", "FINISHED")
            if worker.name == name and up and psutil.pid_exists(worker.pid):
                return worker.pid
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} is not up after {timeout_s:g} s: {scope.status().workers}")
        time.sleep(0.02)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
