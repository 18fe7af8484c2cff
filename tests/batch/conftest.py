"""A small batch: recordings, a plan with the tests' own services, and looks at what it made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from napari_beadscope.batch.planning import open_plan
from napari_beadscope.batch.run import Ending, Stopping, run_batch

SERVICES = Path(__file__).with_name("own_services.py")


def pixels(seed: int, frames: int = 12) -> np.ndarray:
    """Return frames of two channels, (t, c, y, x)."""
    return np.random.default_rng(seed).integers(0, 4000, (frames, 2, 24, 32), dtype=np.uint16)


def write_tiff(path: Path, frames: np.ndarray, **options: Any) -> None:
    """Write frames (t, c, y, x) as OME-TIFF."""
    tifffile.imwrite(path, frames, ome=True, metadata={"axes": "TCYX"}, **options)


@dataclass
class Case:
    """A plan in a folder, its output and its faults."""

    folder: Path
    positions: int = 3
    frames: int = 12
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def plan(self) -> Path:
        return self.folder / "plan.yaml"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def faults(self) -> Path:
        return self.folder / "faults"

    def write(self) -> Path:
        steps = [
            {f"{SERVICES}:{name}": {"faults": str(self.faults), **self.settings.get(name, {})}}
            for name in ("Sums", "Running", "Table")
        ]
        plan = {
            "inputs": ["*.tif"],
            "output": "out",
            "channels": {"phase": 0, "fluorescence": 1},
            "chunk_frames": 4,
            "frame_interval_s": 1.0,
            "steps": steps,
            "workers": {"cpu": 2, "gpu": 0, **self.more.pop("workers", {})},
            **self.more,
        }
        self.plan.write_text(yaml.safe_dump(plan))
        return self.plan

    def take_time(self, seconds: float) -> None:
        """Let every unit take so many seconds."""
        self.settings = {name: {"seconds": seconds} for name in ("Sums", "Running", "Table")}
        self.write()

    def run(self, **options: Any) -> Ending:
        return run_batch(open_plan(self.plan), **options)

    def fault(self, name: str) -> None:
        (self.faults / name).touch()

    def computed(self) -> list[str]:
        path = self.faults / "computed.txt"
        return sorted(path.read_text().splitlines()) if path.exists() else []

    def forget_computed(self) -> None:
        (self.faults / "computed.txt").unlink(missing_ok=True)

    def results(self) -> dict[str, bytes]:
        """Everything that a run has made but its journal and log."""
        made = {}
        for path in sorted(self.out.rglob("*")):
            name = path.relative_to(self.out).as_posix()
            if path.is_file() and not name.startswith(("journal.", "run.log")):
                made[name] = path.read_bytes()
        return made

    def outputs(self) -> dict[str, bytes]:
        """What the services have written."""
        return {k: v for k, v in self.results().items() if k.startswith("positions/")}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Three recordings of 12 frames in chunks of 4."""
    made = Case(tmp_path)
    made.faults.mkdir()
    for number in range(made.positions):
        write_tiff(tmp_path / f"cells{number}.tif", pixels(number, made.frames))
    made.write()
    return made


@pytest.fixture
def stopping() -> Stopping:
    """What ends a run from outside."""
    return Stopping()
