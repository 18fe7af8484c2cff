"""The step `correct`: the uneven, bleaching background of fluorescence under the cells.

Owns the settings' names and which pixels count. The background is fitted by
`batch.cells.background`; what is written are its splines, a few kB a frame, which the step
`extract` applies: corrected images would take more room than the recording.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import (
    BatchError,
    Facts,
    PlanChannels,
    Service,
    ServiceSettings,
    Work,
)
from napari_beadscope.batch.services.bead_parts import FileName
from napari_beadscope.batch.services.cell_parts import (
    Corrections,
    FluorescenceChannels,
    checked_channels,
    fluorescence_channels,
    read_labels,
    save_corrections,
)
from napari_beadscope.core.errors import BeadscopeError, InputError


class CorrectSettings(ServiceSettings):
    """How the background is taken away."""

    mode: Literal["divide", "subtract"] = Field(
        "divide",
        description="divide makes up for uneven light, which the background shows, and needs dark; "
        "subtract takes the background away only",
    )
    dark: float = Field(
        0.0,
        ge=0,
        description="Camera's offset, counts: mean of a frame without light; with too small a "
        "value divide makes up for uneven light in part only",
    )
    flat_field: FileName | None = Field(
        None,
        description="Image of an even slide without the offset, used to divide; none: the "
        "background itself",
    )
    margin_px: int = Field(
        5, ge=0, le=31, description="Pixels this near to a cell do not count as background, px"
    )
    channels: FluorescenceChannels = None


class Correct(Service):
    """Writes the background of every frame and channel as splines."""

    name = "correct"
    category = "CORRECT"
    needs = ("segment",)
    suffix = ".npz"
    Settings = CorrectSettings

    def channels(self, plan_channels: PlanChannels, settings: CorrectSettings) -> tuple[int, ...]:
        wanted = fluorescence_channels(plan_channels, settings.channels)
        if not wanted:
            raise InputError(
                "no channel is said to show fluorescence",
                "give 'channels: {fluorescence: [1]}' in the plan, or leave the step out",
            )
        return wanted

    def files(self, settings: CorrectSettings) -> tuple[Path, ...]:
        return () if settings.flat_field is None else (Path(settings.flat_field).expanduser(),)

    def process(self, work: Work, settings: CorrectSettings) -> Facts:
        from napari_beadscope.batch.cells import fit_background

        channels = self.channels(work.plan_channels, settings)
        checked_channels(work, channels)
        frames = {channel: work.frames(channel) for channel in channels}
        masks = read_labels(work.inputs.get("segment", ()))
        found: dict[int, list] = {channel: [] for channel in channels}
        for at in range(work.last - work.first):
            work.checkpoint()
            mask = next(masks, None)
            for channel in channels:
                try:
                    fit = fit_background(frames[channel][at], mask, margin_px=settings.margin_px)
                except BeadscopeError as error:
                    raise BatchError(
                        f"channel {channel}, frame {work.first + at} of {work.position.path}: "
                        f"{error.what}",
                        error.remedy,
                    ) from error
                found[channel].append(fit)
        masks.close()
        flat = _flat_field(settings, work.position.shape)
        backgrounds = {channel: tuple(fits) for channel, fits in found.items()}
        corrections = Corrections(backgrounds, settings.mode, settings.dark, flat)
        for channel in channels:  # that it can be applied is told here, not in a later step
            corrections.apply(channel, 0, frames[channel][0])
        save_corrections(work.output, corrections, work.position.shape)
        facts: Facts = {}
        for channel, fits in found.items():
            levels = [float(fit.coefficients.mean()) for fit in fits]
            facts[f"background_c{channel}"] = round(float(np.mean(levels)), 3)
            facts[f"covered_percent_c{channel}"] = round(
                100 * max(float(fit.covered) for fit in fits), 1
            )
        return facts


def _flat_field(settings: CorrectSettings, shape: tuple[int, int]) -> np.ndarray | None:
    """Return the flat field that the settings name, (y, x) float32 without zeros."""
    if settings.flat_field is None:
        return None
    from napari_beadscope.batch.source import open_source

    path = Path(settings.flat_field).expanduser()
    with open_source(path) as source:
        info = source.positions()[0]
        image = source.read(0, 0, 0, 1)[0].astype(np.float32)
    if info.shape != shape:
        raise InputError(
            f"the flat field {path} has {info.height_px} × {info.width_px} px, the frames "
            f"{shape[0]} × {shape[1]}",
            "take one with the same ROI and binning",
        )
    if not (np.isfinite(image).all() and image.min() > 0):
        raise InputError(f"the flat field {path} has pixels of 0 or less", "take one with light")
    return image
