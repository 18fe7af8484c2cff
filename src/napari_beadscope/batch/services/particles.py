"""The steps `find_particles` and `link_particles`: things that move freely.

Own their settings and tables. `batch.beads.particles` finds and links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import Facts, Service, ServiceSettings, Work
from napari_beadscope.batch.services.bead_parts import (
    AUTO,
    BackendName,
    ChannelNumber,
    RoiSize,
    TrackingService,
    ZlutName,
    checked_channel,
    load_rows,
    open_tracker,
    open_zlut,
    required,
    save_rows,
    times_of,
)

if TYPE_CHECKING:
    pass

_LOOK_FRAMES = 5
_USUAL_SIZE_PX = 64


class FindParticlesSettings(ServiceSettings):
    """How particles are found and measured."""

    roi_size_px: RoiSize = None
    min_score: float = Field(0.75, ge=0, le=1, description="Least score of a particle, 0 to 1")
    zlut: ZlutName = AUTO
    backend: BackendName = AUTO
    channel: ChannelNumber = None


class FindParticles(TrackingService):
    """Finds and measures all particles in every frame of a chunk."""

    name = "find_particles"
    category = "BEAD_FIND"
    Settings = FindParticlesSettings

    def process(self, work: Work, settings: FindParticlesSettings) -> Facts:
        from napari_beadscope.batch.beads.particles import find_particles

        zlut = open_zlut(work, settings.zlut)
        channel = checked_channel(work, settings.channel)
        size = settings.roi_size_px or (zlut.size_px if zlut else _size(work, channel, settings))
        if zlut is not None:
            zlut.check_matches(size)
        rows = find_particles(
            work.frames(channel),
            work.first,
            size,
            open_tracker(work, settings.backend, "precise", 1),
            zlut=zlut,
            min_score=settings.min_score,
            checkpoint=work.checkpoint,
        )
        save_rows(work.output, rows)
        return {"rows": len(rows), "roi_size_px": size}


def _size(work: Work, channel: int, settings: FindParticlesSettings) -> int:
    """Return the ROI size that suits the particles at the start of the position.

    It is the same for all chunks.
    """
    from napari_beadscope.tracking import find_beads, suggest_roi_size

    key = ("size", work.position.path, work.position.index, channel, settings.min_score)
    if key not in work.cache:
        work.cache[key] = min(_USUAL_SIZE_PX, *work.position.shape)
        for number in range(min(_LOOK_FRAMES, work.position.frames)):
            found = find_beads(
                work.frames(channel, number, number + 1)[0], min_score=settings.min_score
            )
            if len(found):
                work.cache[key] = min(suggest_roi_size(found), *work.position.shape)
                break
    return int(work.cache[key])


class LinkParticlesSettings(ServiceSettings):
    """How far particles move."""

    max_step_px: float = Field(
        5.0, gt=0, description="Farthest that a particle moves from one frame to the next, px"
    )
    max_gap_frames: int = Field(
        2, ge=0, description="Most frames in a row in which a particle may be missing"
    )
    min_frames: int = Field(2, ge=1, description="Shorter tracks are left out, frames")


class LinkParticles(Service):
    """The tracks of particles, columns as in `link_beads`; ``bead`` is the number of the track."""

    name = "link_particles"
    category = "BEAD_LINK"
    needs = ("find_particles",)
    requires = (("find_particles",),)
    whole = True
    suffix = ".csv"
    uses_times = True
    uses_scale = True
    Settings = LinkParticlesSettings

    def process(self, work: Work, settings: LinkParticlesSettings) -> Facts:
        from napari_beadscope.batch.beads.particles import link_particles
        from napari_beadscope.batch.beads.tables import as_tracks, write_tracks

        rows = np.concatenate([load_rows(path) for path in required(work, "find_particles")])
        work.checkpoint()
        linked = link_particles(
            rows,
            max_step_px=settings.max_step_px,
            max_gap_frames=settings.max_gap_frames,
            min_frames=settings.min_frames,
        )
        tracks = np.unique(linked["bead"]).tolist()
        table = as_tracks(
            linked, dict(zip(tracks, tracks)), times_of(work), work.position.nm_per_px
        )
        write_tracks(work.output, work.position.name, [table])
        return {"particles": len(tracks), "rows": len(table), "not_linked": len(rows) - len(table)}
