"""A front end's end of the connection to an engine: commands out, replies and events in."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import msgspec

from napari_beadscope.core.commands import Command, Goodbye
from napari_beadscope.core.errors import EngineError, InputError, named_error
from napari_beadscope.core.messages import (
    Event,
    Hello,
    Reply,
    Request,
    ToFrontEnd,
    Welcome,
)
from napari_beadscope.engine.places import EngineInfo
from napari_beadscope.wire import MAX_MESSAGE, Link, dial

_LOG = logging.getLogger(__name__)
_WELCOME_TIMEOUT_S = 10.0
#: Made here, once: msgspec 0.22 crashes if several threads are the first to use a type.
_REQUESTS = msgspec.msgpack.Decoder(Request)


class EngineClient:
    """An attached front end. Safe to use from several threads.

    Parameters
    ----------
    info : EngineInfo
        How to reach the engine.
    on_event : callable
        Called with every event, on the connection's own thread, and with None when the engine
        is gone.

    Raises
    ------
    EngineError
        The engine does not answer, or does not let this caller in.
    """

    def __init__(self, info: EngineInfo, on_event: Callable[[Event | None], None]) -> None:
        self.info = info
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._replies: dict[int, Future[Reply]] = {}
        self._lock = threading.Lock()
        self._gone = threading.Event()
        connection = dial(info.address, info.secret)
        connection.send_bytes(msgspec.msgpack.encode(Hello("", os.getpid(), "")))
        if not connection.poll(_WELCOME_TIMEOUT_S):
            connection.close()
            raise EngineError(f"engine {info.engine_id} does not answer", "stop it and start anew")
        try:
            self.welcome = msgspec.msgpack.decode(connection.recv_bytes(), type=Welcome)
        except (EOFError, OSError) as error:
            connection.close()
            raise EngineError(f"engine {info.engine_id} hung up", "start a new one") from error
        except msgspec.MsgspecError as error:
            connection.close()
            raise EngineError(
                f"engine {info.engine_id} is of another version of napari-beadscope ({error})",
                f"let that version stop it, or end process {info.pid}",
            ) from error
        self._link = Link(connection, ToFrontEnd, self._heard, self._closed, "engine")

    def start(self) -> None:
        """Begin to take events."""
        self._link.start()

    @property
    def is_attached(self) -> bool:
        """Whether the engine is there."""
        return not self._gone.is_set()

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait until the engine has hung up; return whether it has."""
        return self._gone.wait(timeout_s)

    def ask(self, command: Command, timeout_s: float = 30.0) -> Any:
        """Send a command and return its reply's value.

        Raises
        ------
        BeadscopeError
            What the engine answers, in its own class; `EngineError` if it doesn't answer.
        """
        future: Future[Reply] = Future()
        number = next(self._numbers)
        with self._lock:
            self._replies[number] = future
        name = type(command).__name__
        if self._gone.is_set():
            raise EngineError(f"the engine is gone; {name} was not sent", "start a new one")
        try:
            request = Request(number, command)
            # The engine would hang up on what is no command, and this front end be cut off.
            data = msgspec.msgpack.encode(request)
            if len(data) > MAX_MESSAGE:
                raise OverflowError(f"it has {len(data)} bytes")
            _REQUESTS.decode(data)
            self._link.send(request)
            reply = future.result(timeout_s)
        except (TypeError, OverflowError, UnicodeEncodeError, msgspec.MsgspecError) as error:
            raise InputError(
                f"{name} cannot be sent to the engine ({error})",
                "use ordinary numbers and texts",
            ) from error
        except FutureTimeout:
            raise EngineError(
                f"the engine did not answer {name} within {timeout_s:g} s", "look at its log"
            ) from None
        finally:
            with self._lock:
                self._replies.pop(number, None)
        if reply.error:
            raise named_error(reply.error, reply.what, reply.remedy)
        return reply.value

    def close(self) -> None:
        """Hang up, as one who leaves on purpose; the engine goes on."""
        if self.is_attached:
            self._link.send(Request(next(self._numbers), Goodbye()))
        self._link.close()

    def _heard(self, message: Any) -> None:
        if not isinstance(message, Reply):
            self._on_event(message)
            return
        with self._lock:
            future = self._replies.pop(message.number, None)
        if future is not None:
            future.set_result(message)

    def _closed(self) -> None:
        self._gone.set()
        with self._lock:
            waiting, self._replies = list(self._replies.values()), {}
        for future in waiting:
            future.set_result(Reply(0, "EngineError", "the engine is gone", "start a new one"))
        self._on_event(None)
