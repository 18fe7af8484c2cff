"""`beadscope demo`: judged against its own truth, and a report to look at."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from napari_beadscope import open_recording
from napari_beadscope.cli.demo.scene import PULLED_MM, scene_options
from napari_beadscope.devices.simulated import SimulatedMicroscope

from .conftest import Ran, beadscope

BEADS, SEED = 6, 4


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, beadscope(
        "demo", "--headless", "--seconds", 2, "--beads", BEADS, "--seed", SEED, "--out", out,
        "--json",
    )  # fmt: skip


def test_errors_against_the_truth(demo: tuple[Path, Ran]) -> None:
    data = demo[1].data
    assert data["beads_found"] == data["beads_matched"] == BEADS
    assert data["rmse_x_nm"] < 3
    assert data["rmse_y_nm"] < 3
    assert data["rmse_z_nm"] < 25  # lookup between planes; 14 nm on most scenes
    assert data["rows"] == data["frames"] * BEADS - BEADS * sum(
        gap["last"] - gap["first"] + 1 for gap in data["untracked"]
    )
    assert data["rows_without_position"] == 0
    assert data["fps"] == pytest.approx(100, rel=0.02)
    assert data["frames"] + data["dropped"] >= 190
    assert data["frames_identical"] == data["frames_compared"] > 100


def test_the_files_say_the_same(demo: tuple[Path, Ran]) -> None:
    """Computed again from the folder, without the demo's own judge."""
    out, ran = demo
    recording = open_recording(out / "recording")
    microscope = SimulatedMicroscope(scene_options(BEADS, SEED))
    first = recording.manifest.first_frame
    assert first is not None
    still = recording.frame_numbers[:40]  # before the magnet moves
    for number in still[::10]:
        index = int(np.searchsorted(recording.frame_numbers, number))
        np.testing.assert_array_equal(
            recording.frames[index], microscope.render(int(number) + first)
        )
    truth = microscope.truth(still + first)
    for bead in recording.beads:
        rows = recording.tracks[recording.tracks["bead"] == bead.bead]
        rows = np.sort(rows[np.isin(rows["frame"], still)], order="frame")
        away = np.hypot(*(truth[0, :, :2] - (rows["x_px"][0], rows["y_px"][0])).T)
        real = truth[:, away.argmin()]
        assert np.sqrt(np.mean((rows["x_px"] - real[:, 0]) ** 2)) * 100 < 3
        assert np.sqrt(np.mean((rows["y_px"] - real[:, 1]) ** 2)) * 100 < 3
        assert np.sqrt(np.mean((rows["z_nm"] - real[:, 2]) ** 2)) < 25
    assert ran.data["frames"] == len(recording.frame_numbers)


def test_the_magnet_pulls_in_the_middle(demo: tuple[Path, Ran]) -> None:
    tracks = open_recording(demo[0] / "recording").tracks
    time_s, z_nm = tracks["time_s"], tracks["z_nm"]
    rest = z_nm[time_s < 0.5].mean()
    pulled = z_nm[(time_s > 1.0) & (time_s < 1.3)].mean()
    microscope = SimulatedMicroscope(scene_options(BEADS, SEED))
    expected = microscope.truth([0], magnet_mm=PULLED_MM) - microscope.truth([0])
    assert pulled - rest == pytest.approx(expected[0, :, 2].mean(), abs=60)
    assert pulled - rest > 100


def test_the_folder_tells_the_story(demo: tuple[Path, Ran]) -> None:
    out, ran = demo
    assert {"report.html", "report.json", "story.png", "preview.mp4", "zlut.txt"} <= set(
        ran.data["files"]
    )
    header = (out / "story.png").read_bytes()[:24]
    assert struct.unpack(">II", header[16:24]) == (1400, 900)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "://" not in page  # self-contained
    assert json.loads((out / "report.json").read_text())["rows"] == ran.data["rows"]
    with av.open(str(out / "preview.mp4")) as movie:
        frames = [frame.to_ndarray(format="gray") for frame in movie.decode(video=0)]
    assert len(frames) == pytest.approx(50, abs=3)
    assert max(frames[0].shape) <= 720
    assert frames[0].std() > 5


def test_the_default_folder_is_always_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "beadscope-demo").mkdir()
    (tmp_path / "beadscope-demo" / "mine.txt").write_text("mine")
    ran = beadscope("demo", "--headless", "--seconds", 0.3, "--beads", 1, "--json", cwd=tmp_path)
    assert ran.data["out"] == str(tmp_path / "beadscope-demo-2")
    assert [path.name for path in (tmp_path / "beadscope-demo").iterdir()] == ["mine.txt"]
