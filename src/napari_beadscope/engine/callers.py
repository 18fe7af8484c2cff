"""Everyone who is connected to the supervisor: workers by name, front ends by number."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from multiprocessing.connection import Connection

import msgspec

from napari_beadscope.core.messages import Event, Hello, Reply, Request, Welcome
from napari_beadscope.core.orders import Order, Report
from napari_beadscope.core.session_state import Asked, Joined, Left, Said, Stimulus
from napari_beadscope.wire import Doorman, Link, shut

_LOG = logging.getLogger(__name__)
_HELLO_TIMEOUT_S = 5.0
_END_TIMEOUT_S = 2.0


class Callers:
    """Lets callers in, turns what they say into stimuli, and sends them what is for them.

    Parameters
    ----------
    address, secret : str
        Where to listen, and what a caller must know.
    inbox : SimpleQueue
        Takes the stimuli.
    """

    def __init__(
        self,
        address: str,
        secret: str,
        inbox: queue.SimpleQueue[Stimulus],
    ) -> None:
        self._inbox = inbox
        self._lock = threading.Lock()
        self._workers: dict[str, Link] = {}
        self._clients: dict[int, Link] = {}
        self._at_the_door: dict[int, Link] = {}
        self._numbers = itertools.count(1)
        self._doorman = Doorman(address, secret, self._enter)

    @property
    def has_clients(self) -> bool:
        """Whether any front end is attached."""
        return bool(self._clients)

    def admit(self, client: int, welcome: Welcome) -> None:
        """Send a front end that has joined its first message; events follow from now on."""
        with self._lock:
            link = self._at_the_door.pop(client, None)
            if link is not None:
                link.send(welcome)
                self._clients[client] = link

    def tell(self, worker: str, order: Order) -> None:
        """Send an order to a worker, if it is connected."""
        link = self._workers.get(worker)
        if link is not None:
            link.send(order)

    def answer(self, client: int, reply: Reply) -> None:
        """Send a reply to a front end, if it is still there."""
        link = self._clients.get(client)
        if link is not None:
            link.send(reply)

    def publish(self, event: Event) -> None:
        """Send an event to every front end."""
        for link in list(self._clients.values()):
            link.send(event)

    def wait_for_end(self, worker: str) -> None:
        """Wait until everything that a dead worker has said is in the inbox."""
        with self._lock:
            link = self._workers.pop(worker, None)
        if link is not None:
            link.join(_END_TIMEOUT_S)
            link.close(flush_s=0.0)

    def close(self) -> None:
        """Let nobody in any more and hang up on everyone, after what is queued was sent."""
        self._doorman.close()
        for link in [*self._clients.values(), *self._workers.values()]:
            link.close()

    def _enter(self, connection: Connection) -> None:
        """Called on a thread of the caller's own, when it has proven to know the secret."""
        if not connection.poll(_HELLO_TIMEOUT_S):
            shut(connection)
            return
        hello = msgspec.msgpack.decode(connection.recv_bytes(10_000), type=Hello)
        if hello.name:
            self._enter_worker(connection, hello.name)
        else:
            self._enter_client(connection, hello.pid)

    def _enter_worker(self, connection: Connection, name: str) -> None:
        def said(report: Report) -> None:
            self._inbox.put(Said(name, report))

        link = Link(connection, Report, said, lambda: None, name)
        with self._lock:
            self._workers[name] = link
        link.start()

    def _enter_client(self, connection: Connection, pid: int) -> None:
        number = next(self._numbers)

        def asked(request: Request) -> None:
            self._inbox.put(Asked(number, request))

        def closed() -> None:
            with self._lock:
                self._at_the_door.pop(number, None)
                self._clients.pop(number, None)
            self._inbox.put(Left(number, pid))

        link = Link(connection, Request, asked, closed, f"client-{number}")
        with self._lock:
            self._at_the_door[number] = link
        self._inbox.put(Joined(number))
        link.start()
