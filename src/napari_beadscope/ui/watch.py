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
from napari_beadscope.core.messages import StreamChanged
from napari_beadscope.ui.plots.history import History
from napari_beadscope.ui.ports import ScopePort
from napari_beadscope.ui.trails import Newest, Trails

TRACKS_EVERY_S = 0.1
STATUS_EVERY_S = 0.2
TRAILS_EVERY_S = 0.5
#: Positions older than this are not those of now.
STALE_AFTER_S = 2.0
#: This many failed questions in a row mean that the engine is gone.
GONE_AFTER = 5
#: Trackers take turns: rows of this many frames back may come after those of the newest.
LATE_FRAMES = 16


@dataclass(frozen=True, slots=True)
class Overlay:
    """What to draw over the frame; ``number`` grows with every new one."""

    number: int
    newest: Newest
    vertices: np.ndarray  # (n, 4)
    vertices_number: int
    rows_s: float  # monotonic time when the newest row came

    @property
    def stale(self) -> bool:
        """Whether positions are not those of now."""
        return time.monotonic() - self.rows_s > STALE_AFTER_S


class EngineWatch:
    """Watches one engine until `close`.

    Parameters
    ----------
    scope : ScopePort
        Started or attached.

    Attributes
    ----------
    history : History
        The last minutes of every bead.
    """

    def __init__(self, scope: ScopePort) -> None:
        self._scope = scope
        self.history = History()
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
        self._rows_s = 0.0
        self._generation = 0  # of frame formats
        self._unsubscribe = scope.on_event(self._heard)
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

    def row_of(self, bead: int) -> np.void | None:
        """Return the newest row (`TRACK_ROW`) of a bead, None without one."""
        with self._lock:
            return self._trails.row_of(bead)

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
        self.history.keep(beads)

    def close(self) -> None:
        """Stop to watch; waits at most 0.2 s for the thread."""
        self._unsubscribe()
        self._stop.set()
        self._thread.join(timeout=0.2)

    def _heard(self, event: Any) -> None:
        """Called on the scope's thread."""
        if isinstance(event, StreamChanged):  # places from before are places in other frames
            with self._lock:
                self._trails.clear()
                self._generation += 1
                self.history.clear()
                self._overlay = self._drawn(with_trails=True)
        self._events.append(event)

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
        generation = self._generation
        rows = self._scope.tracks(max(-1, self._seq - LATE_FRAMES))
        with self._lock:
            if generation != self._generation:  # rows of other frames
                return
            if self._beads is not None:
                rows = rows[np.isin(rows["bead"], list(self._beads))]
            self.history.add(rows)
            rows = rows[rows["seq"] > self._seq]
            if len(rows):
                self._seq = int(rows["seq"].max())
                self._rows_s = time.monotonic()
                self._trails.add(rows)
            elif not with_trails:
                return
            self._overlay = self._drawn(with_trails)

    def _drawn(self, with_trails: bool) -> Overlay:
        old = self._overlay
        number = 0 if old is None else old.number + 1
        if with_trails or old is None:
            vertices, vertices_number = self._trails.vertices(), number
        else:
            vertices, vertices_number = old.vertices, old.vertices_number
        newest = self._trails.newest()
        return Overlay(number, newest, vertices, vertices_number, self._rows_s)
