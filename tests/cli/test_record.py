"""`beadscope record` on a real movie: every frame, every row, every mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_beadscope import open_recording

from .conftest import Ran, beadscope

FRAMES = 401


def test_every_frame_of_a_real_movie_is_on_disk_with_a_row(
    live: tuple[Path, Ran], real_movie: Path
) -> None:
    out, ran = live
    source = tifffile.imread(real_movie)
    recording = open_recording(out)
    assert recording.manifest.state == "complete"
    assert recording.gaps == []
    assert recording.frame_numbers.tolist() == list(range(FRAMES))
    assert recording.frames.shape == source.shape == (FRAMES, 184, 181)
    for number in range(FRAMES):
        assert recording.frames[number].tobytes() == source[number].tobytes()
    assert sorted(recording.tracks["frame"].tolist()) == list(range(FRAMES))
    assert ran.data["frames"] == ran.data["rows"] == FRAMES
    assert (ran.data["dropped"], ran.data["beads"], ran.data["state"]) == (0, 1, "complete")


def test_other_readers_open_the_video(live: tuple[Path, Ran], real_movie: Path) -> None:
    video = tifffile.imread(live[0] / "video_0000.ome.tif")
    np.testing.assert_array_equal(video, tifffile.imread(real_movie))


def test_full_video_needs_no_beads_and_obeys_a_limit(tmp_path: Path, real_movie: Path) -> None:
    out = tmp_path / "full"
    camera = f"replay:{real_movie}"
    ran = beadscope("record", "--camera", camera, "--frames", 25, "--mode", "full", "--out", out)
    assert ran.out.splitlines()[0].startswith("25 frames, 0 missing, 0 track rows of 0 beads")
    recording = open_recording(out)
    np.testing.assert_array_equal(recording.frames[:], tifffile.imread(real_movie, key=range(25)))
    assert not (out / "tracks.csv").exists()


def test_roi_movies_of_listed_beads(tmp_path: Path, real_movie: Path) -> None:
    beads = tmp_path / "beads.csv"
    beads.write_text("bead,y_px,x_px\n3,88.5,93.5\n9,60,60\n")
    out = tmp_path / "rois"
    ran = beadscope(
        "record", "--camera", f"replay:{real_movie}", "--option", "start=10", "--frames", 40,
        "--mode", "track+rois", "--beads", beads, "--roi-size", 48, "--nm-per-px", 50,
        "--backend", "cpu", "--method", "magtrack-compatible", "--out", out, "--json",
    )  # fmt: skip
    assert (ran.data["backend"], ran.data["method"]) == ("cpu", "magtrack-compatible")
    assert ran.data["tracking"].startswith("cpu, magtrack-compatible (asked for; ")
    assert (ran.data["frames"], ran.data["rows"], ran.data["roi_size_px"]) == (40, 80, 48)
    source = tifffile.imread(real_movie)[10:50]
    recording = open_recording(out)
    np.testing.assert_array_equal(recording.roi_movie(3), source[:, 65:113, 70:118])
    tracks = recording.tracks
    np.testing.assert_allclose(tracks["x_nm"], tracks["x_px"] * 50, atol=1e-3)

    # the ROI movies alone can be tracked again, to the same rows
    again = tmp_path / "again"
    beadscope("track", out, "--out", again, "--method", "magtrack-compatible")
    rows = np.sort(open_recording(again).tracks, order=("frame", "bead"))
    tracks = np.sort(tracks, order=("frame", "bead"))
    for name in ("frame", "bead", "x_px", "y_px", "x_nm", "quality"):
        np.testing.assert_array_equal(rows[name], tracks[name])


@pytest.mark.parametrize("mode", ["track", "rois"])
def test_other_modes(tmp_path: Path, real_movie: Path, mode: str) -> None:
    out = tmp_path / mode
    camera = f"replay:{real_movie}"
    ran = beadscope(
        "record", "--camera", camera, "--frames", 30, "--mode", mode, "--out", out, "--json"
    )
    assert ran.data["frames"] == 30
    assert ran.data["rows"] == (30 if mode == "track" else 0)
    assert (out / "tracks.csv").exists() == (mode == "track")
    assert len(list(out.glob("bead_*.ome.tif"))) == (1 if mode == "rois" else 0)


def test_a_live_camera_for_some_seconds(tmp_path: Path) -> None:
    out = tmp_path / "live"
    ran = beadscope(
        "record", "--camera", "simulated", "--option", "beads=3", "--option", "fps=50",
        "--seconds", 1, "--mode", "track", "--out", out, "--json",
    )  # fmt: skip
    assert ran.data["beads"] == 3
    assert 45 <= ran.data["frames"] + ran.data["dropped"] <= 75
    assert ran.data["rows"] == 3 * ran.data["frames"]
    assert ran.data["fps"] == pytest.approx(50, rel=0.05)
