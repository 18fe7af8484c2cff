"""The step `smooth`: traces of a position, without drift if the plan finds it, less noisy.

Owns which tracks it takes and what it writes. Methods are in `batch.beads.smoothing`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import Facts, Service, ServiceSettings, Work
from napari_beadscope.batch.services.bead_parts import required


class SmoothSettings(ServiceSettings):
    """How traces are smoothed."""

    window_frames: int = Field(
        11, ge=1, le=100_001, description="Length of the window, frames; 1 smooths nothing"
    )
    method: Literal["local", "mean", "median"] = Field(
        "local", description="local fits a parabola to each window; mean and median are of it"
    )


class Smooth(Service):
    """Tracks with smoothed positions; columns as in `link_beads`."""

    name = "smooth"
    category = "TRACE_SMOOTH"
    needs = ("link_beads", "link_particles", "drift")
    requires = (("link_beads", "link_particles"),)
    whole = True
    suffix = ".csv"
    Settings = SmoothSettings

    def process(self, work: Work, settings: SmoothSettings) -> Facts:
        from napari_beadscope.batch.beads.tables import read_tracks, write_tracks
        from napari_beadscope.batch.beads.traces import smoothed_rows

        rows = read_tracks(required(work, "link_beads", "link_particles")[0])
        rows, corrected = freed_of_drift(work, rows)
        rows = smoothed_rows(
            rows, settings.window_frames, method=settings.method, checkpoint=work.checkpoint
        )
        count = write_tracks(work.output, work.position.name, [rows])
        return {"rows": count, "drift_taken_away": corrected}


def freed_of_drift(work: Work, rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Return tracks without drift, and 1, if the plan finds it; else as they are, and 0."""
    from napari_beadscope.batch.beads.tables import read_drift
    from napari_beadscope.batch.beads.traces import without_drift

    paths = work.inputs.get("drift")
    if not paths:
        return rows, 0
    return without_drift(rows, read_drift(paths[0])), 1
