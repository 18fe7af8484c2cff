"""The camera contract, against every camera we ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.devices import Camera, open_camera
from napari_beadscope.testing.cameras import CameraContract
from napari_beadscope.testing.movies import KINDS, write_kind

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_camera.py"
SMALL = {"height_px": 96, "width_px": 128, "beads": 3, "fps": 200}


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
class TestSimulated(CameraContract):
    @pytest.fixture
    def camera(self, dtype: str) -> Camera:
        return open_camera("simulated", {**SMALL, "dtype": dtype})


class TestNamedSimulated(CameraContract):
    @pytest.fixture
    def camera(self) -> Camera:
        return open_camera("simulated:bench", SMALL, lambda: {"focus": 1.0, "magnet": 2.0})


@pytest.mark.parametrize("kind", KINDS)
class TestReplay(CameraContract):
    finite = True

    @pytest.fixture
    def camera(self, kind: str, tmp_path: Path) -> Camera:
        frames = np.random.default_rng(0).integers(1, 200, (8, 48, 64)).astype(np.uint8)
        return open_camera(f"replay:{write_kind(kind, tmp_path, frames)}", {"fps": 0})


class TestMyCamera(CameraContract):
    """The example in the docs, found by its file."""

    @pytest.fixture
    def camera(self) -> Camera:
        return open_camera(f"{EXAMPLE}:LabCamera", {"serial": "4711"})


class TestPacedLoopingReplay(CameraContract):
    @pytest.fixture
    def camera(self, tmp_path: Path) -> Camera:
        frames = np.random.default_rng(0).integers(1, 200, (3, 48, 64)).astype(np.uint8)
        path = write_kind("tiff", tmp_path, frames)
        return open_camera(f"replay:{path}", {"fps": 100, "loop": True})
