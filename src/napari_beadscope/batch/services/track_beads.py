"""The steps `track_beads` and `lookup_z`: where each bead is in each frame of a chunk.

Own the way from a chunk's frames to its rows, which `batch.beads.chunk` computes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import Facts, ServiceSettings, Work
from napari_beadscope.batch.services.bead_parts import (
    AUTO,
    BackendName,
    ChannelNumber,
    MethodName,
    RoiSize,
    TrackingService,
    ZlutName,
    bead_places,
    checked_channel,
    load_rows,
    open_tracker,
    open_zlut,
    required,
    save_rows,
)
from napari_beadscope.batch.services.first_sight import FirstSight, Shift
from napari_beadscope.core.errors import InputError

if TYPE_CHECKING:
    from napari_beadscope.batch.beads.places import Placed
    from napari_beadscope.core.types import Bead
    from napari_beadscope.tracking import ZLut

USUAL_SIZE_PX = 64


class TrackBeadsSettings(ServiceSettings):
    """How beads are tracked and followed."""

    roi_size_px: RoiSize = None
    zlut: ZlutName = AUTO
    method: MethodName = "precise"
    backend: BackendName = AUTO
    follow: bool = Field(
        True, description="Move all ROIs with the field, by what is seen at the chunk's first frame"
    )
    follow_reach_px: float = Field(
        200.0,
        gt=0,
        description="Farthest that the field moves over the recording, px; with fewer than 4 beads "
        "no more than an ROI",
    )
    new_beads: bool = Field(
        False, description="Also track beads that were not there from the start"
    )
    min_score: float = Field(0.6, ge=0, le=1, description="Least score of new beads, 0 to 1")
    profiles: bool = Field(False, description="Keep radial profiles, for the step `profiles`")
    channel: ChannelNumber = None


class TrackBeads(TrackingService):
    """Centres, and heights with a Z-LUT, of all beads in a chunk of frames."""

    name = "track_beads"
    category = "ROI_CENTRE"
    needs = ("find_beads",)
    requires = (("find_beads",),)
    Settings = TrackBeadsSettings

    def process(self, work: Work, settings: TrackBeadsSettings) -> Facts:
        from napari_beadscope.batch.beads.chunk import track_chunk
        from napari_beadscope.batch.beads.places import moved
        from napari_beadscope.core.types import Reason

        zlut = open_zlut(work, settings.zlut)
        placed = _resized(bead_places(work), settings.roi_size_px, zlut, work.position.shape)
        size = _size(placed) if placed else _wanted_size(work, settings.roi_size_px, zlut)
        tracker = open_tracker(work, settings.backend, settings.method, len(placed))
        channel = checked_channel(work, settings.channel)
        seen = FirstSight(work, channel, size, tracker, zlut)
        shift, facts = _shift(seen, settings, placed)
        by = (shift.y_px, shift.x_px)
        beads = [one.bead for one in moved(placed, by, work.position.shape)]
        if settings.new_beads:
            new = _new(seen, beads, settings.min_score)
            facts["new_beads"] = len(new)
            beads += new
        rows = track_chunk(
            work.frames(channel),
            work.first,
            beads,
            tracker,
            zlut,
            profiles=settings.profiles,
            checkpoint=work.checkpoint,
        )
        if settings.follow and placed and len(rows):
            rows["reason"][seen.astray(rows, placed, shift)] = Reason.OUT_OF_RANGE
        save_rows(work.output, rows)
        return {**facts, **_counts(rows), "backend": tracker.name}


class LookupZSettings(ServiceSettings):
    """How heights are looked up."""

    zlut: ZlutName = AUTO
    roi_size_px: RoiSize = None
    method: MethodName = "precise"
    backend: BackendName = AUTO
    channel: ChannelNumber = None


class LookupZ(TrackingService):
    """Tracks beads anew in ROIs cut round their centres: heights, also of beads that moved far."""

    name = "lookup_z"
    category = "Z_LOOKUP"
    needs = ("find_beads", "track_beads")
    requires = (("track_beads",),)
    Settings = LookupZSettings

    def process(self, work: Work, settings: LookupZSettings) -> Facts:
        from napari_beadscope.batch.beads.chunk import lookup_chunk

        zlut = open_zlut(work, settings.zlut)
        if zlut is None:
            raise InputError(
                f"the step lookup_z has no Z-LUT for {work.position.path}", "give zlut in the step"
            )
        rows = load_rows(required(work, "track_beads")[0])
        size = settings.roi_size_px or min(zlut.size_px, _size(bead_places(work)))
        zlut.check_matches(size)
        if len(rows):
            rows = lookup_chunk(
                work.frames(checked_channel(work, settings.channel)),
                work.first,
                rows,
                size,
                open_tracker(work, settings.backend, settings.method, len(np.unique(rows["bead"]))),
                zlut,
                checkpoint=work.checkpoint,
            )
        save_rows(work.output, rows)
        return _counts(rows)


def _counts(rows: np.ndarray) -> Facts:
    trusted = int((rows["reason"] == 0).sum())
    return {"rows": len(rows), "trusted": trusted, "heights": int(np.isfinite(rows["z_nm"]).sum())}


def _size(placed: tuple[Placed, ...]) -> int:
    return placed[0].bead.roi.size if placed else 16


def _resized(
    placed: tuple[Placed, ...], size_px: int | None, zlut: ZLut | None, shape: tuple[int, int]
) -> tuple[Placed, ...]:
    """Return ROIs of the size asked for, or no larger than the Z-LUT allows."""
    from napari_beadscope.batch.beads.chunk import kept_inside
    from napari_beadscope.core.types import Bead, Roi

    size = size_px or _size(placed)
    if zlut is not None:
        size = size_px or min(size, zlut.size_px)
        zlut.check_matches(size)
    if size == _size(placed):
        return placed
    if size > min(shape):
        raise InputError(f"ROIs of {size} px do not fit into frames of {shape[0]} × {shape[1]} px")
    return tuple(
        replace(
            one,
            bead=Bead(one.bead.bead, kept_inside(Roi.around(*one.bead.roi.centre_px, size), shape)),
        )
        for one in placed
    )


def _wanted_size(work: Work, size_px: int | None, zlut: ZLut | None) -> int:
    """Return the ROI size of beads where none was there at the start."""
    most = zlut.size_px if zlut else USUAL_SIZE_PX
    return min(size_px or most, *work.position.shape)


def _shift(
    seen: FirstSight, settings: TrackBeadsSettings, placed: tuple[Placed, ...]
) -> tuple[Shift, Facts]:
    """Return how far the field has moved since the beads were found.

    It depends on the first frames of the chunk and the frame in which they were found, alone.
    """
    if not (settings.follow and placed) or placed[0].frame == seen.work.first:
        return Shift(), {}
    shift = seen.shift(placed, settings.follow_reach_px)
    facts: Facts = {"followed": int(shift.known)}
    facts["shift_y_px"], facts["shift_x_px"] = round(shift.y_px, 3), round(shift.x_px, 3)
    return shift, facts


def _new(seen: FirstSight, beads: list[Bead], min_score: float) -> list[Bead]:
    """Return beads on the chunk's first frame that no ROI is around, numbered -1, -2, ..."""
    from napari_beadscope.core.types import Bead, Roi

    known = [bead.roi.centre_px for bead in beads]
    new: list[Bead] = []
    for y, x in seen.found(seen.work.first, min_score).tolist():
        roi = Roi.around(y, x, seen.size_px)
        near = any(max(abs(y - at_y), abs(x - at_x)) <= seen.size_px / 2 for at_y, at_x in known)
        if not near and roi.inside(seen.work.position.shape):
            new.append(Bead(-1 - len(new), roi))
    return new
