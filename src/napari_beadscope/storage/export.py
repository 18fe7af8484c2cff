"""Frames as OME-TIFF files that other programs open, with the size of a pixel.

Owns the metadata of such files, and that one appears whole or not at all. Knows nothing of
recordings while they are written; those have a writer of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Bead
from napari_beadscope.core.whole_file import whole_file
from napari_beadscope.storage.space import write_failure

_AXES = {2: "YX", 3: "TYX", 4: "TZYX"}
_TYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
_BIG_BYTES = 4_000_000_000


def write_ome_tiff(
    path: Path,
    frames: Any,
    *,
    um_per_px: float = 0.0,
    interval_s: float = 0.0,
    z_um: float = 0.0,
    name: str = "",
    rgb: bool = False,
) -> None:
    """Write an image or a movie, frame by frame, so that it need not fit into memory.

    Parameters
    ----------
    path : Path
        Its former content is replaced.
    frames : array-like
        ``(y, x)``, ``(t, y, x)`` or ``(t, z, y, x)``; with `rgb` a last axis of 3 or 4.
    um_per_px, interval_s : float
        Size of a pixel and time between frames; 0: not known.
    z_um : float
        Step between planes; above 0, the first of three axes is z in place of t.
    name : str
        Of the image.
    rgb : bool
        Whether the last axis is colour.

    Raises
    ------
    InputError
        The array has too many axes, or a type that OME-TIFF does not have.
    StorageError
        The file cannot be written; it is as it was.
    """
    import tifffile

    shape, dtype = tuple(frames.shape), np.dtype(frames.dtype)
    _check(shape, dtype, rgb)
    dtype = np.dtype("uint8") if dtype.kind == "b" else dtype.newbyteorder("=")
    axes = _AXES[len(shape) - rgb] + ("S" if rgb else "")
    metadata: dict[str, Any] = {"axes": axes, "Name": name}
    if um_per_px:
        for axis in "XY":
            metadata |= {f"PhysicalSize{axis}": um_per_px, f"PhysicalSize{axis}Unit": "µm"}
    if z_um:
        axes = axes.replace("TY", "ZY")
        metadata |= {"axes": axes, "PhysicalSizeZ": z_um, "PhysicalSizeZUnit": "µm"}
    if interval_s and "T" in axes:
        metadata |= {"TimeIncrement": interval_s, "TimeIncrementUnit": "s"}
    big = int(np.prod(shape)) * dtype.itemsize > _BIG_BYTES
    try:
        with whole_file(path) as part, tifffile.TiffWriter(part, ome=True, bigtiff=big) as file:
            file.write(
                _pages(frames, len(shape) - rgb - 2, dtype),
                shape=shape,
                dtype=dtype,
                photometric="rgb" if rgb else "minisblack",
                metadata=metadata,
            )
    except OSError as error:
        raise write_failure(path.parent, error) from error


def crop_movie(frames: Any, bead: Bead) -> Crop:
    """Return the movie ``(t, y, x)`` of a bead's ROI, cut out when it is read.

    Raises
    ------
    InputError
        The ROI leaves the frame.
    """
    if not bead.roi.inside(tuple(frames.shape[-2:])):
        raise InputError(
            f"the ROI of bead {bead.bead} leaves the frame of "
            f"{frames.shape[-2]} × {frames.shape[-1]} px",
            "move or remove the bead",
        )
    return Crop(frames, bead)


class Crop:
    """The part of a movie that a bead's ROI covers, read frame by frame."""

    def __init__(self, frames: Any, bead: Bead) -> None:
        self._frames, self._roi = frames, bead.roi
        self.shape = (len(frames), bead.roi.size, bead.roi.size)
        self.dtype = frames.dtype

    def __getitem__(self, number: int) -> np.ndarray:
        return self._roi.crop(np.asarray(self._frames[number]))


def _check(shape: tuple[int, ...], dtype: np.dtype, rgb: bool) -> None:
    if len(shape) - rgb not in _AXES:
        raise InputError(
            f"an image of {len(shape)} axes cannot be saved", "choose one of 2 to 4: t, z, y, x"
        )
    if dtype.name not in (*_TYPES, "bool"):
        raise InputError(f"OME-TIFF has no pixels of type {dtype}", "convert it to float32")
    if not all(shape):
        raise InputError("the image has no pixels", "choose another one")


def _pages(frames: Any, outer: int, dtype: np.dtype) -> Iterator[np.ndarray]:
    """Yield copies of the pages: the array may be a live one."""
    if outer == 0:
        yield np.array(frames, dtype)
        return
    for number in range(frames.shape[0]):
        if outer == 1:
            yield np.array(frames[number], dtype)
        else:
            yield from _pages(np.asarray(frames[number]), outer - 1, dtype)
