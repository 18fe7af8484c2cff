"""Cells in batch: CPU time per step, and how near to the truth, on synthetic cells.

    python benchmarks/batch_cells.py [--positions 8] [--frames 100] [--size 512] [--json] [--runs]

Writes positions × frames × 2 channels as OME-TIFF (not timed), then runs the steps that a plan
runs, in this process, on one core: read, segment, correct, track, extract, with their output
files. CPU ms are of all threads, per time point of both channels. Truth is known: intersection
over union of every cell, share of the true links (divisions too), intensity inside the true mask
after correction, and from end to end. ``--size 640 --cells 40`` is the size PyAMA 1 was measured
at, with 238 CPU ms per time point: copy 124, segmentation 71, correction 21, tracking 7.5,
extraction 15. With --runs also whole runs with one worker and with two: wall time, on an otherwise
quiet machine.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.cells import fit_background
from napari_beadscope.batch.plan import Plan
from napari_beadscope.batch.planning import resolve_plan
from napari_beadscope.batch.run import run_batch
from napari_beadscope.batch.services import open_service
from napari_beadscope.batch.services.cell_parts import read_labels
from napari_beadscope.batch.source import open_source
from napari_beadscope.testing.cell_scores import best, matches
from napari_beadscope.testing.cells import DARK, FLUORESCENCE, SyntheticCells, write_cells

STEPS = ("segment", "correct", "track", "extract")
ROLES = {"phase": (0,), "fluorescence": (1,)}
PYAMA_MS = {"read": 124.0, "segment": 71.0, "correct": 21.0, "track": 7.5, "extract": 15.0}
CHUNK = 16


def timed(file: Path, folder: Path) -> tuple[dict[str, float], dict[str, tuple[Path, ...]]]:
    """Return CPU seconds of every step on one position, and what was written."""
    spent: dict[str, float] = {}
    made: dict[str, tuple[Path, ...]] = {}
    with open_source(file) as source:
        info = source.positions()[0]
        start = time.process_time()
        for first in range(0, info.frames, CHUNK):
            for channel in (0, 1):
                source.read(0, channel, first, min(first + CHUNK, info.frames))
        spent["read"] = time.process_time() - start
        for name in STEPS:
            service = open_service(name)
            settings = service.Settings(**({"dark": DARK} if name == "correct" else {}))
            start = time.process_time()
            made[name] = service.process_position(
                source,
                0,
                folder,
                settings,
                plan_channels=ROLES,
                chunk_frames=CHUNK,
                inputs=made,
            )
            spent[name] = time.process_time() - start
    return spent, made


def read(paths: tuple[Path, ...]) -> list[dict[str, str]]:
    """Return the rows of CSV files, one after the other."""
    texts = (path.read_text(encoding="utf-8").splitlines() for path in paths)
    return [row for lines in texts for row in csv.DictReader(lines)]


def judged(scene: SyntheticCells, made: dict[str, tuple[Path, ...]]) -> dict[str, Any]:
    """Compare one position with the truth."""
    found = list(read_labels(made["segment"]))
    rows, tracks = read(made["extract"]), read(made["track"])
    cell = {(int(r["frame"]), int(r["label"])): (r["cell"], r["parent"]) for r in tracks}
    table = {(int(row["frame"]), row["cell"]): row for row in rows}
    match = [matches(scene.labels(k), labels) for k, labels in enumerate(found)]
    iou = np.concatenate([best(scene.labels(k), labels) for k, labels in enumerate(found)])
    good = 0
    for frame, one, other in scene.links():
        here = cell.get((frame, match[frame].get(one, 0)))
        there = cell.get((frame + 1, match[frame + 1].get(other, 0)))
        good += bool(here and there and (here[0] == there[0] or there[1] == here[0]))
    off = []
    for one in scene.truth():
        frame = int(one["frame"])
        named = cell.get((frame, match[frame].get(int(one["label"]), 0)))
        if named:
            total = float(table[frame, named[0]]["intensity_total_c1"])
            off.append(total / one["intensity"] - 1)
    inside = []
    for frame in range(0, scene.frames, 10):
        labels, image = scene.labels(frame), scene.image(FLUORESCENCE, frame)
        corrected = fit_background(image, labels).corrected(image, dark=DARK)
        count = int(labels.max()) + 1
        got = np.bincount(labels.ravel(), corrected.ravel(), count)[1:]
        true = np.bincount(labels.ravel(), scene.fluorescence(frame).ravel(), count)[1:]
        inside += (got / true - 1).tolist()
    return {"iou": iou, "links": (good, len(scene.links())), "end": off, "inside": inside}


def whole_runs(files: list[Path], folder: Path) -> dict[str, float]:
    """Return wall seconds of a run over all files by number of workers, with the same results."""
    took, made = {}, []
    for workers in (1, 2):
        plan = {
            "inputs": [str(file) for file in files],
            "output": str(folder / f"run{workers}"),
            "channels": {"phase": 0, "fluorescence": [1]},
            "steps": ["segment", {"correct": {"dark": DARK}}, "track", "extract"],
            "chunk_frames": CHUNK,
            "workers": {"cpu": workers, "gpu": 0},
        }
        began = time.perf_counter()
        ending = run_batch(resolve_plan(Plan.model_validate(plan)))
        took[f"{workers} worker(s), s"] = round(time.perf_counter() - began, 2)
        assert ending.state == "complete", ending
        made.append((folder / f"run{workers}" / "tables" / "extract.csv").read_bytes())
    assert made[0] == made[1]
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--positions", type=int, default=8)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--divisions", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", action="store_true")
    args = parser.parse_args()
    spent = dict.fromkeys(PYAMA_MS, 0.0)
    scores, files, runs = [], [], {}
    with tempfile.TemporaryDirectory() as place:
        for seed in range(-1, args.positions):  # the first is not counted: it compiles
            scene = SyntheticCells(
                frames=args.frames if seed >= 0 else 4,
                size_px=(args.size, args.size),
                cells=args.cells,
                divisions=args.divisions,
                seed=max(seed, 0),
            )
            file = write_cells(Path(place) / f"p{seed + 1}.ome.tif", scene)
            seconds, made = timed(file, Path(place) / "out")
            if seed >= 0:
                spent = {name: spent[name] + seconds[name] for name in spent}
                scores.append(judged(scene, made))
            files.append(file)
            print(".", end="", file=sys.stderr, flush=True)
        if args.runs:
            runs = whole_runs(files[1:], Path(place))
    points = args.positions * args.frames
    per_point = {name: 1000 * value / points for name, value in spent.items()}
    good, links = (sum(score["links"][k] for score in scores) for k in (0, 1))
    iou, inside, end = (
        np.concatenate([s[key] for s in scores]) for key in ("iou", "inside", "end")
    )
    report = {
        "cpu_ms_per_time_point": {k: round(v, 2) for k, v in per_point.items()},
        "cpu_ms_in_all": round(sum(per_point.values()), 2),
        "iou_mean": round(float(iou.mean()), 4),
        "iou_at_least_0.7": round(float((iou >= 0.7).mean()), 4),
        "links": round(good / links, 5),
        "links_in_worst_position": round(min(s["links"][0] / s["links"][1] for s in scores), 5),
        "intensity_in_true_mask_off_mean": round(float(np.mean(inside)), 4),
        "intensity_in_true_mask_off_95": round(float(np.quantile(np.abs(inside), 0.95)), 4),
        "intensity_end_to_end_off_median": round(float(np.median(np.abs(end))), 4),
        "intensity_end_to_end_off_mean": round(float(np.mean(end)), 4),
        **runs,
    }
    print(file=sys.stderr)
    if args.json:
        print(json.dumps(report))
        return
    for name, value in report["cpu_ms_per_time_point"].items():
        print(f"{name:10} {value:7.2f} ms   PyAMA 1, 2 × 640²: {PYAMA_MS[name]:6.1f} ms")
    for name, value in report.items():
        if not isinstance(value, dict):
            print(f"{name:34} {value}")


if __name__ == "__main__":
    main()
