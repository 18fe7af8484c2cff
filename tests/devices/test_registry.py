"""Cameras and motors by their IDs."""

from __future__ import annotations

import pytest

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices import (
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
    info = {camera.id: camera for camera in list_cameras()}["rare"]
    assert not info.available
    assert "napari-beadscope[rare]" in info.why_not
    with pytest.raises(DeviceError, match="no_such_module"):
        open_camera("rare")


def test_a_path_may_hold_colons() -> None:
    camera = open_camera("replay:/no/such:place.tif")
    with pytest.raises(InputError, match=r"/no/such:place\.tif"):
        camera.open()


def test_names_and_motors() -> None:
    assert open_camera("simulated:left").lock_name == "simulated:left"
    assert open_motor("simulated-focus").name == "focus"
    assert open_motor("simulated-magnet").unit == "mm"
    for kind in list_motors():
        model = motor_options(kind.id)
        defaults = model().model_dump()
        assert set(defaults) == {"speed", "low", "high", "start"}
        with open_motor(kind.id, defaults) as motor:
            assert motor.name == kind.usual_name
            assert motor.limits == (defaults["low"], defaults["high"])
    with pytest.raises(InputError, match="no motor 'stage'"):
        motor_options("stage")
    with pytest.raises(InputError, match="simulated-focus, simulated-magnet"):
        open_motor("stage")
