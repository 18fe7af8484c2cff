"""The `with` of things that open and close."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Protocol, Self


class Closes(Protocol):
    """What is closed on leaving a ``with``; for Protocols of such things."""

    def close(self) -> None:
        """Let go of everything; twice is fine."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Closing:
    """A context manager that closes on leaving."""

    def close(self) -> None:
        """Let go of everything; twice is fine. Here there is nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Opening(Closing, ABC):
    """A context manager that opens on entering too; a subclass provides `open`."""

    @abstractmethod
    def open(self) -> None:
        """Get ready; twice is fine."""

    def __enter__(self) -> Self:
        self.open()
        return self
