"""The step `summary`: noise, quality and stability of each bead of a position.

Owns which tracks it takes. Figures are computed by `batch.beads.summary`.
"""

from __future__ import annotations

from pydantic import Field

from napari_beadscope.batch.service import Facts, Service, ServiceSettings, Work
from napari_beadscope.batch.services.bead_parts import required
from napari_beadscope.batch.services.link_beads import marked
from napari_beadscope.batch.services.smooth import freed_of_drift


class SummarySettings(ServiceSettings):
    """What is summed up."""

    allan_tau_s: float = Field(
        1.0, gt=0, description="Averaging time of the Allan deviation, s; the nearest is taken"
    )


class Summary(Service):
    """One row per bead; of traces without drift if the plan finds it, never of smoothed ones."""

    name = "summary"
    category = "SUMMARY"
    needs = ("find_beads", "link_beads", "link_particles", "drift")
    requires = (("link_beads", "link_particles"),)
    whole = True
    suffix = ".csv"
    Settings = SummarySettings

    def process(self, work: Work, settings: SummarySettings) -> Facts:
        import numpy as np

        from napari_beadscope.batch.beads.summary import FORMATS, summarise
        from napari_beadscope.batch.beads.tables import read_tracks, write_csv

        rows = read_tracks(required(work, "link_beads", "link_particles")[0])
        rows, corrected = freed_of_drift(work, rows)
        work.checkpoint()
        table = summarise(
            rows, references=frozenset(marked(work)), allan_tau_s=settings.allan_tau_s
        )
        write_csv(work.output, work.position.name, table, FORMATS)
        facts: Facts = {
            "beads": len(table),
            "rows": int(table["rows"].sum()),
            "trusted": int(table["trusted"].sum()),
            "drift_taken_away": corrected,
        }
        for axis in "xyz":
            noise = table[f"noise_{axis}_nm"]
            if np.isfinite(noise).any():
                facts[f"noise_{axis}_nm"] = round(float(np.nanmedian(noise)), 3)
        return facts
