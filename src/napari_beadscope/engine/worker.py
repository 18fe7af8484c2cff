"""What all worker processes have in common: orders in, reports and heartbeats out, last words.

A worker is a loop over ``turn()``; orders arrive between turns. It ends when told to, or by
itself when the supervisor is gone. Run as ``python -m napari_beadscope.engine.worker``, with a
`WorkerConfig` on standard input.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import queue
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec

from napari_beadscope.core.errors import BeadscopeError, EngineError
from napari_beadscope.core.messages import Hello, Log, Stream
from napari_beadscope.core.orders import Attach, Crashed, Done, Order, Report, Stop, UseSettings
from napari_beadscope.engine.config import (
    WORKER_STATES,
    WorkerConfig,
    health_spec,
)
from napari_beadscope.ring import FrameReader, FrameRingSpec, LatestTable
from napari_beadscope.ring.segment import session_alive, unlink_session
from napari_beadscope.wire import Link, dial

_LOG = logging.getLogger(__name__)
_ORPHAN_PATIENCE_S = 120.0
_ROLES = {
    "camera": "camera_worker:CameraWorker",
    "tracker": "tracker_worker:TrackerWorker",
    "recorder": "recorder_worker:RecorderWorker",
    "motor": "motor_worker:MotorWorker",
    "control": "control_worker:ControlWorker",
}


class _Lost:
    """In the inbox: the supervisor is gone."""


class Worker(ABC):
    """Base of the workers.

    A subclass provides `open`, `turn` (one piece of work; returns how long the loop may sleep,
    in s), `obey` (carry out an order) and `close`; `orphaned` says whether there is still work
    to finish when the supervisor is gone.
    """

    def __init__(self, config: WorkerConfig) -> None:
        self.config = config
        self.settings = config.engine.settings
        self.is_orphan = False
        self.is_started = False
        self._inbox: queue.SimpleQueue[Order | _Lost] = queue.SimpleQueue()
        self._health = LatestTable.attach(health_spec(config.shared.health), writable=True)
        self._lease_ns = 0
        self._cut_off = threading.Event()
        self._expendable = False
        self._link = Link(
            dial(config.address, config.secret),
            Order,
            self._heard,
            self._supervisor_gone,
            "supervisor",
        )
        self._link.send(Hello(config.name, os.getpid(), ""))
        self._link.start()

    @property
    def is_cut_off(self) -> bool:
        """Whether the supervisor is gone, as soon as that is known, also within a turn."""
        return self._cut_off.is_set()

    def _heard(self, order: Order) -> None:
        """Called on the link's thread."""
        if self._expendable and isinstance(order, Stop):
            os._exit(0)
        self._inbox.put(order)

    def _supervisor_gone(self) -> None:
        self._cut_off.set()
        self._inbox.put(_Lost())

    # what subclasses provide

    @abstractmethod
    def open(self) -> None:
        """Get ready and report `Ready`."""

    @abstractmethod
    def turn(self) -> float:
        """Do one piece of work; return for how many seconds there is nothing to do."""

    @abstractmethod
    def obey(self, order: Order) -> None:
        """Carry out an order."""

    def orphaned(self) -> bool:
        """Return whether there is nothing left to finish now that the supervisor is gone."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    # what they use

    def report(self, report: Report) -> None:
        """Send a report to the supervisor."""
        self._link.send(report)

    def beat(self, lease_s: float = 0.0, **values: int) -> None:
        """Give a sign of life; `lease_s` announces a step during which there will be none."""
        now = time.monotonic_ns()
        self._lease_ns = max(now, now + int(lease_s * 1e9))
        self._health.write(self.config.row, heartbeat_ns=self._lease_ns, **values)

    @contextlib.contextmanager
    def may_be_cut_short(self) -> Iterator[None]:
        """Within it, an order to stop ends the process at once: nothing would be lost."""
        self._expendable = True
        try:
            yield
        finally:
            self._expendable = False

    def state(self, name: str) -> None:
        """Show a state: READY, RUNNING or FINISHED."""
        self._health.write(self.config.row, state=WORKER_STATES.index(name))

    def done(self, number: int, error: BeadscopeError | None = None, value: Any = None) -> None:
        """Report an order as carried out, or why it was not."""
        if error is None:
            self.report(Done(number, value=value))
        else:
            self.report(Done(number, type(error).__name__, error.what, error.remedy))

    # the loop

    def run(self) -> None:
        """Work until told to stop or orphaned."""
        self.beat(pid=os.getpid(), state=0, busy=0)
        self.open()
        self.is_started = True
        self.state("READY")
        pause = 0.0
        while True:
            self.beat()
            if not self._take_orders(pause):
                return
            pause = self.turn()
            if self.is_orphan and self.orphaned():
                return

    def _take_orders(self, pause: float) -> bool:
        """Carry out what is in the inbox, after waiting for it `pause` s; False to stop."""
        while True:
            try:
                order = self._inbox.get(timeout=pause) if pause > 0 else self._inbox.get_nowait()
            except queue.Empty:
                return True
            pause = 0.0
            if isinstance(order, Stop):
                return False
            if isinstance(order, _Lost):
                self.is_orphan = True
                _LOG.warning("%s: the supervisor is gone", self.config.name)
                threading.Thread(target=_give_up_later, daemon=True).start()
            elif isinstance(order, UseSettings):
                self.settings = order.settings
            else:
                self.obey(order)

    def shut(self) -> None:
        """Close everything; remove the names too if their owner has died and can't."""
        try:
            self.close()
        finally:
            self._link.close()
            self._health.close()
            if not session_alive(self.config.session):
                from napari_beadscope.engine.places import remove_info

                unlink_session(self.config.session)
                remove_info(self.config.session)

    def is_hopeless(self) -> bool:
        """Return whether an error of the product's own would come again after a restart."""
        return not self.is_started

    def last_words(self, error: Exception) -> None:
        """Tell the supervisor what went wrong, with the original traceback."""
        what = getattr(error, "what", f"{type(error).__name__}: {error}")
        self.report(
            Crashed(
                what,
                getattr(error, "remedy", "see the traceback"),
                traceback.format_exc(),
                fatal=self.is_hopeless() and isinstance(error, BeadscopeError),
                error=type(error).__name__ if isinstance(error, BeadscopeError) else "EngineError",
            )
        )


class RingWorker(Worker):
    """A worker that reads or writes the frame ring of the present stream."""

    stream: Stream | None = None

    def obey(self, order: Order) -> None:
        """Carry out an order."""
        if isinstance(order, Attach):
            self.attach(order.stream)
            self.stream = order.stream
        else:
            raise EngineError(f"{self.config.name} does not know {type(order).__name__}")

    @abstractmethod
    def attach(self, stream: Stream) -> None:
        """Attach to a frame ring, letting go of the one before."""


class FrameWorker(RingWorker):
    """A worker that reads the frames of the present stream, every one while it holds a claim."""

    def __init__(self, config: WorkerConfig) -> None:
        super().__init__(config)
        self._ring: FrameReader | None = None

    def attach(self, stream: Stream) -> None:
        """Attach to a frame ring, letting go of the one before."""
        if self._ring is not None:
            self._ring.close()
        spec = FrameRingSpec(stream.ring, stream.format, stream.slots)
        self._ring = FrameReader.attach(spec, writable=True)  # claims are in it

    def close(self) -> None:
        """Let go of the frame ring; a claim stays for the successor, if there is one."""
        if self._ring is not None:
            self._ring.close()


class _Relay(logging.Handler):
    """Sends log records to the supervisor."""

    def __init__(self, worker: Worker, level: int) -> None:
        super().__init__(level)
        self._worker = worker

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        name = f"{self._worker.config.name}: {record.name.rpartition('.')[2]}"
        self._worker.report(Log(record.levelno, name, self.format(record)[:10_000]))


def _give_up_later() -> None:
    time.sleep(_ORPHAN_PATIENCE_S)
    os._exit(3)


def main() -> int:
    """Run the worker that standard input describes."""
    faulthandler.enable()
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=WorkerConfig)
    module, _, name = _ROLES[config.name.partition("-")[0]].partition(":")
    try:
        worker: Worker = getattr(import_module(f"napari_beadscope.engine.{module}"), name)(config)
    except EngineError:
        return 0  # the supervisor died while this process started: nothing to do, nobody to tell
    level = logging.DEBUG if config.engine.verbose else logging.INFO
    package = logging.getLogger("napari_beadscope")
    package.setLevel(level)
    package.addHandler(_Relay(worker, level))
    try:
        worker.run()
    except Exception as error:  # noqa: BLE001  the process boundary: report, then end
        worker.last_words(error)
        return 1
    finally:
        worker.shut()
    return 0


if __name__ == "__main__":
    sys.exit(main())
