"""The supervisor process: owns the memory, carries out what the session machine decides.

Run as ``python -m napari_beadscope.engine.supervisor`` with an `EngineConfig` on standard input;
the answer on standard output is one line, the `EngineInfo`. Never touches a pixel.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import secrets
import sys
import threading
import time
from dataclasses import replace
from typing import Any

import msgspec

from napari_beadscope.core import session
from napari_beadscope.core.commands import GetStatus
from napari_beadscope.core.errors import RingError
from napari_beadscope.core.messages import (
    LocksChanged,
    Log,
    Reply,
    Request,
    Shared,
    StatusChanged,
    Stopping,
    Stream,
)
from napari_beadscope.core.orders import Arm, Crashed, Done, KnowMotors, Ready
from napari_beadscope.core.session_state import (
    Answer,
    Asked,
    Effect,
    Exit,
    FreeRow,
    Gone,
    Joined,
    Kill,
    Left,
    MakeStream,
    Phase,
    Publish,
    ReleaseClaims,
    Said,
    Spawn,
    Stimulus,
    StreamMade,
    Tell,
    Tick,
)
from napari_beadscope.engine.callers import Callers
from napari_beadscope.engine.config import EngineConfig, WorkerConfig
from napari_beadscope.engine.places import (
    EngineInfo,
    log_folder,
    remove_info,
    remove_leftovers,
    write_info,
)
from napari_beadscope.engine.processes import WorkerProcess
from napari_beadscope.engine.status import StatusBoard
from napari_beadscope.engine.worker_tables import WorkerTables
from napari_beadscope.ring import (
    FrameRingSpec,
    FrameWriter,
    SegmentOwner,
    TrackRingSpec,
    TrackWriter,
)
from napari_beadscope.ring.segment import Segment
from napari_beadscope.wire import socket_address

_LOG = logging.getLogger(__name__)
_TICK_S = 0.05
_TRACK_ROWS = 65_536


class Supervisor:
    """The engine's one owner of everything that its workers share."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.session = secrets.token_hex(6)
        self._secret = secrets.token_hex(32)
        self._inbox: queue.SimpleQueue[Stimulus] = queue.SimpleQueue()
        self._owner = SegmentOwner(self.session)
        self._processes: dict[str, WorkerProcess] = {}
        self._ring: FrameWriter | None = None
        self._generation = 0
        self._properties: dict[str, Any] = {}
        self._started_unix_s = time.time()
        self._recording, self._recording_since_unix_s = "", 0.0  # as others are told
        self._make_shared()
        self._callers = Callers(socket_address(self.session), self._secret, self._inbox)
        state, effects = session.start(config.camera_id, config.limits, time.monotonic())
        self._state = replace(
            state,
            profiles=config.profiles,
            backend=config.backend,
            method=config.method,
            calibration=config.calibration,
        )
        self._board = StatusBoard(self._tables, self._tracks)
        self._alive = True
        for effect in effects:
            self._carry_out(effect)

    @property
    def info(self) -> EngineInfo:
        """How front ends reach this engine."""
        return EngineInfo(
            self.session,
            self.config.camera_id,
            os.getpid(),
            socket_address(self.session),
            self._secret,
            self._started_unix_s,
            self._recording,
            self._recording_since_unix_s,
        )

    def run(self) -> None:
        """Decide and act until there is nothing left to run."""
        next_tick = time.monotonic()
        while self._alive:
            with contextlib.suppress(queue.Empty):
                self._handle(self._inbox.get(timeout=max(0.0, next_tick - time.monotonic())))
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + _TICK_S
                self._handle(Tick(self._tables.ages_s(), self._moving()))
                self._announce()
                self._tell_others()

    def close(self) -> None:
        """Remove everything that the engine has put anywhere."""
        for process in self._processes.values():
            process.kill()
        self._callers.close()
        remove_info(self.session)
        if self._ring is not None:
            self._ring.close()
        self._owner.close()

    def abandon(self, error: Exception) -> None:
        """Tell the front ends, and leave the workers to end what they do and to clean up."""
        what = f"the engine's supervisor failed ({type(error).__name__}: {error})"
        log = log_folder() / f"{self.session}-supervisor.log"
        self._callers.publish(Stopping("a fault", "EngineError", what, f"see {log}"))
        self._callers.close()

    def _handle(self, stimulus: Stimulus) -> None:
        match stimulus:
            case Said(name, Ready(properties=properties)) if name == "camera":
                self._properties = properties
            case Said("camera", Done(value=list() as properties)):
                self._properties = {item["name"]: item["value"] for item in properties}
            case Asked(client, Request(number=number, command=GetStatus())):
                status = msgspec.to_builtins(self._board.status(self._state))
                self._callers.answer(client, Reply(number, value=status))
                return
            case Joined(client):
                welcome = self._board.welcome(
                    self._state, self.session, self._shared, self.config.settings
                )
                self._callers.admit(client, welcome)
            case Left():
                stimulus = replace(stimulus, moving=self._moving())
            case Said(_, Log() as line):
                self._callers.publish(line)
                _LOG.log(line.level, "%s: %s", line.name, line.text)
                return
        head = self._ring.head if self._ring is not None else 0
        at = session.At(time.monotonic(), head)
        self._state, effects = session.step(self._state, at, stimulus)
        for effect in effects:
            self._carry_out(effect)
        if isinstance(stimulus, Said) and isinstance(stimulus.report, Ready):
            self._tell_motors()

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Spawn(name):
                self._spawn(name)
            case Kill(name):
                if name in self._processes:
                    self._processes[name].kill()
            case Tell(name, Arm() as order) if name == "recorder":
                header = {**order.header, "properties": self._properties}
                self._callers.tell(name, msgspec.structs.replace(order, header=header))
            case Tell(name, order):
                self._callers.tell(name, order)
            case Answer(client, reply):  # after it, nobody is to read a status from before it
                self._callers.publish(StatusChanged(self._board.status(self._state)))
                self._callers.answer(client, reply)
            case Publish(event):
                often = isinstance(event, LocksChanged)  # the control process logs what matters
                _LOG.log(logging.DEBUG if often else logging.INFO, "%s", event)
                self._callers.publish(StatusChanged(self._board.status(self._state)))
                self._callers.publish(event)
            case MakeStream():
                self._make_stream(effect)
            case ReleaseClaims(name):
                self._release_claims(name)
            case FreeRow(name, motor_row):
                self._tables.forget(name, motor_row)
                self._tell_motors()
            case Exit():
                self._alive = False

    def _tell_motors(self) -> None:
        """Let those that read the motors' tables know whose rows are whose."""
        names = self._motor_names()
        units = tuple(self._state.reaches.get(name, ("",))[0] for name in names)
        for worker in ("camera", "recorder"):
            self._callers.tell(worker, KnowMotors(names, units))

    # workers

    def _spawn(self, name: str) -> None:
        motor, options = self._state_motor(name)
        config = WorkerConfig(
            name,
            self._tables.row_of(name),
            self.session,
            socket_address(self.session),
            self._secret,
            self._shared,
            self.config,
            self._motor_names(),
            motor,
            options,
            camera_settings=self._camera_settings() if name == "camera" else {},
        )
        log = log_folder() / f"{self.session}-{name}.log"
        try:
            self._processes[name] = WorkerProcess(config, log, on_end=self._ended)
        except OSError as error:  # no more files, processes or memory: a reason to try again
            _LOG.error("the %s process cannot be started: %s", name, error)
            self._inbox.put(Gone(name, f"it could not be started: {error}"))

    def _state_motor(self, name: str) -> tuple[str, dict]:
        if not name.startswith("motor-"):
            return "", {}
        return self._state.motors[name.removeprefix("motor-")]

    def _camera_settings(self) -> dict:
        """What the camera is to be like again, also if it was switched off meanwhile."""
        return {**self._properties, **self._state.camera_settings}

    def _motor_names(self) -> tuple[str, ...]:
        """The motors by their rows; a free one has no name."""
        if not hasattr(self, "_state"):
            return ()
        names = {row: name for name, row in self._state.motor_rows.items()}
        return tuple(names.get(row, "") for row in range(max(names, default=-1) + 1))

    def _ended(self, process: WorkerProcess) -> None:
        """Called on the process's own thread: its last messages first, then that it is gone."""
        self._callers.wait_for_end(process.name)
        if process.words:
            what = f"the {process.name} process died ({process.why})"
            self._inbox.put(Said(process.name, Crashed(what, "", process.words)))
        self._inbox.put(Gone(process.name, process.why))

    def _moving(self) -> frozenset[str]:
        return self._tables.moving(self._state.motor_rows)

    # memory

    def _make_shared(self) -> None:
        count = self.config.limits.trackers
        names = tuple(f"{self.session}-tracks{k}" for k in range(count))
        self._shared = Shared(
            names,
            _TRACK_ROWS,
            f"{self.session}-health",
            f"{self.session}-motors",
            f"{self.session}-motor_history",
        )
        self._tables = WorkerTables(self._shared)
        self._tracks = tuple(TrackWriter.create(TrackRingSpec(name, _TRACK_ROWS)) for name in names)

    def _make_stream(self, wanted: MakeStream) -> None:
        format = wanted.format
        slots = max(
            self.config.min_ring_slots, self.config.ring_mb * 2**20 // max(4096, format.nbytes)
        )
        self._generation += 1
        name = f"{self.session}-frames{self._generation}"
        spec = FrameRingSpec(name, format, min(slots, 4096))
        try:
            ring = FrameWriter.create(spec, after=self._ring)
        except RingError as error:
            told = Crashed(error.what, error.remedy, "", fatal=True, error="RingError")
            self._handle(Said("camera", told))
            return
        if self._ring is not None:
            Segment.unlink(self._ring.spec.name)
            self._ring.close()
        self._ring = ring
        self._board.watch(ring)
        threading.Thread(target=_prefault, args=(spec,), daemon=True).start()
        how = wanted.fps, wanted.can_wait, wanted.window
        self._handle(StreamMade(Stream(name, format, spec.slots, *how, first=ring.head)))

    def _release_claims(self, name: str) -> None:
        if self._ring is None:
            return
        if name == "recorder":
            self._ring.release_reader(0)
            for ring in self._tracks:
                ring.release_reader()
        elif name.startswith("tracker-"):
            self._ring.release_reader(1 + int(name.removeprefix("tracker-")))

    # front ends

    def _tell_others(self) -> None:
        """Let those that are not attached know whether this engine records."""
        recording = self._state.recording
        folder = "" if recording is None else recording.task.folder
        if folder == self._recording:
            return
        self._recording, self._recording_since_unix_s = folder, time.time() if folder else 0.0
        try:
            write_info(self.info)
        except OSError as error:  # it is a courtesy: the recording is more important
            _LOG.warning("the word of this engine cannot be renewed: %s", error)

    def _announce(self) -> None:
        if self._callers.has_clients or self._state.phase is Phase.STARTING:
            engine = self._state.settings.get("engine", {})
            rate = engine.get("status_hz", self.config.status_hz)
            for event in self._board.events(self._state, rate):
                self._callers.publish(event)


def main() -> int:
    """Run the engine that standard input describes."""
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=EngineConfig)
    remove_leftovers()
    supervisor = Supervisor(config)
    _log_to_file(supervisor.session, config.verbose)
    try:
        write_info(supervisor.info)
        sys.stdout.buffer.write(msgspec.json.encode(supervisor.info) + b"\n")
        sys.stdout.buffer.flush()
        supervisor.run()
    except Exception as error:
        _LOG.exception("the supervisor failed")
        supervisor.abandon(error)
        raise
    supervisor.close()
    return 0


def _prefault(spec: FrameRingSpec) -> None:
    """Touch the ring's memory before the camera has to wait for it.

    Through a mapping of its own, so that it doesn't matter when the engine lets go of the ring.
    """
    try:
        segment = Segment.attach(spec.name, writable=True)
    except RingError:
        return  # the engine has ended
    segment.prefault()
    segment.close()


def _log_to_file(session_id: str, verbose: bool) -> None:
    handler = logging.FileHandler(log_folder() / f"{session_id}-supervisor.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    package = logging.getLogger("napari_beadscope")
    package.addHandler(handler)
    package.setLevel(logging.DEBUG if verbose else logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
