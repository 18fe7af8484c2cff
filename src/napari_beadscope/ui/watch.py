"""A thread that asks the engine how it is, so that the GUI thread never waits for an answer.

Owns the newest status, the events that came since the last look, and the trails. Must not
know Qt, napari or the model: the session reads it once per tick.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_beadscope.core.errors import BeadscopeError, EngineError
from napari_beadscope.ui.ports import ScopePort
from napari_beadscope.ui.trails import Newest, Trails

TRACKS_EVERY_S = 0.1
STATUS_EVERY_S = 0.2
TRAILS_EVERY_S = 0.5
#: This many failed questions in a row mean that the engine is gone.
GONE_AFTER = 5


@dataclass(frozen=True, slots=True)
class Overlay:
    """What to draw over the frame; ``number`` grows with every new one."""

    number: int
    newest: Newest
    vertices: np.ndarray  # (n, 4)
    vertices_number: int


class EngineWatch:
    """Watches one engine until `close`.

    Parameters
    ----------
    scope : ScopePort
        Started or attached.
    """

    def __init__(self, scope: ScopePort) -> None:
        self._scope = scope
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._events: deque[Any] = deque(maxlen=1000)
        self._status: Any = None
        self._answered_s = time.monotonic()
        self._gone: Exception | None = None
        self._overlay: Overlay | None = None
        self._trails = Trails()
        self._beads: frozenset[int] | None = None
        self._seq = -1
        self._unsubscribe = scope.on_event(self._events.append)
        self._thread = threading.Thread(target=self._run, name="beadscope-watch", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Any:
        """Newest status, None before the first answer."""
        return self._status

    @property
    def answer_age_s(self) -> float:
        """How long ago the engine answered."""
        return time.monotonic() - self._answered_s

    @property
    def gone(self) -> Exception | None:
        """Why the engine is taken for gone, None while it answers."""
        return self._gone

    @property
    def overlay(self) -> Overlay | None:
        """What to draw over the frame, None before the first track row."""
        return self._overlay

    def take_events(self) -> list[Any]:
        """Return the events since the last call."""
        taken = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    def keep(self, beads: frozenset[int]) -> None:
        """Forget the trails of all beads but `beads`."""
        with self._lock:
            self._beads = beads
            self._trails.keep(set(beads))

    def close(self) -> None:
        """Stop to watch; waits at most 0.2 s for the thread."""
        self._unsubscribe()
        self._stop.set()
        self._thread.join(timeout=0.2)

    def _run(self) -> None:
        due_status = due_trails = 0.0
        failures = 0
        while not self._stop.wait(TRACKS_EVERY_S) and failures < GONE_AFTER:
            now = time.monotonic()
            try:
                if now >= due_status:
                    self._ask_status()
                    due_status = now + STATUS_EVERY_S
                self._read_tracks(with_trails=now >= due_trails)
                if now >= due_trails:
                    due_trails = now + TRAILS_EVERY_S
                failures = 0
            except (BeadscopeError, OSError) as error:
                failures += 1
                if failures == GONE_AFTER and not self._stop.is_set():
                    self._gone = error

    def _ask_status(self) -> None:
        if not self._scope.is_started:
            raise EngineError("the engine has ended", "press Live to start a new one")
        status = self._scope.status()
        if status is not self._status:  # the engine sends one several times a second
            self._status = status
            self._answered_s = time.monotonic()

    def _read_tracks(self, with_trails: bool) -> None:
        rows = self._scope.tracks(self._seq)
        with self._lock:
            if len(rows):
                self._seq = int(rows["seq"].max())
                if self._beads is not None:
                    rows = rows[np.isin(rows["bead"], list(self._beads))]
                self._trails.add(rows)
            elif not with_trails:
                return
            old = self._overlay
            number = 0 if old is None else old.number + 1
            if with_trails or old is None:
                vertices, vertices_number = self._trails.vertices(), number
            else:
                vertices, vertices_number = old.vertices, old.vertices_number
            self._overlay = Overlay(number, self._trails.newest(), vertices, vertices_number)
