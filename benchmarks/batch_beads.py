"""Bead recordings in a batch: how far from the truth, and what each step costs.

    python benchmarks/batch_beads.py [--frames 200] [--beads 20] [--size 512] [--runs]

Six simulated recordings with known x, y and z. Accuracy beside that of the same kernels in ROIs
at rest, which is live tracking. Cost in CPU time of this process per frame, step by step, beside
that of the kernels alone, and rows per CPU second of all steps together. With --runs also whole
runs with one worker and with two: wall time, on an otherwise quiet machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_beadscope.batch.beads.chunk import kept_inside
from napari_beadscope.batch.beads.tables import read_tracks
from napari_beadscope.batch.plan import Plan
from napari_beadscope.batch.planning import resolve_plan
from napari_beadscope.batch.run import run_batch
from napari_beadscope.core.types import Roi
from napari_beadscope.testing.bead_recordings import SCENES, BeadRecording, bead_recording
from napari_beadscope.testing.service_chain import Chain
from napari_beadscope.tracking import open_backend

SIZE_PX = 64
STEPS = ("find_beads", "track_beads", "link_beads", "drift", "smooth", "summary")


def settings(step: str, lut: Path, backend: str) -> dict[str, object]:
    return {
        "find_beads": {"roi_size_px": SIZE_PX},
        "track_beads": {"zlut": str(lut), "backend": backend},
        "drift": {"references": [0]},
    }.get(step, {})


def live(taken: BeadRecording, backend: str) -> tuple[np.ndarray, float]:
    """Return the RMSE of x, y, z in ROIs at rest, and CPU seconds of the kernels."""
    tracker, lut = open_backend(backend), taken.zlut(SIZE_PX)
    tracker.warm_up(SIZE_PX, str(taken.frames.dtype), lut)
    errors, cost = [], 0.0
    for bead in range(taken.truth.shape[1]):
        truth = taken.truth[:, bead]
        middle = Roi.around(truth[:, 1].mean(), truth[:, 0].mean(), SIZE_PX)
        roi = kept_inside(middle, taken.frames.shape[1:])
        crops = np.ascontiguousarray(roi.crop(taken.frames))
        began = time.process_time()
        found = tracker.track(crops, lut)
        cost += time.process_time() - began
        where = np.column_stack([found.x_px + roi.x0, found.y_px + roi.y0, found.z_nm]) - truth
        errors.append(where[found.reason == 0])
    return np.sqrt(np.mean(np.concatenate(errors) ** 2, axis=0)), cost


def batch(
    taken: BeadRecording, folder: Path, backend: str
) -> tuple[np.ndarray, int, dict[str, float]]:
    """Return the RMSE of x, y, z, trusted rows, and CPU seconds of each step."""
    lut = folder / "lut.txt"
    taken.zlut(SIZE_PX).save(lut)
    chain, cost = Chain(folder, taken.frames, chunk_frames=50), {}
    for step in STEPS:
        began = time.process_time()
        chain.run(step, **settings(step, lut, backend))
        cost[step] = time.process_time() - began
    errors, _ = taken.errors(read_tracks(chain.outputs["link_beads"][0]))
    return np.sqrt(np.mean(errors**2, axis=0)), len(errors), cost


def whole_runs(recordings: list[BeadRecording], folder: Path, backend: str) -> dict[int, float]:
    """Return wall seconds of a run over all recordings by number of workers."""
    lut = folder / "lut.txt"
    recordings[0].zlut(SIZE_PX).save(lut)
    inputs = [str(one.write(folder / f"rec{k}.tif")) for k, one in enumerate(recordings)]
    took = {}
    for workers in (1, 2):
        plan = {
            "inputs": inputs,
            "output": str(folder / f"out{workers}"),
            "steps": [{step: settings(step, lut, backend)} for step in STEPS],
            "frame_interval_s": 0.01,
            "nm_per_px": 100.0,
            "chunk_frames": 50,
            "workers": {"cpu": workers, "gpu": 0},
        }
        began = time.perf_counter()
        ending = run_batch(resolve_plan(Plan.model_validate(plan)))
        took[workers] = time.perf_counter() - began
        print(f"{workers} worker(s): {ending.state}, {ending.units} units, {took[workers]:.1f} s")
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--beads", type=int, default=20)
    parser.add_argument("--size", type=int, default=512, help="edge of a frame, px")
    parser.add_argument("--scenes", type=int, nargs="+", default=list(range(len(SCENES))))
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--runs", action="store_true")
    asked = parser.parse_args()
    recordings, costs, kernels, rows = [], dict.fromkeys(STEPS, 0.0), 0.0, 0
    print("recording | rows trusted | RMSE x, y mpx, z nm: batch | live")
    for scene in asked.scenes:
        shape = (asked.size, asked.size)
        taken = bead_recording(scene, frames=asked.frames, beads=asked.beads, size_px=shape)
        recordings.append(taken)
        with tempfile.TemporaryDirectory() as folder:
            if not rows:  # compile
                batch(taken, Path(folder), asked.backend)
            found, trusted, cost = batch(taken, Path(folder), asked.backend)
        truth, kernel = live(taken, asked.backend)
        kernels, rows = kernels + kernel, rows + trusted
        costs = {step: costs[step] + cost[step] for step in STEPS}
        every = asked.beads * asked.frames
        x, y, z = found
        print(
            f"{scene} | {trusted}/{every} | {x * 1e3:.2f}, {y * 1e3:.2f}, {z:.2f} | "
            f"{truth[0] * 1e3:.2f}, {truth[1] * 1e3:.2f}, {truth[2]:.2f}"
        )
    frames = asked.frames * len(asked.scenes)
    for step in STEPS:
        print(f"{step}: {1e3 * costs[step] / frames:.3f} ms of CPU per frame")
    print(f"kernels alone: {1e3 * kernels / frames:.3f} ms of CPU per frame")
    print(f"{rows / sum(costs.values()):.0f} rows per CPU second, all steps")
    if asked.runs:
        with tempfile.TemporaryDirectory() as folder:
            took = whole_runs(recordings, Path(folder), asked.backend)
        print(f"two workers: {took[1] / took[2]:.2f} times as fast as one")


if __name__ == "__main__":
    main()
