"""What OME-XML says of images: names of channels, times of frames, size of a pixel.

Owns the reading of the XML. Must not know files.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from napari_beadscope.batch.sources.base import usable_times

#: Seconds in OME's units of time.
SECONDS = {
    "s": 1.0, "ms": 1e-3, "µs": 1e-6, "μs": 1e-6, "us": 1e-6, "ns": 1e-9,
    "min": 60.0, "h": 3600.0, "d": 86400.0,
}  # fmt: skip
#: Nanometres in OME's units of length; others, such as 'pixel', are no size.
NANOMETRES = {
    "nm": 1.0, "µm": 1e3, "μm": 1e3, "um": 1e3, "micron": 1e3, "mm": 1e6, "cm": 1e7, "m": 1e9,
    "pm": 1e-3, "Å": 0.1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OmeImage:
    """One image of OME-XML; what it does not say is None, or '' for a channel's name."""

    channels: tuple[str, ...]
    times_s: tuple[float, ...] | None
    nm_per_px: float | None


def read_ome(xml: str | None) -> tuple[OmeImage, ...]:
    """Return the images of a text of OME-XML in its order; none if it is not understood.

    Examples
    --------
    >>> read_ome('<OME><Image><Pixels SizeT="3" TimeIncrement="2" PhysicalSizeX="0.1">'
    ...          '<Channel Name="GFP"/></Pixels></Image></OME>')
    (OmeImage(channels=('GFP',), times_s=(0.0, 2.0, 4.0), nm_per_px=100.0),)
    """
    try:
        root = ElementTree.fromstring(xml or "")
    except (ElementTree.ParseError, ValueError):
        return ()
    found = []
    for image in root.iterfind("{*}Image"):
        pixels = image.find("{*}Pixels")
        if pixels is not None:
            found.append(_image(pixels))
    return tuple(found)


def _image(pixels: ElementTree.Element) -> OmeImage:
    names = tuple((one.get("Name") or "").strip() for one in pixels.iterfind("{*}Channel"))
    return OmeImage(names, _times(pixels), _pixel_size(pixels))


def _times(pixels: ElementTree.Element) -> tuple[float, ...] | None:
    frames = int(_number(pixels.get("SizeT")) or 0)
    by_frame: dict[int, float] = {}
    planes = sorted(pixels.iterfind("{*}Plane"), key=lambda p: _number(p.get("TheC")) or 0)
    for plane in planes:  # of several channels the first one's
        seconds, frame = _number(plane.get("DeltaT")), _number(plane.get("TheT"))
        scale = SECONDS.get(plane.get("DeltaTUnit") or "s")
        if seconds is not None and frame is not None and scale is not None:
            by_frame.setdefault(int(frame), seconds * scale)
    times = usable_times([by_frame.get(k) for k in range(frames)], frames)
    if times is not None and frames > 1:
        return times
    step = _number(pixels.get("TimeIncrement"))
    scale = SECONDS.get(pixels.get("TimeIncrementUnit") or "s")
    if not step or step < 0 or scale is None:
        return times
    return tuple(round(k * step * scale, 9) for k in range(frames))


def _pixel_size(pixels: ElementTree.Element) -> float | None:
    size = _number(pixels.get("PhysicalSizeX"))
    scale = NANOMETRES.get(pixels.get("PhysicalSizeXUnit") or "µm")
    return round(size * scale, 6) if size and size > 0 and scale else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def channel_names(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return a name for each of `count` channels: those given, where they tell channels apart.

    Examples
    --------
    >>> channel_names(("Phase", ""), 2), channel_names((), 2), channel_names(("a", "a"), 2)
    (('Phase', '1'), ('0', '1'), ('0', '1'))
    """
    given = [*names[:count], *[""] * (count - len(names))]
    filled = [name or str(at) for at, name in enumerate(given)]
    if len(set(filled)) < count:
        return tuple(str(at) for at in range(count))
    return tuple(filled)
