"""Settings that MagScope 1.0.0 has written: what is taken over, and a sentence on what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import Settings
from napari_beadscope.storage.magscope_settings import read_magscope_settings

HERE = Path(__file__).parent
EXPECTED = {
    "tracking.roi_size_px": 64,
    "xy_lock.interval_s": 5.0,
    "xy_lock.max_step_px": 10.0,
    "xy_lock.window": 10,
    "z_lock.interval_s": 10.0,
    "z_lock.max_step_nm": 500.0,
    "z_lock.window": 10,
}


@pytest.mark.parametrize("name", ["magscope_settings.yaml", "magscope_preferences.yaml"])
def test_both_files_of_magscope_are_read(name: str) -> None:
    found = read_magscope_settings(HERE / name)
    assert found.changes == EXPECTED
    assert "'ROI' 64 is tracking.roi_size_px" in found.taken
    assert len(found.taken) == len(EXPECTED)
    left = " ".join(found.left)
    assert "'magnification' 50: the size of a pixel" in left
    assert "'video processors n' 4: trackers are as many as suit the cores" in left
    assert len(found.left) == 10 + 2 * ("preferences" in name)
    Settings().replace(found.changes)
    if "preferences" in name:
        assert "yours differ in lookup_z" in left
        assert "'appearance_layout': napari has" in left


def test_a_pixel_of_the_chip_makes_one_in_the_sample() -> None:
    found = read_magscope_settings(HERE / "magscope_settings.yaml", camera_nm_per_px=5500)
    assert found.changes["tracking.nm_per_px"] == 110.0
    assert "'magnification' 50 with a chip of 5500 nm/px is tracking.nm_per_px" in found.taken


def test_what_is_beyond_our_limits_is_left_and_said(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("xy-lock default max: 0\nROI: '48'\nz-lock default interval: 99999\n")
    found = read_magscope_settings(file)
    assert found.changes == {"tracking.roi_size_px": 48}
    assert any("allowed is 1 to 100 in px" in one for one in found.left)
    assert any("allowed is 0 to 3600 in s" in one for one in found.left)


def test_all_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(
        "version: 2\nmagscope:\n  ROI: 50.5\n  magnification: .nan\n  frob: 1\n"
        "  ROI: 40.5\n  video processors n: true\ntracking: 5\nextra: 1\n"
    )
    with pytest.raises(SettingsError) as caught:
        read_magscope_settings(file)
    told = "\n".join(caught.value.mistakes)
    for part in (
        "line 1: these are preferences of version 2, not 1",
        "'ROI' cannot be '40.5': MagScope takes a whole number from 8 to 256",
        "line 4: 'magnification' cannot be 'nan': MagScope takes a number from 1",
        "line 5: MagScope 1.0.0 has no setting 'frob'",
        "line 6: 'magscope.ROI' is given again, after line 3",
        "line 7: 'video processors n' cannot be 'True'",
        "line 8: 'tracking' is not a list of names and values",
        "line 9: MagScope's preferences have no 'extra'",
    ):
        assert part in told
    assert len(caught.value.mistakes) == 8


@pytest.mark.parametrize("text", ["", "camera: {fps: 5}\n", "- 1\n", "magscope: [\n", "1: 2\n"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"m\.yaml"):
        read_magscope_settings(file)
