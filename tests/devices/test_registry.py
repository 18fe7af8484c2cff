"""Cameras and motors by their IDs."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices import (
    Motor,
    find_cameras,
    find_motors,
    list_cameras,
    list_motors,
    motor_options,
    open_camera,
    open_motor,
    registry,
)


def test_lists_what_there_is() -> None:
    cameras = {camera.id: camera for camera in list_cameras()}
    assert set(cameras) >= {"simulated", "replay:PATH"}
    assert cameras["simulated"].available
    assert cameras["simulated"].why_not == ""


@pytest.mark.parametrize(
    ("camera_id", "words"),
    [
        ("", "no camera ''"),
        ("pylo", "choose from simulated, replay:PATH"),
        ("replay", "write it as replay:PATH"),
        ("replay:", "write it as replay:PATH"),
    ],
)
def test_unknown_cameras_are_named(camera_id: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_camera(camera_id)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = registry.CameraKind(
        "rare", "A rare camera", "no.such:thing", needs=("no_such_module",), extra="rare"
    )
    monkeypatch.setitem(registry._CAMERAS, "rare", kind)
    for find in (list_cameras, find_cameras):
        info = {camera.id: camera for camera in find()}["rare"]
        assert not info.available
        assert "napari-beadscope[rare]" in info.why_not
    with pytest.raises(DeviceError, match="no_such_module"):
        open_camera("rare")


_VENDOR = """
import os, sys, time
from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices import DeviceInfo

def stage():
    print("Vendor SDK 4.2 (c)", flush=True)
    return (
        DeviceInfo("stage:7", "Stage 7", usual_name="focus"),
        DeviceInfo("stage:8", "Stage 8", "its power is off", "focus"),
    )

def lens():
    return ()

def arm():
    raise DeviceError("the driver does not answer", "start it")

def wheel():
    os._exit(9)

def lamp():
    time.sleep(1000)
"""


def _only_kinds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *names: str) -> None:
    """Of motors that are looked for, let there be those of the vendor above alone."""
    (tmp_path / "vendor_of_stages.py").write_text(_VENDOR)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(registry, "_MOTORS", {**registry._MOTORS})
    for name, kind in tuple(registry._MOTORS.items()):
        if kind.discover:
            del registry._MOTORS[name]
    for name in names:
        registry._MOTORS[name] = registry.MotorKind(
            f"{name}:SERIAL",
            f"A kind of {name}",
            "focus",
            "no.such:thing",
            "no.such:options",
            argument_needed=True,
            discover=f"vendor_of_stages:{name}",
        )


def test_what_is_connected_is_found_whatever_a_library_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _only_kinds(monkeypatch, tmp_path, "stage", "lens", "arm", "wheel")
    monkeypatch.setattr(registry, "_PATIENCE_S", 55.0)  # a busy machine
    found = {motor.id: motor for motor in find_motors()}
    assert found["stage:7"].available
    assert found["stage:7"].usual_name == "focus"
    assert found["stage:8"].why_not == "its power is off"
    assert found["lens:SERIAL"].why_not == "none is connected"
    assert found["arm:SERIAL"].why_not == "the driver does not answer: start it"
    assert found["wheel:SERIAL"].why_not == "its library ended the search with exit code 9"
    assert found["simulated-focus"].available
    listed = {motor.id for motor in list_motors()}
    assert {"stage:SERIAL", "lens:SERIAL", "arm:SERIAL"} <= listed
    for wrong in ("stage", "stage:"):
        with pytest.raises(InputError, match="write it as stage:SERIAL"):
            open_motor(wrong)


def test_a_library_that_hangs_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _only_kinds(monkeypatch, tmp_path, "lamp")
    monkeypatch.setattr(registry, "_PATIENCE_S", 2.0)
    found = {motor.id: motor for motor in find_motors()}
    assert found["lamp:SERIAL"].why_not == "its library did not answer within 2 s"
    assert found["simulated-focus"].available


def test_a_path_may_hold_colons() -> None:
    camera = open_camera("replay:/no/such:place.tif")
    with pytest.raises(InputError, match=r"/no/such:place\.tif"):
        camera.open()


def test_names_and_motors() -> None:
    assert open_camera("simulated:left").lock_name == "simulated:left"
    assert open_motor("simulated-focus").name == "focus"
    assert open_motor("simulated-magnet").unit == "mm"
    for kind in list_motors():
        if not kind.id.startswith("simulated-"):
            continue
        model = motor_options(kind.id)
        defaults = model().model_dump()
        with open_motor(kind.id, defaults) as motor:
            assert motor.name == kind.usual_name
            if not isinstance(motor, Motor):
                continue
            assert motor.limits == (defaults["low"], defaults["high"])
    with pytest.raises(InputError, match="no motor 'stage'"):
        motor_options("stage")
    with pytest.raises(InputError, match="simulated-focus, simulated-magnet"):
        open_motor("stage")
    with pytest.raises(InputError, match="write its ID as simulated-focus"):
        open_motor("simulated-focus:left")
