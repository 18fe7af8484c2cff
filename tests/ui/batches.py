"""Batches for the UI's tests: results as a run leaves them, and plans that really run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import tifffile
import yaml

from napari_beadscope.batch.journal import Entry, Journal
from napari_beadscope.batch.outcome import POSITIONS_NOTE
from napari_beadscope.batch.services.cell_parts import write_labels
from napari_beadscope.batch.units import Unit

FRAMES, SIDE = 6, 64
CELLS = {0: (12, 20), 1: (40, 44)}  # number: y, x; cell 1 is there from frame 2 on
_SERVICE = '''"""A step that takes its time."""

import time

from napari_beadscope.batch.service import Service


class Slow(Service):
    """Writes how many frames it has seen."""

    name = "slow"
    suffix = ".txt"

    def process(self, work, settings):
        for _ in range(4):
            work.checkpoint()
            time.sleep(0.05)
        if work.position.name == "b" and work.first == 0:
            raise ValueError("dust on the lens")
        work.output.write_text(str(work.last - work.first))
        return {}
'''


def write_source(path: Path, frames: int = FRAMES) -> Path:
    """Write phase and fluorescence, brighter from frame to frame."""
    values = np.arange(frames, dtype=np.uint16)[:, None, None, None]
    noise = np.random.default_rng(0).integers(0, 50, (frames, 2, SIDE, SIDE), np.uint16)
    tifffile.imwrite(path, 100 * values + noise, ome=True, metadata={"axes": "TCYX"})
    return path


def make_plan(folder: Path, frames: int = 20, names: str = "ab") -> Path:
    """Write a plan with a step of its own; the first chunk of position b fails."""
    for name in names:
        write_source(folder / f"{name}.tif", frames)
    (folder / "slow.py").write_text(_SERVICE)
    plan = {
        "inputs": ["*.tif"],
        "steps": ["slow.py:Slow"],
        "output": "out",
        "chunk_frames": 2,
        "workers": {"cpu": 1, "gpu": 0, "readers": 1},
    }
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


def make_results(folder: Path, positions: tuple[str, ...] = ("a", "b")) -> Path:
    """Make results of segment, track and extract; the last position has failed."""
    out = folder / "out"
    out.mkdir(parents=True)
    fields, units = [], []
    for number, name in enumerate(positions):
        source = write_source(folder / f"{name}.tif")
        fields.append(
            {
                "name": name,
                "path": str(source),
                "index": 0,
                "frames": [0, FRAMES],
                "channels": {"phase": [0], "fluorescence": [1]},
                "shape": [SIDE, SIDE],
                "nm_per_px": 200.0,
            }
        )
        for step, category, suffix, chunks in (
            ("segment", "SEGMENT", ".tif", ((0, 3), (3, FRAMES))),
            ("track", "CELL_LINK", ".csv", ((0, FRAMES),)),
            ("extract", "EXTRACT", ".csv", ((0, 3), (3, FRAMES))),
        ):
            for first, last in chunks:
                whole = len(chunks) == 1
                file = step if whole else f"{step}/{first:06d}-{last - 1:06d}"
                output = f"positions/{name}/{file}{suffix}"
                made = Unit(
                    number, 0, (name, step, first, last), f"{name}{step}{first}", category,
                    {}, (), {}, output,
                )  # fmt: skip
                units.append(made)
    with Journal.create(out) as journal:
        journal.enter([Entry(unit, "1", "{}", "x") for unit in units], set())
        with journal.writing():
            journal.set_note(POSITIONS_NOTE, fields)
            for unit in units:
                if len(positions) > 1 and unit.id[0] == positions[-1]:
                    _fail(journal, unit)
                else:
                    _done(journal, out, unit)
    (out / "plan.yaml").write_text("inputs: []\n")
    return out


def _fail(journal: Journal, unit: Unit) -> None:
    if unit.id[1] == "segment":
        trace = "Traceback (most recent call last):\nOSError: the disk has a hole\n"
        journal.set_failed(unit.id, "the disk has a hole", "mend it", trace)
    else:
        journal.set_failed(unit.id, "segment failed", state="blocked")


def _done(journal: Journal, out: Path, unit: Unit) -> None:
    position, step, first, last = unit.id
    path = out / unit.output
    path.parent.mkdir(parents=True, exist_ok=True)
    if step == "segment":
        write_labels(path, np.stack([labels(frame) for frame in range(first, last)]))
    else:
        path.write_text(_table(position, step, first, last))
    data = path.read_bytes()
    journal.set_done(
        unit.id, seconds=0.1, cpu_seconds=0.1, size=len(data),
        sha256=hashlib.sha256(data).hexdigest(), facts={},
    )  # fmt: skip


def _there(frame: int) -> list[int]:
    """Cells of a frame in the order of their labels, 1 and on: another one than that of cells."""
    return [cell for cell in (1, 0) if cell == 0 or frame >= 2]


def labels(frame: int) -> np.ndarray:
    """The labels of a frame: squares of 9 px about the cells."""
    mask = np.zeros((SIDE, SIDE), np.int32)
    for label, cell in enumerate(_there(frame), start=1):
        y, x = CELLS[cell]
        mask[y - 4 : y + 5, x + frame - 4 : x + frame + 5] = label
    return mask


def _table(position: str, step: str, first: int, last: int) -> str:
    track = "position,cell,frame,parent,label"
    head = "position,cell,frame,time_s,y_px,x_px,area_px,intensity_total_c1,parent"
    lines = [track if step == "track" else head]
    for frame in range(first, last):
        for label, cell in enumerate(_there(frame), start=1):
            parent = 0 if cell == 1 else -1
            y, x = CELLS[cell]
            lines.append(
                f"{position},{cell},{frame},{parent},{label}"
                if step == "track"
                else f"{position},{cell},{frame},nan,{y},{x + frame},81,{1000 + cell},{parent}"
            )
    return "\n".join(lines) + "\n"
