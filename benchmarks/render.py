"""How fast the simulated camera renders, beside a plain copy of the same frame.

Run ``python benchmarks/render.py``; it takes about half a minute. Each line is the median of many
frames, rendered into one of eight buffers in turn, as into a ring; copies alternate with frames,
so that whatever else the machine does hits both. Times are of this thread's processor, which
other processes hardly change; wall times follow in brackets.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from napari_beadscope.devices.simulated import SimulatedMicroscope


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds `work` takes of the processor and on the wall."""
    began, thread_began = time.perf_counter(), time.thread_time()
    work()
    return time.thread_time() - thread_began, time.perf_counter() - began


def _medians_ms(times: list[tuple[float, float]]) -> list[float]:
    return [statistics.median(column) * 1e3 for column in zip(*times)]


def _line(size: int, dtype: str, beads: int, frames: int) -> str:
    options = {"height_px": size, "width_px": size, "dtype": dtype, "beads": beads}
    began = time.perf_counter()
    microscope = SimulatedMicroscope({**options, "spacing_px": 80.0})
    opened = time.perf_counter() - began
    slots = [np.zeros((size, size), dtype) for _ in range(8)]
    source = microscope.render(0)
    rendered, copied = [], []
    for k in range(frames):
        slot = slots[k % 8]
        rendered.append(_seconds(lambda k=k, slot=slot: microscope.render(k, out=slot)))
        copied.append(_seconds(lambda slot=slot: np.copyto(slot, source)))
    frame_ms, frame_wall_ms = _medians_ms(rendered)
    copy_ms, copy_wall_ms = _medians_ms(copied)
    return (
        f"{size:5d}  {dtype:6s}  {beads:5d}  {frame_ms:7.3f} ({frame_wall_ms:7.3f})"
        f"  {1000 / frame_ms:8.0f}  {copy_ms:7.3f} ({copy_wall_ms:7.3f})"
        f"  {frame_ms / copy_ms:6.1f}  {opened * 1e3:7.0f}\n"
    )


def main() -> None:
    """Print one line for every size, dtype and number of beads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200, help="frames per line")
    frames = parser.parse_args().frames
    SimulatedMicroscope({"height_px": 64, "width_px": 64, "beads": 1}).render(0)  # compiles
    sys.stdout.write(
        "   px  dtype   beads   frame ms (wall)   frames/s    copy ms (wall)   ratio  open ms\n"
    )
    for size in (512, 1024, 2048):
        for dtype in ("uint8", "uint16"):
            for beads in (10, 50, 200):
                sys.stdout.write(_line(size, dtype, beads, frames))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
