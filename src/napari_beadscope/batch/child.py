"""A process that a run starts: a worker or a reader, its pipe, its last words.

Owns starting, ending and listening. What arrives goes into the run's inbox, one thread per child,
so that a child that was killed at any instant is an entry there like any other. Must not know
what the messages mean.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from napari_beadscope.batch.orders import End, Order, Pipe, Report
from napari_beadscope.engine.processes import background_flags, python_command

_WORDS_BYTES = 4_000
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Ended:
    """In the inbox: the child's process is over."""

    why: str


class Helper(Protocol):
    """Whoever computes or reads for a run, wherever that is."""

    name: str
    pid: int
    started_s: float
    beat_s: float
    rss_bytes: int

    def send(self, order: Order) -> None:
        """Give it an order, without waiting."""

    def kill(self) -> None:
        """End it now; `Ended` tells when it is over."""

    def close(self) -> None:
        """End it; twice is fine."""

    def words(self) -> str:
        """Return its last words."""

    def forget(self) -> None:
        """Release what is left of it once it has ended."""


Inbox = queue.SimpleQueue["tuple[Helper | None, Report | Ended | str]"]


class Child:
    """One process, from start to end.

    Parameters
    ----------
    module : str
        Run as ``python -m MODULE``.
    name : str
        What it is called in messages, such as ``worker 2``.
    inbox : queue
        Takes ``(child, report)`` for everything that it says, `Ended` last.
    """

    def __init__(self, module: str, name: str, inbox: Inbox) -> None:
        self.name = name
        self.started_s = time.monotonic()
        self.beat_s = self.started_s
        self.rss_bytes = 0
        self._inbox = inbox
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the child
        self._process = subprocess.Popen(
            python_command(module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=os.environ | dict.fromkeys(_ONE_THREAD, "1"),
            **background_flags(),
        )
        self.pid = self._process.pid
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipe: Pipe[Report] = Pipe(self._process.stdout, self._process.stdin, Report)
        self._outbox: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._threads = (
            threading.Thread(target=self._listen, name=f"{name}-listens"),
            threading.Thread(target=self._speak, name=f"{name}-speaks"),
        )
        for thread in self._threads:
            thread.start()

    def send(self, order: Order) -> None:
        """Send an order, without waiting; if the child is gone, `Ended` tells."""
        self._outbox.put(order)

    def kill(self) -> None:
        """Kill it and what it has started; nothing happens if it has ended."""
        if hasattr(os, "killpg") and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()

    def close(self, patience_s: float = 5.0) -> None:
        """End it: by request, and after `patience_s` by force; twice is fine."""
        self.send(End())
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self.forget()

    def words(self) -> str:
        """Return the end of what it wrote to its standard error."""
        if self._words.closed:
            return ""
        self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, self._words.tell() - _WORDS_BYTES))
        return self._words.read().decode(errors="replace").strip()

    def forget(self) -> None:
        """Release what is left of it once it has ended."""
        self._outbox.put(None)
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout, self._words):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _speak(self) -> None:
        """Send what is to be sent; a child that does not listen makes nobody else wait."""
        while (order := self._outbox.get()) is not None:
            try:
                self._pipe.send(order)
            except (OSError, ValueError):
                return

    def _listen(self) -> None:
        while (report := self._pipe.receive()) is not None:
            self._inbox.put((self, report))
        self.kill()  # whatever is left of it must not touch anything any more
        code = self._process.wait()
        self._inbox.put((self, Ended(_told(code))))


def _told(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
