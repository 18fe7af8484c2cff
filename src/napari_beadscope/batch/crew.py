"""The workers and readers of a run: as many as wanted, replaced when they die.

Owns the processes, what each of them is busy with, and for how long. Must not know what is to be
done next.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from napari_beadscope.batch.child import Child, Helper, Inbox
from napari_beadscope.batch.orders import Order
from napari_beadscope.batch.scheduler import Taste
from napari_beadscope.batch.service import BatchError

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

#: A process that is silent for this long is told about, in s.
STALE_S = 10.0
_FALSE_STARTS = 3
_START_S = 120.0


@dataclass(slots=True)
class Post(Generic[_T]):
    """A place for a worker or reader, and who has it.

    ``task`` is what it is busy with, None if idle; ``ended_because`` why the run itself ended
    it, '' if it did not.
    """

    name: str
    module: str
    taste: Taste
    child: Helper | None = None
    ready: bool = False
    task: _T | None = None
    since_s: float = 0.0
    had_source: int | None = None
    ended_because: str = ""
    false_starts: int = 0
    deaths: int = 0
    stale: bool = False
    units: int = field(default=0)

    @property
    def is_free(self) -> bool:
        """Whether it can be given something."""
        return self.ready and self.task is None

    def give(self, task: _T, order: Order) -> None:
        """Give it something to do."""
        assert self.child is not None
        self.task, self.since_s = task, time.monotonic()
        self.child.send(order)

    def take_back(self) -> _T | None:
        """Return what it was busy with; it is free then."""
        task, self.task = self.task, None
        return task


class Crew(Generic[_T]):
    """All posts of one module.

    Parameters
    ----------
    module : str
        What the processes run.
    names : dict of str to str
        Name of each post and its kind.
    inbox : queue
        Where the processes' reports go.
    """

    def __init__(self, module: str, names: dict[str, str], inbox: Inbox) -> None:
        self._inbox = inbox
        self.posts: list[Post[_T]] = [
            Post(name, module, Taste(kind)) for name, kind in names.items()
        ]

    def start(self) -> None:
        """Start a process for every post that has none."""
        for post in self.posts:
            if post.child is None:
                post.child = Child(post.module, post.name, self._inbox)
                post.ready, post.stale, post.ended_because = False, False, ""

    def of(self, child: Helper) -> Post[_T] | None:
        """Return the post that a process has."""
        return next((post for post in self.posts if post.child is child), None)

    def free(self) -> Iterator[Post[_T]]:
        """Give the posts that can be given something, those with a habit first."""
        yield from sorted(
            (post for post in self.posts if post.is_free), key=lambda post: not post.taste.category
        )

    @property
    def busy(self) -> int:
        """How many are busy."""
        return sum(post.task is not None for post in self.posts)

    def bury(self, post: Post[_T], why: str) -> tuple[_T | None, str]:
        """Take in that a process is over; return what it was busy with, and why it ended.

        Raises
        ------
        BatchError
            Processes end again and again before they can be given anything.
        """
        assert post.child is not None
        words = post.child.words()
        post.child.forget()
        post.child = None
        post.false_starts = 0 if post.ready else post.false_starts + 1
        post.deaths += 1
        why = post.ended_because or why
        _LOG.warning("%s is over: %s", post.name, why)
        if post.false_starts >= _FALSE_STARTS:
            raise BatchError(f"{post.name} cannot be started ({why})", words or "see what it needs")
        post.ready = False
        return post.take_back(), f"{why}; its last words: {words}" if words else why

    def watch(self, limit_s: float) -> None:
        """End who has been busy for too long; tell about who is silent."""
        now = time.monotonic()
        for post in self.posts:
            child = post.child
            if child is None or post.ended_because:
                continue
            if post.task is not None and now - post.since_s > limit_s:
                post.ended_because = f"it took longer than unit_timeout_s, {limit_s:g} s"
                child.kill()
            elif not post.ready and now - child.started_s > _START_S:
                post.ended_because = f"it did not start within {_START_S:g} s"
                child.kill()
            stale = now - child.beat_s > STALE_S
            if stale and not post.stale:
                _LOG.warning("nothing was heard of %s for %.0f s", post.name, STALE_S)
            post.stale = stale

    def kill(self) -> None:
        """End all processes at once."""
        for post in self.posts:
            if post.child is not None:
                post.child.kill()

    def close(self) -> None:
        """End all processes, those that are busy by force; twice is fine."""
        for post in self.posts:
            if post.child is not None and (post.task is not None or not post.ready):
                post.child.kill()
        for post in self.posts:
            child, post.child = post.child, None
            if child is not None:
                child.close()
