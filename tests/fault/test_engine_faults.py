"""Faults other than death: bad devices, callers, front ends and disks leave the engine at work."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest
import tifffile

from napari_beadscope.core.commands import (
    GetCamera,
    GetStatus,
    MoveMotor,
    SetBackend,
    SetBeads,
    SetCalibration,
    SetCamera,
    StartLive,
    StartRecording,
    StopLive,
    StopMotor,
    StopRecording,
)
from napari_beadscope.core.errors import BeadscopeError, StorageError
from napari_beadscope.core.messages import (
    AcquisitionChanged,
    FramesDropped,
    Hello,
    Request,
    WorkerLost,
)
from napari_beadscope.core.types import Bead, Calibration, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.engine import EngineClient
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.audit import audit, numbers_in
from napari_beadscope.testing.engines import EngineTree, worker_pid
from napari_beadscope.wire import dial

OPTIONS = {"height_px": 192, "width_px": 256, "beads": 4, "fps": 200, "seed": 3}
pytestmark = pytest.mark.slow
_microscope = SimulatedMicroscope(OPTIONS)
BEADS = tuple(
    Bead(k, Roi.around(y, x, 48)) for k, (x, y) in enumerate(_microscope.bead_positions_px())
)


@pytest.fixture
def scope() -> Iterator[Scope]:
    """A live engine with beads."""
    with Scope("simulated", options=OPTIONS, settings={"engine.ring_mb": 32}) as scope:
        scope.start_live()
        scope.set_beads(BEADS)
        yield scope


def serves(scope: Scope) -> None:
    """Fail unless the engine answers, streams and records."""
    assert scope.camera_properties()
    before = scope.status().frames
    scope.wait_for(lambda s: s.status().frames > before + 5)


# --- devices --------------------------------------------------------------------------------


def test_a_camera_that_raises_tells_its_traceback(tmp_path: Path) -> None:
    movie = tmp_path / "movie.tif"
    tifffile.imwrite(movie, np.zeros((60, 64, 64), np.uint8), compression="zlib")
    with tifffile.TiffFile(movie) as file:
        start = file.pages[30].dataoffsets[0]
    with open(movie, "r+b") as raw:
        raw.seek(start)
        raw.write(b"this is not compressed")
    lost: list[WorkerLost] = []
    settings = {"engine.max_restarts": 1}
    with Scope(f"replay:{movie}", options={"fps": 0}, settings=settings) as scope:
        scope.on_event(lambda e: lost.append(e) if isinstance(e, WorkerLost) else None)
        with pytest.raises(StorageError, match=r"frame 30 of .*movie\.tif cannot be decoded"):
            scope.record(tmp_path / "r", "full")
        scope.wait_for(lambda _: any(not loss.restarted for loss in lost))
        assert "Traceback" in lost[0].traceback
        assert "read_into" in lost[0].traceback
        assert "movie.tif" in lost[0].traceback
        assert scope.status().phase == "UP"
    assert audit(tmp_path / "r") == []
    assert len(open_recording(tmp_path / "r").frame_numbers) == 30


# --- callers --------------------------------------------------------------------------------


def _connect(scope: Scope) -> socket.socket:
    caller = socket.socket(socket.AF_UNIX)
    caller.settimeout(10)
    caller.connect(scope.engine.address)
    return caller


def _ended(caller: socket.socket) -> bool:
    """Whether the engine hangs up on a caller."""
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        while caller.recv(65_536):
            pass
    return True


def test_rubbish_on_the_socket_harms_nobody(scope: Scope) -> None:
    source = random.Random(4)
    callers = [_connect(scope) for _ in range(3)]  # who stay silent
    for size in (0, 1, 3, 4, 20, 64, 5_000):
        with _connect(scope) as caller, contextlib.suppress(ConnectionError, BrokenPipeError):
            caller.sendall(source.randbytes(size))
    with _connect(scope) as caller:  # a length that no memory holds
        caller.sendall(struct.pack("!i", -1) + struct.pack("!Q", 2**62))
        assert _ended(caller)
    with _connect(scope) as caller:
        caller.sendall(struct.pack("!i", 2**31 - 1) + b"x" * 100)
        assert _ended(caller)
    with pytest.raises(BeadscopeError, match="does not answer"):
        dial(scope.engine.address, "00" * 32)
    serves(scope)
    for caller in callers:
        caller.close()


def test_who_knows_the_secret_may_talk_nonsense_too(scope: Scope) -> None:
    key = bytes.fromhex(scope.engine.secret)
    hello = msgspec.msgpack.encode(Hello("", os.getpid(), ""))
    for rubbish in (b"", b"\xc1", b"{}", os.urandom(1000), msgspec.msgpack.encode({"a": 1})):
        with Client(scope.engine.address, authkey=key) as connection:
            connection.send_bytes(rubbish)  # instead of Hello
        with Client(scope.engine.address, authkey=key) as connection:
            connection.send_bytes(hello)
            connection.send_bytes(rubbish)  # instead of a Request
            with contextlib.suppress(EOFError, OSError):
                while connection.poll(10):
                    connection.recv_bytes()
            assert connection.poll(0)  # it was hung up on
    with Client(scope.engine.address, authkey=key) as connection:
        connection.send_bytes(hello)
        os.write(connection.fileno(), struct.pack("!i", 1000) + b"half a message")
    serves(scope)


def test_an_engine_is_not_filled_by_callers(scope: Scope) -> None:
    """Silent and failed callers leave no thread and no descriptor behind."""
    engine = psutil.Process(scope.engine.pid)

    def knock() -> None:
        for _ in range(20):
            with _connect(scope) as caller:
                caller.sendall(b"\0\0\0\4nope")
                _ended(caller)

    knock()
    threads, files = engine.num_threads(), engine.num_fds()
    knock()
    scope.wait_for(lambda _: engine.num_threads() <= threads and engine.num_fds() <= files)


# --- front ends -----------------------------------------------------------------------------

_LAZY = """
import time
from napari_beadscope.script import Scope
scope = Scope.attach({engine!r})
print("attached", flush=True)
time.sleep(60)
"""


def test_a_front_end_that_stops_reading_blocks_nobody(scope: Scope, tmp_path: Path) -> None:
    code = _LAZY.format(engine=scope.engine.engine_id)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as lazy:
        assert lazy.stdout is not None
        assert lazy.stdout.readline() == "attached\n"
        os.kill(lazy.pid, signal.SIGSTOP)
        for n in range(300):
            scope.set_calibration(nm_per_px=50.0 + n % 7)
        folder = scope.record(tmp_path / "r", "track+full", frames=100)
        lazy.kill()
    assert audit(folder, _microscope.render) == []
    serves(scope)


def test_the_engines_memory_is_flat_over_many_commands(scope: Scope) -> None:
    engine = psutil.Process(scope.engine.pid)

    def talk(times: int) -> int:
        for n in range(times):
            scope.camera_properties()
            scope.set_calibration(nm_per_px=50.0 + n % 7)
        return engine.memory_info().rss

    before = talk(200)
    after = talk(600)
    assert after - before < 2 * 2**20


def _random_command(source: random.Random, folder: Path) -> Any:
    beads = tuple(source.sample(BEADS, source.randint(0, len(BEADS))))
    mode = source.choice(["track", "track+rois", "track+full", "rois", "full", "none"])
    choices: list[Callable[[], Any]] = [
        StartLive,
        StopLive,
        GetCamera,
        GetStatus,
        StopRecording,
        lambda: SetBeads(beads),
        lambda: SetBeads((*beads, Bead(99, Roi(-5, 0, 48)))),
        lambda: SetCalibration(Calibration(source.choice([0.0, 50.0, 100.0]), "")),
        lambda: SetCalibration(Calibration(100.0, str(folder / "gone.txt"))),
        lambda: SetBackend(source.choice(["auto", "cpu", "nonsense"])),
        lambda: SetCamera(source.choice(["gain", "colour"]), source.choice([1.0, 2.0, -4.0])),
        lambda: MoveMotor("focus", 1.0),
        lambda: StopMotor("focus"),
        lambda: StartRecording(
            str(folder / str(source.randrange(10**9))), mode, frames=source.choice([0, 1, 20])
        ),
    ]
    return source.choice(choices)()


@pytest.mark.parametrize("seed", range(2))
def test_random_commands_of_two_clients_are_all_answered(
    scope: Scope, seed: int, tmp_path: Path
) -> None:
    ended: list[AcquisitionChanged] = []
    scope.on_event(lambda e: ended.append(e) if isinstance(e, AcquisitionChanged) else None)
    unanswered: list[Any] = []

    def client(number: int) -> None:
        source = random.Random(f"{seed} {number}")
        link = EngineClient(scope.engine, lambda event: None)
        link.start()
        for _ in range(100):
            command = _random_command(source, tmp_path)
            try:
                link.ask(command, timeout_s=30.0)
            except BeadscopeError as error:
                if "did not answer" in error.what or not error.what:
                    unanswered.append((command, str(error)))
        link.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert unanswered == []
    with contextlib.suppress(BeadscopeError):
        scope.stop_recording()
    scope.wait_for(lambda s: not s.status().recording, 20)
    assert not [event for event in ended if event.error]
    for folder in {event.folder for event in ended if not event.on}:
        assert audit(folder) == []
    scope.start_live()
    serves(scope)


# --- disks and memory -----------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.fail("cannot mount a small disk: run the tests as root, or deselect this one")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("mode", ["track+full", "track+rois"])
def test_a_full_disk_ends_the_recording_alone(mode: str, small_disk: Path, tmp_path: Path) -> None:
    settings = {"recording.min_free_gb": 0.004, "engine.ring_mb": 64}
    options = OPTIONS | {"fps": 400} if mode == "track+full" else OPTIONS | {"fps": 1500}
    with Scope("simulated", options=options, settings=settings) as scope:
        scope.start_live()
        scope.set_beads(BEADS)
        seen: list[AcquisitionChanged] = []
        scope.on_event(lambda e: seen.append(e) if isinstance(e, AcquisitionChanged) else None)
        with pytest.raises(StorageError, match=r"free|full|space"):
            scope.record(small_disk / "r", mode, seconds=40)
        assert [event.on for event in seen] == [True, False]
        assert seen[-1].error
        assert seen[-1].frames > 50
        assert audit(small_disk / "r", SimulatedMicroscope(options).render) == []
        recording = open_recording(small_disk / "r")
        assert len(recording.frame_numbers) == seen[-1].frames
        assert any("stopped early" in note for note in recording.manifest.notes)
        serves(scope)
        elsewhere = scope.record(tmp_path / "r", mode, frames=30)
        assert audit(elsewhere, SimulatedMicroscope(options).render) == []


def test_too_small_a_ring_drops_and_says_so(tmp_path: Path) -> None:
    """Trackers that stand still let a tiny ring run over; every frame lost is named."""
    settings = {"engine.ring_mb": 8, "engine.min_ring_slots": 8, "engine.stall_s": 30.0}
    options = OPTIONS | {"height_px": 1024, "width_px": 1024, "fps": 100}
    microscope = SimulatedMicroscope(options)
    beads = [
        Bead(k, Roi.around(y, x, 48)) for k, (x, y) in enumerate(microscope.bead_positions_px())
    ]
    with Scope("simulated", options=options, settings=settings) as scope:
        scope.start_live()
        scope.set_beads(beads)
        drops: list[FramesDropped] = []
        scope.on_event(lambda e: drops.append(e) if isinstance(e, FramesDropped) else None)
        before = scope.status().dropped
        scope.start_recording(tmp_path / "r", "track+full")
        time.sleep(0.3)
        tracker = worker_pid(scope, "tracker-0")
        for _ in range(3):
            os.kill(tracker, signal.SIGSTOP)
            time.sleep(0.5)
            os.kill(tracker, signal.SIGCONT)
            time.sleep(0.3)
        scope.stop_recording()
        scope.wait_for(lambda s: sum(e.count for e in drops) == s.status().dropped - before)
        total = scope.status().dropped - before
    assert total > 20
    assert audit(tmp_path / "r", microscope.render) == []
    recording = open_recording(tmp_path / "r")
    named = numbers_in(recording.gaps)
    assert {gap.cause for gap in recording.gaps} == {"dropped"}
    assert 20 < len(named) <= total
    assert recording.untracked == []


def test_no_process_of_an_engine_grows(scope: Scope, tmp_path: Path) -> None:
    tree = EngineTree(scope)
    scope.record(tmp_path / "warm", "track+full", frames=200)
    before = {process.pid: process.memory_full_info().uss for process in tree.look()}
    for n in range(6):
        scope.record(tmp_path / str(n), "track+rois", frames=100)
    grown = {
        process.pid: process.memory_full_info().uss - before[process.pid]
        for process in tree.look()
        if process.pid in before
    }
    assert max(grown.values()) < 8 * 2**20, grown


def test_unused_requests_do_not_end_an_engine(scope: Scope) -> None:
    """A front end that asks and leaves at once takes nothing with it."""
    key = bytes.fromhex(scope.engine.secret)
    for _ in range(10):
        with Client(scope.engine.address, authkey=key) as connection:
            connection.send_bytes(msgspec.msgpack.encode(Hello("", os.getpid(), "")))
            connection.send_bytes(msgspec.msgpack.encode(Request(1, GetCamera())))
    serves(scope)
