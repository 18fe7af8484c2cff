"""`beadscope track`: the same rows as live, from every kind of source."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import tifffile
import typer

from napari_beadscope import Roi, open_recording, track_stack
from napari_beadscope.cli.choices import Wanted
from napari_beadscope.cli.interrupts import Interrupted
from napari_beadscope.cli.output import Output
from napari_beadscope.cli.track import TrackRequest, track
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.storage import Manifest, RecordingWriter

from .conftest import Ran, beadscope

COLUMNS = "frame,time_s,bead,x_nm,y_nm,z_nm,x_px,y_px,quality,reason"


def _sorted(folder: Path) -> np.ndarray:
    return np.sort(open_recording(folder).tracks, order=("frame", "bead"))


def _check_equal(found: np.ndarray, wanted: np.ndarray, *but: str) -> None:
    """Every column agrees to the last digit; NaN is equal to NaN."""
    for name in COLUMNS.split(","):
        if name not in but:
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


def test_offline_rows_are_the_live_rows(live: tuple[Path, Ran], offline: tuple[Path, Ran]) -> None:
    rows = _sorted(offline[0])
    assert len(rows) == 401
    _check_equal(rows, _sorted(live[0]), "time_s")


def test_columns_and_manifest(offline: tuple[Path, Ran]) -> None:
    out, ran = offline
    assert (out / "tracks.csv").read_text().splitlines()[0] == COLUMNS
    manifest = open_recording(out).manifest
    assert (manifest.state, manifest.mode.value, manifest.backend) == ("complete", "track", "cpu")
    assert manifest.method == ran.data["method"] == "precise"
    assert ran.data["tracking"].startswith("cpu, precise (")
    assert any("30 frames/s are assumed" in note for note in manifest.notes)
    assert any("assume 100 nm per px" in note for note in manifest.notes)
    assert ran.data["rows"] == 401


def test_coordinates_are_those_of_the_full_frame(tmp_path: Path) -> None:
    options = {"beads": 2, "height_px": 192, "width_px": 256, "seed": 3}
    microscope = SimulatedMicroscope(options)
    movie = tmp_path / "movie.tif"
    frames = np.stack([microscope.render(number) for number in range(5)])
    tifffile.imwrite(movie, frames, photometric="minisblack")
    out = tmp_path / "out"
    beadscope("track", movie, "--out", out)
    for row in open_recording(out).tracks:
        truth = microscope.truth([row["frame"]])[0]
        away = np.hypot(truth[:, 0] - row["x_px"], truth[:, 1] - row["y_px"])
        assert away.min() < 0.1


def test_a_recording_brings_its_beads_times_and_pixel_size(
    live: tuple[Path, Ran], tmp_path: Path
) -> None:
    out = tmp_path / "again"
    beadscope("track", live[0] / "recording.yaml", "--out", out)
    _check_equal(_sorted(out), _sorted(live[0]))


def test_a_folder_of_images_and_beads_from_a_list(tmp_path: Path, real_movie: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    source = tifffile.imread(real_movie, key=range(12))
    for number, frame in enumerate(source):
        tifffile.imwrite(folder / f"image_{number}.tif", frame)
    beads = tmp_path / "beads.csv"
    beads.write_text("x_px,y_px,bead\n93,89,5\n")
    out = tmp_path / "out"
    ran = beadscope(
        "track", folder, "--beads", beads, "--roi-size", 50, "--fps", 20,
        "--method", "magtrack-compatible", "--backend", "magtrack", "--out", out, "--json",
    )  # fmt: skip
    rows = _sorted(out)
    assert (ran.data["rows"], rows["bead"].tolist()) == (12, [5] * 12)
    assert ran.data["tracking"].startswith("magtrack, magtrack-compatible (asked for")
    np.testing.assert_allclose(rows["time_s"], np.arange(12) / 20, atol=1e-6)
    roi = Roi.around(89, 93, 50)
    expected = track_stack(roi.crop(source), method="magtrack-compatible", backend="magtrack")
    np.testing.assert_allclose(rows["x_px"], expected.x_px + roi.x0, atol=1e-5)


def test_a_damaged_frame_ends_it_and_what_comes_before_is_kept(
    tmp_path: Path, real_movie: Path
) -> None:
    cut = tmp_path / "cut.tif"
    tifffile.imwrite(cut, tifffile.imread(real_movie), photometric="minisblack")
    whole = cut.read_bytes()
    with tifffile.TiffFile(cut) as file:
        end = file.pages[0].dataoffsets[0] + 150 * 184 * 181 + 1000
    cut.write_bytes(whole[:end])
    out = tmp_path / "out"
    ran = beadscope("track", cut, "--out", out, code=2)
    assert ran.err.count("\n") == 1
    if out.exists():
        recording = open_recording(out)
        assert len(recording.tracks) == 150
        assert [(gap.first, gap.last) for gap in recording.gaps] == [(150, 400)]


def test_an_unfinished_recording_is_refused_with_the_reason(tmp_path: Path) -> None:
    folder, out = tmp_path / "recording", tmp_path / "out"
    manifest = Manifest.new(mode="full", format=FrameFormat(64, 64, "uint8"))
    with RecordingWriter.create(folder, manifest) as writer:
        writer.write_frames(np.zeros((3, 64, 64), np.uint8), [FrameStamp(n, n) for n in range(3)])
        unfinished = (folder / "recording.yaml").read_bytes()
        ran = beadscope("track", folder, "--out", out, code=2)
        assert ran.err.rstrip().endswith("is still being written: stop the recording first")
    (folder / "recording.yaml").write_bytes(unfinished)
    ran = beadscope("track", folder, "--out", out, code=2)
    assert ran.err.rstrip().endswith(f"was cut short: run `beadscope recover {folder}` first")
    assert ran.err.count("\n") == 1
    assert not out.exists()


def test_focal_planes_taken_as_time_are_named(tmp_path: Path) -> None:
    microscope = SimulatedMicroscope({"beads": 1, "height_px": 128, "width_px": 128, "seed": 3})
    frames = np.stack([microscope.render(number) for number in range(6)])
    path = tmp_path / "planes.ome.tif"
    tifffile.imwrite(path, frames.reshape(2, 3, 128, 128), ome=True, metadata={"axes": "TZYX"})
    ran = beadscope("track", path, "--out", tmp_path / "out")
    words = "3 focal planes (axis Z) are taken one after the other, as time"
    assert words in ran.err
    assert words in open_recording(tmp_path / "out").manifest.notes
    camera = f"replay:{path}"
    ran = beadscope("record", "--camera", camera, "--mode", "full", "--out", tmp_path / "again")
    assert words in ran.err
    assert words in open_recording(tmp_path / "again").manifest.notes


def test_beads_near_the_edge_are_left_out_and_named(tmp_path: Path) -> None:
    y, x = np.indices((128, 192))
    frame = np.full(y.shape, 100.0)
    for y_px, x_px in ((64, 130), (64, 16)):
        r = np.hypot(y - y_px, x - x_px)
        frame += 70 * np.cos(r / 1.5) * np.exp(-((r / 9) ** 2))
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.tile(frame.astype(np.uint8), (3, 1, 1)), photometric="minisblack")
    for arguments in (("track", path), ("record", "--camera", f"replay:{path}")):
        out = tmp_path / arguments[0]
        ran = beadscope(*arguments, "--roi-size", 48, "--out", out)
        assert "1 bead is left out: ROIs of 48 px would leave the frame" in ran.err
        assert len(open_recording(out).beads) == 1


def test_interrupted_before_the_first_frame_all_frames_are_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    microscope = SimulatedMicroscope({"beads": 1, "height_px": 128, "width_px": 128, "seed": 3})
    movie = np.stack([microscope.render(number) for number in range(4)])
    tifffile.imwrite(tmp_path / "movie.tif", movie, photometric="minisblack")

    def interrupted(*_: object) -> None:
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr("napari_beadscope.cli.track._work", interrupted)
    request = TrackRequest(tmp_path / "movie.tif", tmp_path / "out", Wanted(None))
    with pytest.raises(typer.Exit):
        track(request, Output(as_json=True))
    manifest = open_recording(tmp_path / "out").manifest
    assert [(gap.first, gap.last) for gap in manifest.gaps] == [(0, 3)]
    assert "interrupted by Ctrl-C" in manifest.gaps[0].cause
