"""A machine that has never compiled a kernel: it is said, and no frame goes lost or untracked."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.messages import Tracking, TrackingChanged
from napari_beadscope.core.types import Bead
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording

FRAMES = 100


@pytest.mark.timeout(300)
def test_compiling_is_shown_and_recording_waits_for_it(
    options: dict[str, Any],
    beads: tuple[Bead, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    settings = {"engine.ring_mb": 8, "engine.start_timeout_s": 200.0, "engine.trackers": 1}
    said: list[Tracking] = []
    scope = Scope("simulated", options=options, settings=settings)
    scope.on_event(
        lambda event: said.append(event.tracking) if isinstance(event, TrackingChanged) else None
    )
    with scope:
        scope.start_live()
        scope.set_beads(beads)
        assert [tracking.step for tracking in said] == ["compiling kernels", ""]
        assert scope.tracking.sentence.startswith(("cpu, precise (", "gpu, precise ("))
        _check_whole(scope, tmp_path / "precise", beads)

        # frames stay live while another method is compiled, and what is recorded then waits
        changing = threading.Thread(target=scope.set_method, args=["magtrack-compatible"])
        changing.start()
        scope.wait_for(lambda s: s.tracking.step == "compiling kernels")
        seen = scope.latest_frame().frame
        scope.wait_for(lambda s: s.latest_frame().frame > seen + 20)
        assert scope.tracking.step == "compiling kernels"
        with pytest.raises(BeadscopeError, match="being changed"):
            scope.start_recording(tmp_path / "early", "track")
        changing.join()
        _check_whole(scope, tmp_path / "compatible", beads)


def _check_whole(scope: Scope, folder: Path, beads: tuple[Bead, ...]) -> None:
    """Record; every frame is there and tracked, and none was dropped."""
    recording = open_recording(scope.record(folder, "track+full", frames=FRAMES))
    manifest = recording.manifest
    assert (manifest.frames_written, manifest.gaps, manifest.untracked) == (FRAMES, [], [])
    assert manifest.method == scope.tracking.method
    assert len(recording.tracks) == FRAMES * len(beads)
    assert scope.status().dropped == 0


@pytest.mark.timeout(300)
def test_an_engine_stops_at_once_although_it_compiles(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    camera = {"engine.start_timeout_s": 200.0, "engine.trackers": 1}
    scope = Scope("simulated", options=options, settings=camera).start()

    def change() -> None:
        with contextlib.suppress(BeadscopeError):  # the engine ends before it answers
            scope.set_method("magtrack-compatible")

    changing = threading.Thread(target=change)
    try:
        scope.wait_for(lambda s: s.tracking.backend and not s.tracking.step, 200)
        changing.start()
        scope.wait_for(lambda s: s.tracking.step == "compiling kernels")
    finally:
        began = time.monotonic()
        scope.stop()
    assert time.monotonic() - began < 4.0
    changing.join()
