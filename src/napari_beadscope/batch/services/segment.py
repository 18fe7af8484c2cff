"""The step `segment`: which pixels of every frame belong to which cell.

Owns the settings' names. Cells are found by `batch.cells.segment`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from napari_beadscope.batch.service import (
    BatchError,
    Facts,
    PlanChannels,
    Service,
    ServiceSettings,
    Work,
)
from napari_beadscope.batch.services.cell_parts import (
    CellChannel,
    cell_channel,
    checked_channels,
    write_labels,
)
from napari_beadscope.core.errors import BeadscopeError


class SegmentSettings(ServiceSettings):
    """How cells are told from the background."""

    method: Literal["log-std", "otsu"] = Field(
        "log-std", description="log-std for phase contrast; otsu for cells brighter than around"
    )
    channel: CellChannel = None
    window_px: int = Field(
        3, ge=3, le=15, description="Side of the window of the standard deviation, odd, px"
    )
    threshold: float = Field(
        2.5,
        gt=0,
        le=100,
        description="log-std: standard deviations above the background's most frequent value",
    )
    otsu_factor: float = Field(
        1.0,
        gt=0,
        le=100,
        description="otsu: threshold between the darkest pixel, 0, and Otsu's threshold, 1",
    )
    close_px: int = Field(0, ge=0, le=31, description="Radius of gaps that are closed, px")
    open_px: int = Field(3, ge=0, le=31, description="Radius of specks that are removed, px")
    largest_hole_px2: int = Field(40, ge=0, description="Largest hole that is filled, px²")
    smallest_px2: int = Field(150, ge=0, description="Smallest cell, px²")
    neck: float = Field(
        0.92,
        ge=0,
        lt=1,
        description="Cells that touch are parted where the neck is narrower than this part of the "
        "smaller one; 0 parts none",
    )
    drop_edge: bool = Field(False, description="Leave out cells that reach the image's edge")

    @field_validator("window_px")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("the window's side is an odd number")
        return value


class Segment(Service):
    """Writes labels as a TIFF stack: 0 for no cell, 1, 2, … for the cells of a frame."""

    name = "segment"
    category = "SEGMENT"
    suffix = ".tif"
    Settings = SegmentSettings

    def channels(self, plan_channels: PlanChannels, settings: SegmentSettings) -> tuple[int, ...]:
        return (cell_channel(plan_channels, settings.channel),)

    def process(self, work: Work, settings: SegmentSettings) -> Facts:
        from napari_beadscope.batch.cells import SegmentOptions, segment_cells

        channel = cell_channel(work.plan_channels, settings.channel)
        checked_channels(work, [channel])
        options = SegmentOptions(**settings.model_dump(exclude={"channel"}))
        frames = work.frames(channel)
        labels = np.empty(frames.shape, np.int32)
        counts = []
        for at, frame in enumerate(frames):
            work.checkpoint()
            try:
                labels[at] = segment_cells(frame, options)
            except BeadscopeError as error:
                where = f"channel {channel}, frame {work.first + at} of {work.position.path}"
                raise BatchError(f"{where}: {error.what}", error.remedy) from error
            counts.append(int(labels[at].max()))
        write_labels(work.output, labels)
        return {
            "labels": sum(counts),
            "fewest_cells": min(counts),
            "most_cells": max(counts),
            "covered_percent": round(100 * float(np.mean(labels > 0)), 2),
        }
