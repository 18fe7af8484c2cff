"""Step `copy`: a position's channels as one contiguous OME-TIFF, as other software reads it.

Not needed by other steps, which read the source itself in chunks. Owns the file's layout; the
same pixels give the same bytes. Must not know formats of sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import Facts, PlanChannels, Service, ServiceSettings, Work

_BLOCK_BYTES = 16 << 20
_NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_TYPES = {"float32": "float", "float64": "double"}


class CopySettings(ServiceSettings):
    """Settings of the step `copy`."""

    channels: tuple[int, ...] | None = Field(
        None, description="Channels to copy, by number from 0; none takes all that have a role"
    )


class Copy(Service):
    """Writes one TIFF for a position: frames in order, the channels of each in a row."""

    name = "copy"
    category = "FINAL_WRITE"
    whole = True
    suffix = ".ome.tif"
    Settings = CopySettings

    def channels(self, plan_channels: PlanChannels, settings: CopySettings) -> tuple[int, ...]:
        """Return the channels that are copied."""
        if settings.channels is not None:
            return settings.channels
        return tuple(sorted({one for some in plan_channels.values() for one in some})) or (0,)

    def process(self, work: Work, settings: CopySettings) -> Facts:
        """Write the file, a few frames at a time."""
        import tifffile

        channels = self.channels(work.plan_channels, settings)
        shape = (work.last - work.first, len(channels), *work.position.shape)
        size = int(np.prod(shape)) * np.dtype(work.position.dtype).itemsize
        with tifffile.TiffWriter(work.output, bigtiff=size > 3_900_000_000) as tiff:
            tiff.write(
                _pages(work, channels),
                shape=shape,
                dtype=work.position.dtype,
                photometric="minisblack",
                description=_ome(work, channels),
                metadata=None,
                software=False,
                contiguous=True,
            )
        return {"frames": shape[0], "channels": len(channels)}


def _pages(work: Work, channels: tuple[int, ...]) -> Iterator[np.ndarray]:
    count = max(1, _BLOCK_BYTES // max(1, work.position.frame_bytes * len(channels)))
    for first in range(work.first, work.last, count):
        work.checkpoint()
        last = min(first + count, work.last)
        blocks = [work.frames(channel, first, last) for channel in channels]
        for at in range(last - first):
            for block in blocks:
                yield block[at]


def _ome(work: Work, channels: tuple[int, ...]) -> str:
    """Return the OME-XML: sizes, names of channels, size of a pixel."""
    position = work.position
    scale: dict[str, Any] = {}
    if position.nm_per_px is not None:
        scale = {
            "PhysicalSizeX": position.nm_per_px, "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": position.nm_per_px, "PhysicalSizeYUnit": "nm",
        }  # fmt: skip
    pixels: dict[str, Any] = {
        "ID": "Pixels:0", "DimensionOrder": "XYCZT",
        "Type": _TYPES.get(position.dtype, position.dtype),
        "SizeX": position.width_px, "SizeY": position.height_px,
        "SizeC": len(channels), "SizeZ": 1, "SizeT": work.last - work.first, **scale,
    }  # fmt: skip
    names = "".join(
        f"<Channel {_attributes({'ID': f'Channel:0:{at}', 'Name': position.channels[channel]})}/>"
        for at, channel in enumerate(channels)
    )
    image = _attributes({"ID": "Image:0", "Name": position.name})
    return (
        (
            f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{_NAMESPACE}"><Image {image}>'
            f"<Pixels {_attributes(pixels)}>{names}<TiffData/></Pixels></Image></OME>"
        )
        .encode("ascii", "xmlcharrefreplace")
        .decode()
    )


def _attributes(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={quoteattr(str(value))}" for name, value in values.items())
