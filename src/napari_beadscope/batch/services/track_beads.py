"""The steps `track_beads` and `lookup_z`: where each bead is in each frame of a chunk.

Own the way from a chunk's frames to its rows, which `batch.beads.chunk` computes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import Facts, PlanChannels, Service, ServiceSettings, Work
from napari_beadscope.batch.services.bead_parts import (
    AUTO,
    BackendName,
    ChannelNumber,
    MethodName,
    RoiSize,
    ZlutName,
    bead_channel,
    bead_places,
    checked_channel,
    given_file,
    load_rows,
    open_tracker,
    open_zlut,
    recorded_zluts,
    required,
    save_rows,
)
from napari_beadscope.core.errors import InputError

if TYPE_CHECKING:
    from napari_beadscope.batch.beads.places import Placed
    from napari_beadscope.batch.source import PositionInfo
    from napari_beadscope.core.types import Bead
    from napari_beadscope.tracking import ZLut


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
        48.0, gt=0, description="Farthest that the field moves over the recording, px"
    )
    new_beads: bool = Field(
        False, description="Also track beads that were not there from the start"
    )
    min_score: float = Field(0.6, ge=0, le=1, description="Least score of new beads, 0 to 1")
    profiles: bool = Field(False, description="Keep radial profiles, for the step `profiles`")
    channel: ChannelNumber = None


class TrackBeads(Service):
    """Centres, and heights with a Z-LUT, of all beads in a chunk of frames."""

    name = "track_beads"
    category = "ROI_CENTRE"
    needs = ("find_beads",)
    requires = (("find_beads",),)
    Settings = TrackBeadsSettings

    def channels(
        self, plan_channels: PlanChannels, settings: TrackBeadsSettings
    ) -> tuple[int, ...]:
        return (bead_channel(plan_channels, settings.channel),)

    def files(self, settings: TrackBeadsSettings) -> tuple[Path, ...]:
        return given_file(settings.zlut)

    def files_of(self, position: PositionInfo, settings: TrackBeadsSettings) -> tuple[Path, ...]:
        return recorded_zluts(position, settings.zlut)

    def process(self, work: Work, settings: TrackBeadsSettings) -> Facts:
        from napari_beadscope.batch.beads.chunk import track_chunk

        zlut = open_zlut(work, settings.zlut)
        placed = _resized(bead_places(work), settings.roi_size_px, zlut, work.position.shape)
        channel = checked_channel(work, settings.channel)
        beads, facts = _followed(work, settings, channel, placed)
        rows = track_chunk(
            work.frames(channel),
            work.first,
            beads,
            open_tracker(work, settings.backend, settings.method, len(beads)),
            zlut,
            profiles=settings.profiles,
            checkpoint=work.checkpoint,
        )
        save_rows(work.output, rows)
        return {**facts, **_counts(rows)}


class LookupZSettings(ServiceSettings):
    """How heights are looked up."""

    zlut: ZlutName = AUTO
    roi_size_px: RoiSize = None
    method: MethodName = "precise"
    backend: BackendName = AUTO
    channel: ChannelNumber = None


class LookupZ(Service):
    """Tracks beads anew in ROIs cut round their centres: heights, also of beads that moved far."""

    name = "lookup_z"
    category = "Z_LOOKUP"
    needs = ("find_beads", "track_beads")
    requires = (("track_beads",),)
    Settings = LookupZSettings

    def channels(self, plan_channels: PlanChannels, settings: LookupZSettings) -> tuple[int, ...]:
        return (bead_channel(plan_channels, settings.channel),)

    def files(self, settings: LookupZSettings) -> tuple[Path, ...]:
        return given_file(settings.zlut)

    def files_of(self, position: PositionInfo, settings: LookupZSettings) -> tuple[Path, ...]:
        return recorded_zluts(position, settings.zlut)

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


def _followed(
    work: Work, settings: TrackBeadsSettings, channel: int, placed: tuple[Placed, ...]
) -> tuple[list[Bead], Facts]:
    """Return the beads with ROIs where they are in this chunk, and how far the field has moved.

    It depends on the first frame of the chunk and the frame in which the beads were found, alone.
    """
    from napari_beadscope.batch.beads.places import moved, shift_of

    size, facts = _size(placed), Facts()
    start = placed[0].frame if placed else work.first
    if not placed or (work.first == start and not settings.new_beads):
        return [one.bead for one in placed], facts
    now, scores = _seen(work, channel, work.first, size)
    if settings.follow and work.first != start:
        key = ("seen", work.position.path, work.position.index, channel, start, size)
        if key not in work.cache:
            work.cache[key] = _seen(work, channel, start, size)[0]
        shift = shift_of(work.cache[key], now, settings.follow_reach_px)
        if shift is not None:
            placed = moved(placed, shift, work.position.shape)
        facts["followed"] = int(shift is not None)
        facts["shift_y_px"], facts["shift_x_px"] = (round(by, 3) for by in shift or (0.0, 0.0))
    beads = [one.bead for one in placed]
    if settings.new_beads:
        new = _new(now[scores >= settings.min_score], beads, work.position.shape)
        facts["new_beads"] = len(new)
        beads += new
    return beads, facts


def _seen(work: Work, channel: int, frame: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return y, x of what looks like beads on a frame, best first, and the scores."""
    from napari_beadscope.tracking import find_beads

    found = find_beads(work.frames(channel, frame, frame + 1)[0], size_px=size)
    return np.column_stack([found.y_px, found.x_px]), np.asarray(found.score)


def _new(places: np.ndarray, beads: list[Bead], shape: tuple[int, int]) -> list[Bead]:
    """Return beads at places that no ROI is around, numbered -1, -2, ..."""
    from napari_beadscope.core.types import Bead, Roi

    size = beads[0].roi.size
    known = np.array([bead.roi.centre_px for bead in beads])
    new: list[Bead] = []
    for y, x in places.tolist():
        roi = Roi.around(y, x, size)
        away = np.abs(known - (y, x)).max(axis=1).min()
        if away > size / 2 and roi.inside(shape):
            new.append(Bead(-1 - len(new), roi))
    return new
