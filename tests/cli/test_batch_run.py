"""`beadscope batch run` and `batch status`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from .conftest import beadscope

OWN = '''
from __future__ import annotations

import numpy as np

from napari_beadscope.batch.service import Service


class Brightness(Service):
    """Mean of every frame, as CSV."""

    name = "brightness"
    suffix = ".csv"

    def channels(self, plan_channels, settings):
        return plan_channels["phase"]

    def process(self, work, settings):
        frames = work.frames(self.channels(work.plan_channels, settings)[0])
        if frames.max() > 250:
            raise ValueError("too bright")
        np.savetxt(work.output, frames.mean((1, 2)), fmt="%.6f")
        print("services may print")
        return {"brightest": float(frames.mean((1, 2)).max())}
'''


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """Two recordings, of which the second is too bright in its last chunk."""
    for name, last in (("dim", 90), ("bright", 255)):
        frames = np.full((10, 16, 16), 80, np.uint8)
        frames[9] = last
        tifffile.imwrite(tmp_path / f"{name}.tif", frames, ome=True, metadata={"axes": "TYX"})
    (tmp_path / "own.py").write_text(OWN)
    path = tmp_path / "plan.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "inputs": ["*.tif"],
                "output": "out",
                "chunk_frames": 5,
                "channels": {"phase": 0},
                "steps": ["own.py:Brightness"],
                "workers": {"cpu": 1},
            }
        )
    )
    return path


def test_a_run_with_a_failure_then_its_status_then_the_cure(plan: Path) -> None:
    out = plan.parent / "out"
    ran = beadscope("batch", "run", plan, code=1)
    assert "failed: brightness of bright, frames 5 to 9: ValueError: too bright" in ran.out
    assert "3 of 4 units done, 1 failed" in ran.out
    assert (out / "positions/dim/brightness/000005-000009.csv").read_text().endswith("90.000000\n")
    status = beadscope("batch", "status", out, "--verbose")
    assert "some of it has failed" in status.out
    assert 'raise ValueError("too bright")' in status.out
    own = plan.parent / "own.py"
    own.write_text(own.read_text().replace("> 250", "> 255"))
    cured = json.loads(beadscope("batch", "run", plan, "--workers", 2, "--json").out)
    assert (cured["state"], cured["done"], cured["changed"]) == ("complete", 4, 3)
    status = json.loads(beadscope("batch", "status", out, "--json").out)
    assert (status["state"], status["done"], status["failures"]) == ("complete", 4, [])
    again = json.loads(beadscope("batch", "run", plan, "--verify", "--json").out)
    assert (again["done_before"], again["lost"]) == (4, [])


def test_bad_input_is_told_in_a_sentence(plan: Path, tmp_path: Path) -> None:
    assert "is not the output of a batch" in beadscope("batch", "status", tmp_path, code=2).err
    assert "own2.py" in beadscope("batch", "run", tmp_path / "own2.py", code=2).err
    plan.write_text(plan.read_text().replace("phase: 0", "phase: 3"))
    assert "phase" in beadscope("batch", "run", plan, code=2).err
    assert not (tmp_path / "out").exists()
