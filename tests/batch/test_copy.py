"""The step `copy`: one OME-TIFF with the same pixels, names, times and size of a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_beadscope.batch.plan_file import make_plan
from napari_beadscope.batch.planning import resolve_plan
from napari_beadscope.batch.services.copy import Copy, CopySettings
from napari_beadscope.batch.source import open_source
from napari_beadscope.core.errors import InputError

STACK = np.random.default_rng(2).integers(0, 65535, (9, 2, 64, 96), dtype=np.uint16)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    path = tmp_path / "cells.ome.tif"
    metadata = {
        "axes": "TCYX",
        "Channel": {"Name": ["Phase & co", "GFP"]},
        "Plane": {"DeltaT": [0.5 * k for k in range(18)]},
        "PhysicalSizeX": 0.065,
        "PhysicalSizeXUnit": "µm",
    }
    tifffile.imwrite(path, STACK, photometric="minisblack", compression="zlib", metadata=metadata)
    return path


def test_a_copy_is_the_same_in_another_format(cells: Path, tmp_path: Path) -> None:
    with open_source(cells) as source:
        (output,) = Copy().process_position(source, 0, tmp_path / "one")
        (again,) = Copy().process_position(source, 0, tmp_path / "two")
        (before,) = source.positions()
    assert output.read_bytes() == again.read_bytes()
    with open_source(output) as copy:
        (info,) = copy.positions()
        assert (info.frames, info.channels, info.shape, info.dtype) == (
            before.frames, before.channels, before.shape, before.dtype,
        )  # fmt: skip
        assert info.times_s == pytest.approx(before.times_s)
        assert info.nm_per_px == pytest.approx(65.0)
        for channel in range(2):
            assert np.array_equal(copy.read(0, channel, 0, 9), STACK[:, channel])
    assert tifffile.memmap(output).shape == (9, 2, 64, 96)


def test_some_channels(cells: Path, tmp_path: Path) -> None:
    with open_source(cells) as source:
        settings = CopySettings(channels=(1,))
        (output,) = Copy().process_position(source, 0, tmp_path / "one", settings)
        with pytest.raises(InputError, match="no channel 2 to copy"):
            Copy().process_position(source, 0, tmp_path / "two", CopySettings(channels=(2,)))
    with open_source(output) as copy:
        assert copy.positions()[0].channels == ("GFP",)
        assert np.array_equal(copy.read(0, 0, 0, 9), STACK[:, 1])


def test_a_copy_needs_no_times(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[:, 0], metadata=None, photometric="minisblack")
    batch = resolve_plan(make_plan({"inputs": "a.tif", "steps": "copy", "output": "o"}), tmp_path)
    assert batch.positions[0].info.times_s is None
    with open_source(tmp_path / "a.tif") as source:
        (output,) = Copy().process_position(source, 0, tmp_path / "one")
    with open_source(output) as copy:
        assert copy.positions()[0].times_s is None
        assert np.array_equal(copy.read(0, 0, 0, 9), STACK[:, 0])
