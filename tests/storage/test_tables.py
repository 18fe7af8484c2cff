"""The text tables: bulk formatting, torn lines, fast scans."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_beadscope.core.errors import StorageError
from napari_beadscope.storage import tables
from napari_beadscope.storage.tables import FRAMES, TRACKS, TableWriter


def _table(path: Path, lines: bytes, dtype: np.dtype = TRACKS) -> Path:
    path.write_bytes(tables.header(dtype).encode() + lines)
    return path


@given(st.lists(st.integers(0, 10**18), max_size=30), st.integers(40, 80))
def test_first_numbers_are_found_whatever_the_block(numbers: list[int], block: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = _table(Path(folder) / "t.csv", b"".join(b"%d,1.5,x\n" % k for k in numbers))
        blocks = list(tables.first_numbers(path))
        assert [int(k) for part in blocks for k in part] == numbers
        parts = [bytes(part) for _, part in tables._line_blocks(path, block)]
        assert b"".join(parts).count(b"\n") == len(numbers)


def test_only_whole_lines_count(tmp_path: Path) -> None:
    good = b"0,0.000000,video_0000.ome.tif,0\n1,0.010000,video_0000.ome.tif,1\n"
    for torn in (b"", b"2", b"2,0.020000,video_0000.ome.tif,2", b"\0" * 70_000):
        path = _table(tmp_path / "frames.csv", good + torn, FRAMES)
        assert tables.read_table(path, FRAMES)["page"].tolist() == [0, 1]
        writer = TableWriter(path, tables.header(FRAMES))
        writer.append(b"5,0.050000,,2\n")
        writer.close()
        assert path.read_bytes() == tables.header(FRAMES).encode() + good + b"5,0.050000,,2\n"


def test_missing_and_empty_tables_are_empty(tmp_path: Path) -> None:
    assert len(tables.read_table(tmp_path / "no.csv", TRACKS)) == 0
    assert len(tables.read_table(_table(tmp_path / "a.csv", b""), TRACKS)) == 0
    (tmp_path / "b.csv").write_bytes(b"fra")
    assert len(tables.read_table(tmp_path / "b.csv", TRACKS)) == 0
    assert len(list(tables.first_numbers(tmp_path / "no.csv"))) == 0
    assert tables.read_profiles(tmp_path / "no.csv").shape == (0, 2)


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not begin with the columns frame,time_s"):
        tables.read_table(_table(tmp_path / "a.csv", b"", FRAMES), TRACKS)
    with pytest.raises(StorageError, match=r"b\.csv cannot be read .* recover"):
        tables.read_table(_table(tmp_path / "b.csv", b"0,1,2\n"), TRACKS)


def test_profiles_are_cut_and_filled_to_the_first_rows_length(
    tmp_path: Path, make_rows: Callable[..., Any]
) -> None:
    rows = make_rows([0, 1])
    rows["n_radial"] = [4, 2, 6, 0]
    table, bins = tables.open_profiles(tmp_path, 4, 0)
    table.append(tables.format_profiles(rows, 0, bins))
    table.close()
    read = tables.read_profiles(tmp_path / "profiles.csv")
    assert np.isnan(read[:, 2:]).sum(axis=1).tolist() == [0, 2, 0, 4]
    table, bins = tables.open_profiles(tmp_path, 9, 3)  # only three of its tracks were written
    table.close()
    assert (bins, len(tables.read_profiles(tmp_path / "profiles.csv"))) == (4, 3)


def test_newest_rows_are_found_from_the_end(tmp_path: Path, make_rows: Callable[..., Any]) -> None:
    rows = make_rows(range(500))
    path = _table(tmp_path / "t.csv", tables.format_tracks(rows, 0, 0, 1.0))
    every = tables.row_keys(rows["frame"], rows["bead"])
    assert np.isin(every, tables.newest_row_keys(path)).all()
    some = tables.newest_row_keys(path, 2000)
    assert 10 < len(some) < 60
    np.testing.assert_array_equal(some, every[-len(some) :])
