"""A CZI file, written by Zeiss's own library, read as every other source."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.batch.source import SourceError, open_source
from napari_beadscope.core.errors import InputError

STACK = np.random.default_rng(1).integers(1, 60000, (5, 2, 64, 80), dtype=np.uint16)


@pytest.fixture(scope="module")
def czi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pylibCZIrw import czi

    path = tmp_path_factory.mktemp("czi") / "My cells.czi"
    with czi.create_czi(str(path)) as document:
        for t, c in np.ndindex(5, 2):
            if (t, c) != (4, 1):  # ended early
                document.write(data=STACK[t, c][..., None], plane={"T": t, "C": c})
        document.write_metadata(
            document_name="cells", channel_names={0: "Phase", 1: "GFP"}, scale_x=1e-7, scale_y=1e-7
        )
    return path


def test_planes_channels_and_pixel_size(czi: Path) -> None:
    with open_source(czi) as source:
        (info,) = source.positions()
        assert (info.name, info.kind, info.frames, info.shape, info.dtype) == (
            "My_cells", "vendor", 5, (64, 80), "uint16",
        )  # fmt: skip
        assert info.channels == ("Phase", "GFP")
        assert info.nm_per_px == pytest.approx(100.0)
        assert info.times_s is None
        assert np.array_equal(source.read(0, 0, 0, 5), STACK[:, 0])
        assert np.array_equal(source.read(0, 1, 1, 4), STACK[1:4, 1])
        assert len(source.fingerprint()) == 64
        with pytest.raises(SourceError, match=r"frame 4 of channel 1 .*never taken"):
            source.read(0, 1, 0, 5)


def test_a_czi_that_is_cut(czi: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.czi"
    path.write_bytes(czi.read_bytes()[:40_000])
    with pytest.raises(InputError, match=r"cut\.czi"), open_source(path) as source:
        source.read(0, 0, 0, 5)


def test_without_a_reader_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.nd2"
    path.write_bytes(b"no ND2")
    with pytest.raises(InputError, match=r"a\.nd2"):
        open_source(path)
    monkeypatch.setitem(sys.modules, "bioio", None)
    with pytest.raises(InputError, match=r"needs bioio to be read: pip install 'napari-beadscope"):
        open_source(path)


def test_scenes_that_would_be_lost_are_told(tmp_path: Path) -> None:
    from pylibCZIrw import czi

    path = tmp_path / "scenes.czi"
    with czi.create_czi(str(path)) as document:
        for scene, t in np.ndindex(2, 2):
            document.write(
                data=STACK[t, scene][..., None], plane={"T": t, "C": 0}, scene=scene,
                location=(1000 * scene, 0),
            )  # fmt: skip
        document.write_metadata(document_name="scenes", scale_x=1e-7, scale_y=1e-7)
    with pytest.raises(InputError, match=r"scenes\.czi has 2 scenes, of which 1 can be read"):
        open_source(path)
