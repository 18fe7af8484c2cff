"""Recordings to write and read in the tests of storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.types import TRACK_ROW, Bead, FrameFormat, FrameStamp, Roi
from napari_beadscope.storage import Manifest

BEADS = (Bead(3, Roi(2, 3, 8)), Bead(7, Roi(20, 30, 10)))


@pytest.fixture
def make_manifest() -> Callable[..., Manifest]:
    def make(mode: str, **changes: Any) -> Manifest:
        fields: dict[str, Any] = {
            "format": FrameFormat(32, 40, "uint16"),
            "fps": 100.0,
            "beads": BEADS,
        }
        return Manifest.new(mode=mode, **(fields | changes))

    return make


@pytest.fixture
def make_frames() -> Callable[..., np.ndarray]:
    def make(count: int, shape: tuple[int, int] = (32, 40), dtype: str = "uint16") -> np.ndarray:
        numbers = np.random.default_rng(count).integers(0, np.iinfo(dtype).max, (count, *shape))
        return numbers.astype(dtype)

    return make


@pytest.fixture
def make_stamps() -> Callable[[Sequence[int]], list[FrameStamp]]:
    return lambda frames: [FrameStamp(int(k), 5_000 + int(k) * 10_000_000) for k in frames]


@pytest.fixture
def make_rows() -> Callable[..., np.ndarray]:
    def make(frames: Sequence[int], beads: Sequence[int] = (3, 7), bins: int = 6) -> np.ndarray:
        rows = np.zeros(len(frames) * len(beads), TRACK_ROW)
        rows["frame"] = np.repeat(np.asarray(frames), len(beads))
        rows["bead"] = np.tile(beads, len(frames))
        rows["time_ns"] = 5_000 + rows["frame"] * 10_000_000
        rows["x_px"] = rows["frame"] + rows["bead"] / 16
        rows["y_px"] = 2 * rows["x_px"]
        rows["z_nm"] = np.where(rows["bead"] == 7, np.nan, -rows["x_px"])
        rows["quality"] = 0.5
        rows["n_radial"] = bins
        rows["profile"][:, :bins] = rows["x_px"][:, None] + np.arange(bins)
        return rows

    return make
