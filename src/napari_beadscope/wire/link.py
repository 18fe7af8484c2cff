"""One authenticated connection: whole messages in and out, neither side ever blocks the other.

A thread sends from a bounded outbox, a thread reads into the owner's inbox; a peer that doesn't
read for too long is cut off. Knows nothing of what messages mean.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import (
    Client,
    Connection,
    Listener,
    answer_challenge,
    deliver_challenge,
)
from typing import Any

import msgspec

from napari_beadscope.core.errors import EngineError

_LOG = logging.getLogger(__name__)
_OUTBOX = 2_000
_LAST_WORDS_S = 1.0
_KNOCK_TIMEOUT_S = 10.0
_ACCEPT_PAUSE_S = 0.1
MAX_MESSAGE = 16 * 2**20
_ENCODER = msgspec.msgpack.Encoder()


class Link:
    """Messages over one connection.

    Parameters
    ----------
    connection : multiprocessing.connection.Connection
        Authenticated already.
    incoming : type
        The union of messages that may come in; anything else closes the link.
    on_message, on_closed : callable
        Called on the link's reader thread; ``on_closed`` exactly once.
    """

    def __init__(
        self,
        connection: Connection,
        incoming: Any,
        on_message: Callable[[Any], None],
        on_closed: Callable[[], None],
        name: str,
    ) -> None:
        self._connection = connection
        self._decoder = msgspec.msgpack.Decoder(incoming)
        self._on_message = on_message
        self._on_closed = on_closed
        self._outbox: queue.Queue[bytes | None] = queue.Queue(_OUTBOX)
        self._reader = threading.Thread(target=self._read, name=f"{name}-in", daemon=True)
        self._sender = threading.Thread(target=self._send, name=f"{name}-out", daemon=True)
        self._closing = threading.Lock()
        self._closed = False
        self.name = name

    def start(self) -> None:
        """Begin to send and to read."""
        self._sender.start()
        self._reader.start()

    def send(self, message: Any) -> None:
        """Queue a message; a peer whose outbox is full is cut off."""
        try:
            self._outbox.put_nowait(_ENCODER.encode(message))
        except queue.Full:
            _LOG.warning("%s does not read its messages and is cut off", self.name)
            self.close(flush_s=0.0)

    def close(self, flush_s: float = 1.0) -> None:
        """Send what is queued, for `flush_s` seconds at most, then close; twice is fine."""
        try:
            self._outbox.put_nowait(None)
        except queue.Full:
            flush_s = 0.0
        if self._sender.is_alive() and threading.current_thread() is not self._sender:
            self._sender.join(flush_s)
        self._hang_up(last=not self._reader.is_alive())

    def join(self, timeout_s: float) -> None:
        """Wait until the reader has seen the end of the connection."""
        self._reader.join(timeout_s)

    def _send(self) -> None:
        try:
            while (data := self._outbox.get()) is not None:
                self._connection.send_bytes(data)
        except (OSError, ValueError):
            _LOG.debug("%s is gone", self.name)

    def _read(self) -> None:
        try:
            while True:
                self._on_message(self._decoder.decode(self._connection.recv_bytes(MAX_MESSAGE)))
        except (EOFError, OSError):
            _LOG.debug("%s has closed", self.name)
        except msgspec.MsgspecError as error:
            _LOG.warning("%s sent what is not a message (%s) and is cut off", self.name, error)
        finally:
            self._hang_up(last=False)
            with contextlib.suppress(queue.Full):
                self._outbox.put_nowait(None)
            self._sender.join(_LAST_WORDS_S)
            self._hang_up(last=True)
            self._on_closed()

    def _hang_up(self, last: bool) -> None:
        """Wake both threads; only the `last` to leave closes the connection.

        Else a thread could go on with a number that means another file by then.
        """
        with self._closing:
            if self._closed:
                return
            if last or os.name == "nt":
                self._closed = True
                shut(self._connection)
            else:
                _wake(self._connection)


def shut(connection: Connection) -> None:
    """Close a connection so that a thread blocked in reading it wakes up."""
    _wake(connection)
    connection.close()


def _wake(connection: Connection) -> None:
    """Let every thread that is blocked in a connection see its end."""
    try:
        if os.name != "nt":
            import socket

            with socket.socket(fileno=os.dup(connection.fileno())) as twin:
                twin.shutdown(socket.SHUT_RDWR)
    except OSError:
        _LOG.debug("connection was closed already")


def dial(address: str, secret: str) -> Connection:
    """Connect to an engine and prove to know its secret; raise `EngineError` if that fails."""
    import multiprocessing

    try:
        return Client(address, authkey=bytes.fromhex(secret))
    except (OSError, EOFError, multiprocessing.AuthenticationError) as error:
        raise EngineError(
            f"the engine at {address} does not answer ({type(error).__name__}: {error})",
            "it may have ended: start a new one",
        ) from error


class Doorman:
    """Accepts connections and lets in who knows the secret, each in a thread of its own.

    A caller that connects and stays silent keeps nobody else waiting.
    """

    def __init__(self, address: str, secret: str, on_entry: Callable[[Connection], None]) -> None:
        self._secret = bytes.fromhex(secret)
        self._on_entry = on_entry
        self._listener = Listener(address, backlog=16)
        if os.name != "nt":
            os.chmod(address, 0o600)
        self._open = True
        threading.Thread(target=self._accept, name="doorman", daemon=True).start()

    def close(self) -> None:
        """Let nobody else in."""
        self._open = False
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            try:
                connection = self._listener.accept()
            except OSError as error:
                if self._open:
                    _LOG.error("cannot accept a connection: %s", error)
                    time.sleep(_ACCEPT_PAUSE_S)
                continue
            threading.Thread(target=self._check, args=(connection,), daemon=True).start()

    def _check(self, connection: Connection) -> None:
        import multiprocessing

        patience = threading.Timer(_KNOCK_TIMEOUT_S, shut, [connection])
        patience.daemon = True
        patience.start()
        try:
            deliver_challenge(connection, self._secret)
            answer_challenge(connection, self._secret)
            patience.cancel()
            self._on_entry(connection)
        except (OSError, EOFError, multiprocessing.AuthenticationError, msgspec.MsgspecError):
            patience.cancel()
            _LOG.warning("a caller did not know the secret and was turned away")
            shut(connection)
