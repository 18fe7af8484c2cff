"""Workers of a run on a Dask cluster: the same posts, computed wherever the scheduler likes.

Owns the client, and how a unit travels. A lost Dask worker is a lost worker like any other. The
folders of sources and results must have the same paths on all machines; frames are read where
they are worked on. Must not know what is to be done next.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from napari_beadscope.batch.child import Ended, Inbox
from napari_beadscope.batch.compute import Computer
from napari_beadscope.batch.crew import Crew, Post
from napari_beadscope.batch.helper import failure
from napari_beadscope.batch.order_book import PART
from napari_beadscope.batch.orders import Compute, Computed, Failed, Order, Ready
from napari_beadscope.batch.scheduler import Taste
from napari_beadscope.batch.service import BatchError

if TYPE_CHECKING:
    from distributed import Client, Future

_PATIENCE_S = 30.0
_COUNT_S = 1.0
_RESTART_S = 10.0


def open_client(address: str) -> Client:
    """Connect to a Dask scheduler.

    Raises
    ------
    BatchError
        Dask is missing, or nobody answers at the address.
    """
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ImportError:
        raise BatchError(
            "a scheduler needs the package distributed",
            'install it with: pip install "napari-beadscope[cluster]"',
        ) from None
    try:
        get_address_host_port(address)  # a client that cannot even try is never rid of
        return Client(address, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise BatchError(
            f"no Dask scheduler answers at {address} ({error})",
            "check the address; `dask scheduler` starts one",
        ) from error


class RemoteChild:
    """One thread's worth of a cluster; looks like `Child` to whoever gives it orders."""

    def __init__(self, client: Client, name: str, inbox: Inbox) -> None:
        self.name, self.pid, self.rss_bytes = name, 0, 0
        self.started_s = self.beat_s = time.monotonic()
        self._client, self._inbox = client, inbox
        self._future: Future | None = None
        self._over = threading.Event()
        inbox.put((self, Ready(0)))

    def send(self, order: Order) -> None:
        """Submit a unit; what comes of it goes into the inbox."""
        if not isinstance(order, Compute):
            return
        key = f"beadscope-{uuid.uuid4().hex}"
        self._future = self._client.submit(compute_here, order, key=key, pure=False)
        self._future.add_done_callback(self._done)

    def kill(self) -> None:
        """Give up on what it is busy with, and restart the process that has it."""
        future, self._future = self._future, None
        if future is not None:
            places = self._places(future)
            future.cancel(force=True)
            if places:
                self._client.restart_workers(places, timeout=_RESTART_S, raise_for_error=False)
        self._end("ended by the run")

    def is_waiting(self) -> bool:
        """Return whether what it was given has not been taken by any machine yet."""
        return self._future is not None and not self._places(self._future)

    def close(self) -> None:
        """Give up on what it is busy with; twice is fine."""
        self._over.set()
        future, self._future = self._future, None
        if future is not None:
            future.cancel(force=True)

    def words(self) -> str:
        """Return its last words: those are in the cluster's own log."""
        return ""

    def forget(self) -> None:
        """Nothing is left of it."""

    def _places(self, future: Future) -> list[str]:
        return [at for at, keys in self._client.processing().items() if future.key in keys]

    def _done(self, future: Future) -> None:
        """Called on a thread of the client."""
        if future is not self._future:
            return
        if future.status == "finished":
            self._inbox.put((self, future.result()))
        else:
            error = future.exception() if future.status == "error" else None
            self._end(f"lost by the cluster ({error or future.status})")

    def _end(self, why: str) -> None:
        if not self._over.is_set():
            self._over.set()
            self._inbox.put((self, Ended(why)))


class ClusterCrew(Crew[Any]):
    """As many posts as the cluster has threads; more when machines come, fewer when they go.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    inbox : queue
        Where reports go.
    """

    def __init__(self, address: str, inbox: Inbox) -> None:
        super().__init__("", {"worker 1": "cpu"}, inbox)
        self._client = open_client(address)
        self._threads = 0
        self._counted_s = -_COUNT_S

    def start(self) -> None:
        """Have a post for every thread of the cluster."""
        now = time.monotonic()
        if now - self._counted_s >= _COUNT_S:
            self._counted_s = now
            self._threads = sum(self._client.nthreads().values())
        while len(self.posts) < self._threads:
            self.posts.append(Post(f"worker {len(self.posts) + 1}", "", Taste("cpu")))
        for post in self.posts[: self._threads]:
            if post.child is None:
                post.child = RemoteChild(self._client, post.name, self._inbox)
                post.ready, post.stale, post.ended_because = False, False, ""

    def free(self) -> Iterator[Post[Any]]:
        """Give the posts that can be given something, no more than the cluster has threads."""
        yield from islice(super().free(), max(0, self._threads - self.busy))

    def watch(self, limit_s: float) -> None:
        """End what has taken too long; the cluster itself sees who is silent."""
        for post in self.posts:
            child = post.child
            if not isinstance(child, RemoteChild):
                continue
            child.beat_s = now = time.monotonic()
            if post.task is not None and now - post.since_s > limit_s and child.is_waiting():
                post.since_s = now  # machines have gone; that is not the unit's fault
        super().watch(limit_s)

    def close(self) -> None:
        """Give up on what is not done, and leave the cluster; twice is fine."""
        for post in self.posts:
            child, post.child = post.child, None
            if child is not None:
                child.close()
        self._client.close()


def compute_here(order: Compute) -> Computed | Failed:
    """Compute a unit in a Dask worker; what it needs is kept there for each of its threads."""
    from distributed import get_worker

    worker = get_worker()
    computers = worker.__dict__.setdefault("beadscope_computers", {})
    computer = computers.setdefault(threading.get_ident(), Computer())
    # The cluster may take a worker for lost that is not, and give the unit to another as well.
    stem, part, suffix = order.output.name.rpartition(PART)
    own = order.output.with_name(f"{stem}-{uuid.uuid4().hex[:8]}{part}{suffix}")
    try:
        report = computer.compute(msgspec.structs.replace(order, output=own))
        os.replace(own, order.output)
    except Exception as error:  # noqa: BLE001  the process boundary: the run reports it
        return failure(order.number, error)
    finally:
        own.unlink(missing_ok=True)
    return report
