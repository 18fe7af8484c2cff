"""A real recording through replay, ring, trackers and recorder: nothing is lost or changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_beadscope.core.messages import LiveChanged
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.audit import audit

FRAMES = 401


@pytest.fixture(scope="module")
def movie(data_dir: Path) -> Path:
    """A real optical-tweezers recording."""
    return data_dir / "tweezed_bead_real.tif"


@pytest.fixture(scope="module")
def pixels(movie: Path) -> np.ndarray:
    """Its frames ``(t, y, x)``."""
    stack = np.asarray(tifffile.imread(movie))
    assert len(stack) == FRAMES
    return stack


@pytest.fixture(params=[16, 512], ids=["small ring", "large ring"])
def scope(request: pytest.FixtureRequest, movie: Path, pixels: np.ndarray) -> Iterator[Scope]:
    """An engine that replays the movie once, as fast as it can."""
    settings = {"engine.ring_mb": request.param}
    with Scope(f"replay:{movie}", options={"fps": 0}, settings=settings) as scope:
        height, width = pixels.shape[1:]
        size = min(64, height, width)
        scope.set_beads([Bead(0, Roi.around(height / 2, width / 2, size))])
        yield scope


@pytest.mark.parametrize("mode", ["track", "track+rois", "track+full", "rois", "full"])
def test_every_frame_arrives(scope: Scope, mode: str, tmp_path: Path, pixels: np.ndarray) -> None:
    ends = []
    scope.on_event(lambda event: ends.append(event) if isinstance(event, LiveChanged) else None)
    folder = scope.record(tmp_path / "r", mode)  # ends where the source ends
    assert audit(folder, pixels.__getitem__) == []
    recording = open_recording(folder)
    assert recording.frame_numbers.tolist() == list(range(FRAMES))
    assert recording.gaps == []
    if mode.startswith("track"):
        assert recording.tracks["frame"].tolist() == list(range(FRAMES))
    assert scope.status().dropped == 0
    assert not ends[-1].streaming
    assert "no more frames" in ends[-1].why
