"""An engine's life: it starts, serves, stops, and leaves nothing; several don't meet."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import psutil
import pytest

from napari_beadscope.core.errors import (
    DeviceError,
    EngineBusyError,
    EngineError,
    InputError,
    StateError,
)
from napari_beadscope.core.messages import Progress, Stopping
from napari_beadscope.core.types import Bead
from napari_beadscope.engine import EngineInfo, list_engines
from napari_beadscope.ring.segment import segment_names
from napari_beadscope.script import Scope
from napari_beadscope.testing.engines import EngineTree
from napari_beadscope.wire import runtime_folder, socket_address

SMALL: dict[str, Any] = {"engine.ring_mb": 16}


def test_stop_returns_when_everything_is_gone(options: dict) -> None:
    scope = Scope("simulated", options=options, settings=SMALL)
    assert not scope.is_started
    scope.start()
    assert scope.is_started
    tree = EngineTree(scope)
    assert len(tree.look()) >= 4
    assert segment_names(tree.session)
    scope.start_live()
    assert next(scope.frames(1)).image.shape == (160, 224)
    scope.stop()
    assert tree.left() == []
    assert not scope.is_started
    scope.stop()  # twice is fine


def test_starting_twice_warns(options: dict) -> None:
    with Scope("simulated", options=options, settings=SMALL) as scope:
        pid = scope.engine.pid
        with pytest.warns(RuntimeWarning, match="started already"):
            scope.start()
        assert scope.engine.pid == pid
    with pytest.raises(StateError, match="was stopped"):
        scope.start()
    with pytest.raises(StateError, match="was stopped"):
        scope.start_live()


def test_calls_before_start_say_so(options: dict) -> None:
    scope = Scope("simulated", options=options)
    for call in (scope.start_live, scope.latest_frame, scope.status, scope.stop_recording):
        with pytest.raises(StateError, match="not started"):
            call()


def test_stop_before_start_is_the_end(options: dict) -> None:
    scope = Scope("simulated", options=options)
    scope.stop()
    with pytest.raises(StateError):
        scope.start()


def test_a_camera_that_does_not_exist_is_named() -> None:
    with pytest.raises(InputError, match="no camera 'nonsense'"):
        Scope("nonsense", settings=SMALL).start()


def test_a_bad_option_is_named() -> None:
    with pytest.raises(InputError, match="beads"):
        Scope("simulated", options={"beads": -3}, settings=SMALL).start()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.tif"):
        Scope(f"replay:{tmp_path / 'gone.tif'}", settings=SMALL).start()


def test_two_engines_do_not_disturb_each_other(options: dict, beads: tuple[Bead, ...]) -> None:
    with (
        Scope("simulated", options=options, settings=SMALL) as one,
        Scope("simulated", options=options | {"height_px": 128}, settings=SMALL) as two,
    ):
        assert {e.engine_id for e in list_engines()} >= {
            one.engine.engine_id,
            two.engine.engine_id,
        }
        one.start_live()
        two.start_live()
        one.set_beads(beads)
        assert two.beads == ()
        assert next(one.frames(1)).image.shape == (160, 224)
        assert next(two.frames(1)).image.shape == (128, 224)
        two.stop()
        before = one.status().frames
        one.wait_for(lambda s: s.status().frames > before + 20)
        assert one.status().dropped == 0


def test_a_named_camera_has_one_owner(options: dict) -> None:
    with Scope("simulated:left", options=options, settings=SMALL) as owner:
        with pytest.raises(EngineBusyError, match="in use by engine") as caught:
            Scope("simulated:left", options=options, settings=SMALL).start()
        assert owner.engine.engine_id in str(caught.value)
        pids = [worker.pid for worker in owner.status().workers]
        assert any(f"process {pid}" in str(caught.value) for pid in [*pids, owner.engine.pid])
        with Scope("simulated:right", options=options, settings=SMALL):
            pass
        assert owner.is_started
    with Scope("simulated:left", options=options, settings=SMALL) as successor:
        assert successor.is_started


def test_attach_and_detach(options: dict, beads: tuple[Bead, ...], tmp_path: Path) -> None:
    first = Scope("simulated", options=options, settings=SMALL).start()
    tree = EngineTree(first)
    first.start_live()
    first.set_beads(beads)
    first.add_hardware("focus", "simulated-focus")
    engine = first.engine.engine_id
    first.start_recording(tmp_path / "r", "track")
    first.detach()
    assert not first.is_started
    second = Scope.attach(engine)
    assert second.beads == beads
    assert second.camera_id == "simulated"
    assert second.status().recording == str(tmp_path / "r")
    assert set(second.motor_positions()) == {"focus"}
    third = Scope.attach()
    third.stop_recording()
    second.wait_for(lambda s: not s.status().recording)
    third.detach()
    second.stop()
    assert tree.left() == []


def test_attaching_to_nothing() -> None:
    with pytest.raises(EngineError, match="no engine"):
        Scope.attach("0123456789ab")


def test_the_engine_ends_after_the_last_front_end(options: dict) -> None:
    settings = SMALL | {"engine.grace_s": 0.5}
    scope = Scope("simulated", options=options, settings=settings).start()
    tree = EngineTree(scope)
    time.sleep(0.8)
    assert scope.is_started  # not alone, so no grace runs out
    scope.detach()
    assert tree.left(10.0) == []


def test_a_recording_outlives_its_front_end(
    options: dict, beads: tuple[Bead, ...], tmp_path: Path
) -> None:
    from napari_beadscope.testing.audit import audit

    settings = SMALL | {"engine.grace_s": 0.0}
    scope = Scope("simulated", options=options, settings=settings).start()
    tree = EngineTree(scope)
    scope.start_live()
    scope.set_beads(beads)
    folder = scope.start_recording(tmp_path / "r", "track+full", seconds=1.5)
    scope.detach()
    time.sleep(0.7)
    assert tree.supervisor.is_running()
    assert tree.left(15.0) == []
    assert audit(folder) == []


def test_secrets_are_the_users_own(options: dict) -> None:
    with Scope("simulated", options=options, settings=SMALL) as scope:
        info = runtime_folder() / f"engine-{scope.engine.engine_id}.json"
        assert stat.S_IMODE(info.stat().st_mode) == 0o600
        assert json.loads(info.read_text())["secret"] == scope.engine.secret
        if os.name != "nt":
            address = Path(socket_address(scope.engine.engine_id))
            assert stat.S_IMODE(address.stat().st_mode) == 0o600
            for name in segment_names(scope.engine.engine_id):
                mode = (address.parent / f"beadscope-{name}").stat().st_mode
                assert stat.S_IMODE(mode) == 0o600, name


def test_start_up_reports_its_progress(options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = Scope("simulated", options=options, settings=SMALL)
    seen: list[Any] = []
    scope.on_event(seen.append)
    scope.start()
    scope.wait_for(lambda s: s.status().phase == "UP")
    scope.stop()
    fractions = [event.fraction for event in seen if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any(isinstance(event, Stopping) for event in seen)


def test_no_thread_and_no_descriptor_is_left(options: dict) -> None:
    def once() -> None:
        with Scope("simulated", options=options, settings=SMALL) as scope:
            scope.start_live()
            next(scope.frames(1))

    once()
    me = psutil.Process()
    threads, files = threading.active_count(), me.num_fds()
    once()
    once()
    deadline = time.monotonic() + 2
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= threads
    assert me.num_fds() <= files


def test_an_engine_survives_the_signals_of_its_console(options: dict) -> None:
    """Ctrl-C in the shell of a front end must not reach the engine."""
    with Scope("simulated", options=options, settings=SMALL) as scope:
        groups = {os.getpgid(process.pid) for process in EngineTree(scope).look()}
        assert os.getpgid(0) not in groups


def test_start_and_stop_say_nothing_on_warnings(options: dict) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Scope("simulated", options=options, settings=SMALL):
            pass


def test_files_of_the_present_folder_do_not_replace_modules(
    options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("raise RuntimeError('a file of the user was imported')")
    monkeypatch.chdir(tmp_path)
    with Scope("simulated", options=options, settings=SMALL) as scope:
        assert scope.is_started


def test_what_cannot_be_sent_is_refused_and_the_engine_lives(options: dict, tmp_path: Path) -> None:
    with Scope("simulated", options=options, settings=SMALL) as scope:
        for call in (
            lambda: scope.add_hardware("focus", "simulated-focus", speed=object()),
            lambda: scope.start_recording(tmp_path / "a", "full", frames=10**30),
            lambda: scope.start_recording(tmp_path / "\udcff", "full"),
            lambda: scope.start_recording(tmp_path / "a", "full", note="x" * 2**24),
            lambda: scope.set_camera(gain=None),  # type: ignore[arg-type]
            lambda: scope.set_beads([1, 2]),  # type: ignore[list-item]
        ):
            with pytest.raises(InputError, match="cannot be sent"):
                call()
        assert scope.status().phase == "UP"


def test_a_process_that_cannot_be_started_does_not_take_the_engine_along(
    options: dict, tmp_path: Path
) -> None:
    with Scope("simulated", options=options, settings=SMALL) as scope:
        session = scope.engine.engine_id
        log = runtime_folder() / "log" / f"{session}-motor-focus.log"
        log.mkdir()  # so that it cannot be opened
        try:
            with pytest.raises(DeviceError, match="could not be started"):
                scope.add_hardware("focus", "simulated-focus")
        finally:
            log.rmdir()
        scope.start_live()
        assert next(scope.frames(1)).image.shape == (160, 224)


def test_a_start_that_fails_leaves_no_segment(
    options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = segment_names()
    monkeypatch.setenv("BEADSCOPE_SEGMENT_DIR", str(tmp_path / ("long" * 40)))
    with pytest.raises(EngineError, match="could not be started"):
        Scope("simulated", options=options, settings=SMALL).start()
    assert segment_names() == []
    monkeypatch.undo()
    assert segment_names() == before


def test_an_engine_of_another_version_is_named_and_not_left_behind(
    options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    import msgspec

    from napari_beadscope.engine import client

    class Welcome(msgspec.Struct, tag=True, forbid_unknown_fields=True):
        session: str

    monkeypatch.setattr(client, "Welcome", Welcome)
    scope = Scope("simulated", options=options, settings=SMALL)
    with pytest.raises(EngineError, match="another version of napari-beadscope"):
        scope.start()
    assert list_engines() == ()


def test_others_are_told_that_an_engine_records(options: dict, tmp_path: Path) -> None:
    def word() -> EngineInfo:
        return next(one for one in list_engines() if one.engine_id == scope.engine.engine_id)

    def wait_for(folder: str) -> None:
        end_s = time.monotonic() + 10
        while word().recording != folder:
            assert time.monotonic() < end_s
            time.sleep(0.02)

    with Scope("simulated", options=options, settings=SMALL) as scope:
        scope.start_live()
        first = word()
        assert first.recording == ""
        folder = scope.start_recording(tmp_path / "r", "full")
        wait_for(str(folder))
        assert abs(word().recording_since_unix_s - time.time()) < 10
        assert word().started_unix_s == first.started_unix_s
        scope.stop_recording()
        wait_for("")
