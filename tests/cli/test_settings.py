"""`beadscope settings`: shown, changed, checked, imported, exported, kept as profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope.core.settings import Settings, describe
from napari_beadscope.storage import load_settings, save_settings
from napari_beadscope.storage.profiles import load_profile, profile_names
from napari_beadscope.storage.settings_file import microscope_path, settings_path

from .conftest import beadscope

MAGSCOPE = Path(__file__).parents[1] / "storage" / "magscope_preferences.yaml"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEADSCOPE_CONFIG_DIR", str(tmp_path / "config"))


def settings(*arguments: object, code: int = 0):
    return beadscope("settings", *arguments, code=code)


def test_what_is_changed_is_saved_where_it_belongs_and_shown() -> None:
    set_ = settings("set", "tracking.nm_per_px=66", "engine.ring_mb=64", "--camera", "pylon:7")
    assert "tracking.nm_per_px  100.0  ->  66" in set_.out
    assert load_settings(camera="pylon:7").tracking.nm_per_px == 66
    assert load_settings().tracking.nm_per_px == 100
    shown = settings("show", "--json", "--camera", "pylon:7").data
    rows = {row["name"]: row for row in shown["settings"]}
    assert list(rows) == [info.name for info in describe()]
    assert rows["tracking.nm_per_px"]["from"] == f"microscopes/{microscope_path('pylon:7').name}"
    assert rows["engine.ring_mb"]["from"] == "settings.yaml"
    assert rows["camera.fps"]["from"] == "default"
    assert settings("show", "--changed").out.splitlines()[1:] == [
        "engine.ring_mb  64 MB  settings.yaml  Shared memory for frames on their way"
    ]
    settings("set", "engine.ring_mb=none")
    assert load_settings() == Settings()


def test_mistakes_change_nothing_and_are_all_told() -> None:
    before = save_settings(Settings().replace({"engine.ring_mb": 64})).read_bytes()
    told = settings("set", "engine.ring_mb=3", "a.b=1", code=2).err
    assert "2 mistakes" in told
    assert "'engine.ring_mb' cannot be 3: allowed is 8 to 1000000 in MB" in told
    unknown = settings("set", "foo=1", code=2).err
    assert "'foo': see `beadscope settings show` for all names" in unknown
    assert "gives no value" in settings("set", "engine.ring_mb", code=2).err
    assert "no setting has frob in its name" in settings("show", "frob", code=2).err
    assert settings_path().read_bytes() == before


def test_a_file_is_checked_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("engine:\n  ring_mb: 3\n  trackers: x\ntrakcing: {}\n")
    lines = settings("check", file, code=2).out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"{file} line 2: 'engine.ring_mb' cannot be 3")
    assert len(settings("check", file, "--json", code=2).data["mistakes"]) == 3
    missing = tmp_path / "no.yaml"
    told = settings("check", missing, code=2)
    assert told.out == ""
    assert told.err == f"beadscope: there is no settings file {missing}: check the path\n"
    file.write_text("ROI: 51.5\nfrob: 2\n")
    assert "MagScope 1.0.0 has no setting 'frob'" in settings("check", file, code=2).out
    assert settings("check", MAGSCOPE).out == f"{MAGSCOPE} is right\n"


def test_magscopes_settings_are_taken_over_and_those_before_are_kept() -> None:
    save_settings(Settings().replace({"tracking.nm_per_px": 66.0}))
    dry = settings("import", MAGSCOPE, "--chip-nm-per-px", 5500, "--dry-run", "--json").data
    assert dry["changes"]["tracking.nm_per_px"] == 110.0
    assert load_settings().tracking.nm_per_px == 66.0
    done = settings("import", MAGSCOPE, "--chip-nm-per-px", 5500)
    assert "Taken over: 'ROI' 64 is tracking.roi_size_px" in done.out
    assert "Not taken over: 'tracks max datapoints' 1000000" in done.out
    assert load_settings().tracking.nm_per_px == 110.0
    assert load_settings().z_lock.max_step_nm == 500.0
    (kept,) = profile_names()
    assert load_profile(kept).tracking.nm_per_px == 66.0


def test_settings_go_to_another_computer(tmp_path: Path) -> None:
    mine = Settings().replace({"camera.id": "simulated:a", "camera.options": {"beads": 3}})
    save_settings(mine)
    file = tmp_path / "mine.yaml"
    settings("export", file)
    before = file.read_bytes()
    assert "is there already" in settings("export", file, code=2).err
    nowhere = tmp_path / "none" / "a.yaml"
    assert f"no folder {nowhere.parent}: make the fol" in settings("export", nowhere, code=2).err
    assert not nowhere.parent.exists()
    assert file.read_bytes() == before
    for there in settings_path().parent.rglob("*.yaml"):
        there.unlink()
    settings("import", file)
    assert load_settings() == mine
    assert profile_names() == ()  # there was nothing to keep


def test_profiles() -> None:
    save_settings(Settings().replace({"xy_lock.window": 25}))
    settings("profiles", "save", "DNA tethers")
    save_settings(Settings())
    assert "exists already" not in settings("profiles", "save", "plain").err
    again = settings("profiles", "save", "plain", code=2).err
    assert again.endswith("is a profile 'plain' already: choose another name, or --overwrite\n")
    settings("profiles", "save", "plain", "--overwrite")
    assert "xy_lock.window: 25" in settings("profiles", "use", "DNA tethers").out
    assert load_settings().xy_lock.window == 25
    settings("profiles", "rename", "DNA tethers", "tethers")
    settings("profiles", "delete", "plain")
    assert settings("profiles", "list").out == "tethers  xy_lock.window=25\n"
    assert "known profiles: tethers" in settings("profiles", "use", "plain", code=2).err
