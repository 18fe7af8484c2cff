"""A GPU that fails in the middle of a recording: the real engine records every row all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope import Bead, Roi, Scope, open_recording

OPTIONS = {"beads": 2, "height_px": 256, "width_px": 256, "fps": 100.0}
FRAMES = 120

#: Read by every process of the engine as it starts: their GPU works until a file appears.
SITE = """
import os, sys
from importlib.machinery import PathFinder

NAME = "napari_beadscope.tracking.fallback"

def change(module):
    from napari_beadscope.tracking.compiled import CpuBackend

    class Gpu(CpuBackend):
        name, device = "gpu", "cuda:0"

        def track(self, stack, zlut):
            if os.path.exists(os.environ["BEADSCOPE_TEST_GPU_FAILS"]):
                raise RuntimeError("cudaErrorLaunchFailure: unspecified launch failure")
            return super().track(stack, zlut)

    module.why_not = lambda: ""
    module._open_gpu = Gpu

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != NAME:
            return None
        spec = super().find_spec(name, path, target)
        execute = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (execute(module), change(module))
        return spec

sys.meta_path.insert(0, Finder)
"""


@pytest.mark.timeout(120)
def test_every_row_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    fails = tmp_path / "fails"
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("BEADSCOPE_TEST_GPU_FAILS", str(fails))
    beads = [Bead(i, Roi(4 * i, 4 * i, 64)) for i in range(40)]  # so many that a GPU pays
    with Scope(options=OPTIONS) as scope:
        scope.set_beads(beads)
        scope.wait_for(lambda s: s.tracking.backend and not s.tracking.step, 60)
        folder = scope.start_recording(tmp_path / "r", "track", frames=FRAMES)
        scope.wait_for(lambda s: s.status().recorded_frames > FRAMES // 4, 30)
        before = scope.tracking
        fails.touch()
        scope.wait_for(lambda s: not s.status().recording, 30)
        after = scope.tracking
    recording = open_recording(folder)
    assert before.backend == "gpu", before
    assert (after.backend, after.device) == ("cpu", "cpu")
    assert "the GPU failed (RuntimeError: cudaErrorLaunchFailure" in after.why
    rows = recording.tracks
    assert sorted(zip(rows["frame"].tolist(), rows["bead"].tolist(), strict=True)) == [
        (frame, bead.bead) for frame in range(FRAMES) for bead in beads
    ]
    assert not recording.gaps
