"""Profiles: settings under a name, none lost or replaced unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import Settings
from napari_beadscope.storage import load_settings, save_settings
from napari_beadscope.storage.profiles import (
    delete_profile,
    load_profile,
    profile_names,
    rename_profile,
    save_profile,
)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEADSCOPE_CONFIG_DIR", str(tmp_path / "config"))


TETHERS = Settings().replace({"tracking.nm_per_px": 66.0, "xy_lock.window": 25})
MOTORS = {"stage": {"id": "simulated-focus", "options": {"low": -5.0}}}


def test_a_profile_is_saved_loaded_renamed_and_deleted() -> None:
    assert profile_names() == ()
    save_profile("DNA tethers", TETHERS)
    save_profile("calibration", Settings().replace({"hardware.motors": MOTORS}))
    assert profile_names() == ("calibration", "DNA tethers")
    assert load_profile("dna TETHERS") == TETHERS  # as on systems that tell no case
    assert load_profile("calibration").to_dict()["hardware"]["motors"] == MOTORS
    rename_profile("DNA tethers", "dna Tethers")
    rename_profile("dna Tethers", "λ-DNA 0.5 pN")
    assert profile_names() == ("calibration", "λ-DNA 0.5 pN")
    delete_profile("calibration")
    assert profile_names() == ("λ-DNA 0.5 pN",)
    assert load_settings() == Settings()  # a profile is not what holds


def test_no_profile_is_replaced_unasked() -> None:
    save_profile("a", TETHERS)
    save_profile("b", Settings())
    for doing in (lambda: save_profile("A", Settings()), lambda: rename_profile("b", "A")):
        with pytest.raises(SettingsError, match="there is a profile 'a' already"):
            doing()
    assert load_profile("a") == TETHERS
    save_profile("A", Settings(), overwrite=True)
    assert profile_names() == ("a", "b")
    assert load_profile("a") == Settings()


@pytest.mark.parametrize(
    "name", ["", ".", "../x", "a/b", "a\\b", "nul", "COM1.x", " a", "a.", "x" * 61]
)
def test_names_that_no_file_can_have_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be a profile's name"):
        save_profile(name, TETHERS)
    assert not (tmp_path / "config").exists()


def test_a_profile_that_is_not_there_or_has_mistakes_is_named(tmp_path: Path) -> None:
    save_profile("a", TETHERS)
    for doing in (load_profile, delete_profile, lambda name: rename_profile(name, "c")):
        with pytest.raises(SettingsError, match="no profile 'b': known profiles: a"):
            doing("b")
    file = tmp_path / "config" / "profiles" / "a.yaml"
    file.write_text("engine:\n  ring_mb: 3\n")
    with pytest.raises(SettingsError, match=r"a\.yaml line 2: 'engine.ring_mb' cannot be 3"):
        load_profile("a")


def test_each_microscope_has_its_own(tmp_path: Path) -> None:
    """Pixel size, Z-LUT, motors and locks belong to a camera; folders and memory do not."""
    common = {"recording.folder": "/data", "engine.ring_mb": 64}
    left = Settings().replace(
        {**common, "tracking.nm_per_px": 66.0, "hardware.motors": MOTORS, "camera.fps": 90.0}
    )
    save_settings(left, camera="pylon:0815")
    save_settings(Settings().replace({**common, "tracking.nm_per_px": 108.0}), camera="pylon:4711")
    assert load_settings(camera="pylon:0815") == left
    assert load_settings(camera="pylon:4711").tracking.nm_per_px == 108.0
    assert load_settings(camera="pylon:4711").hardware.motors is None
    other = load_settings(camera="simulated")
    assert (other.tracking.nm_per_px, other.recording.folder) == (100.0, "/data")
    assert "nm_per_px" not in (tmp_path / "config" / "settings.yaml").read_text()


def test_what_the_users_file_says_holds_where_a_microscope_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config" / "settings.yaml"
    file.parent.mkdir()
    file.write_text("camera: {fps: 30}\ntracking: {nm_per_px: 50}\n")
    settings = load_settings(camera="a").replace({"camera.fps": None})
    save_settings(settings, camera="a")
    assert load_settings(camera="a").camera.fps is None
    assert load_settings(camera="a").tracking.nm_per_px == 50
    assert load_settings(camera="b").camera.fps == 30
    save_settings(load_settings(camera="a").replace({"camera.fps": 30}), camera="a")
    file.write_text("camera: {fps: 20}\n")
    assert load_settings(camera="a").camera.fps == 20  # it says nothing of its own any more


def test_a_file_with_mistakes_is_set_aside_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "config" / "settings.yaml"
    file.parent.mkdir()
    file.write_text("engine: {ring_mb: 3}\nmy: treasure\n")
    save_settings(TETHERS)
    assert load_settings() == TETHERS
    (aside,) = file.parent.glob("settings-with-mistakes-*.yaml")
    assert aside.read_text() == "engine: {ring_mb: 3}\nmy: treasure\n"
