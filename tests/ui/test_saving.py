"""Saved from napari and opened again: beads, annotations, calibration, tracks, movies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari._qt import qt_viewer

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import (
    TRACK_ROW,
    AcquisitionMode,
    Annotation,
    Bead,
    Calibration,
    FrameFormat,
    FrameStamp,
    Roi,
)
from napari_beadscope.storage import Manifest, RecordingWriter, open_recording
from napari_beadscope.storage.annotations import write_annotations
from napari_beadscope.ui.opened import annotations_in, beads_in, columns, opened_of

PLUGIN = "napari-beadscope"
BEADS = (Bead(4, Roi(10, 20, 16)), Bead(7, Roi(40, 30, 16)))
FRAMES = [0, 1, 2, 5, 6]  # 3 and 4 were dropped
SAID = {
    4: Annotation('a, "quoted"\nlabel', True, "µ – 微球", True),
    7: Annotation("", False, "  comma, and\r\nline  ", False),
}


def make_recording(folder: Path, mode: AcquisitionMode = AcquisitionMode.TRACK_FULL) -> Path:
    """A recording with dropped frames, a row without a position and one without z."""
    manifest = Manifest.new(
        mode=mode,
        format=FrameFormat(64, 80, "uint8"),
        beads=BEADS,
        fps=100,
        calibration=Calibration(72.0),
    )
    rng = np.random.default_rng(0)
    with RecordingWriter.create(folder, manifest) as writer:
        stamps = [FrameStamp(100 + n, n * 10_000_000) for n in FRAMES]
        writer.write_frames(rng.integers(1, 200, (len(FRAMES), 64, 80)).astype(np.uint8), stamps)
        rows = np.zeros(2 * len(FRAMES), TRACK_ROW)
        rows["frame"] = np.repeat([100 + n for n in FRAMES], 2)
        rows["time_ns"] = np.repeat([n * 10_000_000 for n in FRAMES], 2)
        rows["bead"] = [4, 7] * len(FRAMES)
        rows["x_px"], rows["y_px"] = 27.5, 17.5
        rows["x_px"][1::2], rows["y_px"][1::2] = 37.25, 47.5
        rows["z_nm"] = np.arange(2 * len(FRAMES)) * 10.0
        rows["z_nm"][3] = np.nan
        rows["x_px"][-1] = rows["y_px"][-1] = np.nan
        rows["reason"][-1] = 5
        rows["quality"] = 0.75
        writer.write_tracks(rows)
        writer.finish()
    write_annotations(folder / "annotations.csv", SAID)
    return folder


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    return make_napari_viewer()


@pytest.fixture
def opened(viewer: Any, tmp_path: Path) -> list[Any]:
    """The layers of a recording: video, tracks, beads."""
    return viewer.open(str(make_recording(tmp_path / "r")), plugin=PLUGIN)


def save(viewer: Any, path: Path, *layers: Any, plugin: str | None = None) -> list[str]:
    """Do what File → Save Selected Layers does."""
    viewer.layers.selection = set(layers)
    return viewer.layers.save(str(path), selected=True, plugin=plugin)


def same_rows(found: np.ndarray, wanted: np.ndarray) -> None:
    for name in wanted.dtype.names or ():
        np.testing.assert_array_equal(found[name], wanted[name], name)


def test_a_recording_opens_with_what_was_said_and_in_um(viewer: Any, opened: list[Any]) -> None:
    video, tracks, beads = opened
    assert annotations_in(beads.features) == SAID
    for layer in opened:
        assert tuple(layer.scale[-2:]) == (0.072, 0.072)
        assert str(layer.units[-1]) in ("um", "micrometer")
    assert video.scale[0] == tracks.scale[0] == 1
    assert beads_in(beads, 0, 0) == BEADS
    assert opened_of(video).calibration == Calibration(72.0)


def test_tracks_are_saved_whole_and_come_back(
    viewer: Any, opened: list[Any], tmp_path: Path
) -> None:
    _, tracks, beads = opened
    said = {4: SAID[4], 7: Annotation("changed in the table")}
    features = beads.features.assign(**columns([said[4], said[7]]))
    beads.features = features  # as napari's table of features does
    (path,) = save(viewer, tmp_path / "pull.tracks.csv", tracks)
    again = viewer.open(path, plugin=PLUGIN)
    assert [layer.name for layer in again] == ["pull tracks", "pull beads"]
    same_rows(opened_of(again[0]).rows, open_recording(tmp_path / "r").tracks)
    assert annotations_in(again[1].features) == said
    assert opened_of(again[0]).calibration == Calibration(72.0)
    assert tuple(again[0].scale) == (1, 0.072, 0.072)
    np.testing.assert_allclose(again[1].data, [[17.5, 27.5], [47.5, 37.25]])
    assert sorted(set(again[0].data[:, 1])) == FRAMES  # the gap shows


def test_saving_what_was_saved_gives_the_same_file(
    viewer: Any, opened: list[Any], tmp_path: Path
) -> None:
    (first,) = save(viewer, tmp_path / "a.tracks.csv", opened[1])
    again = viewer.open(first, plugin=PLUGIN)
    (second,) = save(viewer, tmp_path / "b.tracks.csv", again[0])
    assert Path(first).read_bytes() == Path(second).read_bytes()


def test_a_name_that_napari_would_not_know_again_is_completed(
    viewer: Any, opened: list[Any], tmp_path: Path
) -> None:
    for name, wanted in (("pull", "pull.tracks.csv"), ("b.csv", "b.tracks.csv")):
        (path,) = save(viewer, tmp_path / name, opened[1], plugin=PLUGIN)
        assert Path(path).name == wanted


def test_beads_come_back_with_size_and_scale(
    viewer: Any, opened: list[Any], tmp_path: Path
) -> None:
    beads = opened[2]
    beads.add([50.0, 60.0])  # by click
    (path,) = save(viewer, tmp_path / "my.beads.csv", beads)
    (again,) = viewer.open(path, plugin=PLUGIN)
    assert beads_in(again, 0, 0) == (*BEADS, Bead(8, Roi.around(50.0, 60.0, 16)))
    assert annotations_in(again.features) == SAID
    assert opened_of(again).calibration == Calibration(72.0)


def test_a_movie_keeps_its_pixel_size(viewer: Any, opened: list[Any], tmp_path: Path) -> None:
    (path,) = save(viewer, tmp_path / "movie.ome.tif", opened[0])
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(file.asarray(), np.asarray(opened[0].data))
        assert 'PhysicalSizeX="0.072"' in file.ome_metadata
        assert 'TimeIncrement="0.01"' in file.ome_metadata


def test_a_folder_has_everything_and_roi_movies(
    viewer: Any, opened: list[Any], tmp_path: Path
) -> None:
    folder = tmp_path / "export.beadscope"
    written = save(viewer, folder, *opened)
    assert [Path(one).name for one in written] == [
        "bead_0004.ome.tif",
        "bead_0007.ome.tif",
        "r.beads.csv",
        "r.ome.tif",
        "r.tracks.csv",
    ]
    movie = tifffile.imread(folder / "bead_0007.ome.tif")
    np.testing.assert_array_equal(movie, np.asarray(opened[0].data)[:, 40:56, 30:46])
    with pytest.raises(StorageError, match="is there already"):
        save(viewer, folder, *opened)


@pytest.mark.parametrize(
    ("name", "layer"), [("tracks.csv", 1), ("video_0000.ome.tif", 0), ("Bead_1.ome.tif", 0)]
)
def test_a_recordings_own_files_are_never_written_over(
    viewer: Any, opened: list[Any], tmp_path: Path, name: str, layer: int
) -> None:
    before = {one.name: one.read_bytes() for one in (tmp_path / "r").iterdir()}
    with pytest.raises(StorageError, match="belongs to the recording"):
        save(viewer, tmp_path / "r" / name, opened[layer], plugin=PLUGIN)
    assert {one.name: one.read_bytes() for one in (tmp_path / "r").iterdir()} == before


def test_what_cannot_be_saved_says_why(viewer: Any, opened: list[Any], tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no folder"):
        save(viewer, tmp_path / "none" / "a.tracks.csv", opened[1])
    for name in ("a" * 300 + ".tracks.csv", "a" * 250, f"{'a' * 300}/a.tracks.csv"):
        with pytest.raises(StorageError, match="too long"):
            save(viewer, tmp_path / name, opened[1])
    empty = viewer.add_points(np.zeros((0, 2)))
    with pytest.raises(InputError, match="has no points"):
        save(viewer, tmp_path / "a.beads.csv", empty)
    odd = viewer.add_image(np.zeros((2, 2, 2, 4, 4), np.uint8))
    with pytest.raises(InputError, match="of 5 axes"):
        save(viewer, tmp_path / "a.ome.tif", odd)
    assert [one.name for one in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize(("layer", "name"), [(1, "a.tracks.csv"), (2, "a.beads.csv")])
def test_text_that_could_not_be_read_again_is_not_saved(
    viewer: Any, opened: list[Any], tmp_path: Path, layer: int, name: str
) -> None:
    opened[2].features = opened[2].features.assign(note="x" * 140_000)
    with pytest.raises(InputError, match="has 140000 characters"):
        save(viewer, tmp_path / name, opened[layer])
    assert not (tmp_path / name).exists()


def test_the_longest_name_is_saved(viewer: Any, opened: list[Any], tmp_path: Path) -> None:
    path = tmp_path / ("a" * 229 + ".tracks.csv")
    assert save(viewer, path, opened[1]) == [str(path)]


def test_live_beads_are_saved_with_what_the_engine_says(
    host: Any, tmp_path: Path, qtbot: Any
) -> None:
    session = host.session
    session.start_live()
    qtbot.waitUntil(lambda: host.tick() or host.overlays.boxes is not None, timeout=5000)
    session.took_beads(session.scope.find_beads(3))
    session.scope.set_annotations({2: SAID[4]})
    session.took_beads(session.scope.beads)
    layer = host.overlays.boxes
    (path,) = save(host.viewer, tmp_path / "live.beads.csv", layer)
    (again,) = host.viewer.open(path, plugin=PLUGIN)
    assert beads_in(again, 0, 0) == session.scope.beads
    assert annotations_in(again.features) == {2: SAID[4]}
    assert opened_of(again).calibration.nm_per_px == session.model.calibration.nm_per_px
    qtbot.waitUntil(lambda: host.tick() or host.overlays.trails is not None, timeout=5000)
    with pytest.raises(InputError, match="make a recording"):
        save(host.viewer, tmp_path / "live.tracks.csv", host.overlays.trails)
    image = host.live_view.layer
    (path,) = save(host.viewer, tmp_path / "live.ome.tif", image)
    np.testing.assert_array_equal(tifffile.imread(path), image.data)


def test_layers_of_others_are_saved_too(viewer: Any, tmp_path: Path) -> None:
    points = viewer.add_points([[3.0, 4.0], [5.0, 6.5]])
    (path,) = save(viewer, tmp_path / "p.beads.csv", points)
    assert Path(path).read_text().splitlines()[2].startswith("1,5,6.5,,,")
    tracks = viewer.add_tracks([[1, 0, 2.0, 3.0], [1, 1, 2.5, 3.5]], scale=(1, 2, 2))
    (path,) = save(viewer, tmp_path / "t.tracks.csv", tracks)
    assert Path(path).read_text().splitlines()[2].startswith("1,nan,1,nan,nan,nan,3.50000,2.50000")
    colour = viewer.add_image(np.zeros((6, 5, 3), np.uint8), rgb=True)
    (path,) = save(viewer, tmp_path / "c.ome.tif", colour)
    assert tifffile.imread(path).shape == (6, 5, 3)


def test_points_of_others_still_go_to_naparis_own_writer(viewer: Any, tmp_path: Path) -> None:
    points = viewer.add_points([[3.0, 4.0]])
    (path,) = save(viewer, tmp_path / "p.csv", points)
    assert Path(path).read_text().startswith("index,axis-0,axis-1")


def choose(monkeypatch: pytest.MonkeyPatch, path: Path, writer: str) -> None:
    """Let the user choose a name and a kind of file in napari's dialog."""

    def answer(self: Any, *_: Any, filter: str, **__: Any) -> tuple[str, str]:
        (kind,) = [one for one in filter.split(";;") if writer in one]
        return str(path), kind

    monkeypatch.setattr(qt_viewer.QFileDialog, "getSaveFileName", answer)


def test_the_dialog_of_napari_offers_and_writes_our_kinds(
    viewer: Any, opened: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ("OME-TIFF with the size", "Annotated tracks", "Beads")
    for layer, kind in zip(opened, kinds):
        viewer.layers.selection = {layer}
        choose(monkeypatch, tmp_path / "from dialog", kind)
        viewer.window._qt_viewer._save_layers_dialog(selected=True)
    viewer.layers.selection = set(opened)
    choose(monkeypatch, tmp_path / "all.beadscope", "Folder with ROI movies")
    viewer.window._qt_viewer._save_layers_dialog(selected=True)
    assert sorted(one.name for one in tmp_path.iterdir() if one.name != "r") == [
        "all.beadscope",
        "from dialog.beads.csv",
        "from dialog.ome.tif",
        "from dialog.tracks.csv",
    ]
    choose(monkeypatch, tmp_path / "from dialog", "Annotated tracks")
    viewer.layers.selection = {opened[1]}
    with pytest.raises(StorageError, match=r"from dialog\.tracks\.csv is there already"):
        viewer.window._qt_viewer._save_layers_dialog(selected=True)
    choose(monkeypatch, tmp_path / "from dialog.tracks.csv", "Annotated tracks")
    viewer.window._qt_viewer._save_layers_dialog(selected=True)  # the dialog has asked
