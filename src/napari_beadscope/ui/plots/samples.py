"""Quantities that come one by one: motors' positions, and what users plot.

Owns the sampling of users' sources in a thread of its own, so that a slow one holds nobody up.
Must not know Qt or who draws them.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_LOG = logging.getLogger(__name__)
#: Ten minutes at ten per second.
KEPT = 6000
EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that is plotted against time beside beads."""

    name: str
    unit: str = ""
    own: bool = False  # a user's

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True, slots=True)
class Failure:
    """A user's source that raised, for the first time or in a new way."""

    name: str
    error: Exception
    traceback: str


class Samples:
    """The newest values of each quantity; any thread may add and read.

    Examples
    --------
    >>> samples = Samples()
    >>> samples.add(Quantity("magnet", "mm"), 1_000_000_000, 2.5)
    >>> samples.read("magnet")[1].tolist()
    [2.5]
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._rings: dict[str, tuple[Quantity, np.ndarray, int]] = {}

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What there is, in the order of its coming."""
        with self._lock:
            return tuple(quantity for quantity, _, _ in self._rings.values())

    def add(self, quantity: Quantity, time_ns: int, value: float) -> None:
        """Take a value (NaN for none) at a moment of the monotonic clock."""
        with self._lock:
            ring = self._rings.get(quantity.name)
            data = np.empty((self._kept, 2)) if ring is None else ring[1]
            count = 0 if ring is None else ring[2]
            data[count % self._kept] = time_ns, value
            self._rings[quantity.name] = (quantity, data, count + 1)

    def read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return times (monotonic ns as float64) and values, oldest first."""
        with self._lock:
            if name not in self._rings:
                return np.empty(0), np.empty(0)
            _, data, count = self._rings[name]
            stop = count % self._kept
            rows = data[:count] if count <= self._kept else np.roll(data, -stop, axis=0)
            return rows[:, 0].copy(), rows[:, 1].copy()


class Sampler:
    """Reads users' sources ten times a second.

    A source that raises has no value then; it is told of once, and asked again.

    Parameters
    ----------
    samples : Samples
        Where values go.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._sources: dict[str, tuple[Quantity, Callable[[], float]]] = {}
        self._told: dict[str, str] = {}
        self._failures: list[Failure] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, name: str, source: Callable[[], float], unit: str = "") -> None:
        """Sample `source` from now on; one of the same name is replaced."""
        self._sources[name] = (Quantity(name, unit, own=True), source)
        self._told.pop(name, None)
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(
                target=self._run, name="beadscope-timeplots", daemon=True
            )
            self._thread.start()

    def take_failures(self) -> list[Failure]:
        """Return what has gone wrong since the last call."""
        taken, self._failures = self._failures, []
        return taken

    def close(self) -> None:
        """Stop to sample; waits at most 0.2 s for a source that is being read."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=0.2)

    def sample(self) -> None:
        """Read every source once."""
        for quantity, source in list(self._sources.values()):
            try:
                value = float(source())
            except Exception as error:  # noqa: BLE001  users' code; it is told to the user
                value = math.nan
                words = f"{type(error).__name__}: {error}"
                if self._told.get(quantity.name) != words:
                    self._told[quantity.name] = words
                    failure = Failure(quantity.name, error, traceback.format_exc())
                    self._failures = [*self._failures, failure]
            self._samples.add(quantity, time.monotonic_ns(), value)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.sample()
