"""Folders of batches as a run leaves them, made without one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from napari_beadscope.batch.journal import Entry, Journal
from napari_beadscope.batch.outcome import POSITIONS_NOTE
from napari_beadscope.batch.units import Unit

HEAD = "position,cell,frame,time_s,y_px,x_px,area_px,intensity_total_c1"
STEPS = ("segment", "extract")
FRAMES, CHUNK = 20, 8


def cells_csv(position: str, first: int, last: int, cells: int = 3) -> bytes:
    """Rows of cells whose light grows."""
    rows = [
        f"{position},{cell},{frame},{frame * 60.0:.3f},{10 * cell:.2f},{frame:.2f},200,"
        f"{1000 * (cell + 1) * (1 + frame / 10):.3f}"
        for frame in range(first, last)
        for cell in range(cells)
    ]
    return ("\n".join([HEAD, *rows]) + "\n").encode()


def chunks(frames: int = FRAMES) -> list[tuple[int, int]]:
    return [(first, min(first + CHUNK, frames)) for first in range(0, frames, CHUNK)]


def make_batch(
    folder: Path,
    positions: Sequence[int] = (0, 1),
    *,
    name: str = "cells",
    source: str = "/data/cells.tif",
    settings: str = '{"radius": 3}',
    samples: dict[int, str] | None = None,
    fail: dict[tuple[int, int], str] | None = None,
    undone: Sequence[int] = (),
    content: Callable[[str, int, int], bytes] = cells_csv,
) -> Path:
    """Make a batch's folder: `segment` in chunks of pixels, `extract` in chunks of CSV.

    Parameters
    ----------
    fail : dict of (position, first frame) to sentence
        Chunks whose `segment` failed.
    undone : sequence of int
        Positions that were not begun.
    """
    folder.mkdir(parents=True)
    fail, samples = fail or {}, samples or {}
    entries, results, failed = [], [], []
    for number, index in enumerate(positions):
        position = f"{name}_p{index:03d}"
        for first, last in chunks():
            for step_number, step in enumerate(STEPS):
                suffix = ".npy" if step == "segment" else ".csv"
                output = f"positions/{position}/{step}/{first:06d}-{last - 1:06d}{suffix}"
                unit = Unit(
                    number, step_number, (position, step, first, last), f"{settings}{position}",
                    "SUMMARY", {}, (), {}, output,
                )  # fmt: skip
                entries.append(Entry(unit, "1", settings, "fingerprint"))
                why = fail.get((index, first))
                if why or index in undone:
                    if why:
                        failed.append((unit, why if step == "segment" else ""))
                    continue
                data = b"mask" if step == "segment" else content(position, first, last)
                path = folder / output
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                results.append((unit, data))
    fields = [
        {
            "name": f"{name}_p{index:03d}",
            "path": source,
            "index": index,
            "frames": [0, FRAMES],
            "channels": {"phase": [0], "fluorescence": [1]},
            "shape": [64, 80],
            "sample": samples.get(index),
        }
        for index in positions
    ]
    with Journal.create(folder) as journal:
        journal.enter(entries, set())
        with journal.writing():
            journal.set_note(POSITIONS_NOTE, fields)
            for unit, data in results:
                facts = {"cells": 3} if unit.id[1] == "extract" else {}
                journal.set_running(unit.id, "cpu 0", 1)
                journal.set_done(
                    unit.id, seconds=0.5, cpu_seconds=0.4, size=len(data),
                    sha256=hashlib.sha256(data).hexdigest(), facts=facts,
                )  # fmt: skip
            for unit, why in failed:
                if why:
                    trace = f"Traceback (most recent call last):\n  ...\nOSError: {why}\n"
                    journal.set_failed(unit.id, why, "copy the file again", trace)
                else:
                    journal.set_failed(unit.id, "segment failed", state="blocked")
    plan = {
        "inputs": [{"path": source, "positions": list(positions)}],
        "steps": [{"segment": json.loads(settings)}, "extract"],
        "channels": {"phase": [0], "fluorescence": [1]},
        "output": str(folder),
    }
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    return folder
