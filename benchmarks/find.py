"""Finding beads: time, precision, recall and centres, beside other ways of finding circles.

    python benchmarks/find.py [--scenes 6] [--repeats 7] [--field JPG --list CSV] [--large] [--json]

The others are scikit-image's circle Hough transform and Laplacian-of-Gaussian blobs (pip install
scikit-image), given the range of radii, with their thresholds chosen afterwards to be best (F1)
on the very scenes they are judged on; `find_beads` has its defaults. CPU time of one thread,
median of the repeats, in which all take turns. ``--field`` and ``--list`` judge a real frame
against a list of what is on it (columns y_px,x_px,kind; kind bead, dirt, doubtful, outside);
``--large`` adds a frame of 5120 x 5120 px.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking import find_beads

Found = np.ndarray  # (n, 3): y px, x px, score
Finder = Callable[[np.ndarray], Found]
SMALLEST_PX, LARGEST_PX = 6, 34
FOCUS_NM = (-5000, -3500, -2500, -1200, 1500, 3500)


def ours(image: np.ndarray) -> Found:
    found = find_beads(image)
    return np.column_stack([found.y_px, found.x_px, found.score])


def hough(image: np.ndarray) -> Found:
    from skimage.feature import canny
    from skimage.transform import hough_circle, hough_circle_peaks

    radii = np.arange(SMALLEST_PX, LARGEST_PX, 2)
    edges = canny(image / float(image.max() or 1), sigma=2)
    score, x, y, _ = hough_circle_peaks(
        hough_circle(edges, radii), radii, min_xdistance=12, min_ydistance=12, threshold=0.2
    )
    return apart(np.column_stack([y, x, score]).astype(float), 12)


def blobs(image: np.ndarray) -> Found:
    from scipy.ndimage import gaussian_filter
    from skimage.feature import blob_log

    scaled = image.astype(np.float32)
    scaled -= gaussian_filter(scaled, 25)
    scaled /= float(np.quantile(np.abs(scaled), 0.999)) or 1.0
    rows = []
    for bright in (scaled, -scaled):
        found = blob_log(bright, min_sigma=3, max_sigma=12, num_sigma=5, threshold=0.1)
        size = found[:, 2].astype(int)
        at = found[:, :2].astype(int)
        strength = [
            abs(float(gaussian_filter(bright[cut(y, s)][:, cut(x, s)], s / 2).mean()))
            for (y, x), s in zip(at, size, strict=True)
        ]
        rows.append(np.column_stack([at, strength]))
    return apart(np.concatenate(rows), 12)


def cut(middle: int, half: int) -> slice:
    return slice(max(middle - half, 0), middle + half + 1)


def apart(rows: Found, least_px: float) -> Found:
    """Return the best rows that are `least_px` from any better one."""
    kept: list[np.ndarray] = []
    for row in rows[np.argsort(-rows[:, 2], kind="stable")]:
        if all(np.hypot(*(row[:2] - other[:2])) >= least_px for other in kept):
            kept.append(row)
    return np.array(kept).reshape(-1, 3)


FINDERS: dict[str, Finder] = {"find_beads": ours, "Hough circles": hough, "LoG blobs": blobs}


def simulated(count: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return frames, their beads' centres (n, 2) as y, x px, and places that do not count."""
    scenes = []
    for seed in range(count):
        microscope = SimulatedMicroscope(
            {
                "beads": 30,
                "height_px": 640,
                "width_px": 800,
                "seed": seed,
                "focus_height_nm": FOCUS_NM[seed % len(FOCUS_NM)],
                "spacing_px": 50,
                "margin_px": 12,
                "dtype": ("uint8", "uint16")[seed % 2],
            }
        )
        truth = microscope.truth([0])[0][:, 1::-1]
        scenes.append((microscope.render(0), truth, np.empty((0, 2))))
    return scenes


def real(field: Path, listed: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a frame, its beads' centres, and places that do not count."""
    from PIL import Image

    with listed.open(newline="", encoding="utf-8") as file:
        rows = [(float(r["y_px"]), float(r["x_px"]), r["kind"]) for r in csv.DictReader(file)]
    beads = np.array([row[:2] for row in rows if row[2] == "bead"])
    open_ones = np.array([row[:2] for row in rows if row[2] in ("doubtful", "outside")])
    with Image.open(field) as image:
        return np.asarray(image.convert("L")), beads, open_ones


def judge(
    found: list[Found], scenes: list[tuple[np.ndarray, np.ndarray, np.ndarray]], least: float
) -> dict[str, float]:
    """Return precision, recall and centre errors of what scores at least `least`."""
    right, taken, beads = 0, 0, 0
    errors: list[float] = []
    for rows, (_, truth, open_ones) in zip(found, scenes, strict=True):
        rows = rows[rows[:, 2] >= least]
        if len(open_ones) and len(rows):
            rows = rows[distances(rows, open_ones).min(axis=1) > 6]
        away = distances(rows, truth)
        nearest = away.min(axis=0, initial=np.inf)
        hits = nearest < 4
        right, taken, beads = right + int(hits.sum()), taken + len(rows), beads + len(truth)
        errors += list(nearest[hits])
    errors = errors or [np.nan]
    return {
        "precision": round(right / max(taken, 1), 3),
        "recall": round(right / max(beads, 1), 3),
        "centre_median_px": round(float(np.median(errors)), 3),
        "centre_95_px": round(float(np.quantile(errors, 0.95)), 3),
    }


def distances(rows: Found, places: np.ndarray) -> np.ndarray:
    return np.asarray(np.hypot(rows[:, 0, None] - places[:, 0], rows[:, 1, None] - places[:, 1]))


def f1(result: dict[str, float]) -> float:
    both = result["precision"] + result["recall"]
    return 2 * result["precision"] * result["recall"] / both if both else 0.0


def compare(
    name: str, scenes: list[tuple[np.ndarray, np.ndarray, np.ndarray]], repeats: int
) -> list[dict[str, object]]:
    """Return one row per finder: quality over the scenes, CPU time per frame."""
    took: dict[str, list[float]] = {finder: [] for finder in FINDERS}
    found: dict[str, list[Found]] = {}
    for turn in range(repeats + 1):
        for finder, function in FINDERS.items():
            if turn > 3 and finder != "find_beads":
                continue  # they are slow
            start = time.thread_time()
            found[finder] = [function(scene[0]) for scene in scenes]
            if turn:  # the first one warms up
                took[finder].append((time.thread_time() - start) / len(scenes))
    rows: list[dict[str, object]] = []
    for finder, results in found.items():
        best = judge(results, scenes, 0.0)
        if finder != "find_beads":
            levels = np.quantile(np.concatenate(results)[:, 2], np.linspace(0, 0.99, 60))
            best = max((judge(results, scenes, float(level)) for level in levels), key=f1)
        ms = round(1000 * float(np.median(took[finder])), 1)
        rows.append({"frames": name, "finder": finder, "cpu_ms": ms, **best})
    return rows


def large(repeats: int) -> list[dict[str, object]]:
    """Return how long 5120 x 5120 px take, in a sparse and in a crowded field."""
    rows: list[dict[str, object]] = []
    for beads in (300, 2000):
        options = {"beads": beads, "height_px": 5120, "width_px": 5120, "seed": 2}
        image = SimulatedMicroscope(options).render(0)
        took = []
        for _ in range(repeats):
            start = time.thread_time()
            count = len(find_beads(image))
            took.append(time.thread_time() - start)
        ms = round(1000 * float(np.median(took)))
        frames = f"5120 x 5120 px, {beads} beads"
        rows.append({"frames": frames, "finder": "find_beads", "cpu_ms": ms, "found": count})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--field", type=Path, help="a real frame")
    parser.add_argument("--list", type=Path, help="what is on it, as CSV")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = compare("simulated, 800 x 640 px", simulated(options.scenes), options.repeats)
    if options.field and options.list:
        rows += compare(options.field.name, [real(options.field, options.list)], options.repeats)
    if options.large:
        rows += large(options.repeats)
    for row in rows:
        text = json.dumps(row) if options.json else "  ".join(f"{k} {v}" for k, v in row.items())
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
