"""Frames of TIFF files: one file, an OME-TIFF over several files, or a folder of TIFFs.

Owns axes, pages and damaged files. Must not know other formats. Contiguous data are mapped, so
that frames are copied straight from the file; others are decoded page by page.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.lifetime import Closing
from napari_beadscope.core.types import FrameFormat
from napari_beadscope.devices.camera import check_target
from napari_beadscope.devices.replay.source import check_dtype, to_grey

#: Axes that are read one after the other as time: time, focus, sequence, repeat.
_IN_TURN = "TZIQRV"
_AXES = {"Z": "focal planes (axis Z)", "R": "repeats (axis R)", "V": "views (axis V)"}
_SECONDS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "min": 60.0}


class TiffFrames(Closing):
    """The frames of one TIFF, or of the OME-TIFF it belongs to.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    InputError
        Not a TIFF, or not one row of grey or colour frames of uint8 or uint16.
    """

    def __init__(self, path: Path) -> None:
        import tifffile

        self.name = str(path)
        self.fps: float | None = None
        self.note = ""
        try:
            self._file = tifffile.TiffFile(path)
        except (tifffile.TiffFileError, ValueError, OSError, IndexError) as error:
            raise InputError(f"{path} cannot be read as TIFF ({error})", "check the file") from (
                error
            )
        try:
            self._open_series()
        except InputError:
            self._file.close()
            raise
        except (tifffile.TiffFileError, ValueError, OSError, KeyError, IndexError) as error:
            self._file.close()
            raise InputError(f"{path} is a damaged TIFF ({error})", "check the file") from error

    def _open_series(self) -> None:
        series = self._file.series
        if not series:
            raise InputError(f"there is no image in {self.name}", "check the file")
        if len(series) > 1:
            sizes = ", ".join(str(one.shape) for one in series[:3])
            raise InputError(
                f"{self.name} holds {len(series)} series of images of sizes {sizes}",
                "save the one to be used as a TIFF of its own",
            )
        first: Any = series[0]
        axes, shape = first.axes, first.shape
        self._colour = axes.endswith("S")
        self._planes_shape = tuple(int(size) for size in shape[-3:] if self._colour) or tuple(
            int(size) for size in shape[-2:]
        )
        frame_axes = axes[: -len(self._planes_shape)]
        if axes[len(frame_axes) :] not in ("YX", "YXS"):
            raise InputError(
                f"the axes of {self.name} are {axes}", "save it with axes TYX, one plane a frame"
            )
        for axis, size in zip(frame_axes, shape, strict=False):
            if size > 1 and axis not in _IN_TURN:
                raise InputError(
                    f"{self.name} has {size} planes along axis {axis} (axes {axes})",
                    "save one channel as a TIFF of its own",
                )
        self.note = _in_turn(dict(zip(frame_axes, shape, strict=False)))
        self._length = int(np.prod(shape[: len(frame_axes)], dtype=np.int64))
        height, width = self._planes_shape[:2]
        self._format = FrameFormat(height, width, check_dtype(first.dtype, self.name))
        self._series = first
        self.fps = _rate(self._file)
        self._map = self._mapped(first)

    def _mapped(self, series: Any) -> np.ndarray | None:
        """Return the frames the file really has as a map, or None if not contiguous."""
        if series.dataoffset is None:
            return None
        dtype = np.dtype(self._file.byteorder + series.dtype.char)
        plane = int(np.prod(self._planes_shape)) * dtype.itemsize
        there = (self._file.filehandle.size - series.dataoffset) // plane
        frames = min(self._length, int(there))
        if frames < 1:
            return None
        shape = (frames, *self._planes_shape)
        source = self._file.filehandle.path
        return np.memmap(source, dtype, "r", offset=series.dataoffset, shape=shape)

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        return self._format

    def __len__(self) -> int:
        return self._length

    def read_into(self, index: int, out: np.ndarray) -> None:
        """Copy frame `index` into `out`; see `FrameSource.read_into`."""
        check_target(out, self._format)
        if self._map is not None:
            if index >= len(self._map):
                raise DeviceError(
                    f"frame {index} of {self.name} is missing, the file ends after"
                    f" {len(self._map)} frames",
                    "copy the file again, or use its first frames",
                )
            out[...] = to_grey(self._map[index])
            return
        import tifffile

        try:
            page = self._series.pages[index]
            if page is None:
                raise ValueError("the page is missing")
            image = _decode(page).reshape(self._planes_shape)
        except (tifffile.TiffFileError, ValueError, OSError, RuntimeError, IndexError) as error:
            raise DeviceError(
                f"frame {index} of {self.name} cannot be decoded ({error})", "copy the file again"
            ) from error
        out[...] = to_grey(image)

    def close(self) -> None:
        """Close the file."""
        self._map = None
        self._file.close()


def _in_turn(sizes: dict[str, int]) -> str:
    """Return how axes other than time are taken as time, '' if there are none."""
    others = [f"{sizes[axis]} {_AXES[axis]}" for axis in sizes if axis in _AXES and sizes[axis] > 1]
    return f"{' and '.join(others)} are taken one after the other, as time" if others else ""


def _decode(page: Any) -> np.ndarray:
    """Return a page's pixels; of an OME-TIFF over several files the others are closed."""
    handle = page.parent.filehandle
    if not handle.closed:
        return np.asarray(page.asarray())
    handle.open()
    try:
        return np.asarray(page.asarray())
    finally:
        handle.close()


def _rate(file: Any) -> float | None:
    """Return frames/s from OME's or ImageJ's metadata, if there."""
    metadata = file.imagej_metadata or {}
    interval: Any = metadata.get("finterval")
    fps = metadata.get("fps")
    if isinstance(fps, (int, float)) and fps > 0:
        return float(fps)
    found = re.search(r'\bTimeIncrement="([0-9.eE+-]+)"', file.ome_metadata or "")
    if found:
        unit = re.search(r'\bTimeIncrementUnit="([^"]+)"', file.ome_metadata)
        scale = _SECONDS.get(unit.group(1) if unit else "s")
        interval = float(found.group(1)) * scale if scale else None
    if isinstance(interval, (int, float)) and interval > 0:
        return 1 / float(interval)
    return None


class TiffFolder(Closing):
    """The frames of all TIFFs of a folder, one file after the other.

    Parameters
    ----------
    folder : Path
        The folder, for messages.
    files : list of Path
        Its TIFFs in order. Only one is open at a time.

    Raises
    ------
    InputError
        A file is not a TIFF, or its frames are unlike those of the first.
    """

    def __init__(self, folder: Path, files: list[Path]) -> None:
        self.name = str(folder)
        self._files = files
        self._current, self._open = 0, TiffFrames(files[0])
        self._format, self.fps, self.note = self._open.format, self._open.fps, self._open.note
        lengths = [len(self._open)]
        for file in files[1:]:
            with TiffFrames(file) as one:
                if one.format != self._format:
                    self._open.close()
                    raise InputError(
                        f"the frames of {file} are {_words(one.format)}, those of"
                        f" {files[0].name} {_words(self._format)}",
                        "keep only images of one size and type in the folder",
                    )
                lengths.append(len(one))
        self._ends = list(accumulate(lengths))

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        return self._format

    def __len__(self) -> int:
        return self._ends[-1]

    def read_into(self, index: int, out: np.ndarray) -> None:
        """Copy frame `index` into `out`; see `FrameSource.read_into`."""
        number = bisect_right(self._ends, index)
        if number >= len(self._files):
            raise DeviceError(f"{self.name} has no frame {index}", f"it has {len(self)} frames")
        if number != self._current:
            self._open.close()
            self._open, self._current = TiffFrames(self._files[number]), number
        self._open.read_into(index - (self._ends[number - 1] if number else 0), out)

    def close(self) -> None:
        """Close the file that is open."""
        self._open.close()


def _words(format: FrameFormat) -> str:
    return f"{format.width_px} x {format.height_px} px {format.dtype}"
