"""What a status measures: how late positions are, and what the engine takes."""

from __future__ import annotations

import time
from typing import Any

from napari_beadscope.script import Scope

OPTIONS = {"beads": 4, "height_px": 256, "width_px": 256, "fps": 50.0, "seed": 5}


def latency_of(scope: Any) -> float:
    return float(scope.status().latency_ms)


def test_latency_from_exposure_to_row_and_memory() -> None:
    with Scope("simulated", options=OPTIONS) as scope:
        scope.start_live()
        scope.wait_for(lambda one: one.latest_frame() is not None)
        assert latency_of(scope) == -1.0  # nothing is tracked
        scope.find_beads()
        scope.wait_for(lambda one: latency_of(one) > 0, timeout_s=30)
        ages_ms = []
        last = -1
        end = time.monotonic() + 3
        while time.monotonic() < end:
            rows = scope.tracks(last)
            if len(rows):
                last = int(rows["seq"].max())
                ages_ms.append((time.monotonic_ns() - int(rows["time_ns"].max())) * 1e-6)
            time.sleep(0.0005)
        # Seen from here a row is as old as it says, plus the time until we looked.
        assert 0 < latency_of(scope) < 2 * sorted(ages_ms)[len(ages_ms) // 2] + 20
        scope.wait_for(lambda one: one.status().memory_left_bytes > 0)
        status = scope.status()
        workers = {worker.name: worker.memory_bytes for worker in status.workers}
        assert all(own > 1_000_000 for own in workers.values()), workers
        assert status.memory_bytes > sum(workers.values())  # what they share is counted once
        assert status.gpu_total_bytes == 0
        scope.set_beads(())
        scope.wait_for(lambda one: latency_of(one) == -1.0)
