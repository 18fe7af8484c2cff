"""Settings: limits, defaults, and one clear sentence for each mistake."""

from __future__ import annotations

from typing import Any

import pytest

from napari_beadscope.core.errors import InputError, SettingsError
from napari_beadscope.core.settings import Settings, describe, expanded
from napari_beadscope.core.types import AcquisitionMode


def test_defaults_survive_a_round_trip() -> None:
    settings = Settings()
    assert Settings.from_dict(settings.to_dict()) == settings
    assert settings.recording.mode is AcquisitionMode.TRACK_FULL
    assert settings.engine.ring_mb == 512


def test_replace_changes_one_field_and_not_the_original() -> None:
    settings = Settings()
    changed = settings.replace({"engine.ring_mb": 1024, "recording.mode": "rois"})
    assert (changed.engine.ring_mb, changed.recording.mode) == (1024, AcquisitionMode.ROIS)
    assert settings.engine.ring_mb == 512
    assert changed.tracking == settings.tracking


def test_every_setting_is_described() -> None:
    rows = describe(Settings)
    names = [row.name for row in rows]
    assert len(set(names)) == len(names) == sum(len(part) for part in Settings().to_dict().values())
    for row in rows:
        assert row.description, row.name
        assert row.range, row.name
        if isinstance(row.default, (int, float)) and not isinstance(row.default, bool):
            assert row.unit, row.name
            low, _, high = row.range.partition(" to ")
            assert float(low) <= row.default <= float(high), row.name


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"engine.ring_mb": -3}, ["'engine.ring_mb'", "-3", "8 to 1000000", "MB"]),
        ({"camera.exposure_ms": float("nan")}, ["'camera.exposure_ms'", "nan", "ms"]),
        ({"camera.exposure_ms": "long"}, ["'camera.exposure_ms'", "'long'", "0.001 to 60000"]),
        ({"recording.mode": "all"}, ["'recording.mode'", "'all'", "track+full"]),
        ({"tracking.profiles": "maybe"}, ["'tracking.profiles'", "true or false"]),
        ({"engine.ringmb": 3}, ["no setting 'engine.ringmb'", "did you mean 'engine.ring_mb'"]),
        ({"nonsense": 3}, ["no setting 'nonsense'"]),
        ({"engine": 3}, ["no setting 'engine'"]),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(
    changes: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings().replace(changes)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ({"camera": 3}, "'camera' must be a section"),
        ({"caemra": {}}, "did you mean 'camera'"),
        ({"tracking": {"roi_size_px": 4}}, "8 to 256 in px"),
    ],
)
def test_bad_sections_are_refused(data: dict[str, Any], part: str) -> None:
    with pytest.raises(SettingsError, match=part.replace("(", r"\(")):
        Settings.from_dict(data)


def test_a_home_folder_that_is_not_there_is_one_sentence() -> None:
    settings = Settings().replace({"recording.folder": "~nobodyx/a"})
    with pytest.raises(SettingsError, match="cannot be '~nobodyx/a': there is no home"):
        _ = settings.recording.path
    with pytest.raises(InputError, match="no home folder '~nobodyx': write the path without ~"):
        expanded("~nobodyx/a")
