"""MagScope's files: HDF5 as its version 1.0 lays it out, and text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.storage.magscope import (
    is_magscope_hdf5,
    is_magscope_text,
    read_magscope_hdf5,
    read_magscope_text,
)
from napari_beadscope.storage.tracks_csv import UNKNOWN_REASON

START_NS = 1_760_000_000_000_000_000
PERIOD_NS = 10_000_000


def write_hdf5(path: Path, batches: tuple[int, ...] = (0, 2, 1), rois: bool = True) -> Path:
    """Write batches of 4 frames with beads 3 and 9, in the order given, as MagScope does."""
    frames = np.concatenate([np.arange(4) + 4 * batch for batch in batches]).astype(np.uint64)
    count = len(frames)
    with h5py.File(path, "w") as file:
        group = file.create_group("tracking")
        group.attrs.update(
            schema_version=1,
            include_roi_positions=np.uint8(rois),
            record_order="writer_append_order",
            batch_sequence_order="video_task_enqueue_order",
        )
        sizes = np.full(len(batches), 4, np.uint64)
        group["batch_sequence"] = np.array(batches, np.uint64)
        group["batch_frame_start"] = np.cumsum(sizes) - sizes
        group["batch_frame_count"] = sizes
        group["batch_record_start"] = 2 * (np.cumsum(sizes) - sizes)
        group["batch_record_count"] = 2 * sizes
        group["frame_timestamps_ns"] = START_NS + frames * PERIOD_NS
        group["frame_offsets"] = 2 * np.arange(count + 1, dtype=np.uint64)
        group["frame_batch_sequence"] = np.repeat(np.array(batches, np.uint64), 4)
        group["bead_ids"] = np.tile(np.array([3, 9], np.uint16), count)
        xyz = np.stack(
            [np.tile([9400.0, 24400.0], count), np.tile([4900.0, 16900.0], count),
             np.repeat(frames, 2).astype(float)], axis=1,
        )  # fmt: skip
        xyz[1::2, 2] = np.nan
        group["positions_nm"] = xyz
        if rois:
            group["roi_positions_px"] = np.tile(np.array([[100, 40]], np.uint16), (2 * count, 1))
    return path


def check(rows: np.ndarray) -> None:
    assert rows["frame"].tolist() == np.repeat(np.arange(12), 2).tolist()
    assert rows["bead"].tolist() == [3, 9] * 12
    np.testing.assert_allclose(rows["time_s"], rows["frame"] * 0.01, atol=1e-9)
    assert rows["z_nm"][::2].tolist() == list(range(12))
    assert np.isnan(rows["z_nm"][1::2]).all()
    assert set(rows["x_nm"]) == {9400.0, 24400.0}
    assert np.isnan(rows["x_px"]).all()
    assert set(rows["reason"]) == {UNKNOWN_REASON}


@pytest.mark.parametrize("rois", [True, False])
def test_hdf5_comes_in_the_order_of_time(tmp_path: Path, rois: bool) -> None:
    path = write_hdf5(tmp_path / "Tracking Data 2026-11-21 12-00-00.000000.h5", rois=rois)
    assert is_magscope_hdf5(path)
    check(read_magscope_hdf5(path))


def test_text(tmp_path: Path) -> None:
    rows = read_magscope_hdf5(write_hdf5(tmp_path / "t.h5"))
    columns = [rows["time_s"] + 1.76e9, *(rows[n] for n in ("x_nm", "y_nm", "z_nm", "bead"))]
    np.savetxt(tmp_path / "t.txt", np.column_stack([*columns, rows["bead"], rows["bead"]]))
    assert is_magscope_text(tmp_path / "t.txt")
    again = read_magscope_text(tmp_path / "t.txt")
    again["time_s"] = np.round(again["time_s"], 6)
    check(again)


def test_others_are_told_apart(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1, 2]
    (tmp_path / "text.h5").write_text("no HDF5")
    np.savetxt(tmp_path / "zlut.txt", np.zeros((3, 40)))
    for name in ("other.h5", "text.h5"):
        assert not is_magscope_hdf5(tmp_path / name)
        with pytest.raises(InputError):
            read_magscope_hdf5(tmp_path / name)
    assert not is_magscope_text(tmp_path / "zlut.txt")
    with pytest.raises(InputError, match="7 columns"):
        read_magscope_text(tmp_path / "zlut.txt")


def test_damage_and_other_versions_are_named(tmp_path: Path) -> None:
    with h5py.File(write_hdf5(tmp_path / "a.h5"), "a") as file:
        file["tracking"].attrs["schema_version"] = 2
    with pytest.raises(InputError, match="schema version 2"):
        read_magscope_hdf5(tmp_path / "a.h5")
    with h5py.File(write_hdf5(tmp_path / "b.h5"), "a") as file:
        ids = file["tracking/bead_ids"][:-3]
        del file["tracking/bead_ids"]
        file["tracking/bead_ids"] = ids
    with pytest.raises(InputError, match="cut short"):
        read_magscope_hdf5(tmp_path / "b.h5")
    with h5py.File(write_hdf5(tmp_path / "c.h5"), "a") as file:
        del file["tracking/frame_offsets"]
    with pytest.raises(InputError, match="frame_offsets"):
        read_magscope_hdf5(tmp_path / "c.h5")


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("bead_ids", np.full(24, -1), "a bead -1"),
        ("bead_ids", np.full(24, 2**40), "a bead 1.09951e"),
        ("bead_ids", np.full(24, 2**63, np.uint64), "a bead 9.22337e"),
        ("bead_ids", np.full(24, 0.5), r"a bead 0\.5"),
        ("bead_ids", np.full(24, np.inf), "a bead inf"),
        ("bead_ids", np.full(24, np.nan), "a bead nan"),
        ("bead_ids", [b"x"] * 24, "'bead_ids' is not n numbers"),
        ("positions_nm", np.zeros((24, 2)), "'positions_nm' is not n x 3 numbers"),
        ("positions_nm", np.zeros(24), "'positions_nm' is not n x 3 numbers"),
        ("positions_nm", 1.0, "'positions_nm' is not n x 3 numbers"),
        ("positions_nm", [[b"x"] * 3] * 24, "'positions_nm' is not n x 3 numbers"),
        ("positions_nm", None, "'positions_nm' is not n x 3 numbers"),
        ("frame_timestamps_ns", np.zeros((12, 2), np.uint64), "'frame_timestamps_ns' is not n"),
        ("frame_timestamps_ns", np.full(12, np.nan), "'frame_timestamps_ns' is not n"),
        ("frame_offsets", np.array([0, 2**62, *[0] * 11]), "cut short"),
        ("frame_offsets", np.array([b"a"] * 13), "'frame_offsets' is not n"),
    ],
)
def test_wrong_tables_in_hdf5_are_named(tmp_path: Path, name: str, value: Any, what: str) -> None:
    with h5py.File(write_hdf5(tmp_path / "a.h5"), "a") as file:
        group = file["tracking"]
        del group[name]
        if value is None:
            group.create_group(name)
        else:
            group[name] = value
    with pytest.raises(InputError, match=what):
        read_magscope_hdf5(tmp_path / "a.h5")


@pytest.mark.parametrize("version", ["abc", [1, 1], "none", 1.5, np.nan])
def test_wrong_versions_are_named(tmp_path: Path, version: Any) -> None:
    with h5py.File(write_hdf5(tmp_path / "a.h5"), "a") as file:
        file["tracking"].attrs["schema_version"] = version
    with pytest.raises(InputError, match="schema version"):
        read_magscope_hdf5(tmp_path / "a.h5")


def test_a_table_too_large_for_memory_and_a_number_as_group_are_named(tmp_path: Path) -> None:
    with h5py.File(write_hdf5(tmp_path / "a.h5"), "a") as file:
        del file["tracking/positions_nm"]
        file["tracking"].create_dataset("positions_nm", (2**46, 3), "f8", chunks=(100, 3))
    with pytest.raises(InputError, match="cannot be read as MagScope's tracks"):
        read_magscope_hdf5(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["tracking"] = 3
    assert not is_magscope_hdf5(tmp_path / "b.h5")
    with pytest.raises(InputError, match="no group 'tracking'"):
        read_magscope_hdf5(tmp_path / "b.h5")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("0 1 2 3 inf 0 0", "a bead inf"),
        ("0 1 2 3 1e20 0 0", r"a bead 1e\+20"),
        ("0 1 2 3 -1 0 0", "a bead -1"),
        ("0 1 2 3 0.5 0 0", r"a bead 0\.5"),
        ("nan 1 2 3 1 0 0", "not a number of seconds"),
        ("-inf 1 2 3 1 0 0", "not a number of seconds"),
        ("inf 1 2 3 1 0 0", "not a number of seconds"),
        ("1e300 1 2 3 1 0 0", "not a number of seconds"),
        ("0 x 2 3 1 0 0", "cannot be read as MagScope's tracks"),
    ],
)
def test_wrong_numbers_in_text_are_named(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"0 1 2 3 4 0 0\n{line}\n")
    with pytest.raises(InputError, match=what):
        read_magscope_text(path)


def test_an_endless_bead_is_no_magscope_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0 1 2 3 inf 0 0\n")
    assert not is_magscope_text(tmp_path / "a.txt")
