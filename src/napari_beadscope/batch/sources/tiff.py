"""TIFF, BigTIFF, OME-TIFF over one or more files, ImageJ's and Micro-Manager's stacks.

Owns axes, planes and damage of TIFF. Must not know other formats. Planes are read one by one by
where they are in the file, so that a frame costs the same wherever it is; nothing is mapped, so
that a file that is cut while it is read ends in an error instead of a signal.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.naming import position_name, stem_of
from napari_beadscope.batch.source import PositionInfo, SourceError
from napari_beadscope.batch.sources.base import SourceBase, check_pixels
from napari_beadscope.batch.sources.ome import (
    NANOMETRES,
    OmeImage,
    channel_names,
    read_ome,
)
from napari_beadscope.batch.sources.tiff_chain import walk
from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.replay.source import to_grey

_POSITIONS, _CHANNELS, _IN_TURN = "PRM", "C", "TZIQ"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a position's planes are: its series, and its number along axes of positions."""

    series: Any
    along: int


class TiffSource(SourceBase):
    """The frames of a TIFF; every series, and every step along an axis of positions, is one.

    Time, or what stands for it, is axis T, else Z, I or Q; both time and focus are refused.
    Colours are turned into grey.

    Raises
    ------
    InputError
        It is no TIFF, or its axes are not frames in time of one or more channels.
    """

    def __init__(self, path: Path) -> None:
        import tifffile

        super().__init__(path)
        try:
            self._file = tifffile.TiffFile(path)
        except Exception as error:  # damaged files lead to errors of every kind
            raise InputError(f"{path} cannot be read as TIFF ({error})", "check the file") from (
                error
            )
        self._handles: dict[Path, Any] = {}
        try:
            self._chain = walk(path)
            self._places: list[_Place] = []
            self._whole: list[int] = []  # frames that are described
            self._positions = self._look()
        except InputError:
            self._file.close()
            raise
        except Exception as error:  # damaged files lead to errors of every kind
            self._file.close()
            raise InputError(f"{path} is a damaged TIFF ({error})", "copy it again") from error

    def _look(self) -> tuple[PositionInfo, ...]:
        if not self._chain.described:
            raise InputError(
                f"{self.path} is cut, and what describes its planes is lost", "copy it again"
            )
        described = read_ome(self._file.ome_metadata)
        series = [one for one in self._file.series if "Y" in one.axes and "X" in one.axes]
        if not series:
            raise InputError(f"there is no image in {self.path}", "check the file")
        for one in series:
            self._check_kind(one)
            self._check_axes(one)
            count = math.prod(_sizes(one).get(axis, 1) for axis in _POSITIONS)
            self._places += [_Place(one, along) for along in range(count)]
        stem = stem_of(self.path)
        infos = []
        for index, place in enumerate(self._places):
            at = index if len(described) == len(self._places) else series.index(place.series)
            ome = described[at] if at < len(described) else None
            name = position_name(stem, index, len(self._places))
            infos.append(self._info(place, index, name, ome))
        return tuple(infos)

    def _check_kind(self, series: Any) -> None:
        """Refuse planes that are not what the file says: channels would be taken for frames."""
        for kind, is_so, name in (
            ("ome", self._file.is_ome, "OME"),
            ("imagej", self._file.is_imagej, "ImageJ"),
        ):
            if is_so and series.kind not in (kind, "mmstack"):
                raise InputError(
                    f"{self.path} does not hold the planes that its {name} description tells of",
                    "copy it again with all files that belong to it",
                )

    def _check_axes(self, series: Any) -> None:
        sizes = _sizes(series)
        known = set(_POSITIONS + _CHANNELS + _IN_TURN + "YXS")
        for axis, size in sizes.items():
            if size > 1 and axis not in known:
                raise InputError(
                    f"{self.path} has {size} planes along axis {axis} (axes {series.axes})",
                    "save it with axes T, C, Y, X",
                )
        both = [axis for axis in _IN_TURN if sizes.get(axis, 1) > 1]
        if len(both) > 1:
            planes = " and ".join(f"{sizes[axis]} along {axis}" for axis in both)
            raise InputError(
                f"{self.path} has {planes} (axes {series.axes}), and only one can be time",
                "save one focal plane, or a projection",
            )
        plane = series.axes.replace("S", "")[-2:]
        if plane != "YX" or series.axes[: series.axes.index("Y")].count("S"):
            raise InputError(
                f"the axes of {self.path} are {series.axes}", "save it with axes T, C, Y, X"
            )

    def _info(self, place: _Place, index: int, name: str, ome: OmeImage | None) -> PositionInfo:
        series, sizes = place.series, _sizes(place.series)
        frames = math.prod(sizes.get(axis, 1) for axis in _IN_TURN)
        channels = sizes.get("C", 1)
        self._whole.append(frames)
        if self._chain.cut and not (ome or self._file.is_imagej or self._file.is_shaped):
            frames += 1  # who reads to the end is told that there was more
        times = ome.times_s if ome else self._imagej_times(frames)
        return PositionInfo(
            name=name,
            path=self.path,
            index=index,
            frames=frames,
            channels=channel_names(ome.channels if ome else (), channels),
            height_px=sizes["Y"],
            width_px=sizes["X"],
            dtype=check_pixels(series.dtype, self.path),
            times_s=times if times is not None and len(times) == frames else None,
            nm_per_px=ome.nm_per_px if ome else self._imagej_pixel(),
            kind="tiff",
        )

    def _imagej_times(self, frames: int) -> tuple[float, ...] | None:
        said = self._file.imagej_metadata or {}
        step, rate = said.get("finterval"), said.get("fps")
        if not isinstance(step, (int, float)) or step <= 0:
            if not isinstance(rate, (int, float)) or rate <= 0:
                return None
            step = 1 / rate
        return tuple(round(k * float(step), 9) for k in range(frames))

    def _imagej_pixel(self) -> float | None:
        said = self._file.imagej_metadata or {}
        unit = str(said.get("unit", "")).replace("\\u00B5", "µ").strip()
        tag = self._file.pages.first.tags.get("XResolution")
        if unit not in NANOMETRES or tag is None or not tag.value[0]:
            return None
        return float(round(tag.value[1] / tag.value[0] * NANOMETRES[unit], 6))

    def positions(self) -> tuple[PositionInfo, ...]:
        """Return the positions of all series."""
        return self._positions

    def files(self) -> tuple[Path, ...]:
        """Return the file, and the others of an OME-TIFF over several."""
        found = {self.path: None}
        for series in self._file.series:
            for page in series.pages if self._file.is_ome else ():
                if page is not None and page.parent is not self._file:
                    found[Path(page.parent.filehandle.path).absolute()] = None
        return tuple(found)

    def frame(self, position: int, channel: int, number: int) -> np.ndarray:
        """Return one plane; SourceError if it is not whole."""
        place = self._places[position]
        series = place.series
        if number >= self._whole[position]:
            raise self._missing(number, self._chain.words)
        plane = _plane(series, place.along, channel, number)
        if series.dataoffset is not None:
            return self._contiguous(series, plane, number)
        return self._page(series, plane, number, channel)

    def _contiguous(self, series: Any, plane: int, number: int) -> np.ndarray:
        """Return a plane of data in one piece, read from where it must be."""
        shape = _plane_shape(series)
        dtype = np.dtype(self._file.byteorder + series.dtype.char)
        pixels = math.prod(shape)
        handle = self._handle(Path(series.pages[0].parent.filehandle.path))
        try:
            handle.seek(series.dataoffset + plane * pixels * dtype.itemsize)
            image = np.fromfile(handle, dtype, pixels)
        except OSError as error:
            raise self._missing(number, f"it cannot be read: {error}") from error
        if image.size < pixels:
            raise self._missing(number, "the file ends before it")
        return _grey(image.astype(dtype.newbyteorder("="), copy=False), shape)

    def _page(self, series: Any, plane: int, number: int, channel: int) -> np.ndarray:

        try:
            page = series.pages[plane] if plane < len(series.pages) else None
            if page is None:
                raise SourceError(
                    f"frame {number} of channel {channel} of {self.path} is not in the file",
                    "copy it again, or use the frames before it",
                )
            with _opened(page.parent.filehandle):
                page = page.aspage()
                self._check_whole(page, number)
                return _grey(np.asarray(page.asarray()), _plane_shape(series))
        except SourceError:
            raise
        except Exception as error:  # damaged files lead to errors of every kind
            raise self._missing(number, f"it cannot be decoded: {error}") from error

    def _check_whole(self, page: Any, number: int) -> None:
        """Refuse a page of which strips or tiles are missing: they would be read as zeros."""
        handle = page.parent.filehandle
        size = os.path.getsize(handle.path)
        if len(page.dataoffsets) < math.prod(page.chunked):
            raise self._missing(number, "a part of it was never written")
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            if offset <= 0 or count <= 0:
                raise self._missing(number, "a part of it was never written")
            if offset + count > size:
                raise self._missing(number, "the file ends before it")
        if page.compression == 1 and not page.is_tiled:
            pixels = math.prod(page.shape) * page.dtype.itemsize
            if page.bitspersample % 8 == 0 and sum(page.databytecounts) < pixels:
                raise self._missing(number, "a part of it was never written")

    def _missing(self, number: int, why: str) -> SourceError:
        return SourceError(
            f"frame {number} of {self.path} is damaged ({why})",
            "copy the file again, or use the frames before it",
        )

    def _handle(self, path: Path) -> Any:
        if path not in self._handles:
            try:
                self._handles[path] = open(path, "rb")  # noqa: SIM115
            except OSError as error:
                raise SourceError(
                    f"{path} cannot be opened ({error.strerror})", "bring it back"
                ) from error
        return self._handles[path]

    def close(self) -> None:
        """Close all files."""
        for handle in self._handles.values():
            handle.close()
        self._handles.clear()
        self._file.close()


def _sizes(series: Any) -> dict[str, int]:
    return {axis: int(size) for axis, size in zip(series.axes, series.shape)}


def _plane_shape(series: Any) -> tuple[int, ...]:
    count = 3 if series.axes.endswith("S") else 2
    return tuple(int(size) for size in series.shape[-count:])


def _plane(series: Any, along: int, channel: int, number: int) -> int:
    """Return the number of a plane in its series."""
    axes = series.axes[: series.axes.index("Y")]
    sizes = [int(size) for size in series.shape[: len(axes)]]
    at = 0
    positions = math.prod(size for axis, size in zip(axes, sizes) if axis in _POSITIONS)
    in_turn = math.prod(size for axis, size in zip(axes, sizes) if axis in _IN_TURN)
    if number >= in_turn or along >= positions:
        return math.prod(sizes)  # past the end
    for axis, size in zip(axes, sizes):
        here = 0
        if axis in _POSITIONS:
            positions //= size
            here, along = divmod(along, positions)
        elif axis in _CHANNELS:
            here = channel
        elif axis in _IN_TURN:
            in_turn //= size
            here, number = divmod(number, in_turn)
        at = at * size + here
    return at


@contextmanager
def _opened(handle: Any) -> Iterator[None]:
    """Open one of the other files of an OME-TIFF, which are closed, for as long as it takes."""
    if not handle.closed:
        yield
        return
    handle.open()
    try:
        yield
    finally:
        handle.close()


def _grey(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 2:
        return image.reshape(shape)
    if image.dtype.kind != "u" or image.dtype.itemsize > 2:
        return image.reshape(shape).mean(axis=-1).astype(image.dtype)
    return to_grey(image.reshape(shape))
