"""The step `copy`: a position as one contiguous OME-TIFF, whatever format it came in.

Owns the file's description. Must not know formats that are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import Facts, PlanChannels, Service, ServiceSettings, Work
from napari_beadscope.core.errors import InputError

_BLOCK_BYTES = 16 << 20
_TYPES = {"float32": "float", "float64": "double"}


class CopySettings(ServiceSettings):
    """What is copied."""

    channels: tuple[int, ...] | None = Field(
        None, description="Channels that are copied, by number; none copies all"
    )


class Copy(Service):
    """Writes the frames of a position that the plan takes, with times and size of a pixel.

    The order of planes is that of frames, in each the channels. No plane is compressed, so that
    every program can map the file. The same frames give the same bytes.
    """

    name = "copy"
    category = "COPY"
    whole = True
    suffix = ".ome.tif"
    uses_times = True
    uses_scale = True
    needs_times = False
    prefetch = False
    Settings = CopySettings

    def channels(self, plan_channels: PlanChannels, settings: CopySettings) -> tuple[int, ...]:
        return settings.channels or ()

    def process(self, work: Work, settings: CopySettings) -> Facts:
        import tifffile

        info = work.position
        channels = settings.channels or tuple(range(len(info.channels)))
        wrong = [one for one in channels if not 0 <= one < len(info.channels)]
        if wrong:
            raise InputError(
                f"{info.path} has no channel {wrong[0]} to copy",
                f"it has {len(info.channels)}, from 0",
            )
        frames = work.last - work.first
        tifffile.imwrite(
            work.output,
            _planes(work, channels),
            shape=(frames * len(channels), *info.shape),
            dtype=np.dtype(info.dtype),
            bigtiff=True,
            photometric="minisblack",
            description=_description(work, channels).encode(),
            software=False,
            metadata=None,
        )
        return {"frames": frames, "channels": len(channels)}


def _planes(work: Work, channels: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Give the planes in the order of the file, reading some frames at a time."""
    step = max(1, _BLOCK_BYTES // (work.position.frame_bytes * len(channels)))
    for first in range(work.first, work.last, step):
        work.checkpoint()
        last = min(first + step, work.last)
        blocks = [work.frames(channel, first, last) for channel in channels]
        for number in range(last - first):
            for block in blocks:
                yield np.array(block[number])  # writers keep what they are given


def _description(work: Work, channels: tuple[int, ...]) -> str:
    """Return OME-XML; it has no names of files and no dates, so that bytes repeat."""
    info, frames = work.position, work.last - work.first
    size = ""
    if info.nm_per_px:
        micrometres = f"{info.nm_per_px / 1e3:.9g}"
        size = "".join(f' PhysicalSize{a}="{micrometres}" PhysicalSize{a}Unit="µm"' for a in "XY")
    named = "".join(
        f'<Channel ID="Channel:0:{at}" SamplesPerPixel="1" Name={quoteattr(info.channels[one])}/>'
        for at, one in enumerate(channels)
    )
    planes = ""
    if info.times_s is not None:
        times = np.array(info.times_s[work.first : work.last])
        planes = "".join(
            f'<Plane TheZ="0" TheC="{at}" TheT="{t}" DeltaT="{time:.9g}" DeltaTUnit="s"/>'
            for t, time in enumerate(times - times[0])
            for at in range(len(channels))
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0" Name={quoteattr(info.name)}>'
        '<Pixels ID="Pixels:0" DimensionOrder="XYCZT"'
        f' Type="{_TYPES.get(info.dtype, info.dtype)}" SizeX="{info.width_px}"'
        f' SizeY="{info.height_px}" SizeC="{len(channels)}" SizeZ="1" SizeT="{frames}"{size}>'
        f'{named}<TiffData IFD="0" PlaneCount="{frames * len(channels)}"/>{planes}'
        "</Pixels></Image></OME>"
    )
