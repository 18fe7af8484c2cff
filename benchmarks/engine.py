"""How fast an engine starts and stops, what it costs when idle, and whether it keeps every frame.

``python benchmarks/engine.py`` measures start, stop and idle (half a minute).
``python benchmarks/engine.py --soak 60 --out FOLDER`` records 2048 x 2048 frames at 100 Hz with
50 beads (0.42 GB a second), then compares every frame on disk with the one that was simulated.
Beside it, in the same run: what a plain copy in memory and a plain write to the same disk reach.
Prints JSON and a table; ``--json`` the JSON alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.audit import audit, numbers_in
from napari_beadscope.testing.engines import EngineTree

_ROI_PX = 64
_PEER_BYTES = 4 * 2**30


def life(repeats: int, idle_s: float) -> dict[str, Any]:
    """Measure start to first live frame, stop, and the processor's share of an idle engine."""
    first, stop, idle = [], [], []
    for _ in range(repeats):
        began = time.perf_counter()
        scope = Scope("simulated", options={"height_px": 512, "width_px": 512, "beads": 20})
        scope.start()
        scope.start_live()
        next(scope.frames(1))
        first.append(time.perf_counter() - began)
        scope.stop_live()
        idle.append(_idle_share(scope, idle_s))
        scope.start_live()
        began = time.perf_counter()
        scope.stop()
        stop.append(time.perf_counter() - began)
    return {
        "start_to_first_frame_s": round(statistics.median(first), 3),
        "stop_s": round(statistics.median(stop), 3),
        "idle_percent_of_a_core": round(statistics.median(idle), 2),
        "repeats": repeats,
        "all": {"first": first, "stop": stop, "idle": idle},
    }


def _idle_share(scope: Scope, seconds: float) -> float:
    tree = EngineTree(scope).look()
    time.sleep(0.5)
    before = sum(sum(process.cpu_times()[:2]) for process in tree)
    time.sleep(seconds)
    after = sum(sum(process.cpu_times()[:2]) for process in tree)
    return 100 * (after - before) / seconds


class MemoryWatch(threading.Thread):
    """Notes each process's memory once a second: private, and with what it shares."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(daemon=True)
        self._names = {worker.pid: worker.name for worker in scope.status().workers}
        self._names[scope.engine.pid] = "supervisor"
        self._over = threading.Event()
        self.seen: dict[str, list[tuple[int, int]]] = {}

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(1.0):
            for pid, name in self._names.items():
                try:
                    info = psutil.Process(pid).memory_full_info()
                except psutil.NoSuchProcess:
                    continue
                self.seen.setdefault(name, []).append((info.rss, info.uss))

    def report(self) -> dict[str, dict[str, float]]:
        """Stop, and return first, last and largest values in MB by process."""
        self._over.set()
        self.join()
        return {
            name: {
                "rss_first": values[0][0] / 1e6,
                "rss_last": values[-1][0] / 1e6,
                "rss_max": max(rss for rss, _ in values) / 1e6,
                "private_first": values[0][1] / 1e6,
                "private_last": values[-1][1] / 1e6,
                "private_max": max(uss for _, uss in values) / 1e6,
            }
            for name, values in self.seen.items()
        }


def soak(seconds: float, folder: Path, size: int, fps: float, ring_mb: int) -> dict[str, Any]:
    """Record the large field and return rates, losses and memory."""
    options = _options(size, fps)
    places = SimulatedMicroscope(options).bead_positions_px()
    beads = [Bead(k, Roi.around(y, x, _ROI_PX)) for k, (x, y) in enumerate(places)]
    settings = {"engine.ring_mb": ring_mb, "recording.min_free_gb": 2.0}
    with Scope("simulated", options=options, settings=settings) as scope:
        scope.start_live()
        scope.set_beads(beads)
        time.sleep(2.0)  # the ring's memory is being touched
        before = scope.status()
        watch = MemoryWatch(scope)
        watch.start()
        began = time.perf_counter()
        path = scope.record(folder / "soak", "track+full", seconds=seconds)
        elapsed = time.perf_counter() - began
        after = scope.status()
        memory = watch.report()
        restarts = sum(worker.restarts for worker in after.workers)
    recording = open_recording(path)
    frames = len(recording.frame_numbers)
    return {
        "seconds": seconds,
        "folder": str(path),
        "exposed": int(recording.frame_numbers[-1]) + 1,
        "frames": frames,
        "rows": len(recording.tracks),
        "dropped_by_the_ring": after.dropped - before.dropped,
        "missing": len(numbers_in(recording.gaps)),
        "gaps": [gap.model_dump() for gap in recording.gaps][:20],
        "untracked": len(numbers_in(recording.untracked)),
        "restarts": restarts,
        "finish_s": round(elapsed - seconds, 2),
        "disk_mb_per_s": round(frames * size * size / elapsed / 1e6, 1),
        "memory_mb": memory,
    }


def _options(size: int, fps: float) -> dict[str, Any]:
    return {
        "height_px": size,
        "width_px": size,
        "fps": fps,
        "beads": 50,
        "spacing_px": 80.0,
        "seed": 1,
    }


def check(folder: Path, size: int, fps: float, every: int) -> dict[str, Any]:
    """Compare frames on disk with what was simulated, on all cores."""
    recording = open_recording(folder)
    places = np.arange(len(recording.frame_numbers))[::every]
    began = time.perf_counter()
    parts = np.array_split(places, max(1, len(places) // 200))
    wrong: list[int] = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_wrong, str(folder), size, fps, part) for part in parts]
        for job in jobs:
            wrong += job.result()
    problems = audit(folder)
    return {
        "compared": len(places),
        "of": len(recording.frame_numbers),
        "wrong": wrong[:20],
        "wrong_count": len(wrong),
        "problems": problems,
        "check_s": round(time.perf_counter() - began, 1),
    }


def _wrong(folder: str, size: int, fps: float, places: np.ndarray) -> list[int]:
    recording = open_recording(folder)
    microscope = SimulatedMicroscope(_options(size, fps))
    first = recording.manifest.first_frame or 0
    out = np.empty((size, size), np.uint8)
    wrong = []
    for place in places.tolist():
        number = int(recording.frame_numbers[place])
        if not np.array_equal(recording.frames[place], microscope.render(first + number, out=out)):
            wrong.append(number)
    return wrong


def peers(folder: Path) -> dict[str, float]:
    """Return what a plain copy in memory and plain writes reach, MB/s."""
    block = np.random.default_rng(0).integers(0, 255, (2048, 2048), np.uint8)
    slots = [np.zeros_like(block) for _ in range(64)]
    began = time.perf_counter()
    for n in range(1024):
        np.copyto(slots[n % 64], block)
    copied = 1024 * block.nbytes / (time.perf_counter() - began)
    path = folder / "peer.bin"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    began = time.perf_counter()
    for _ in range(_PEER_BYTES // block.nbytes):
        os.write(fd, block)
    written = _PEER_BYTES / (time.perf_counter() - began)
    os.fsync(fd)
    synced = _PEER_BYTES / (time.perf_counter() - began)
    os.close(fd)
    path.unlink()
    return {
        "memcpy_mb_per_s": round(copied / 1e6),
        "os_write_mb_per_s": round(written / 1e6),
        "os_write_and_fsync_mb_per_s": round(synced / 1e6),
    }


def _table(result: dict[str, Any]) -> list[str]:
    lines = []
    for section, values in result.items():
        lines.append(section)
        for name, value in values.items():
            if name == "memory_mb":
                for process, numbers in value.items():
                    text = ", ".join(f"{key} {number:.0f}" for key, number in numbers.items())
                    lines.append(f"  memory MB {process:12s} {text}")
            elif name != "all":
                lines.append(f"  {name:28s} {value}")
    return lines


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=5, help="of start, idle, stop; 0: none")
    parser.add_argument("--idle", type=float, default=10.0, help="s of idling measured")
    parser.add_argument("--soak", type=float, default=0.0, help="s to record; 0: not")
    parser.add_argument("--size", type=int, default=2048, help="px of the soak's frames")
    parser.add_argument("--fps", type=float, default=100.0, help="frames/s of the soak")
    parser.add_argument("--ring-mb", type=int, default=512)
    parser.add_argument("--out", type=Path, help="folder of the soak's files; default a new one")
    parser.add_argument("--every", type=int, default=1, help="compare every so many frames")
    parser.add_argument("--keep", action="store_true", help="keep the recording")
    parser.add_argument("--json", action="store_true", help="print nothing but JSON")
    asked = parser.parse_args()
    result: dict[str, Any] = {"machine": {"cores": os.cpu_count(), "load": os.getloadavg()}}
    if asked.repeats:
        result["life"] = life(asked.repeats, asked.idle)
    if asked.soak:
        folder = asked.out or Path(tempfile.mkdtemp(prefix="beadscope-soak-"))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            result["soak"] = soak(asked.soak, folder, asked.size, asked.fps, asked.ring_mb)
            result["peers"] = peers(folder)
            result["check"] = check(folder / "soak", asked.size, asked.fps, asked.every)
        finally:
            if not asked.keep:
                shutil.rmtree(folder / "soak", ignore_errors=True)
    sys.stdout.write(json.dumps(result, indent=None if asked.json else 1) + "\n")
    if not asked.json:
        sys.stdout.write("\n".join(_table(result)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
