"""How much memory the engine's processes take, asked for at most once a second.

What they share is mapped by each of them and must count once: it is not counted here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import psutil

_EVERY_S = 1.0


class MemoryMeter:
    """Reads the memory of processes; between two readings it repeats the last one.

    Examples
    --------
    >>> import os
    >>> meter = MemoryMeter()
    >>> meter.own_bytes([os.getpid()])[os.getpid()] > 1_000_000
    True
    >>> meter.left_bytes > 0
    True
    """

    def __init__(self) -> None:
        self.left_bytes = 0
        self._due_s = 0.0
        self._known: dict[int, int] = {}

    def own_bytes(self, pids: Iterable[int]) -> dict[int, int]:
        """Return what each of the processes, and this one, has for itself."""
        if time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + _EVERY_S
            self.left_bytes = int(psutil.virtual_memory().available)
            self._known = {pid: _own(pid) for pid in (os.getpid(), *pids) if pid > 0}
        return self._known


def _own(pid: int) -> int:
    try:
        info = psutil.Process(pid).memory_info()
    except psutil.Error:  # it has just ended
        return 0
    return int(info.rss - getattr(info, "shared", 0))
