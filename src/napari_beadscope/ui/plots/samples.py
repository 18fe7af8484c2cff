"""Quantities that come one by one: motors' positions, and what users plot.

Owns the sampling of users' sources, each in a thread of its own: a slow one holds nobody up.
Must not know Qt or who draws them.
"""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np

#: Ten minutes at ten per second.
KEPT = 6000
EVERY_S = 0.1
#: A source that has failed works again after so many values in a row.
WORKS_AGAIN = 10


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
    """A user's source that raised, for the first time since it worked."""

    name: str
    error: BaseException
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


class _Reader:
    """One source, read in a thread of its own until it is told to stop."""

    def __init__(
        self,
        quantity: Quantity,
        source: Callable[[], float],
        take: Callable[[Quantity, int, float], None],
        fail: Callable[[Failure], None],
    ) -> None:
        self._quantity, self._source, self._take, self._fail = quantity, source, take, fail
        self.stop = threading.Event()
        self._worked = WORKS_AGAIN  # times in a row, since it last failed
        self._told = False
        self.thread = threading.Thread(
            target=self._run, name=f"beadscope-timeplot-{quantity.name}", daemon=True
        )

    def _run(self) -> None:
        while not self.stop.wait(EVERY_S):
            value, failure = self._read()
            if self.stop.is_set():  # closed, or another source has taken the name
                return
            if failure is not None and not self._told:
                self._told = True
                self._fail(failure)
            self._take(self._quantity, time.monotonic_ns(), value)

    def _read(self) -> tuple[float, Failure | None]:
        try:
            value = float(self._source())
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  users' code, even sys.exit(); it is told
            self._worked = 0
            return math.nan, Failure(self._quantity.name, error, traceback.format_exc())
        self._worked += 1
        self._told = self._told and self._worked < WORKS_AGAIN
        return value, None


class Sampler:
    """Reads users' sources ten times a second, each in a thread of its own.

    A source that raises has no value then; it is told of once until it works again, and asked
    again. One that is slow, or never returns, holds nobody up but itself.

    Parameters
    ----------
    samples : Samples
        Where values go.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._readers: dict[str, _Reader] = {}
        self._failures: SimpleQueue[Failure] = SimpleQueue()
        self._closed = False

    def add(self, name: str, source: Callable[[], float], unit: str = "") -> None:
        """Sample `source` from now on; one of the same name is replaced."""
        if self._closed:
            return
        if name in self._readers:
            self._readers[name].stop.set()
        quantity = Quantity(name, unit, own=True)
        reader = _Reader(quantity, source, self._samples.add, self._failures.put)
        self._readers[name] = reader
        reader.thread.start()

    def take_failures(self) -> list[Failure]:
        """Return what has gone wrong since the last call."""
        return [self._failures.get() for _ in range(self._failures.qsize())]

    def close(self) -> None:
        """Stop to sample; waits at most 0.2 s for sources that are being read."""
        self._closed = True
        for reader in self._readers.values():
            reader.stop.set()
        end_s = time.monotonic() + 0.2
        for reader in self._readers.values():
            reader.thread.join(timeout=max(0.0, end_s - time.monotonic()))
