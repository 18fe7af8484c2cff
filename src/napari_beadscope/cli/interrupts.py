"""Ctrl-C and SIGTERM as one exception that is raised once, so that cleaning up is not cut short.

Owns the signal handlers while a command runs. Must not know what is cleaned up.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The user, or the system, asked the command to end; `exit_code` is the shell's custom."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit_code = 128 + number
        word = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        super().__init__(f"interrupted by {word}")


class _Watch:
    """Raises `Interrupted` in the main thread at the first signal; later ones change nothing."""

    def __init__(self) -> None:
        self._held = False
        self._seen = 0
        self._raised = False

    def heard(self, number: int, frame: FrameType | None) -> None:
        """Take a signal in."""
        self._seen = self._seen or number
        self._raise_if_due()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep a signal back until the block has ended."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self._raise_if_due()

    def _raise_if_due(self) -> None:
        if self._seen and not self._held and not self._raised:
            self._raised = True
            raise Interrupted(self._seen)


_watches: list[_Watch] = []


@contextmanager
def watching() -> Iterator[None]:
    """Raise `Interrupted` once for the first SIGINT or SIGTERM inside the block."""
    watch = _Watch()
    before = {number: signal.signal(number, watch.heard) for number in _SIGNALS}
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.remove(watch)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held() -> Iterator[None]:
    """Finish the block before a signal counts: for short steps that must not stop half-way."""
    if not _watches:
        yield
        return
    with _watches[-1].held():
        yield
