"""Settings files: a round trip, and mistakes named with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import Settings
from napari_beadscope.storage import load_settings, save_settings


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEADSCOPE_CONFIG_DIR", str(tmp_path / "config"))


def test_settings_come_back(tmp_path: Path) -> None:
    settings = Settings().replace({"engine.ring_mb": 64, "camera.properties": {"gain": 2}})
    assert save_settings(settings, tmp_path / "a" / "s.yaml") == tmp_path / "a" / "s.yaml"
    assert load_settings(tmp_path / "a" / "s.yaml") == settings
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["s.yaml"]


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    assert load_settings() == Settings()
    saved = save_settings(Settings().replace({"engine.status_hz": 20}))
    assert saved == tmp_path / "config" / "settings.yaml"
    assert load_settings().engine.status_hz == 20


def test_what_is_not_mentioned_has_its_default(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    for text in ("", "# nothing\n", "camera:\n", "engine:\n  status_hz: 10\n"):
        path.write_text(text)
        assert load_settings(path) == Settings()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("camera: [1, 2\nengine:\n", [" line 2 is not valid YAML"]),
        ("camera: {id: 2024-99-99}\n", ["holds a value that is none", "month"]),
        ("- a\n- b\n", ["does not hold settings"]),
        ("5\n", ["does not hold settings"]),
        ("engine:\n  status_hz: 20\n  hz: 3\n", [" line 3: there is no setting 'engine.hz'"]),
        ("# x\negnine: {}\n", [" line 2: there is no setting 'egnine': did you mean 'engine'?"]),
        (
            "view:\n  max_hz: 20\nengine:\n  trackers: -1\n",
            [" line 4: 'engine.trackers' cannot be -1: allowed is 0 to 256 in processes"],
        ),
        ("tracking:\n  roi_size_px: big\n", [" line 2", "'big'", "8 to 256 in px"]),
        ("tracking: 5\n", [" line 1: 'tracking' must be a section"]),
        ("engine: {hz: 1}\nengine: {hz: 2}\n", ["line 2: 'engine' is given again, after line 1"]),
        ("? [a, b]\n: 5\n", ["line 1 is not valid YAML"]),
        ("camera:\n  properties: {gain: [1]}\n", ["'camera.properties.gain' cannot be [1]"]),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(str(path))
    for part in parts:
        assert part in str(caught.value)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no settings file"):
        load_settings(tmp_path / "no.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "b.yaml")
    with pytest.raises(SettingsError, match="cannot be written"):
        save_settings(Settings(), tmp_path / "b.yaml" / "deeper.yaml")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "engine:\n  ring_mb: 3\n  trackers: x\ntrakcing: {}\nhardware:\n  motors:\n"
        "    focus: {idd: a}\n    5: {id: b, options: {k: {}}}\nz_lock: {nm_per_um: 0}\n"
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}: 8 mistakes: (1) ")
    for part in (
        "line 2: 'engine.ring_mb' cannot be 3",
        "line 3: 'engine.trackers' cannot be 'x'",
        "line 4: there is no setting 'trakcing': did you mean 'tracking'?",
        "line 7: 'hardware.motors.focus.id' is missing",
        "line 7: there is no setting 'hardware.motors.focus.idd': a motor has id, options",
        "line 8: 'hardware.motors.5",
        "line 9: 'z_lock.nm_per_um' cannot be 0: allowed is -100000 to 100000 in nm/um, but not 0",
    ):
        assert any(one.startswith(part) for one in caught.value.mistakes), caught.value.mistakes
    assert len(caught.value.mistakes) == 8


def test_what_is_no_file_of_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no file"):
        load_settings(tmp_path)
    big = tmp_path / "big.yaml"
    big.write_text("# " + "x" * 1_000_001)
    with pytest.raises(SettingsError, match="is too large for settings"):
        load_settings(big)
    bomb = ["a: &a0 [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"b{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 10)]
    big.write_text("\n".join([*bomb, "camera: *a9", ""]))
    with pytest.raises(SettingsError) as caught:
        load_settings(big)
    assert len(str(caught.value)) < 10_000
