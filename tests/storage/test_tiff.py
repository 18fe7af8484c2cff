"""The append-only TIFF: what tifffile reads, and every way of being cut short."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_beadscope.storage import appending, tiff
from napari_beadscope.storage.tiff import DATA_START, MovieSpec, MovieWriter, finish_movie

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
sizes = st.integers(1, 40)
dtypes = st.sampled_from(["uint8", "uint16"])


class KilledError(BaseException):
    """Stands for SIGKILL in the middle of a system call."""


class DyingOs:
    """`os` whose n-th change to a file is cut short, after which nothing more happens."""

    def __init__(self, calls: int, part: float) -> None:
        self.calls = calls
        self.part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _count(self) -> bool:
        self.calls -= 1
        return self.calls < 0

    def write(self, fd: int, data: memoryview) -> int:
        if self._count():
            os.write(fd, data[: int(len(data) * self.part)])
            raise KilledError
        return os.write(fd, data)

    def writev(self, fd: int, views: list[memoryview]) -> int:
        if self._count():
            os.write(fd, views[0][: int(len(views[0]) * self.part)])
            raise KilledError
        return os.writev(fd, views)

    def ftruncate(self, fd: int, size: int) -> None:
        if self._count():
            raise KilledError
        os.ftruncate(fd, size)

    def fsync(self, fd: int) -> None:
        if self._count():
            raise KilledError


class ShortOs(DyingOs):
    """`os` that writes only a few bytes at a time, as a nearly full disk or a signal makes it."""

    def write(self, fd: int, data: memoryview) -> int:
        return os.write(fd, data[: self.calls])

    def writev(self, fd: int, views: list[memoryview]) -> int:
        return os.writev(fd, [views[0], views[1][: self.calls]])


def _pages(spec: MovieSpec, count: int) -> np.ndarray:
    rng = np.random.default_rng(count)
    return rng.integers(0, np.iinfo(spec.dtype).max, (count, *spec.shape)).astype(spec.dtype)


def _read(path: Path) -> np.ndarray:
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        assert file.is_bigtiff
        assert file.is_ome
        assert series.axes == ("TYX" if len(file.pages) > 1 else "YX")
        assert series.dataoffset == DATA_START  # contiguous: one memory map, one read
        return series.asarray().reshape(-1, *series.shape[-2:])


@quick
@given(height=sizes, width=sizes, dtype=dtypes, counts=st.lists(st.integers(0, 5), max_size=6))
def test_tifffile_reads_what_was_appended(
    tmp_path: Path, height: int, width: int, dtype: str, counts: list[int]
) -> None:
    path = tmp_path / "movie.ome.tif"
    path.unlink(missing_ok=True)
    spec = MovieSpec(height, width, dtype, "a < b & ü", 65.2, 0.01, "2026-11-21T09:00:00.1+00:00")
    pages = _pages(spec, sum(counts) + 1)
    movie = MovieWriter.create(path, spec)
    movie.append(pages[:1])
    assert len(_read(path)) == 1  # valid before it is finished
    start = 1
    for number, count in enumerate(counts):
        batch = pages[start : start + count]
        movie.append(batch if number % 2 else list(batch))
        start += count
    movie.finish()
    np.testing.assert_array_equal(_read(path), pages)
    np.testing.assert_array_equal(tiff.map_movie(path, spec, len(pages)), pages)
    assert path.stat().st_size == spec.file_bytes(len(pages))


@pytest.mark.parametrize("pages", [1, 2, 7])
@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_finish_can_be_killed_at_every_call_and_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int, part: float
) -> None:
    spec = MovieSpec(5, 7, "uint16", "x")
    content = _pages(spec, pages + 3)
    monkeypatch.setattr(tiff, "_IFD_PAGES_PER_WRITE", 2)
    for calls in range(20):
        path = tmp_path / f"{calls}.ome.tif"
        movie = MovieWriter.create(path, spec)
        movie.append(content)  # three of them not confirmed
        movie.close()
        dying = DyingOs(calls, part)
        for module in (tiff, appending):
            monkeypatch.setattr(module, "os", dying)
        try:
            finish_movie(path, spec, pages)
            survived = True
        except KilledError:
            survived = False
        for module in (tiff, appending):
            monkeypatch.setattr(module, "os", os)
        np.testing.assert_array_equal(_read(path)[0], content[0])  # valid at every instant
        finish_movie(path, spec, pages)
        np.testing.assert_array_equal(_read(path), content[:pages])
        if survived:
            break
    assert survived
    assert calls > 3


@quick
@given(cut=st.integers(0, 2000), pages=st.integers(1, 8))
def test_a_file_cut_anywhere_gives_its_whole_pages(tmp_path: Path, cut: int, pages: int) -> None:
    path = tmp_path / "movie.ome.tif"
    path.unlink(missing_ok=True)
    spec = MovieSpec(6, 9, "uint16")
    content = _pages(spec, pages)
    movie = MovieWriter.create(path, spec)
    movie.append(content)
    movie.finish()
    os.truncate(path, max(0, path.stat().st_size - cut))
    whole = min(pages, tiff.pages_on_disk(path, spec))
    if whole:
        finish_movie(path, spec, whole)
        np.testing.assert_array_equal(_read(path), content[:whole])
    with pytest.raises(ValueError, match="fewer than"):
        finish_movie(path, spec, whole + 50)


def test_reopen_goes_on_even_after_a_finish(tmp_path: Path) -> None:
    path, spec = tmp_path / "movie.ome.tif", MovieSpec(5, 3, "uint8")
    content = _pages(spec, 9)
    movie = MovieWriter.create(path, spec)
    movie.append(content[:4])
    movie.finish()
    movie = MovieWriter.reopen(path, spec, 3)
    assert len(_read(path)) == 1
    movie.append(content[3:])
    movie.finish()
    np.testing.assert_array_equal(_read(path), content)
    with pytest.raises(ValueError, match="fewer than"):
        MovieWriter.reopen(path, spec, 1000)


def test_short_writes_are_carried_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, spec = tmp_path / "movie.ome.tif", MovieSpec(5, 3, "uint16")
    content = _pages(spec, 5)
    monkeypatch.setattr(appending, "os", ShortOs(7, 0))
    movie = MovieWriter.create(path, spec)
    movie.append(list(content))
    movie.append(content)
    movie.finish()
    np.testing.assert_array_equal(_read(path), np.concatenate([content, content]))


def test_views_of_any_layout_are_written_as_they_look(tmp_path: Path) -> None:
    path, spec = tmp_path / "movie.ome.tif", MovieSpec(4, 6, "uint16")
    big = _pages(MovieSpec(12, 20, "uint16"), 8)
    movie = MovieWriter.create(path, spec)
    movie.append(big[::2, 1:9:2, 3:9])
    movie.append([frame[:4, :6].astype(">u2") for frame in big])
    movie.append([np.asfortranarray(big[0, :4, :6])])
    movie.finish()
    wanted = np.concatenate([big[::2, 1:9:2, 3:9], big[:, :4, :6], big[:1, :4, :6]])
    np.testing.assert_array_equal(_read(path), wanted)


def test_the_description_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "movie.ome.tif"
    spec = MovieSpec(5, 3, "uint8", 'bead "7" <ü>', 65.0, 0.01, "2026-11-21T09:00:00.5+00:00")
    movie = MovieWriter.create(path, spec)
    movie.append(_pages(spec, 12))
    movie.finish()
    xml = tifffile.TiffFile(path)
    with xml:
        root = ElementTree.fromstring(xml.ome_metadata or "")
    image = root.find(f"{OME}Image")
    assert image is not None
    assert image.get("Name") == 'bead "7" <ü>'
    assert image.findtext(f"{OME}AcquisitionDate") == "2026-11-21T09:00:00Z"
    pixels = image.find(f"{OME}Pixels")
    assert pixels is not None
    got = {key: pixels.get(key) for key in ("SizeX", "SizeY", "SizeT", "Type", "DimensionOrder")}
    assert got == {
        "SizeX": "3",
        "SizeY": "5",
        "SizeT": "12",
        "Type": "uint8",
        "DimensionOrder": "XYCZT",
    }
    assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == ("65", "nm")
    assert (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit")) == ("0.01", "s")


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    path, spec = tmp_path / "movie.ome.tif", MovieSpec(5, 3, "uint8")
    MovieWriter.create(path, spec).close()
    with pytest.raises(FileExistsError):
        MovieWriter.create(path, spec)


def test_closing_twice_is_fine_and_a_closed_movie_refuses(tmp_path: Path) -> None:
    movie = MovieWriter.create(tmp_path / "movie.ome.tif", MovieSpec(5, 3, "uint8"))
    movie.close()
    movie.close()
    with pytest.raises(ValueError, match="is closed"):
        movie.append(_pages(movie.spec, 1))


def test_a_name_with_control_characters_gives_valid_xml() -> None:
    spec = MovieSpec(4, 4, "uint8", "a\x1bb\x00\nc\ufffe<&")
    image = ElementTree.fromstring(tiff.ome_xml(spec, 1))[0]
    assert image.attrib["Name"] == "a\ufffdb\ufffd\ufffdc\ufffd<&"
