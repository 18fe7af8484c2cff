"""Annotated tables of tracks: nothing is lost on the way to a file and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import Annotation
from napari_beadscope.storage.tables import TRACKS
from napari_beadscope.storage.tracks_csv import (
    UNKNOWN_REASON,
    is_track_table,
    read_track_table,
    write_track_table,
)

SAID = {
    2: Annotation('a, "b"\nc\r\nd', True, "µ – 微球", True),
    5: Annotation("", False, "  # no comment", False),
}
HEADER = "frame,time_s,bead,x_nm,y_nm,z_nm,x_px,y_px,quality,reason,label,good,note,reference\n"


def table(frames: tuple[int, ...] = (0, 1, 4, 5)) -> np.ndarray:
    rows = np.zeros(3 * len(frames), TRACKS)
    rows["frame"] = np.repeat(frames, 3)
    rows["time_s"] = rows["frame"] * 0.01
    rows["bead"] = [2, 5, 7] * len(frames)
    rows["x_px"], rows["y_px"] = 100.25, 60.5
    rows["x_nm"], rows["y_nm"] = 100.25 * 72.0, 60.5 * 72.0
    rows["z_nm"] = np.where(rows["bead"] == 5, np.nan, 512.125)
    rows["quality"] = 0.75
    rows["x_px"][4] = rows["x_nm"][4] = rows["y_px"][4] = rows["y_nm"][4] = np.nan
    rows["reason"][4] = 5
    return rows


def test_everything_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "pull.tracks.csv"
    write_track_table(path, table(), SAID)
    assert path.read_text(encoding="utf-8").startswith(HEADER)
    found = read_track_table(path)
    for name in found.rows.dtype.names:
        np.testing.assert_array_equal(found.rows[name], table()[name], name)
    assert found.annotations == SAID
    assert found.nm_per_px == 72.0
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_tables_of_more_than_one_piece(tmp_path: Path) -> None:
    rows = table(tuple(range(40_000)))
    write_track_table(tmp_path / "t.csv", rows, SAID)
    found = read_track_table(tmp_path / "t.csv")
    assert found.rows["frame"].tolist() == rows["frame"].tolist()


def test_a_plain_table_with_columns_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("bead, frame,y_px,x_px,mood\n1,7,2.5,3.5,blue\n1,9,,nan,red\n")
    found = read_track_table(path)
    assert found.rows["frame"].tolist() == [7, 9]
    assert np.isnan(found.rows["x_nm"]).all()
    assert found.rows["reason"].tolist() == [UNKNOWN_REASON] * 2
    assert found.annotations == {}
    assert found.nm_per_px == 0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("index,axis-0,axis-1\n0,1,2\n", "is not a table of tracks"),
        ("frame,bead,x_px,y_px\n1,2,x,4\n", "row 1, column 'x_px': 'x' is not a number"),
        ("frame,bead,x_px,y_px\n1,2,3,4\n1,2.5,3,4\n", "row 2, column 'bead'"),
        ("frame,bead,x_px,y_px\n1,,3,4\n", "row 1, column 'bead': '' is not a whole number"),
        ("frame,bead,x_px,y_px\n1,2,3,4\n1,2,3,4,5,6\n", "cannot be read as a table of tracks"),
        ("frame,bead,x_px,y_px,good\n1,2,3,4,perhaps\n", "neither true nor false"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_track_table(path)
    assert what in str(error.value)


def test_other_files_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    (tmp_path / "empty.csv").write_bytes(b"")
    assert not is_track_table(tmp_path / "binary.csv")
    assert not is_track_table(tmp_path / "empty.csv")
    assert not is_track_table(tmp_path)


def test_no_place_to_write(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        write_track_table(tmp_path / "none" / "t.csv", table(), {})
