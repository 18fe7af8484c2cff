"""What a front end can change while the engine runs: beads, calibration, camera, motors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError, StateError
from napari_beadscope.core.messages import (
    BeadsChanged,
    CalibrationChanged,
    LiveChanged,
    Log,
    StatusChanged,
    Tracking,
    TrackingChanged,
)
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.engine import EngineConfig
from napari_beadscope.script import Scope
from napari_beadscope.script.configure import engine_config
from napari_beadscope.storage import open_recording
from napari_beadscope.tracking import build_zlut


@pytest.fixture(scope="module")
def zlut(options: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Z-LUT of the small microscope's first bead, for ROIs of 48 px."""
    microscope = SimulatedMicroscope(options)
    z_nm = np.arange(-500.0, 6000.0, 100.0)
    path = tmp_path_factory.mktemp("zlut") / "zlut.txt"
    build_zlut(microscope.focus_sweep(z_nm, 0, 48), z_nm).save(path)
    return path


def test_frames_are_the_microscopes(scope: Scope, render: Callable) -> None:
    for frame in scope.frames(5):
        np.testing.assert_array_equal(frame.image, render(frame.frame))
    buffer = np.empty((160, 224), "uint8")
    stamp = scope.copy_latest_into(buffer)
    assert stamp is not None
    np.testing.assert_array_equal(buffer, render(stamp.frame))
    with pytest.raises(InputError, match="buffer"):
        scope.copy_latest_into(np.empty((5, 5), "uint8"))


def test_pause_and_go_on(scope: Scope) -> None:
    scope.stop_live()
    assert not scope.status().streaming
    end, before, frames = time.monotonic() + 20, -1, scope.status().frames
    while frames != before:
        assert time.monotonic() < end, "frames go on coming"
        before = frames
        time.sleep(0.5)
        frames = scope.status().frames
    scope.start_live()
    scope.start_live()
    scope.wait_for(lambda s: s.status().frames > frames + 10)


def test_tracks_come_live(scope: Scope, beads: tuple[Bead, ...]) -> None:
    scope.wait_for(lambda s: len(s.tracks()) > 30)
    rows = scope.tracks()
    assert set(rows["bead"]) <= {bead.bead for bead in beads}
    assert (np.diff(rows["seq"]) >= 0).all()
    newest = int(rows["seq"][-1])
    scope.wait_for(lambda s: len(s.tracks(newest)) > 0)
    assert (scope.tracks(newest)["seq"] > newest).all()


def test_find_beads(scope: Scope, beads: tuple[Bead, ...]) -> None:
    found = scope.find_beads(size_px=48)
    assert scope.beads == found
    assert len(found) == len(beads)
    wanted = {bead.roi.centre_px for bead in beads}
    for bead in found:
        y, x = bead.roi.centre_px
        assert min(abs(y - b) + abs(x - a) for b, a in wanted) < 4
    assert len(scope.find_beads(max_beads=1, size_px=48)) == 1


def test_beads_are_found_in_the_first_frame_that_comes(options: dict) -> None:
    with Scope("simulated", options={**options, "fps": 1.0}) as slow:
        with pytest.raises(StateError, match="start the live view"):
            slow.find_beads(size_px=48)
        slow.start_live()
        assert len(slow.find_beads(size_px=48)) == 3


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ([Bead(0, Roi(-1, 0, 48))], "not inside the frame"),
        ([Bead(0, Roi(0, 200, 48))], "not inside the frame"),
        ([Bead(0, Roi(0, 0, 400))], "not inside the frame"),
        ([Bead(0, Roi(0, 0, 48)), Bead(0, Roi(9, 9, 48))], "given twice"),
        ([Bead(0, Roi(0, 0, 48)), Bead(1, Roi(9, 9, 40))], "differ in size"),
    ],
)
def test_bad_beads_are_refused(
    scope: Scope, beads: tuple[Bead, ...], bad: list[Bead], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        scope.set_beads(bad)
    assert scope.beads == beads


def test_a_zlut_gives_z(
    scope: Scope, zlut: Path, tmp_path: Path, options: dict, beads: tuple[Bead, ...]
) -> None:
    scope.set_calibration(nm_per_px=81.5, zlut=zlut)
    try:
        recording = open_recording(scope.record(tmp_path / "r", "track", frames=30))
    finally:
        scope.set_calibration(nm_per_px=100.0, zlut="")
    rows = recording.tracks[recording.tracks["bead"] == 0]
    truth = SimulatedMicroscope(options).truth(
        rows["frame"] + (recording.manifest.first_frame or 0)
    )
    assert np.abs(rows["z_nm"] - truth[:, 0, 2]).max() < 150
    np.testing.assert_allclose(rows["x_nm"], rows["x_px"] * 81.5, atol=0.01)
    assert recording.manifest.calibration.nm_per_px == 81.5
    copy = recording.folder / recording.manifest.calibration.zlut
    assert copy.read_bytes() == zlut.read_bytes()


def test_bad_calibrations_are_refused(scope: Scope, zlut: Path, tmp_path: Path) -> None:
    before = scope.calibration
    other = tmp_path / "other.txt"
    z_nm = np.arange(0.0, 3000.0, 100.0)
    options = {"height_px": 160, "width_px": 224, "beads": 3}
    build_zlut(SimulatedMicroscope(options).focus_sweep(z_nm, 0, 32), z_nm).save(other)
    (tmp_path / "noise.txt").write_text("this is no table\n")
    for path, match in (
        (other, "bins|size|ROI"),
        (tmp_path / "noise.txt", r"noise\.txt"),
        (tmp_path / "gone.txt", r"gone\.txt"),
    ):
        with pytest.raises(InputError, match=match):
            scope.set_calibration(zlut=path)
        assert scope.calibration == before
    with pytest.raises(InputError, match="nm per px"):
        scope.set_calibration(nm_per_px=0.0)
    # what was refused must not come back with the next change
    scope.set_calibration(nm_per_px=90.0)
    assert scope.calibration.zlut == before.zlut
    scope.set_calibration(nm_per_px=before.nm_per_px)


def test_a_bad_backend_is_refused(scope: Scope) -> None:
    with pytest.raises(BeadscopeError, match="nonsense"):
        scope.set_backend("nonsense")
    with pytest.raises(InputError, match="--method magtrack-compatible"):
        scope.set_backend("magtrack")
    with pytest.raises(InputError, match="choose precise or magtrack-compatible"):
        scope.set_method("quick")
    assert scope.tracking.method == "precise"


def test_numbers_that_are_none_are_refused(scope: Scope, tmp_path: Path) -> None:
    for limits, says in (
        ({"frames": float("nan")}, "frames is nan: give a number"),
        ({"frames": 2.5}, r"frames is 2\.5: give a whole number"),
        ({"seconds": "x"}, "seconds is 'x': give a number"),
        ({"seconds": None}, "seconds is None"),
    ):
        with pytest.raises(InputError, match=says):
            scope.start_recording(tmp_path / "r", **limits)
    with pytest.raises(InputError, match="nm_per_px is 'wide'"):
        scope.set_calibration(nm_per_px="wide")
    with pytest.raises(InputError, match="target is 'up'"):
        scope.move("focus", "up")
    assert not (tmp_path / "r").exists()


def test_method_and_backend_are_said_and_recorded(scope: Scope, tmp_path: Path) -> None:
    seen: list[Tracking] = []
    forget = scope.on_event(
        lambda event: seen.append(event.tracking) if isinstance(event, TrackingChanged) else None
    )
    try:
        scope.set_backend("magtrack", method="magtrack-compatible")
        scope.wait_for(lambda s: s.tracking.backend == "magtrack" and not s.tracking.step)
        assert "asked for" in scope.tracking.why
        recorded = open_recording(scope.record(tmp_path / "r", "track", frames=3)).manifest
        assert (recorded.backend, recorded.method) == ("magtrack", "magtrack-compatible")
        scope.set_backend("auto", method="precise")
        scope.wait_for(lambda s: s.tracking.method == "precise" and not s.tracking.step)
    finally:
        forget()
    assert scope.tracking.backend in ("cpu", "gpu")
    assert "compiling kernels" in {tracking.step for tracking in seen}
    recorded = open_recording(scope.record(tmp_path / "q", "track", frames=3)).manifest
    assert (recorded.backend, recorded.method) == (scope.tracking.backend, "precise")
    recorded = open_recording(scope.record(tmp_path / "f", "full", frames=3)).manifest
    assert (recorded.backend, recorded.method) == ("", "")


def test_camera_properties(scope: Scope, tmp_path: Path) -> None:
    names = {item["name"]: item for item in scope.camera_properties()}
    assert names["exposure_ms"]["unit"] == "ms"
    old = names["exposure_ms"]["value"]
    bright = float(next(scope.frames(1)).image.mean())
    scope.set_camera(exposure_ms=old / 2)
    try:
        scope.wait_for(lambda s: s.latest_frame().image.mean() < 0.7 * bright)
        recording = open_recording(scope.record(tmp_path / "r", "full", frames=3))
        assert recording.manifest.camera.properties["exposure_ms"] == old / 2
    finally:
        scope.set_camera(exposure_ms=old)
    with pytest.raises(DeviceError, match="exposure_ms"):
        scope.set_camera(exposure_ms=-1.0)
    with pytest.raises(BeadscopeError, match="colour"):
        scope.set_camera(colour="red")


def test_events_tell_what_changes(scope: Scope, beads: tuple[Bead, ...]) -> None:
    seen: list[Any] = []
    unsubscribe = scope.on_event(seen.append)
    scope.stop_live()
    scope.start_live()
    scope.set_beads(beads[:2])
    scope.set_calibration(nm_per_px=77.0)
    scope.set_calibration(nm_per_px=100.0)
    scope.wait_for(lambda _: any(isinstance(event, StatusChanged) for event in seen))
    unsubscribe()
    kinds = [event for event in seen if not isinstance(event, (StatusChanged, Log))]
    assert [event.streaming for event in kinds if isinstance(event, LiveChanged)] == [False, True]
    assert [len(event.beads) for event in kinds if isinstance(event, BeadsChanged)] == [2]
    scales = [e.calibration.nm_per_px for e in kinds if isinstance(e, CalibrationChanged)]
    assert scales == [77.0, 100.0]
    count = len(seen)
    time.sleep(0.3)
    assert len(seen) == count


def test_a_callback_that_raises_harms_nobody(scope: Scope, caplog: Any) -> None:
    hit = threading.Event()

    def bad(event: Any) -> None:
        hit.set()
        raise ValueError("a mistake in a script")

    unsubscribe = scope.on_event(bad)
    assert hit.wait(5)
    scope.camera_properties()
    unsubscribe()
    assert scope.is_started
    assert "a mistake in a script" in caplog.text


def test_motors_act_on_image_and_recording(
    options: dict, beads: tuple[Bead, ...], zlut: Path, tmp_path: Path
) -> None:
    calm = options | {"brownian": False, "drift_nm": 0.0, "drift_z_nm": 0.0}
    with Scope("simulated", options=calm) as scope:
        scope.add_hardware("focus", "simulated-focus")
        scope.add_hardware("magnet", "simulated-magnet")
        scope.start_live()
        scope.set_beads(beads)
        scope.set_calibration(zlut=zlut)
        before = open_recording(scope.record(tmp_path / "a", "track+full", frames=10))
        scope.move("focus", 1.0)
        assert scope.motor_positions()["focus"] == pytest.approx(1.0, abs=0.01)
        time.sleep(0.1)
        after = open_recording(scope.record(tmp_path / "b", "track+full", frames=10))
        here = before.tracks["z_nm"][before.tracks["bead"] == 0].mean()
        there = after.tracks["z_nm"][after.tracks["bead"] == 0].mean()
        assert here - there == pytest.approx(1000, abs=120)
        focus = scope.motor_positions()["focus"]
        truth = SimulatedMicroscope(calm)
        number = after.manifest.first_frame or 0
        np.testing.assert_array_equal(after.frames[0], truth.render(number, focus))
        scope.move("magnet", 2.0)
        assert scope.motor_positions()["magnet"] == pytest.approx(2.0, abs=0.01)


def test_bad_motors_are_refused(options: dict) -> None:
    with Scope("simulated", options=options) as scope:
        with pytest.raises(BeadscopeError, match="no motor 'nonsense'"):
            scope.add_hardware("stage", "nonsense")
        scope.add_hardware("stage", "simulated-focus")  # the name is free still
        with pytest.raises(InputError, match="already"):
            scope.add_hardware("stage", "simulated-focus")
        with pytest.raises(BeadscopeError, match="cannot go to"):
            scope.move("stage", 1e9)
        with pytest.raises(InputError, match="no motor named"):
            scope.move("nothing", 1.0)


def test_verbose_logs_the_cameras_health(options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    def often(*arguments: Any) -> EngineConfig:
        return msgspec.structs.replace(engine_config(*arguments), health_log_s=0.3)

    monkeypatch.setattr("napari_beadscope.script.scope.engine_config", often)
    seen: list[str] = []
    scope = Scope("simulated", options=options, verbose=True)
    scope.on_event(lambda event: seen.append(event.text) if isinstance(event, Log) else None)
    with scope:
        scope.start_live()
        scope.wait_for(lambda _: any("frames/s" in text for text in seen))
    line = next(text for text in seen if "frames/s" in text)
    assert "0 lost" in line
