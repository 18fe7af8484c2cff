"""Replay of every kind of file: the right frames in the right order, or a clear refusal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError
from napari_beadscope.core.types import FrameFormat
from napari_beadscope.devices import EndOfStream
from napari_beadscope.devices.replay import FrameSource, ReplayCamera, open_frames
from napari_beadscope.devices.replay.source import natural_key, to_grey
from napari_beadscope.testing import movies


def _frames(count: int = 12, dtype: str = "uint8") -> np.ndarray:
    """Smooth frames that differ, so that lossy codecs keep them recognisable."""
    t, y, x = np.mgrid[0:count, 0:48, 0:64].astype(float)
    wave = 0.5 + 0.3 * np.sin(x / 7 + t) * np.cos(y / 9) + 0.15 * np.sin(t * 1.7)
    top = np.iinfo(dtype).max
    return np.asarray(np.clip(wave * top, 1, top - 1).astype(dtype))


def _all(path: Path) -> np.ndarray:
    with open_frames(path) as source:
        stack = np.zeros((len(source), *source.format.shape), source.format.dtype)
        for index in range(len(source)):
            source.read_into(index, stack[index])
    return stack


@pytest.mark.parametrize("kind", movies.EXACT)
def test_every_pixel_is_kept(kind: str, tmp_path: Path) -> None:
    frames = _frames()
    path = movies.write_kind(kind, tmp_path, frames)
    assert np.array_equal(_all(path), frames)
    with open_frames(path) as source:  # in any order
        out = np.zeros(source.format.shape, source.format.dtype)
        for index in (11, 0, 5, 5, 4, 11, 1):
            source.read_into(index, out)
            assert np.array_equal(out, frames[index])


@pytest.mark.parametrize("kind", movies.DEEP)
def test_every_deep_pixel_is_kept(kind: str, tmp_path: Path) -> None:
    frames = _frames(6, "uint16")
    assert np.array_equal(_all(movies.write_kind(kind, tmp_path, frames)), frames)


@pytest.mark.parametrize("kind", movies.LOSSY)
def test_lossy_kinds_give_the_right_frames(kind: str, tmp_path: Path) -> None:
    frames = _frames()
    found = _all(movies.write_kind(kind, tmp_path, frames))
    assert found.shape == frames.shape
    match = np.corrcoef(found.reshape(12, -1), frames.reshape(12, -1))[:12, 12:]
    assert np.array_equal(np.argmax(match, axis=1), np.arange(12))
    assert np.diag(match).min() > 0.95


def test_long_movies_can_be_entered_anywhere(tmp_path: Path) -> None:
    frames = _frames(120)
    path = movies.write_video(tmp_path / "long.mp4", frames, "libx264", "yuv420p")
    in_order = _all(path)
    with open_frames(path) as source:
        out = np.zeros(source.format.shape, np.uint8)
        for index in (119, 3, 60, 61, 100, 0, 45):
            source.read_into(index, out)
            assert np.array_equal(out, in_order[index])


def test_real_recording_is_byte_identical(data_dir: Path) -> None:
    path = data_dir / "tweezed_bead_real.tif"
    expected = tifffile.imread(path)
    with ReplayCamera(path, {"fps": 0}) as camera:
        camera.start()
        assert camera.format == FrameFormat(184, 181, "uint8")
        out = np.zeros(camera.format.shape, np.uint8)
        for number in range(401):
            stamp = camera.read_into(out, 1)
            assert stamp is not None
            assert stamp.frame == number
            assert out.tobytes() == expected[number].tobytes()
        with pytest.raises(EndOfStream, match="no frame after 400"):
            camera.read_into(out, 1)


def test_rates_come_from_the_file(tmp_path: Path) -> None:
    with open_frames(movies.write_kind("ffv1-avi", tmp_path, _frames(3))) as source:
        assert source.fps == 25
    with open_frames(movies.write_kind("imagej", tmp_path, _frames(3))) as source:
        assert source.fps == pytest.approx(50)
    increment = {"axes": "TYX", "TimeIncrement": 20.0, "TimeIncrementUnit": "ms"}
    tifffile.imwrite(tmp_path / "timed.ome.tif", _frames(3), ome=True, metadata=increment)
    with open_frames(tmp_path / "timed.ome.tif") as source:
        assert source.fps == pytest.approx(50)
    with open_frames(movies.write_kind("png-folder", tmp_path, _frames(3))) as source:
        assert source.fps is None
    with ReplayCamera(tmp_path / "movie.avi") as camera:
        assert camera.fps == 25
    with ReplayCamera(tmp_path / "images") as camera:
        assert camera.fps == 30


def test_pace_start_and_loop(tmp_path: Path) -> None:
    frames = _frames(5)
    path = movies.write_kind("tiff", tmp_path, frames)
    with ReplayCamera(path, {"fps": 200, "loop": True, "start": 2}) as camera:
        camera.start()
        out = np.zeros(camera.format.shape, np.uint8)
        began, times = time.monotonic(), []
        for number in range(12):
            stamp = camera.read_into(out, 1)
            assert stamp is not None
            assert stamp.frame == number
            assert np.array_equal(out, frames[(2 + number) % 5])
            times.append(stamp.time_ns)
        assert time.monotonic() - began >= 11 / 200
        assert min(np.diff(times)) >= 4.9e6
        camera.set("fps", 1)
        camera.read_into(out, 1)
        assert camera.read_into(out, 0.01) is None
        camera.set("fps", 0)
        assert camera.read_into(out, 0.01) is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fps": -1}, "option fps"),
        ({"speed": 3}, "option speed"),
        ({"start": 5}, "cannot start at frame 5"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = movies.write_kind("tiff", tmp_path, _frames(5))
    with pytest.raises(InputError, match=words):
        ReplayCamera(path, options).open()


def _text_as(name: str, folder: Path) -> Path:
    path = folder / name
    path.write_text("this is no image\n" * 20)
    return path


def _mixed_images(folder: Path) -> Path:
    movies.write_images(folder / "mixed", _frames(3), ".png")
    Image.fromarray(_frames(1)[0, :40]).save(folder / "mixed" / "img_9.png")
    return folder / "mixed"


def _mixed_tiffs(folder: Path) -> Path:
    (folder / "mixed").mkdir()
    tifffile.imwrite(folder / "mixed" / "a.tif", _frames(2), photometric="minisblack")
    tifffile.imwrite(folder / "mixed" / "b.tif", _frames(2, "uint16"), photometric="minisblack")
    return folder / "mixed"


def _mixed_kinds(folder: Path) -> Path:
    movies.write_images(folder / "mixed", _frames(2), ".png")
    tifffile.imwrite(folder / "mixed" / "b.tif", _frames(2), photometric="minisblack")
    return folder / "mixed"


def _tiff(folder: Path, image: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(folder / "odd.tif", image, **options)
    return folder / "odd.tif"


def _two_sizes(folder: Path) -> Path:
    with tifffile.TiffWriter(folder / "two.tif") as writer:
        writer.write(_frames(1)[0])
        writer.write(_frames(1)[0, :20])
    return folder / "two.tif"


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("nothing")
    return folder / "empty"


def _zero_bytes(folder: Path) -> Path:
    (folder / "zero.tif").touch()
    return folder / "zero.tif"


def _channels(folder: Path) -> Path:
    stack = _frames(6).reshape(3, 2, 48, 64)
    return _tiff(folder, stack, ome=True, metadata={"axes": "TCYX"})


REFUSED = {
    "missing": (lambda folder: folder / "nowhere.tif", "no file or folder"),
    "empty folder": (_empty, "no images in the folder"),
    "empty file": (_zero_bytes, "cannot be read as TIFF"),
    "text as tiff": (lambda folder: _text_as("a.tif", folder), "cannot be read as TIFF"),
    "text as png": (lambda folder: _text_as("a.png", folder), "not an image"),
    "text as mp4": (lambda folder: _text_as("a.mp4", folder), "not a movie"),
    "text as avi": (lambda folder: _text_as("a.avi", folder), "not a movie"),
    "unknown ending": (lambda folder: _text_as("a.docx", folder), "not an image file by its name"),
    "mixed sizes": (_mixed_images, "img_9.png is 64 x 40 px"),
    "mixed dtypes": (_mixed_tiffs, "uint16"),
    "mixed kinds": (_mixed_kinds, "1 TIFF and 2 PNG"),
    "two sizes in a TIFF": (_two_sizes, "2 series of images"),
    "float": (lambda folder: _tiff(folder, _frames(2).astype("f4")), "float32"),
    "signed": (
        lambda folder: _tiff(folder, _frames(2).astype("i2"), photometric="minisblack"), "int16",
    ),
    "channels": (_channels, "2 planes along axis C"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_played_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    make, words = REFUSED[case]
    path = make(tmp_path)
    with pytest.raises(InputError, match=words) as caught:
        open_frames(path)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    assert tmp_path.name in str(caught.value)


def _truncate(path: Path, part: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path


def test_a_truncated_tiff_plays_up_to_its_end(tmp_path: Path) -> None:
    frames = _frames(10)
    path = _truncate(movies.write_kind("tiff", tmp_path, frames), 0.55)
    with open_frames(path) as source:
        out = np.zeros(source.format.shape, np.uint8)
        source.read_into(2, out)
        assert np.array_equal(out, frames[2])
        with pytest.raises(DeviceError, match=r"frame 9 of .*stack\.tif is missing"):
            source.read_into(9, out)


def _problem(source: FrameSource, index: int, out: np.ndarray) -> str:
    try:
        source.read_into(index, out)
    except DeviceError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", ["zlib", "png-folder", "ffv1-avi"])
def test_a_damaged_frame_is_named_and_others_play(kind: str, tmp_path: Path) -> None:
    frames = _frames(10)
    path = movies.write_kind(kind, tmp_path, frames)
    victim = path / "img_6.png" if path.is_dir() else path
    data = bytearray(victim.read_bytes())
    if kind == "zlib":
        with tifffile.TiffFile(path) as tiff:
            first, size = tiff.pages[6].dataoffsets[0], tiff.pages[6].databytecounts[0]
    elif kind == "png-folder":
        first, size = len(data) // 2, len(data) // 2
    else:
        first, size = int(len(data) * 0.6), int(len(data) * 0.1)
    data[first : first + size] = bytes(size)
    victim.write_bytes(bytes(data))
    failed = []
    with open_frames(path) as source:
        out = np.zeros(source.format.shape, np.uint8)
        for index in range(10):
            problem = _problem(source, index, out)
            if problem:
                assert f"frame {index}" in problem
                failed.append(index)
            else:
                assert kind == "ffv1-avi" or np.array_equal(out, frames[index])
    if kind == "ffv1-avi":
        assert all(index >= 4 for index in failed)
    else:
        assert failed == [6]


def test_frames_are_not_all_held_in_memory(tmp_path: Path) -> None:
    """A file of 300 MB is mapped: opening takes no time to speak of."""
    path = tmp_path / "large.tif"
    tifffile.memmap(path, shape=(300, 1024, 1024), dtype=np.uint8, photometric="minisblack").flush()
    with open_frames(path) as source:
        out = np.zeros(source.format.shape, np.uint8)
        began = time.perf_counter()
        source.read_into(299, out)
        assert time.perf_counter() - began < 0.5
        assert len(source) == 300


def test_requests_beyond_the_end_are_errors(tmp_path: Path) -> None:
    for kind in ("tiff", "zlib", "tiff-folder", "png-folder", "ffv1-avi"):
        folder = tmp_path / kind
        folder.mkdir()
        with open_frames(movies.write_kind(kind, folder, _frames(4))) as source:
            out = np.zeros(source.format.shape, np.uint8)
            with pytest.raises(BeadscopeError, match="4"):
                source.read_into(4, out)
            source.close()


@given(
    st.integers(0, 65535), st.integers(1, 4), st.sampled_from([np.uint8, np.uint16])
)  # fmt: skip
def test_grey_of_equal_channels_is_the_channel(
    value: int, channels: int, dtype: type[np.unsignedinteger[Any]]
) -> None:
    level = dtype(value % (int(np.iinfo(dtype).max) + 1))
    image = np.full((2, 3, channels), level, dtype)
    assert np.array_equal(to_grey(image), np.full((2, 3), level))


@given(st.lists(st.integers(0, 10**6), min_size=1, unique=True))
def test_natural_order_is_that_of_numbers(numbers: list[int]) -> None:
    names = [f"img_{number}_a.png" for number in numbers]
    expected = [f"img_{number}_a.png" for number in sorted(numbers)]
    assert sorted(names, key=natural_key) == expected
