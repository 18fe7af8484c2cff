"""The report of a batch: one file that says what the journal says, for people."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_beadscope.batch.flags import Flag, change_flags
from napari_beadscope.batch.report.pictures import outlined
from napari_beadscope.batch.report.write import write_report
from napari_beadscope.core.errors import BeadscopeError, InputError

from .folders import FRAMES, cells_csv, make_batch

VOID = {"meta", "img", "br", "path", "rect"}


class Page(HTMLParser):
    """Text, tags that are open, and everything that a browser would fetch."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.images: list[str] = []
        self.words: list[str] = []
        self.feed(self.html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href") and value and not value.startswith("#"):
                (self.images if value.startswith("data:") else self.fetched).append(value)
        if tag == "script":
            self.fetched.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two positions' phase contrast as one file with 20 frames of two channels."""
    path = tmp_path / "cells.ome.tif"
    pixels = np.random.default_rng(0).integers(90, 110, (FRAMES, 2, 64, 80)).astype(np.uint16)
    tifffile.imwrite(path, pixels, metadata={"axes": "TCYX"}, ome=True)
    return path


def test_one_file_that_needs_no_other(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out", samples={0: "wild <type>"})
    page = Page(write_report(folder))
    assert page.open == []
    assert page.fetched == []
    assert "url(" not in page.html
    assert "Everything is done" in page.text
    assert "12 of 12 units of work done" in page.text
    assert "6 cells" in page.text
    assert "wild <type>" in page.text
    assert [path.name for path in folder.iterdir() if "report" in path.name] == ["report.html"]


def test_failures_come_with_place_traceback_and_remedy(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out", (0, 1), fail={(1, 8): "page 12 is damaged <cut>"})
    page = Page(write_report(folder))
    assert "Some of it failed" in page.text
    assert page.text.index("Failures") < page.text.index("Traces")
    row = page.text[page.text.index("page 12 is damaged <cut>") - 40 :]
    assert "cells_p001 segment 8–15" in row
    assert "copy the file again" in row
    assert "OSError: page 12 is damaged <cut>" in row
    assert "1 more unit waits for these" in page.text
    assert "failed 2/3" in page.text


def test_traces_are_drawn_and_bad_ones_stand_out(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out")
    change_flags(folder, {("cells_p000", "cell", 1): Flag(False, "two in one")})
    page = Page(write_report(folder))
    assert page.html.count('class="one"') == 2 * 2 * 3 - 2  # columns, positions, cells
    assert page.html.count('class="bad"') == 2
    assert "cell 1 (flagged as bad)" in page.text
    assert "two in one" in page.text
    rises = re.search(r'class="one"[^>]* d="M([\d.]+) ([\d.]+).*?L([\d.]+) ([\d.]+)">', page.html)
    assert rises is not None
    x0, y0, x1, y1 = map(float, rises.groups())
    assert x1 > x0
    assert y1 < y0  # it grows: up on paper


def test_of_many_positions_and_cells_some_are_drawn_and_it_is_said(tmp_path: Path) -> None:
    def many(position: str, first: int, last: int) -> bytes:
        return cells_csv(position, first, last, cells=40)

    folder = make_batch(tmp_path / "out", range(20), content=many)
    page = Page(write_report(folder))
    assert "16 of 20 positions are drawn" in page.text
    assert "at most 30 cells of each" in page.text
    assert "800 cells" in page.text
    assert len(page.html) < 4_000_000


def test_pictures_show_outlines_on_the_frames(tmp_path: Path, source: Path) -> None:
    labels = np.zeros((FRAMES, 64, 80), np.int32)
    labels[:, 20:40, 30:50], labels[:, 45:60, 30:50] = 1, 2
    folder = make_batch(tmp_path / "out", (0,), source=str(source))
    for path in (folder / "positions/cells_p000/segment").iterdir():
        first, last = (int(number) for number in path.stem.split("-"))
        np.save(path, labels[first : last + 1])
    page = Page(write_report(folder))
    assert len(page.images) == 3
    assert "frame 0: 2 cells" in page.text
    assert "frame 19: 2 cells" in page.text
    with Image.open(io.BytesIO(base64.b64decode(page.images[0].partition(",")[2]))) as image:
        seen = np.asarray(image.convert("RGB")).astype(int)
    coloured = np.ptp(seen, axis=2) > 30
    assert coloured[20, 30:50].all()
    assert not coloured[25:35, 35:45].any()
    assert not coloured[:15].any()
    assert Page(write_report(folder, pictures=False)).images == []
    source.unlink()
    assert "labels alone" in Page(write_report(folder)).text


def test_a_cell_has_one_colour_and_its_number_in_all_pictures(tmp_path: Path, source: Path) -> None:
    def tracked(position: str, first: int, last: int) -> bytes:
        rows = [
            f"{position},{cell},{frame},{1 + (cell + (frame >= 10)) % 2}"
            for frame in range(first, last)
            for cell in range(2)
        ]
        return ("\n".join(["position,cell,frame,label", *rows]) + "\n").encode()

    labels = np.zeros((FRAMES, 64, 80), np.int32)
    labels[:, 5:25, 30:50], labels[:, 35:60, 30:50] = 1, 2
    labels[10:] = np.choose(labels[10:], [0, 2, 1])  # cell 0 is above all the time
    folder = make_batch(tmp_path / "out", (0,), source=str(source), content=tracked)
    for path in (folder / "positions/cells_p000/segment").iterdir():
        first, last = (int(number) for number in path.stem.split("-"))
        np.save(path, labels[first : last + 1])
    seen = []
    for data in Page(write_report(folder)).images:
        with Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))) as image:
            seen.append(np.asarray(image.convert("RGB")).astype(int))
    assert len(seen) == 3
    for picture in seen:
        assert picture[5, 35].tolist() == seen[0][5, 35].tolist()
        assert picture[35, 35].tolist() == seen[0][35, 35].tolist() != picture[5, 35].tolist()
        assert (picture[8:22, 33:47].min(axis=2) > 250).any()  # its number, in white


def test_beads_are_drawn_in_pixels_where_their_size_is_not_known(tmp_path: Path) -> None:
    def beads(position: str, first: int, last: int) -> bytes:
        rows = [f"{position},{k},{k / 10},0,,,,{50 + k},{20 - k}" for k in range(first, last)]
        head = "position,frame,time_s,bead,x_nm,y_nm,z_nm,x_px,y_px"
        return ("\n".join([head, *rows]) + "\n").encode()

    page = Page(write_report(make_batch(tmp_path / "out", (0,), content=beads)))
    assert "x_px less its median" in page.text
    assert "y_px less its median" in page.text
    assert "_nm" not in page.text
    assert page.html.count('class="one"') == 2


def test_large_frames_become_small_pictures() -> None:
    labels = np.zeros((1500, 1100), np.int32)
    labels[300:600, 200:500] = 7
    picture = outlined(np.random.default_rng(0).normal(100, 5, labels.shape), labels)
    assert picture.shape == (300, 220, 3)
    assert picture.dtype == np.uint8
    assert np.ptp(picture[60, 60].astype(int)) > 30


def test_a_run_that_is_on_can_be_reported(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out", (0, 1), undone=[1])
    page = Page(write_report(folder))
    assert "Some of it is still to be done" in page.text
    assert "pending 0/3" in page.text
    assert "1 of 2 positions done" in page.text


def test_a_result_that_is_gone_is_said(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out")
    write_report(folder)
    before = (folder / "report.html").read_bytes()
    gone = sorted((folder / "positions/cells_p001/extract").iterdir())[1]
    gone.unlink()
    with pytest.raises(BeadscopeError, match=f"{gone.name}.*made anew when the plan is run again"):
        write_report(folder)
    assert (folder / "report.html").read_bytes() == before
    with pytest.raises(InputError, match="is not the output of a batch"):
        write_report(tmp_path)


def test_of_long_movies_some_frames_are_drawn_and_all_are_counted(tmp_path: Path) -> None:
    def long(position: str, first: int, last: int) -> bytes:
        return cells_csv(position, 500 * first, 500 * last, cells=2)

    folder = make_batch(tmp_path / "out", (0,), content=long)
    page = Page(write_report(folder))
    assert "20,000 rows" in page.text
    assert "of long movies every second frame" in page.text
    assert len(page.html) < 100_000
