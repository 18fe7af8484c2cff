"""What a worker and a reader have in common: an inbox, a heartbeat, an end with the run.

Owns the process's side of the pipe. It ends at once when the run is gone, whatever it is doing.
Must not know what is computed or read.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from errno import EDQUOT, ENOSPC

import psutil

from napari_beadscope.batch.orders import (
    Beat,
    End,
    Failed,
    Order,
    Pipe,
    Ready,
    Report,
    plain_text,
)
from napari_beadscope.core.errors import BeadscopeError

_BEAT_S = 1.0
_MOST_WORDS = 2_000
_MOST_TRACE = 20_000


def serve(obey: Callable[[Order], Report]) -> None:
    """Carry out orders until the run ends; what `obey` raises is reported."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.captureWarnings(True)
    logging.getLogger().addHandler(logging.NullHandler())
    pipe = _own_pipe()
    inbox: queue.SimpleQueue[Order] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, inbox), name="orders", daemon=True).start()
    threading.Thread(target=_beat, args=(pipe,), name="heartbeat", daemon=True).start()
    own = os.getpid()
    _say(pipe, Ready(own))
    while not isinstance(order := inbox.get(), End):
        try:
            report = obey(order)
        except Exception as error:  # noqa: BLE001  the process boundary: the run reports it
            report = failure(order.number, error)
        if os.getpid() != own:
            os._exit(0)  # a service has forked, and this is the copy
        _say(pipe, report)


def failure(number: int, error: Exception) -> Failed:
    """Return the report of an exception."""
    known = isinstance(error, BeadscopeError)
    what = getattr(error, "what", "") if known else f"{type(error).__name__}: {_words_of(error)}"
    remedy = getattr(error, "remedy", "") if known else "see the traceback in the run's status"
    full = any(_is_full(one) for one in (error, error.__cause__, error.__context__))
    trace = plain_text("".join(traceback.format_exception(error)))[-_MOST_TRACE:]
    what = plain_text(what)
    if len(what) > _MOST_WORDS:
        what = f"{what[:_MOST_WORDS]} ..."
    return Failed(number, type(error).__name__, what, plain_text(remedy), trace, full)


def _words_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  somebody else's class
        return "it cannot say why"


def _is_full(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT)


def _own_pipe() -> Pipe[Order]:
    """Keep the pipe for messages; what services print goes to standard error.

    What a service forks has none of it: a copy that lives on would keep it from ever ending.
    """
    outgoing = os.fdopen(os.dup(1), "wb")
    incoming = os.fdopen(os.dup(0), "rb")
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _detach(incoming.fileno(), outgoing.fileno()))
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout = sys.stderr
    return Pipe(incoming, outgoing, Order)


def _detach(*descriptors: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def _listen(pipe: Pipe[Order], inbox: queue.SimpleQueue[Order]) -> None:
    while (order := pipe.receive()) is not None:
        inbox.put(order)
    os._exit(0)  # the run is gone: nothing that is under way counts any more


def _beat(pipe: Pipe[Order]) -> None:
    process, pause = psutil.Process(), threading.Event()
    while True:
        _say(pipe, Beat(process.memory_info().rss))
        pause.wait(_BEAT_S)


def _say(pipe: Pipe[Order], report: Report) -> None:
    try:
        pipe.send(report)
    except OSError:
        os._exit(0)  # the run is gone
