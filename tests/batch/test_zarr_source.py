"""OME-Zarr as Zarr's own library writes it; what is missing or cut is an error, never zeros."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorstore

from napari_beadscope.batch.source import SourceError, open_source
from napari_beadscope.core.errors import InputError

STACK = np.random.default_rng(5).integers(0, 60000, (7, 2, 64, 80), dtype=np.uint16)
KINDS = ["v2-blosc", "v2-plain", "v3-zstd", "v3-blosc", "v3-turned", "v3-shards"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zarr")
    np.save(folder / "stack.npy", STACK)
    writer = Path(__file__).with_name("write_zarr.py")
    run = subprocess.run(
        [sys.executable, writer, folder, folder / "stack.npy"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture
def copied(written: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a copy that may be damaged."""
    name = f"{request.param}.ome.zarr"
    return Path(shutil.copytree(written / name, tmp_path / name))


@pytest.mark.parametrize("kind", KINDS)
def test_planes_times_and_pixel_size(kind: str, written: Path) -> None:
    with open_source(written / f"{kind}.ome.zarr") as source:
        (info,) = source.positions()
        assert (info.name, info.kind, info.frames, info.shape) == (kind, "zarr", 7, (64, 80))
        assert info.channels == ("Phase", "GFP")
        assert info.times_s == pytest.approx([2.5 * k for k in range(7)])
        assert info.nm_per_px == pytest.approx(100.0)
        for channel in (1, 0):
            assert np.array_equal(source.read(0, channel, 0, 7), STACK[:, channel])
        assert np.array_equal(source.read(0, 1, 6, 7), STACK[6:, 1])


def test_a_step_without_a_unit_is_no_time(written: Path) -> None:
    with open_source(written / "no-units.zarr") as source:
        (info,) = source.positions()
        assert (info.times_s, info.nm_per_px) == (None, None)


@pytest.mark.parametrize(("name", "added"), [("plate", (0, 1, 10, 11)), ("series", (0, 1, 2))])
def test_fields_of_wells_and_series_are_positions(
    name: str, added: tuple[int, ...], written: Path
) -> None:
    with open_source(written / f"{name}.zarr") as source:
        assert [one.name for one in source.positions()] == [
            f"{name}_p{at:03d}" for at in range(len(added))
        ]
        for at, more in enumerate(added):
            assert np.array_equal(source.read(at, 1, 2, 4), STACK[2:4, 1] + np.uint16(more))


@pytest.mark.parametrize("copied", KINDS, indirect=True)
def test_a_missing_chunk_is_not_zeros(copied: Path) -> None:
    with open_source(copied) as source:
        before = source.fingerprint()
        chunks = [file for file in source.files() if file.name[0] not in ".z"]
    chunks[-1].unlink()  # of the last frames of the second channel
    with open_source(copied) as source:
        assert source.fingerprint() != before
        assert np.array_equal(source.read(0, 0, 0, 4), STACK[:4, 0])
        with pytest.raises(SourceError, match=r"frame \d of channel 1 .* is missing"):
            source.read(0, 1, 0, 7)


@pytest.mark.parametrize("copied", KINDS, indirect=True)
def test_a_chunk_that_is_cut_is_an_error(copied: Path) -> None:
    with open_source(copied) as source:
        chunk = [file for file in source.files() if file.name[0] not in ".z"][-1]
    data = chunk.read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 100, len(data) - 1):
        chunk.write_bytes(data[:length])
        with (
            open_source(copied) as source,
            pytest.raises(SourceError, match=r"channel 1 .*is damaged"),
        ):
            source.read(0, 1, 0, 7)


@pytest.mark.parametrize("name", ["plate/A/1/1", "plate/B/2", "series/1"])
def test_an_image_whose_metadata_are_gone_does_not_just_disappear(
    name: str, written: Path, tmp_path: Path
) -> None:
    folder, _, rest = name.partition("/")
    copy = Path(shutil.copytree(written / f"{folder}.zarr", tmp_path / f"{folder}.zarr"))
    (copy / rest / ".zattrs").unlink()
    with pytest.raises(InputError, match=r"no metadata of|are damaged"):
        open_source(copy)


@pytest.mark.parametrize("copied", ["v3-shards"], indirect=True)
def test_a_chunk_that_a_shard_lacks_is_not_zeros(copied: Path) -> None:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{copied}/0/"}}
    array = tensorstore.open(spec).result()
    array[2:4, 1, 32:, 48:].write(0).result()  # a chunk of zeros is left out
    with open_source(copied) as source:
        assert np.array_equal(source.read(0, 0, 0, 7), STACK[:, 0])
        with pytest.raises(SourceError, match=r"frame 2 of channel 1 .* is missing"):
            source.read(0, 1, 0, 7)


@pytest.mark.parametrize("copied", ["v2-blosc"], indirect=True)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"compressor": {"id": "secret"}}, r"cannot be read \(.*secret"),
        ({"chunks": [0, 1, 32, 48]}, r"cannot be read \(.*chunks"),
        ({"chunks": "many"}, r"cannot be read \(.*chunks"),
    ],
)
def test_arrays_that_are_not_read(copied: Path, change: dict[str, object], words: str) -> None:
    file = copied / "0" / ".zarray"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(InputError, match=words):
        open_source(copied)


def test_a_folder_that_is_no_image(tmp_path: Path) -> None:
    folder = tmp_path / "a.zarr"
    folder.mkdir()
    with pytest.raises(InputError, match="no OME-Zarr image"):
        open_source(folder)
    (folder / ".zattrs").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        open_source(folder)
