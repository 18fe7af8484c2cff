"""Recordings as layers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.types import (
    TRACK_ROW,
    AcquisitionMode,
    Bead,
    FrameFormat,
    FrameStamp,
    Roi,
)
from napari_beadscope.storage import Manifest, RecordingWriter
from napari_beadscope.ui import reader, table_layers

BEADS = (Bead(4, Roi(10, 20, 16)), Bead(7, Roi(40, 30, 16)))
FRAMES = [0, 1, 2, 5, 6]  # 3 and 4 were dropped


def make_recording(folder: Path, mode: AcquisitionMode) -> Path:
    manifest = Manifest.new(mode=mode, format=FrameFormat(64, 80, "uint8"), beads=BEADS, fps=100)
    rng = np.random.default_rng(0)
    with RecordingWriter.create(folder, manifest) as writer:
        stamps = [FrameStamp(100 + n, n * 10_000_000) for n in FRAMES]
        frames = rng.integers(1, 200, (len(FRAMES), 64, 80)).astype(np.uint8)
        writer.write_frames(frames, stamps)
        if mode.tracks:
            rows = np.zeros(2 * len(FRAMES), TRACK_ROW)
            rows["frame"] = np.repeat([100 + n for n in FRAMES], 2)
            rows["time_ns"] = np.repeat([n * 10_000_000 for n in FRAMES], 2)
            rows["bead"] = [4, 7] * len(FRAMES)
            rows["x_px"], rows["y_px"], rows["z_nm"] = 27.5, 17.5, np.nan
            rows["x_px"][-1] = np.nan
            rows["quality"] = 0.9
            writer.write_tracks(rows)
        writer.finish()
    return folder


def kinds(layers: list[Any]) -> list[str]:
    return [kind for _, _, kind in layers]


def test_folder_and_yaml_are_readable_and_nothing_else(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "r", AcquisitionMode.FULL)
    assert reader.get_reader(str(folder)) is not None
    assert reader.get_reader(str(folder / "recording.yaml")) is not None
    assert reader.get_reader(str(tmp_path)) is None
    assert reader.get_reader(str(tmp_path / "other.yaml")) is None
    assert reader.get_reader([str(folder)]) is None


def test_video_tracks_and_beads(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "r", AcquisitionMode.TRACK_FULL)
    layers = reader.read_recording(str(folder))
    assert kinds(layers) == ["image", "tracks", "points"]
    frames, attributes, _ = layers[0]
    assert frames.shape == (5, 64, 80)
    assert attributes["name"] == "r"
    assert attributes["metadata"]["gaps"][0][:2] == (3, 4)
    tracks, attributes, _ = layers[1]
    assert len(tracks) == 9  # one row without a position is left out
    of_four = tracks[tracks[:, 0] == 4]
    # Frame 5 is the fourth on disk: tracks and video must stay together across the gap.
    assert of_four[:, 1].tolist() == [0, 1, 2, 3, 4]
    assert attributes["features"]["frame"][: len(of_four)].tolist() == FRAMES
    points, attributes, _ = layers[2]
    assert points.tolist() == [[17.5, 27.5], [47.5, 37.5]]
    assert attributes["features"]["bead"].tolist() == [4, 7]


def test_heights_that_were_not_measured_are_missing_not_zero(
    make_napari_viewer: Any, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path / "r", AcquisitionMode.TRACK)
    viewer = make_napari_viewer()
    viewer.open(str(folder), plugin="napari-beadscope")
    tracks = viewer.layers["r tracks"]
    assert np.isnan(tracks.features["z_nm"]).all()
    tracks.color_by = "z_nm"
    assert tracks.track_colors[:, 3].min() == 1.0  # they do not vanish


def test_roi_movies_lie_at_their_places(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "r", AcquisitionMode.ROIS)
    frames, _, kind = reader.read_recording(folder)[0]
    assert kind == "image"
    assert frames.shape == (5, 64, 80)
    frame = frames[3]
    assert frame[10:26, 20:36].min() > 0
    assert frame[:10].max() == 0
    assert frames[1:3, 12, 22].shape == (2,)
    assert np.asarray(frames).shape == (5, 64, 80)


def test_long_tracks_are_thinned_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_recording(tmp_path / "r", AcquisitionMode.TRACK)
    monkeypatch.setattr(table_layers, "MAX_VERTICES", 5)
    tracks, attributes, _ = reader.read_recording(folder)[0]
    assert len(tracks) <= 6
    assert "every 2. frame" in attributes["name"]
    assert set(tracks[:, 0]) == {4, 7}


def test_not_a_recording(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        reader.read_recording(tmp_path)


def test_napari_opens_a_recording(make_napari_viewer: Any, tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "r", AcquisitionMode.TRACK_FULL)
    viewer = make_napari_viewer()
    viewer.open(str(folder), plugin="napari-beadscope")
    assert [layer.name for layer in viewer.layers] == ["r", "r tracks", "r beads"]
    viewer.open(str(folder / "recording.yaml"), plugin=None)
    assert len(viewer.layers) == 6
    viewer.dims.set_point(0, 4)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What napari was told to warn of."""
    said: list[str] = []
    monkeypatch.setattr(reader, "show_warning", said.append)
    return said


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("name", "share", "what"),
    [
        ("frames.csv", 0.5, r"\d of 5 frames are"),
        ("video_0000.ome.tif", 0.5, r"\d of 5 frames are"),
        ("video_0000.ome.tif", 0, "5 of 5 frames are"),
        ("tracks.csv", 0.5, r"\d of 10 track rows are"),
    ],
)
def test_what_is_missing_of_a_damaged_recording_is_told(
    tmp_path: Path, told: list[str], name: str, share: float, what: str
) -> None:
    folder = make_recording(tmp_path / "r", AcquisitionMode.TRACK_FULL)
    reader.read_recording(folder)
    assert told == []
    cut(folder / name, share)
    reader.read_recording(folder)
    assert len(told) == 1
    assert re.search(what, told[0])
    assert f'`beadscope recover "{folder}"`' in told[0]


def test_what_is_missing_of_roi_movies_is_told(tmp_path: Path, told: list[str]) -> None:
    folder = make_recording(tmp_path / "r", AcquisitionMode.TRACK_ROIS)
    reader.read_recording(folder)
    assert told == []
    cut(folder / "bead_0007.ome.tif", 0.7)
    reader.read_recording(folder)
    assert re.search(r"\d of 5 frames are missing", told[0])
    (folder / "bead_0007.ome.tif").unlink()
    image = reader.read_recording(folder)[0][0]
    assert image.shape == (5, 64, 80)
    assert "1 of 2 ROI movies are missing" in told[1]


def test_rows_without_a_frame_are_not_piled_onto_the_last(tmp_path: Path, told: list[str]) -> None:
    folder = make_recording(tmp_path / "r", AcquisitionMode.TRACK_FULL)
    (folder / "frames.csv").unlink()
    tracks = next(data for data, _, kind in reader.read_recording(folder) if kind == "tracks")
    assert sorted(set(tracks[:, 1])) == FRAMES
    assert "5 of 5 frames are missing" in told[0]
