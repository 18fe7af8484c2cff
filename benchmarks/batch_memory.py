"""More input than memory: how much a run takes while it goes through it.

Run as ``python benchmarks/batch_memory.py [--gigabytes 20] [--memory-mb 512]``. The input is
made lazily: TIFF files with holes, which take no disk and read as zeros, with one bright pixel in
each frame. Every frame is read and summed. Told are the limit for frames on their way, the most
that were, the most memory of all processes together (shared pages once), and the rate.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import tifffile
import yaml

FILES, SIZE_PX = 2, 2048
SERVICE = """
from __future__ import annotations

import numpy as np

from napari_beadscope.batch.service import Service


class Sums(Service):
    name = "sums"

    def channels(self, plan_channels, settings):
        return plan_channels["phase"]

    def process(self, work, settings):
        np.save(work.output, work.frames(0).sum((1, 2), dtype=np.int64))
        return {}
"""


def make_input(folder: Path, gigabytes: float) -> tuple[Path, int]:
    frames = int(gigabytes * 1e9 / FILES / SIZE_PX**2)
    for number in range(FILES):
        path = folder / f"movie{number}.tif"
        shape = (frames, SIZE_PX, SIZE_PX)
        movie = tifffile.memmap(path, shape=shape, dtype="uint8", bigtiff=True, metadata=None)
        movie[np.arange(frames), 7, np.arange(frames) % SIZE_PX] = np.arange(frames) % 251
        movie.flush()
        del movie
    (folder / "sums.py").write_text(SERVICE)
    return folder, frames


class Watch(threading.Thread):
    """Looks at the memory of a process and all that it has started, ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.most_bytes, self._process = 0, psutil.Process(pid)

    def run(self) -> None:
        while True:
            total = 0
            try:
                for one in (self._process, *self._process.children(recursive=True)):
                    total += one.memory_full_info().pss
            except psutil.Error:
                if not self._process.is_running():
                    return
            self.most_bytes = max(self.most_bytes, total)
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=20.0)
    parser.add_argument("--memory-mb", type=int, default=512)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, frames = make_input(Path(name), options.gigabytes)
        plan = {
            "inputs": ["*.tif"],
            "output": "out",
            "channels": {"phase": 0},
            "steps": ["sums.py:Sums"],
            "workers": {"cpu": 2, "memory_mb": options.memory_mb, "queue_hard_limit": 100_000},
        }
        (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
        command = [sys.executable, "-m", "napari_beadscope", "batch", "run", "--json"]
        began = time.monotonic()
        run = subprocess.Popen([*command, str(folder / "plan.yaml")], stdout=subprocess.PIPE)
        watch = Watch(run.pid)
        watch.start()
        ending = json.loads(run.communicate()[0])
        seconds = time.monotonic() - began
        for number in range(FILES):
            parts = sorted((folder / f"out/positions/movie{number}/sums").glob("*.npy"))
            sums = np.concatenate([np.load(part) for part in parts])
            np.testing.assert_array_equal(sums, np.arange(frames) % 251)
        print(
            f"{FILES} x {frames} frames of {SIZE_PX}², {options.gigabytes:.0f} GB: "
            f"{ending['state']}, every frame right; limit {options.memory_mb} MB, all processes "
            f"at most {watch.most_bytes / 1e6:.0f} MB, {seconds:.0f} s, "
            f"{options.gigabytes * 1000 / seconds:.0f} MB/s"
        )


if __name__ == "__main__":
    main()
