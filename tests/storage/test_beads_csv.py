"""Bead lists: a round trip, and one clear sentence for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.storage import read_beads, read_points, write_beads
from napari_beadscope.storage.beads_csv import BeadPoint, write_found

corner = st.integers(-5, 4000)


@given(st.lists(st.tuples(corner, corner), min_size=1, max_size=20), st.integers(1, 257))
def test_beads_come_back(
    tmp_path_factory: pytest.TempPathFactory, corners: list[tuple[int, int]], size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "beads.csv"
    beads = tuple(Bead(3 * i, Roi(y, x, size)) for i, (y, x) in enumerate(corners))
    write_beads(path, beads)
    assert read_beads(path, size) == beads


def test_columns_may_come_in_any_order_with_others(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_bytes(b"\xef\xbb\xbfx_px, score ,bead,y_px\r\n10.5,9,2,20\r\n\r\n1e1,,4,7\r\n")
    assert [(p.bead, p.y_px, p.x_px) for p in read_points(path)] == [(2, 20, 10.5), (4, 7, 10)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 lacks the column 'bead': begin the file with the line bead,y_px,x_px"),
        ("bead,x_px\n1,2\n", "line 1 lacks the column 'y_px'"),
        ("bead,y_px,x_px\n", "lists no bead"),
        ("bead,y_px,x_px\n2147483648,2,3\n", "'2147483648' is not a whole number from 0 to"),
        ("bead,y_px,x_px\n1,2,3\n2,oops,3\n", "line 3, column 'y_px': 'oops' is not a number"),
        ("bead,y_px,x_px\n1,2\n", "line 2, column 'x_px': '' is not a number"),
        ("bead,y_px,x_px\n1,2,nan\n", "line 2, column 'x_px': 'nan' is not a number"),
        ("bead,y_px,x_px\n1.5,2,3\n", "line 2, column 'bead': '1.5' is not a whole number"),
        ("bead,y_px,x_px\n-1,2,3\n", "column 'bead': '-1' is not a whole number"),
        ("bead,y_px,x_px\n1,2,3\n1,5,6\n", "lists bead 1 twice"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "b.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_points(path)
    assert message in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no bead list"):
        read_points(tmp_path / "no.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    with pytest.raises(InputError, match="cannot be read as a bead list"):
        read_points(tmp_path / "b.csv")
    with pytest.raises(StorageError, match="cannot write"):
        write_beads(tmp_path / "gone" / "b.csv", [])


def test_a_bead_outside_the_frame_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text("bead,y_px,x_px\n1,50,50\n2,95,50\n")
    assert len(read_beads(path, 9, (100, 100))) == 2
    with pytest.raises(InputError, match=r"bead 2 at y 95, x 50 \(21 px\) leaves the frame"):
        read_beads(path, 21, (100, 100))
    path.write_text("bead,y_px,x_px\n2,95.2,50\n")  # as it is written, not the ROI's centre
    with pytest.raises(InputError, match=r"bead 2 at y 95.2, x 50 \(20 px\) leaves the frame"):
        read_beads(path, 20, (100, 100))


def test_a_list_of_beads_found_is_a_bead_list(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    write_found(path, [50.12345, 9.0], [70.0, 8.5], [12.5, 6.04], [0.98765, 0.6], [True, False])
    lines = path.read_text().splitlines()
    assert lines[0] == "bead,y_px,x_px,radius_px,score,isolated"
    assert lines[1:] == ["0,50.123,70.000,12.5,0.9877,1", "1,9.000,8.500,6.0,0.6000,0"]
    assert read_points(path) == (BeadPoint(0, 50.123, 70.0), BeadPoint(1, 9.0, 8.5))
    assert [bead.roi.size for bead in read_beads(path, 16)] == [16, 16]
    with pytest.raises(StorageError, match="cannot write"):
        write_found(tmp_path / "gone" / "b.csv", [], [], [], [], [])


def test_all_beads_that_leave_the_frame_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "beads.csv"
    path.write_text("bead,y_px,x_px\n" + "".join(f"{n},{n},50\n" for n in range(5)))
    with pytest.raises(InputError, match=r"ROIs of 5 beads .* bead 2 at y 2, x 50 and 2 more"):
        read_beads(path, 20, (100, 100))
