"""The step `find_beads`: which beads a position has, and where their ROIs are.

Owns where beads come from. They are found with `batch.beads.places`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from napari_beadscope.batch.service import Facts, PlanChannels, Service, ServiceSettings, Work
from napari_beadscope.batch.services.bead_parts import (
    AUTO,
    ChannelNumber,
    FileName,
    RoiSize,
    bead_channel,
    checked_channel,
    given_file,
)

if TYPE_CHECKING:
    from napari_beadscope.batch.beads.places import Placed
    from napari_beadscope.batch.source import PositionInfo


class FindBeadsSettings(ServiceSettings):
    """Where the beads are from, and how they are found."""

    beads: FileName = Field(
        AUTO,
        description="Bead list (CSV); auto takes a recording's own beads, else finds them; find "
        "always finds them",
    )
    roi_size_px: RoiSize = None
    max_beads: int | None = Field(None, ge=1, description="Most beads; none takes all")
    min_score: float = Field(0.6, ge=0, le=1, description="Least score of a bead, 0 to 1")
    isolated_only: bool = Field(False, description="Leave out beads with another in their ROI")
    look_frames: int = Field(
        5, ge=1, description="Frames that are searched, one after the other, until one has beads"
    )
    channel: ChannelNumber = None


class FindBeads(Service):
    """Writes the bead table of a position: those given, of the recording, or found at its start."""

    name = "find_beads"
    category = "BEAD_FIND"
    whole = True
    prefetch = False
    suffix = ".csv"
    Settings = FindBeadsSettings

    def channels(self, plan_channels: PlanChannels, settings: FindBeadsSettings) -> tuple[int, ...]:
        return (bead_channel(plan_channels, settings.channel),)

    def files(self, settings: FindBeadsSettings) -> tuple[Path, ...]:
        return given_file(settings.beads)

    def files_of(self, position: PositionInfo, settings: FindBeadsSettings) -> tuple[Path, ...]:
        from napari_beadscope.storage.annotations import ANNOTATIONS_NAME

        own = settings.beads == AUTO and position.kind == "recording"
        return (position.path / ANNOTATIONS_NAME,) if own else ()

    def process(self, work: Work, settings: FindBeadsSettings) -> Facts:
        from napari_beadscope.batch.beads.places import find_places, write_places

        placed = _known(work, settings)
        if placed is None:
            channel = checked_channel(work, settings.channel)
            numbers = range(work.first, min(work.first + settings.look_frames, work.last))
            placed = find_places(
                (work.frames(channel, number, number + 1)[0] for number in numbers),
                size_px=settings.roi_size_px,
                max_beads=settings.max_beads,
                min_score=settings.min_score,
                isolated_only=settings.isolated_only,
                first=work.first,
            )
        write_places(work.output, work.position.name, placed)
        size = placed[0].bead.roi.size if placed else 0
        alone = sum(one.isolated for one in placed)
        return {"beads": len(placed), "isolated": alone, "roi_size_px": size}


def _known(work: Work, settings: FindBeadsSettings) -> tuple[Placed, ...] | None:
    """Return the beads that need not be found, or None."""
    from napari_beadscope.batch.beads.places import check_fits, places_from_list

    placed: tuple[Placed, ...] = ()
    for path in given_file(settings.beads):
        placed = places_from_list(path, settings.roi_size_px)
        check_fits(placed, work.position.shape, str(path))
    if not placed and settings.beads == AUTO and work.position.kind == "recording":
        placed = _recorded(work.position, settings.roi_size_px)
        check_fits(placed, work.position.shape, str(work.position.path))
    if not placed:
        return None
    return tuple(replace(one, frame=work.first) for one in placed[: settings.max_beads])


def _recorded(position: PositionInfo, size_px: int | None) -> tuple[Placed, ...]:
    """Return the beads of a recording; of a bead's own movie that bead, with all of it as ROI."""
    from napari_beadscope.batch.beads.places import Placed
    from napari_beadscope.core.types import Annotation, Bead, Roi
    from napari_beadscope.storage import open_recording

    recording = open_recording(position.path)
    said, beads = recording.annotations, recording.beads
    if not recording.manifest.mode.video:
        one = beads[position.index]
        beads = (Bead(one.bead, Roi(0, 0, one.roi.size)),)
    return tuple(
        Placed(
            Bead(one.bead, Roi.around(*one.roi.centre_px, size_px or one.roi.size)),
            reference=said.get(one.bead, Annotation()).reference,
        )
        for one in beads
    )
