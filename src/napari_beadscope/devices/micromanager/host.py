"""The process with the core: who becomes it, how it is found, and how it serves the stages.

The camera's process has to have the core; without a camera, the process of a stage has it until
the camera comes. Two file locks, which the kernel frees however a process ends, decide: the one
of the camera, and the one of whoever has the core. Must not know frames.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock, Timeout

from napari_beadscope.core.errors import BeadscopeError, DeviceError, EngineError
from napari_beadscope.core.lifetime import Closing
from napari_beadscope.devices.micromanager.address import Configuration
from napari_beadscope.devices.micromanager.core import load_core
from napari_beadscope.devices.micromanager.stages import Axis, Stages
from napari_beadscope.devices.micromanager.verbs import (
    Answer,
    Claim,
    Go,
    Halt,
    Refusal,
    Where,
    next_request,
    say,
)
from napari_beadscope.ring.lock import is_held
from napari_beadscope.ring.segment import SegmentOwner, session_alive, sweep
from napari_beadscope.wire import Doorman, dial, shut, socket_address

if TYPE_CHECKING:
    from pymmcore import CMMCore

_LOG = logging.getLogger(__name__)
_PATIENCE_S = 30.0
_PAUSE_S = 0.05
_WATCH_S = 0.1


class Word(msgspec.Struct, frozen=True):
    """How to reach the process with the core, and which stages it has."""

    session: str
    address: str
    secret: str
    pid: int
    stages: tuple[str, ...]


class Host(Closing):
    """Has the core of a configuration, and serves its stages to other processes.

    Parameters
    ----------
    configuration : Configuration
        What to load.
    lock : FileLock
        That of the host, taken; it is released on closing.
    camera_lock : FileLock, optional
        That of the camera, taken, if this is the camera's process; else the core is given up as
        soon as a camera wants it.
    """

    def __init__(
        self,
        configuration: Configuration,
        lock: FileLock,
        camera_lock: FileLock | None = None,
    ) -> None:
        self._configuration = configuration
        self._held = contextlib.ExitStack()
        self._callers: set[Connection] = set()
        self._guard = threading.Lock()
        self._closed = threading.Event()
        if camera_lock is not None:
            self._held.callback(camera_lock.release)
        self._held.callback(lock.release)
        try:
            self.core: CMMCore = load_core(configuration)
            self._held.callback(self.core.unloadAllDevices)
            self._stages = self._held.enter_context(Stages(self.core))
            self._listen()
        except BaseException:
            self._held.close()
            raise
        if camera_lock is None:
            threading.Thread(target=self._make_room, name="camera-watch", daemon=True).start()

    def _listen(self) -> None:
        sweep()  # what those who had the core before may have left
        session, secret = secrets.token_hex(8), secrets.token_hex(32)
        self._held.enter_context(SegmentOwner(session))  # so that the socket is swept if we die
        address = socket_address(session)
        doorman = Doorman(address, secret, self._serve)
        self._held.callback(self._hang_up)
        self._held.callback(doorman.close)
        word = Word(session, address, secret, os.getpid(), self._stages.names)
        path = self._configuration.word
        draft = path.with_suffix(".new")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(word))
        os.replace(draft, path)

    def close(self) -> None:
        """Hang up on everyone, release the devices; twice is fine."""
        with self._guard:
            if self._closed.is_set():
                return
            self._closed.set()
        self._held.close()

    def _hang_up(self) -> None:
        with self._guard:
            callers, self._callers = self._callers, set()
        for connection in callers:
            shut(connection)

    def _make_room(self) -> None:
        """Wait until a camera wants the core, then let it have it."""
        while not self._closed.wait(_WATCH_S):
            if is_held(self._configuration.camera_lock):
                _LOG.warning("the camera takes over the devices of Micro-Manager")
                self.close()

    def _serve(self, connection: Connection) -> None:
        """Answer one caller, on a thread of its own, until it hangs up; then free its axis."""
        with self._guard:
            if self._closed.is_set():
                shut(connection)
                return
            self._callers.add(connection)
        axis: Axis | None = None
        try:
            while True:
                request = next_request(connection)
                try:
                    if isinstance(request, Claim) and axis is None:
                        axis = self._stages.claim(request.device, request.axis, request.pid)
                    answer = _answer(axis, request)
                except BeadscopeError as error:
                    answer = Refusal(type(error).__name__, error.what, error.remedy)
                say(connection, answer)
        except (EOFError, OSError):
            _LOG.debug("a stage's process has let go of %s", axis)
        except msgspec.MsgspecError as error:
            _LOG.warning("a caller said what is no request (%s) and is cut off", error)
        finally:
            self._let_go(connection, axis)

    def _let_go(self, connection: Connection, axis: Axis | None) -> None:
        with self._guard:
            known = connection in self._callers
            self._callers.discard(connection)
        if known:
            shut(connection)
        if axis is None:
            return
        try:
            if known:  # else the stages are being released with everything else
                axis.halt()
        except DeviceError as error:
            _LOG.warning("%s", error)
        finally:
            axis.close()


def _answer(axis: Axis | None, request: object) -> Answer:
    if axis is None:
        raise DeviceError("no axis was claimed", "claim one first")
    match request:
        case Go(target):
            axis.go(target)
        case Halt():
            axis.halt()
        case Claim() | Where():
            pass
    return axis.reading()


def read_word(configuration: Configuration) -> Word | None:
    """Return how to reach the process with the core, None while there is none."""
    try:
        word = msgspec.json.decode(configuration.word.read_bytes(), type=Word)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return word if session_alive(word.session) else None


def host_for_camera(configuration: Configuration) -> Host:
    """Become the process with the core; a stage's process that has it lets go of it.

    Raises
    ------
    DeviceError
        Another camera of the configuration is in use, or the configuration cannot be loaded.
    """
    camera_lock = _lock(configuration.camera_lock)
    try:
        camera_lock.acquire(timeout=0.5)
    except Timeout:
        raise DeviceError(
            f"the camera of {configuration.path} is in use by another process{_by(configuration)}",
            "stop it there first",
        ) from None
    lock = _lock(configuration.host_lock)
    try:
        lock.acquire(timeout=_PATIENCE_S, poll_interval=_PAUSE_S)
    except Timeout:
        camera_lock.release()
        raise DeviceError(
            f"the devices of {configuration.path} are held by another process{_by(configuration)}"
            " that does not let go of them",
            "end it",
        ) from None
    return Host(configuration, lock, camera_lock)


def reach(configuration: Configuration) -> tuple[Connection, Host | None]:
    """Return a connection to the process with the core, and the host if that is now this one.

    Raises
    ------
    DeviceError
        The configuration cannot be loaded, or the process with the core does not answer.
    """
    deadline = time.monotonic() + _PATIENCE_S
    host: Host | None = None
    while True:
        if not is_held(configuration.camera_lock):
            lock = _lock(configuration.host_lock)
            with contextlib.suppress(Timeout):
                lock.acquire(blocking=False)
                host = Host(configuration, lock)
        word = read_word(configuration)
        try:
            if word is not None:
                return dial(word.address, word.secret), host
        except EngineError as error:  # it has just ended
            _LOG.debug("%s", error)
        if host is not None:
            host.close()
            host = None
        if time.monotonic() > deadline:
            raise DeviceError(
                f"the process with the devices of {configuration.path} does not answer"
                f"{_by(configuration)}",
                "start the camera again",
            )
        time.sleep(_PAUSE_S)


def _lock(path: os.PathLike[str]) -> FileLock:
    # not bound to the thread: the one that watches may release it
    return FileLock(path, thread_local=False)


def _by(configuration: Configuration) -> str:
    word = read_word(configuration)
    return "" if word is None else f" ({word.pid})"
