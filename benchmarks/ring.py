"""Frame ring throughput against a plain copy of the same bytes, in one run.

Run as ``python benchmarks/ring.py [--json]``; figures are medians over rounds, in MB/s.
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.ring import FrameReader, FrameRingSpec, FrameWriter, SegmentOwner

ROUNDS = 9


def rates(
    work: dict[str, Callable[[int], None]], nbytes: int, frames: int
) -> dict[str, tuple[float, float]]:
    """Return ``{name: (MB/s, us per frame)}``, medians; the kinds of work take turns."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, one in work.items():
            began = time.perf_counter()
            for k in range(frames):
                one(k)
            times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) / frames for name, values in times.items()}
    return {name: (nbytes / one * 1e-6, one * 1e6) for name, one in medians.items()}


def measure(size: int, dtype: str, frames: int) -> dict[str, tuple[float, float]]:
    """Measure frames of ``(size, size)`` px through a ring of 16 slots."""
    session = secrets.token_hex(6)
    spec = FrameRingSpec(f"{session}-frames", FrameFormat(size, size, dtype), 16)
    source = np.random.default_rng(0).integers(0, 255, spec.format.shape).astype(dtype)
    plain = np.zeros((16, *spec.format.shape), dtype)
    out = np.zeros_like(source)
    with (
        SegmentOwner(session),
        FrameWriter.create(spec) as ring,
        FrameReader.attach(spec, writable=True) as reader,
    ):
        ring.prefault()
        reader.register(0)

        def write(k: int) -> int:
            slot = ring.claim()
            assert slot is not None
            np.copyto(slot, source)
            return ring.commit(FrameStamp(k, k))

        def write_and_view(k: int) -> None:
            seq = write(k)
            assert reader.view(seq) is not None
            reader.advance(0, seq + 1)

        def write_and_copy(k: int) -> None:
            seq = write(k)
            assert reader.copy_latest(out) is not None
            reader.advance(0, seq + 1)

        def copy(k: int) -> None:
            np.copyto(plain[k % 16], source)

        def copy_twice(k: int) -> None:
            np.copyto(plain[k % 16], source)
            np.copyto(out, plain[k % 16])

        return rates(
            {
                "plain copy": copy,
                "ring: write, lossless view": write_and_view,
                "plain copy, twice": copy_twice,
                "ring: write, copy newest": write_and_copy,
            },
            spec.format.nbytes,
            frames,
        )


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures for machines")
    wanted = parser.parse_args()
    table = {
        f"{size} x {size} {dtype}": measure(size, dtype, frames)
        for size, dtype, frames in (
            (64, "uint8", 2000),
            (512, "uint16", 400),
            (2048, "uint8", 60),
        )
    }
    if wanted.json:
        sys.stdout.write(json.dumps(table) + "\n")
        return
    for title, rows in table.items():
        sys.stdout.write(f"{title}\n")
        for name, (megabytes, microseconds) in rows.items():
            sys.stdout.write(f"  {name:<28}{megabytes:>9.0f} MB/s{microseconds:>10.1f} us/frame\n")


if __name__ == "__main__":
    main()
