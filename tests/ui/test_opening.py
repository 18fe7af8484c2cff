"""Files of others and of our own are opened by the right reader, or left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_beadscope.core.types import Annotation, Bead, Calibration, Roi
from napari_beadscope.storage.beads_csv import write_beads
from napari_beadscope.storage.tables import TRACKS
from napari_beadscope.storage.tracks_csv import read_track_table, write_track_table
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.opened import beads_in, opened_of
from napari_beadscope.ui.presenters.annotations import AnnotationsPresenter
from napari_beadscope.ui.reader import get_reader
from napari_beadscope.ui.session import Session

PLUGIN = "napari-beadscope"
HDF5 = "Tracking Data 2026-11-21 12-00-00.123456.h5"


def write_magscope(path: Path, frames: int = 5) -> Path:
    """Two beads, one without z, as MagScope 1.0 saves them."""
    with h5py.File(path, "w") as file:
        group = file.create_group("tracking")
        group.attrs["schema_version"] = 1
        start = 1_760_000_000_000_000_000
        group["frame_timestamps_ns"] = start + np.arange(frames, dtype=np.uint64) * 10_000_000
        group["frame_offsets"] = 2 * np.arange(frames + 1, dtype=np.uint64)
        group["bead_ids"] = np.tile(np.array([3, 9], np.uint16), frames)
        places = [[9400.0, 4900.0, 510.0], [24400.0, 16900.0, np.nan]]
        group["positions_nm"] = np.tile(places, (frames, 1))
    return path


def test_magscopes_files_open_in_um(make_napari_viewer: Callable[..., Any], tmp_path: Path) -> None:
    viewer = make_napari_viewer()
    tracks, beads = viewer.open(str(write_magscope(tmp_path / HDF5)), plugin=PLUGIN)
    np.testing.assert_allclose(tracks.data[0], [3, 0, 4.9, 9.4])
    assert str(tracks.units[-1]) in ("um", "micrometer")
    assert tuple(tracks.scale) == (1, 1, 1)
    np.testing.assert_allclose(beads.data, [[4.9, 9.4], [16.9, 24.4]])
    assert list(beads.features["bead"]) == [3, 9]
    tracks.color_by = "z_nm"  # one bead has none
    rows = opened_of(tracks).rows
    text = tmp_path / "Bead Positions 2026-11-21.txt"
    columns = [rows[name] for name in ("time_s", "x_nm", "y_nm", "z_nm", "bead", "bead", "bead")]
    np.savetxt(text, np.column_stack(columns))
    again = viewer.open(str(text), plugin=PLUGIN)
    np.testing.assert_allclose(again[0].data, tracks.data)
    viewer.layers.selection = {tracks}
    (path,) = viewer.layers.save(str(tmp_path / "m.tracks.csv"), selected=True)
    np.testing.assert_array_equal(read_track_table(path).rows["x_nm"], rows["x_nm"])


def test_magscopes_beads_are_taken_over_with_the_live_pixel_size(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, session: Session
) -> None:
    viewer = make_napari_viewer()
    _, beads = viewer.open(str(write_magscope(tmp_path / HDF5)), plugin=PLUGIN)
    session.model.roi_size_px = 50
    presenter = AnnotationsPresenter(session, viewer.layers)
    presenter.choose(beads)
    presenter.say([9], label="from MagScope")
    presenter.take_over()
    assert session.model.beads == (
        Bead(3, Roi.around(49, 94, 50)),
        Bead(9, Roi.around(169, 244, 50)),
    )
    assert session.model.annotations == {9: Annotation("from MagScope")}
    assert session.model.calibration == Calibration(100.0)
    assert "use File" in presenter.why_not_save()


def test_a_plain_list_of_beads_opens(
    make_napari_viewer: Callable[..., Any], tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    write_beads(tmp_path / "beads.csv", [Bead(4, Roi(10, 20, 16))])
    (beads,) = viewer.open(str(tmp_path / "beads.csv"), plugin=PLUGIN)
    np.testing.assert_allclose(beads.data, [[17.5, 27.5]])
    assert beads_in(beads, 32, 100.0)[0].roi.size == 32


def test_other_files_are_left_alone(make_napari_viewer: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_text("id,when\n1,2\n")
    (tmp_path / "p.csv").write_text("index,axis-0,axis-1\n0,1,2\n")
    np.savetxt(tmp_path / "zlut.txt", np.zeros((9, 40)))
    with h5py.File(tmp_path / "Tracking Data other.h5", "w") as file:
        file["x"] = [1]
    for name in ("tracks.csv", "p.csv", "zlut.txt", "Tracking Data other.h5", "none.csv"):
        assert get_reader(str(tmp_path / name)) is None
    viewer = make_napari_viewer()
    (points,) = viewer.open(str(tmp_path / "p.csv"))  # needs no choice: it is napari's own
    assert points.data.tolist() == [[1, 2]]


def test_a_table_without_a_single_position_opens_empty(
    make_napari_viewer: Callable[..., Any], tmp_path: Path
) -> None:
    rows = np.zeros(2, TRACKS)
    for name in ("x_px", "y_px", "x_nm", "y_nm", "z_nm"):
        rows[name] = np.nan
    write_track_table(tmp_path / "lost.tracks.csv", rows, {})
    viewer = make_napari_viewer()
    (layer,) = viewer.open(str(tmp_path / "lost.tracks.csv"), plugin=PLUGIN)
    assert layer.name == "lost (no positions)"


@pytest.mark.parametrize("name", ["my tracks.csv", "pull.tracks.csv", "Tracks.csv"])
def test_names_of_tables_that_are_offered(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    rows = np.ones(1, TRACKS)
    write_track_table(tmp_path / name, rows, {})
    assert make_napari_viewer().open(str(tmp_path / name), plugin=PLUGIN)


def test_taking_over_live_beads_says_why_not(session: Session, said: list[Message]) -> None:
    presenter = AnnotationsPresenter(session, [])
    presenter.take_over()
    assert "opened recording" in presenter.why_not_take_over()
    assert said == []
