"""kill -9 and SIGSTOP of every process of an engine, at random instants, while it records.

``BEADSCOPE_KILLS`` raises how often each process is killed (5).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from napari_beadscope.core.errors import BeadscopeError, StateError, StorageError
from napari_beadscope.core.messages import AcquisitionChanged, LiveChanged, WorkerLost
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.engine import list_engines
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.storage.recover import recover
from napari_beadscope.testing.audit import audit, numbers_in
from napari_beadscope.testing.engines import EngineTree, worker_pid

KILLS = int(os.environ.get("BEADSCOPE_KILLS", "5"))
FEW = max(2, KILLS // 2)
MODES = ["track+full", "track+rois"]
OPTIONS = {"height_px": 192, "width_px": 256, "beads": 4, "fps": 200, "seed": 3}
SETTINGS = {
    "engine.max_restarts": 1000,
    "engine.restart_window_s": 1.0,  # else the pauses between restarts grow
    "engine.ring_mb": 64,
    "engine.trackers": 2,
}
WORKERS = ["camera", "recorder", "tracker-0", "tracker-1"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + 20 * KILLS)]
_microscope = SimulatedMicroscope(OPTIONS)
BEADS = tuple(
    Bead(k, Roi.around(y, x, 48)) for k, (x, y) in enumerate(_microscope.bead_positions_px())
)


class Engine:
    """An engine under attack, and what it has said."""

    def __init__(self, **settings: Any) -> None:
        changed = {name.replace("__", "."): value for name, value in settings.items()}
        self.scope = Scope("simulated", options=OPTIONS, settings=SETTINGS | changed)
        self.events: list[Any] = []
        self.scope.on_event(self._note)
        self.scope.start()
        self.tree = EngineTree(self.scope)
        self.scope.start_live()
        self.scope.set_beads(BEADS)

    def _note(self, event: Any) -> None:
        if isinstance(event, (WorkerLost, AcquisitionChanged, LiveChanged)):
            self.events.append(event)

    def losses(self) -> list[WorkerLost]:
        """Workers lost so far."""
        return [event for event in self.events if isinstance(event, WorkerLost)]

    def all_up(self) -> None:
        """Wait until every worker is there, and look at who they are."""
        for name in WORKERS:
            worker_pid(self.scope, name)
        self.tree.look()

    def restarts(self, name: str) -> int:
        """How often a worker was restarted."""
        return next(w.restarts for w in self.scope.status().workers if w.name == name)

    def replaced(self, name: str, pid: int) -> None:
        """Wait until the successor of a killed process is up."""
        self.scope.wait_for(lambda _: worker_pid(self.scope, name) != pid, 30)
        self.all_up()

    def works(self, folder: Path) -> None:
        """Record a little, and look at it closely."""
        self.all_up()
        self.scope.wait_for(lambda s: s.status().fps > 50)
        self.scope.record(folder, "track+full", frames=20)
        assert audit(folder, _microscope.render, restarts=1) == []
        assert open_recording(folder).untracked == []


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine that leaves nothing when it is stopped."""
    engine = Engine()
    yield engine
    engine.scope.stop()
    assert engine.tree.left() == []


@pytest.fixture
def start() -> Iterator[Callable[..., Engine]]:
    """Start engines of a test's own, which have all gone at its end."""
    engines: list[Engine] = []

    def one(**settings: Any) -> Engine:
        engines.append(Engine(**settings))
        return engines[-1]

    yield one
    for engine in engines:
        engine.scope.stop()
        assert engine.tree.left(15.0) == []


def lull(seed: object, most_s: float) -> None:
    """Wait for a random while."""
    time.sleep(random.Random(str(seed)).uniform(0.0, most_s))


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_dies_while_recording(engine: Engine, name: str, tmp_path: Path) -> None:
    scope = engine.scope
    for n in range(KILLS):
        mode = MODES[n % 2]
        pid, before = worker_pid(scope, name), engine.restarts(name)
        folder = scope.start_recording(tmp_path / str(n), mode, frames=240)
        lull((name, mode, n), 1.1)
        kill(pid)
        ended = scope.wait_recorded(40)
        assert ended.error == ""
        assert audit(folder, _microscope.render, restarts=2) == [], (n, engine.events)
        recording = open_recording(folder)
        assert ended.frames == len(recording.frame_numbers)
        assert ended.rows == len(recording.tracks)
        if name == "camera":
            assert len(recording.gaps) <= 2
        else:
            assert recording.gaps == []
            assert len(recording.frame_numbers) == 240
        assert recording.untracked == []
        scope.wait_for(lambda _, n=n: len(engine.losses()) == n + 1)
        loss = engine.losses()[-1]
        assert (loss.name, loss.why, loss.restarted) == (name, "killed by SIGKILL", True)
        scope.wait_for(lambda _, b=before: engine.restarts(name) == b + 1)
        engine.replaced(name, pid)


@pytest.mark.parametrize(
    "names", [("recorder", "tracker-0"), ("camera", "recorder"), tuple(WORKERS)]
)
def test_several_die_at_once(engine: Engine, names: tuple[str, ...], tmp_path: Path) -> None:
    for n in range(FEW):
        pids = [worker_pid(engine.scope, name) for name in names]
        folder = engine.scope.start_recording(tmp_path / str(n), MODES[n % 2], frames=240)
        lull((names, n), 1.0)
        for pid in pids:
            kill(pid)
        assert engine.scope.wait_recorded(40).error == ""
        assert audit(folder, _microscope.render, restarts=2) == [], (n, engine.events)
        assert open_recording(folder).untracked == []
        for name, pid in zip(names, pids, strict=True):
            engine.replaced(name, pid)


@pytest.mark.parametrize("name", ["recorder", "tracker-1", "camera"])
def test_a_worker_dies_as_recording_begins(engine: Engine, name: str, tmp_path: Path) -> None:
    """The recording begins nevertheless, and what is announced is true."""
    scope = engine.scope
    for n in range(FEW):
        pid = worker_pid(scope, name)
        timer = threading.Timer(random.Random(n).uniform(0, 0.05), kill, [pid])
        timer.start()
        try:
            folder = scope.record(tmp_path / str(n), "track+full", frames=60)
        except StateError as error:
            assert "not ready" in str(error)  # noqa: PT017  it was dead before it was asked
        else:
            assert audit(folder, _microscope.render, restarts=2) == [], (n, engine.events)
            assert open_recording(folder).untracked == []
        timer.join()
        engine.replaced(name, pid)
    engine.works(tmp_path / "after")


@pytest.mark.parametrize("name", ["recorder", "tracker-0", "camera"])
def test_a_worker_dies_as_recording_ends(engine: Engine, name: str, tmp_path: Path) -> None:
    scope = engine.scope
    for n in range(FEW):
        pid = worker_pid(scope, name)
        scope.start_recording(tmp_path / str(n), MODES[n % 2])
        lull((name, n), 0.4)
        timer = threading.Timer(random.Random(n).uniform(0, 0.06), kill, [pid])
        timer.start()
        folder = scope.stop_recording()
        assert audit(folder, _microscope.render, restarts=2) == [], (n, engine.events)
        assert open_recording(folder).untracked == []
        timer.join()
        engine.replaced(name, pid)


@pytest.mark.parametrize("mode", MODES)
def test_the_supervisor_dies(start: Callable[..., Engine], mode: str, tmp_path: Path) -> None:
    """The workers finish what is in the rings and the files, then all is gone; a new one starts."""
    for n in range(FEW):
        engine = start()
        folder = engine.scope.start_recording(tmp_path / str(n), mode)
        lull(n, 1.0)
        kill(engine.tree.supervisor.pid)
        engine.scope.wait_for(lambda s: not s.is_started)
        assert engine.tree.left(15.0) == []
        assert audit(folder, _microscope.render) == []
        recording = open_recording(folder)
        assert recording.gaps == []
        assert recording.untracked == []
        assert any("supervisor" in note for note in recording.manifest.notes)
        with pytest.raises(BeadscopeError, match="gone"):
            engine.scope.camera_properties()
        engine.scope.stop()


def test_the_supervisor_and_a_worker_die(start: Callable[..., Engine], tmp_path: Path) -> None:
    for name in ("tracker-0", "recorder"):
        engine = start()
        folder = engine.scope.start_recording(tmp_path / name, "track+full")
        time.sleep(0.5)
        for pid in (engine.tree.supervisor.pid, worker_pid(engine.scope, name)):
            kill(pid)
        assert engine.tree.left(20.0) == []
        if name == "recorder":
            assert audit(folder, _microscope.render, state="open") == []
            recover(folder)
            assert audit(folder, _microscope.render, state="recovered") == []
        else:
            assert audit(folder, _microscope.render) == []
        engine.scope.stop()


_FRONT_END = """
import sys, time
from napari_beadscope.script import Scope
from napari_beadscope.core.types import Bead, Roi
options = {options!r}
scope = Scope("simulated", options=options, settings={settings!r}).start()
scope.start_live()
scope.set_beads({beads})
scope.start_recording({folder!r}, {mode!r}, seconds=1.5)
print(scope.engine.engine_id, scope.engine.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("mode", MODES)
def test_the_front_end_dies(mode: str, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    code = _FRONT_END.format(
        options=OPTIONS,
        settings=SETTINGS | {"engine.grace_s": 0.5},
        beads=repr(BEADS),
        folder=str(folder),
        mode=mode,
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as front:
        assert front.stdout is not None
        engine_id, pid = front.stdout.readline().split()
        lull(mode, 0.8)
        front.kill()
    supervisor = psutil.Process(int(pid))
    assert [e.pid for e in list_engines() if e.engine_id == engine_id] == [int(pid)]
    second = Scope.attach(engine_id)  # a viewer opened again
    tree = EngineTree(second)
    assert second.status().recording == str(folder)
    second.detach()
    supervisor.wait(20)
    assert tree.left(5.0) == []
    assert audit(folder, _microscope.render) == []
    recording = open_recording(folder)
    assert recording.gaps == recording.untracked == []
    assert 1.2 < recording.times_s[-1] < 3.0


def test_a_tracker_that_keeps_dying_is_given_up(
    start: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = start(engine__max_restarts=1, engine__restart_window_s=60.0)
    folder = engine.scope.start_recording(tmp_path / "r", "track+full")
    time.sleep(0.3)
    for n in range(2):
        kill(worker_pid(engine.scope, "tracker-0"))
        engine.scope.wait_for(lambda _, n=n: len(engine.losses()) == n + 1)
    assert [loss.restarted for loss in engine.losses()] == [True, False]
    time.sleep(0.5)
    engine.scope.stop_recording()
    assert audit(folder, _microscope.render) == []
    recording = open_recording(folder)
    untracked = numbers_in(recording.untracked)
    assert 20 < len(untracked) < len(recording.frame_numbers) / 2 + 5
    assert {item.cause for item in recording.untracked} == {
        "tracker 0 was given up: killed by SIGKILL"
    }
    states = {worker.name: worker.state for worker in engine.scope.status().workers}
    assert states["tracker-0"] == "FAILED"
    second = engine.scope.record(tmp_path / "r2", "track", frames=20)
    assert audit(second) == []
    assert len(numbers_in(open_recording(second).untracked)) == 10


def test_a_recorder_that_keeps_dying_is_given_up(
    start: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = start(engine__max_restarts=1, engine__restart_window_s=60.0)
    folder = engine.scope.start_recording(tmp_path / "r", "track+full")
    for n in range(2):
        time.sleep(0.3)
        kill(worker_pid(engine.scope, "recorder"))
        engine.scope.wait_for(lambda _, n=n: len(engine.losses()) == n + 1)
    with pytest.raises(StorageError, match="recorder process failed for good"):
        engine.scope.wait_recorded(10)
    assert engine.scope.status().recording == ""
    report = recover(folder)
    assert report.frames_saved > 0
    assert audit(folder, _microscope.render, state="recovered") == []
    with pytest.raises(BeadscopeError, match="recorder"):
        engine.scope.record(tmp_path / "r2", "track", frames=20)
    before = engine.scope.status().frames
    engine.scope.wait_for(lambda s: s.status().frames > before + 50)  # live goes on


def test_a_camera_that_keeps_dying_is_given_up(
    start: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = start(engine__max_restarts=1, engine__restart_window_s=60.0)
    folder = engine.scope.start_recording(tmp_path / "r", "track+rois")
    for n in range(2):
        time.sleep(0.3)
        kill(worker_pid(engine.scope, "camera"))
        engine.scope.wait_for(lambda _, n=n: len(engine.losses()) == n + 1)
    with pytest.raises(StorageError, match="camera process failed for good"):
        engine.scope.wait_recorded(10)
    assert audit(folder, _microscope.render, restarts=1) == []
    assert open_recording(folder).untracked == []
    assert not engine.scope.status().streaming
    with pytest.raises(BeadscopeError, match="camera"):
        engine.scope.start_live()


def _starting_children(options: dict, found: threading.Event, doomed: list[int], nth: int) -> None:
    """Wait for the nth process of an engine that starts, and kill it."""
    me = psutil.Process()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not found.is_set():
        for engine in me.children():
            with contextlib.suppress(psutil.Error):
                family = [engine, *engine.children()]
                if len(family) > nth and "napari_beadscope" in " ".join(family[nth].cmdline()):
                    time.sleep(random.Random(nth).uniform(0, 0.3))
                    kill(family[nth].pid)
                    doomed.append(family[nth].pid)
                    found.set()
                    return
        time.sleep(0.002)


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_worker_dies_while_starting(nth: int, tmp_path: Path) -> None:
    found, doomed = threading.Event(), list[int]()
    killer = threading.Thread(target=_starting_children, args=(OPTIONS, found, doomed, nth))
    killer.start()
    try:
        engine = Engine()
    finally:
        found.wait(1)
        found.set()
        killer.join()
    assert doomed
    try:
        assert sum(w.restarts for w in engine.scope.status().workers) == 1
        engine.works(tmp_path / "r")
    finally:
        engine.scope.stop()
    assert engine.tree.left() == []


def test_the_supervisor_dies_while_starting() -> None:
    before = {process.pid for process in psutil.process_iter()}
    found, doomed = threading.Event(), list[int]()
    killer = threading.Thread(target=_starting_children, args=(OPTIONS, found, doomed, 0))
    killer.start()
    with pytest.raises(BeadscopeError, match=r"could not be started|gone|ended|hung up|answer"):
        Engine()
    killer.join()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = [
            process
            for process in psutil.process_iter(["cmdline"])
            if process.pid not in before
            and "napari_beadscope.engine" in " ".join(process.info["cmdline"] or [])
            and process.status() != psutil.STATUS_ZOMBIE
        ]
        if not left:
            break
        time.sleep(0.05)
    assert not left
    with Scope("simulated", options=OPTIONS, settings=SETTINGS):
        pass  # the next one starts, and sweeps what a dead one left


@pytest.mark.parametrize("name", [*WORKERS[:3], "supervisor"])
def test_a_process_dies_while_stopping(
    start: Callable[..., Engine], name: str, tmp_path: Path
) -> None:
    engine = start()
    folder = engine.scope.start_recording(tmp_path / "r", "track+full")
    time.sleep(0.3)
    tree = engine.tree
    pid = tree.supervisor.pid if name == "supervisor" else worker_pid(engine.scope, name)
    timer = threading.Timer(random.Random(name).uniform(0, 0.05), kill, [pid])
    timer.start()
    engine.scope.stop()
    timer.join()
    assert tree.left(15.0 if name == "supervisor" else 0.0) == []
    if open_recording(folder).manifest.state == "open":
        assert name == "recorder"
        recover(folder)
        assert audit(folder, _microscope.render, state="recovered") == []
    else:
        assert audit(folder, _microscope.render) == []


@pytest.mark.parametrize("name", ["tracker-0", "recorder", "camera"])
def test_a_stalled_worker_is_replaced(
    start: Callable[..., Engine], name: str, tmp_path: Path
) -> None:
    engine = start(engine__stall_s=1.0, engine__min_ring_slots=4000)  # 11 s and more
    folder = engine.scope.start_recording(tmp_path / "r", "track")
    time.sleep(0.4)
    pid = worker_pid(engine.scope, name)
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    engine.scope.wait_for(lambda _: bool(engine.losses()), 45)
    loss = engine.losses()[0]
    assert loss.name == name
    assert "no sign of life" in loss.why
    assert loss.restarted
    if name != "recorder":  # it announces what may take long
        assert time.monotonic() - began < 6
    engine.scope.wait_for(lambda _: engine.restarts(name) == 1)
    worker_pid(engine.scope, name)
    time.sleep(0.3)
    engine.scope.stop_recording()
    assert audit(folder, _microscope.render, restarts=1) == []
    recording = open_recording(folder)
    assert recording.untracked == []
    assert bool(recording.gaps) == (name == "camera")
    assert np.all(np.diff(recording.times_s) > 0)
