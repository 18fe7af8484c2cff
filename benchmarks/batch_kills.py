"""A batch that is killed at random instants, over and over, against an undisturbed one.

Run as ``python benchmarks/batch_kills.py [--kills 20] [--seed 1]``. Cells in four positions are
segmented, corrected, tracked and measured. In each round the run itself, or one of its workers or
readers, is killed at a random instant, or stopped with Ctrl-C; then it is run again. What is
compared: every file of the results with the undisturbed run's, byte by byte; every row that the
journal called done before with the row after, which must be the very same.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.status import read_status
from napari_beadscope.core.errors import InputError
from napari_beadscope.ring.segment import segment_names
from napari_beadscope.testing.cells import SyntheticCells, write_cells

POSITIONS, FRAMES, SIZE_PX = 4, 40, 192
LIMIT_S = 300.0
VICTIMS = ("the run", "a helper", "the run", "a helper", "Ctrl-C", "Ctrl-C twice")


def write_plan(folder: Path) -> Path:
    for seed in range(POSITIONS):
        scene = SyntheticCells(frames=FRAMES, size_px=(SIZE_PX, SIZE_PX), cells=8, seed=seed)
        write_cells(folder / f"cells{seed}.ome.tif", scene)
    plan = {
        "inputs": ["cells*.tif"],
        "output": "out",
        "channels": {"phase": 0, "fluorescence": [1]},
        "chunk_frames": 5,
        "steps": ["segment", "correct", "track", "extract"],
        "workers": {"cpu": 2},
    }
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan, sort_keys=False))
    return path


def start(plan: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "napari_beadscope", "batch", "run", str(plan), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def finish(run: subprocess.Popen) -> dict:
    out, _ = run.communicate(timeout=LIMIT_S)
    return json.loads(out) if out.strip() else {}


def results(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(("journal.", "run.log"))
    }


def done(out: Path) -> dict[tuple, tuple]:
    try:
        with Journal.open(out) as journal:
            return {row.id: (row.finished_s, row.sha256) for row in journal.rows(state="done")}
    except InputError:  # it was killed before there was one
        return {}


def disturb(run: subprocess.Popen, victim: str, moments: random.Random, seconds: float) -> None:
    time.sleep(moments.uniform(0.0, seconds))
    if run.poll() is not None:
        return
    helpers = psutil.Process(run.pid).children(recursive=True)
    if victim == "the run":
        run.kill()
    elif victim == "a helper":
        if helpers:
            moments.choice(helpers).kill()
        return
    else:
        run.send_signal(signal.SIGINT)
        if victim == "Ctrl-C twice":
            time.sleep(moments.uniform(0.0, 0.2))
            run.send_signal(signal.SIGINT)
    run.communicate(timeout=LIMIT_S)
    end = time.monotonic() + 10
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in helpers):
        assert time.monotonic() < end, "helpers outlive the run"
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan, out = write_plan(folder), folder / "out"
        finish(start(plan))  # compiles what is not compiled yet
        shutil.rmtree(out)
        began = time.monotonic()
        assert finish(start(plan))["state"] == "complete"
        seconds = time.monotonic() - began
        undisturbed = results(out)
        print(f"undisturbed: {len(done(out))} units, {len(undisturbed)} files, {seconds:.1f} s")
        different = twice = 0
        for number in range(options.kills):
            victim = VICTIMS[number % len(VICTIMS)]
            shutil.rmtree(out)
            run = start(plan)
            disturb(run, victim, moments, seconds)
            before = done(out) if run.poll() is not None else {}
            state = "running" if not before else read_status(out).state
            ending = finish(run if run.poll() is None else start(plan))
            after = done(out)
            same = results(out) == undisturbed and ending["state"] == "complete"
            again = sum(after[unit] != row for unit, row in before.items())
            different += not same
            twice += again
            print(
                f"{number + 1:3d} {victim:13s} {len(before):3d} done, {state:12s} "
                f"then {ending['done_before']:3d} kept: "
                f"{'same bytes' if same else 'DIFFERENT'}, {again} done twice"
            )
        print(
            f"{options.kills} disturbed runs: {different} different, {twice} units done twice, "
            f"{len(segment_names())} blocks of shared memory left"
        )
        sys.exit(1 if different or twice else 0)


if __name__ == "__main__":
    main()
