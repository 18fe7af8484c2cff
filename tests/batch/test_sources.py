"""Frames of every format are those that were saved, and what is damaged is never made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_beadscope.batch.plan import InputItem
from napari_beadscope.batch.plan_inputs import find_inputs
from napari_beadscope.batch.source import SourceError, open_source
from napari_beadscope.batch.sources.images import marked
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import AcquisitionMode, FrameFormat, FrameStamp
from napari_beadscope.storage import Manifest, RecordingWriter

STACK = np.random.default_rng(7).integers(0, 65535, (6, 2, 64, 80), dtype=np.uint16)
OME = {
    "axes": "TCYX",
    "Channel": {"Name": ["Phase", "GFP"]},
    "TimeIncrement": 2.5,
    "TimeIncrementUnit": "s",
    "PhysicalSizeX": 0.1,
    "PhysicalSizeXUnit": "µm",
}


def _write(path: Path, data: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, data, photometric="minisblack", **options)
    return path


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def _read_on(path: Path) -> tuple[list[np.ndarray], InputError | None]:
    """Read frame by frame until there is an error."""
    frames: list[np.ndarray] = []
    try:
        with open_source(path) as source:
            for frame in range(source.positions()[0].frames):
                frames += list(source.read(0, 0, frame, frame + 1))
    except InputError as error:
        return frames, error
    return frames, None


TIFFS = {
    "contiguous OME": {"metadata": OME},
    "compressed OME": {"metadata": OME, "compression": "zlib"},
    "tiled OME": {"metadata": OME, "tile": (32, 32), "compression": "lzw"},
    "big-endian BigTIFF": {"metadata": OME, "byteorder": ">", "bigtiff": True},
    "ImageJ": {
        "imagej": True,
        "metadata": {"axes": "TCYX", "finterval": 2.5, "unit": "um"},
        "resolution": (10, 10),
    },
}


@pytest.mark.parametrize("kind", TIFFS)
def test_planes_times_and_pixel_size_of_tiffs(kind: str, tmp_path: Path) -> None:
    options = TIFFS[kind]
    name = "My cells.tif" if "imagej" in options else "My cells.ome.tif"
    with open_source(_write(tmp_path / name, STACK, **options)) as source:
        (info,) = source.positions()
        assert (info.name, info.frames, info.shape, info.dtype) == (
            "My_cells", 6, (64, 80), "uint16",
        )  # fmt: skip
        assert info.times_s == (0.0, 2.5, 5.0, 7.5, 10.0, 12.5)
        assert info.nm_per_px == pytest.approx(100.0)
        assert info.channels == (("0", "1") if "imagej" in options else ("Phase", "GFP"))
        for channel in (0, 1):
            got = source.read(0, channel, 1, 5)
            assert got.dtype == np.uint16
            assert np.array_equal(got, STACK[1:5, channel])
        assert source.read(0, 0, 3, 3).shape == (0, 64, 80)
        assert source.files() == (tmp_path / name,)


def test_several_images_of_an_ome_tiff_are_positions(tmp_path: Path) -> None:
    path = tmp_path / "many.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for k in range(3):
            writer.write(
                STACK + np.uint16(k),
                photometric="minisblack",
                metadata={**OME, "TimeIncrement": k + 1.0},
            )
    with open_source(path) as source:
        infos = source.positions()
        assert [info.name for info in infos] == ["many_p000", "many_p001", "many_p002"]
        assert [info.times_s[1] for info in infos if info.times_s] == [1.0, 2.0, 3.0]
        for k in range(3):
            assert np.array_equal(source.read(k, 1, 0, 6), STACK[:, 1] + np.uint16(k))


def test_an_ome_tiff_over_several_files_is_one_source(tmp_path: Path) -> None:
    names = ["a.ome.tif", "b.ome.tif"]
    data = "".join(
        f'<TiffData FirstT="{t}" FirstC="0" FirstZ="0" IFD="{t % 3}" PlaneCount="1">'
        f'<UUID FileName="{names[t // 3]}">urn:uuid:{t // 3:08d}-0000-0000-0000-000000000000</UUID>'
        "</TiffData>"
        for t in range(6)
    )
    for at, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/'
            f'Schemas/OME/2016-06" UUID="urn:uuid:{at:08d}-0000-0000-0000-000000000000">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            'SizeX="80" SizeY="64" SizeZ="1" SizeC="1" SizeT="6">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
        )
        part = STACK[3 * at : 3 * at + 3, 0]
        _write(tmp_path / name, part, description=xml.encode(), metadata=None)
    with open_source(tmp_path / "a.ome.tif") as source:
        assert np.array_equal(source.read(0, 0, 0, 6), STACK[:, 0])
        assert set(source.files()) == {tmp_path / name for name in names}
        before = source.fingerprint()
    wrong: list[str] = []
    items = [InputItem(path="*.ome.tif")]
    found = find_inputs(items, tmp_path, lambda place, what, remedy="": wrong.append(what))
    assert [one.path.name for one in found] == ["a.ome.tif"]  # not once for each file
    assert wrong == []
    _write(tmp_path / "b.ome.tif", STACK[3:6, 1], description=xml.encode(), metadata=None)
    with open_source(tmp_path / "a.ome.tif") as source:
        assert source.fingerprint() != before


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
def test_pixels_keep_their_type(dtype: str, tmp_path: Path) -> None:
    data = (STACK[:3, 0] // 300).astype(dtype)
    with open_source(_write(tmp_path / "a.tif", data, metadata={"axes": "TYX"})) as source:
        assert source.positions()[0].dtype == dtype
        assert np.array_equal(source.read(0, 0, 0, 3), data)


def test_without_times_or_names_nothing_is_guessed(tmp_path: Path) -> None:
    with open_source(_write(tmp_path / "a.tif", STACK[:, 0], metadata=None)) as source:
        (info,) = source.positions()
        assert info.times_s is None
        assert info.nm_per_px is None
        assert info.channels == ("0",)


@pytest.mark.parametrize("kind", TIFFS)
def test_a_truncated_tiff_never_passes_as_a_whole_one(kind: str, tmp_path: Path) -> None:
    options = TIFFS[kind]
    name = "a.tif" if "imagej" in options else "a.ome.tif"
    path = _write(tmp_path / name, STACK, **options)
    for share in (0.95, 0.6, 0.3):
        frames, error = _read_on(_cut(path, share))
        assert str(path) in str(error)
        assert len(frames) < 6
        assert all(np.array_equal(got, truth) for got, truth in zip(frames, STACK[:, 0]))


def test_pixels_behind_a_cut_chain_do_not_make_a_shorter_movie(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.tif", STACK[:, 0], metadata=None)  # directories at the end
    frames, error = _read_on(_cut(path, 0.9))
    assert "is damaged (the file is cut after 1 planes)" in str(error)
    assert all(np.array_equal(got, truth) for got, truth in zip(frames, STACK[:, 0]))


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_plain_tiff_that_is_cut_does_not_pass_as_a_shorter_one(
    compression: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for image in STACK[:, 0]:
            writer.write(
                image, photometric="minisblack", metadata=None, compression=compression,
                contiguous=False,
            )  # fmt: skip
    with open_source(_cut(path, 0.7)) as source:
        (info,) = source.positions()
        assert np.array_equal(source.read(0, 0, 0, 3), STACK[:3, 0])
        with pytest.raises(SourceError, match="frame"):
            source.read(0, 0, 0, info.frames)


def test_a_corrupt_plane_is_an_error_and_the_others_are_not_harmed(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.ome.tif", STACK, metadata=OME, compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[5].dataoffsets[0]  # frame 2 of channel 1
    data = bytearray(path.read_bytes())
    data[offset + 40 : offset + 90] = bytes(50)
    path.write_bytes(data)
    with open_source(path) as source:
        with pytest.raises(SourceError, match=r"frame 2 of .*a\.ome\.tif"):
            source.read(0, 1, 0, 6)
        assert np.array_equal(source.read(0, 1, 3, 6), STACK[3:, 1])
        assert np.array_equal(source.read(0, 0, 0, 6), STACK[:, 0])


def test_a_plane_that_was_never_written_is_not_zeros(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.ome.tif", STACK, metadata=OME, compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[4].tags["StripByteCounts"].overwrite([0] * len(file.pages[4].dataoffsets))
    with (
        open_source(path) as source,
        pytest.raises(SourceError, match=r"frame 2 .*never written"),
    ):
        source.read(0, 0, 0, 6)


def test_time_and_focus_together_are_refused(tmp_path: Path) -> None:
    data = STACK.reshape(3, 2, 2, 64, 80)
    path = _write(tmp_path / "a.ome.tif", data, metadata={"axes": "TZCYX"})
    with pytest.raises(InputError, match="only one can be time: save one focal plane"):
        open_source(path)


def _recording(folder: Path, mode: str = "full", frames: int = 30, **options: object) -> Path:
    rng = np.random.default_rng(3)
    manifest = Manifest.new(
        mode=AcquisitionMode(mode), format=FrameFormat(48, 64, "uint16"), fps=20.0
    )
    with RecordingWriter.create(folder, manifest) as writer:
        for k in range(frames):
            number = k if k < 10 else k + 5  # five frames were lost
            image = rng.integers(0, 4000, (48, 64)).astype(np.uint16)
            writer.write_frames([image], [FrameStamp(number, 10**9 + number * 50_000_000)])
        writer.finish()
    return folder


def test_a_recording_is_a_source_with_its_own_times(tmp_path: Path) -> None:
    folder = _recording(tmp_path / "2026-11-21_pull")
    rng = np.random.default_rng(3)
    truth = np.stack([rng.integers(0, 4000, (48, 64)).astype(np.uint16) for _ in range(30)])
    for path in (folder, folder / "recording.yaml"):
        with open_source(path) as source:
            (info,) = source.positions()
            assert (info.name, info.kind, info.frames) == ("2026-11-21_pull", "recording", 30)
            assert info.times_s is not None
            assert info.times_s[9:11] == pytest.approx((0.45, 0.75))
            assert np.array_equal(source.read(0, 0, 5, 30), truth[5:])


def test_a_recording_whose_movie_was_cut_says_so(tmp_path: Path) -> None:
    folder = _recording(tmp_path / "a")
    movie = folder / "video_0000.ome.tif"
    movie.write_bytes(movie.read_bytes()[: 4096 + 20 * 48 * 64 * 2 + 100])
    with open_source(folder) as source:
        assert source.positions()[0].frames == 30
        assert len(source.read(0, 0, 0, 20)) == 20
        with pytest.raises(SourceError, match="frame 20 of the recording"):
            source.read(0, 0, 0, 30)


def test_a_recording_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    folder = _recording(tmp_path / "a")
    text = (folder / "recording.yaml").read_text()
    (folder / "recording.yaml").write_text(text.replace("state: complete", "state: open"))
    with pytest.raises(InputError, match="not finished: wait for its end"):
        open_source(folder)


def _movie(
    path: Path, frames: np.ndarray, codec: str, pixels: str, options: dict[str, str] | None = None
) -> Path:
    import av

    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:], pixels
        for image in frames:
            frame = av.VideoFrame.from_ndarray(image, "gray").reformat(format=pixels)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mp4", "mjpeg", "yuvj420p"), ("a.mkv", "ffv1", "gray"), ("a.avi", "mjpeg", "yuvj420p")],
)
def test_a_movie_that_is_cut_does_not_pass_as_a_shorter_one(
    name: str, codec: str, pixels: str, tmp_path: Path
) -> None:
    frames = (STACK[:, 0] // 256).astype(np.uint8)
    path = _movie(tmp_path / name, frames, codec, pixels, {"movflags": "faststart"})
    whole, error = _read_on(path)
    assert (len(whole), error) == (6, None)
    for share in (0.98, 0.7, 0.4):
        read, error = _read_on(_cut(path, share))
        assert str(path) in str(error)
        assert all(np.array_equal(got, truth) for got, truth in zip(read, whole))


def test_movies_are_sources(tmp_path: Path) -> None:
    frames = (STACK[:, 0] // 256).astype(np.uint8)
    with open_source(_movie(tmp_path / "a.avi", frames, "ffv1", "gray")) as source:
        (info,) = source.positions()
        assert (info.kind, info.frames, info.dtype) == ("video", 6, "uint8")
        assert info.times_s == pytest.approx([k / 25 for k in range(6)])
        assert np.array_equal(source.read(0, 0, 4, 6), frames[4:])
        assert np.array_equal(source.read(0, 0, 0, 6), frames)
    with open_source(_cut(tmp_path / "a.avi", 0.7)) as source:
        (info,) = source.positions()
        with pytest.raises(SourceError, match="frame"):
            source.read(0, 0, 0, info.frames)


def test_a_folder_of_images_is_told_apart_by_its_names(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for t in range(3):
        for c in range(2):
            for p in range(2):
                image = STACK[t, c] + np.uint16(p)
                _write(folder / f"img_t{t + 1:03d}_c{c}_p{p + 5:02d}.tif", image)
    with open_source(folder) as source:
        infos = source.positions()
        assert [info.name for info in infos] == ["run_p000", "run_p001"]
        assert {(info.frames, info.channels) for info in infos} == {(3, ("0", "1"))}
        assert np.array_equal(source.read(1, 1, 0, 3), STACK[:3, 1] + np.uint16(1))
        before = source.fingerprint()
    (folder / "img_t002_c1_p06.tif").unlink()
    with open_source(folder) as source:
        assert source.fingerprint() != before
        assert np.array_equal(source.read(0, 1, 0, 3), STACK[:3, 1])
        with pytest.raises(SourceError, match="frame 1 of channel 1 of position 1"):
            source.read(1, 1, 0, 3)


def test_a_folder_of_images_in_natural_order(tmp_path: Path) -> None:
    from PIL import Image

    frames = (STACK[:, 0] // 256).astype(np.uint8)
    for k, image in enumerate(frames):
        Image.fromarray(image).save(tmp_path / f"cells{k + 7}.png")
    with open_source(tmp_path) as source:
        assert np.array_equal(source.read(0, 0, 0, 6), frames)
    (tmp_path / "cells9.png").write_bytes(b"no image")
    with open_source(tmp_path) as source, pytest.raises(SourceError, match=r"frame 2.*cells9.png"):
        source.read(0, 0, 0, 6)


def test_marks_in_names() -> None:
    assert marked("2026-11-21_pull_12.tif") == {}
    assert marked("t12xy3c2.tif") == {"time": 12, "position": 3, "channel": 2}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.tif", None, "there is nothing at"),
        ("a.tif", b"II*\0 no", "cannot be read as TIFF|damaged TIFF|no image"),
        ("a.xyz", b"what", "nothing reads"),
        ("a.mp4", b"what", "is not a movie"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as told:
        open_source(tmp_path / name)
    assert name in str(told.value)


def test_positions_channels_and_frames_that_there_are_none_of(tmp_path: Path) -> None:
    with open_source(_write(tmp_path / "a.ome.tif", STACK, metadata=OME)) as source:
        for wrong, words in (
            ((1, 0, 0, 1), "no position 1"),
            ((0, 2, 0, 1), "no channel 2"),
            ((0, 0, 4, 7), "frames 4 to 6: it has 6"),
        ):
            with pytest.raises(SourceError, match=words):
                source.read(*wrong)


def test_a_fingerprint_holds_until_the_content_changes(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.ome.tif", STACK, metadata=OME)
    prints = []
    for _ in range(2):
        with open_source(path) as source:
            prints.append(source.fingerprint())
    path.touch()
    with open_source(path) as source:
        prints.append(source.fingerprint())
    assert prints[0] == prints[1] != prints[2]
