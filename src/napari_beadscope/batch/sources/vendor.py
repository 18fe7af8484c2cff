"""Files of microscopes' makers, ND2, CZI and LIF, through bioio's readers.

Owns what bioio's scenes and axes mean to a batch. Must not know the formats. Planes are computed
one by one from the parts that they are made of, so that a frame costs the same however long the
file is.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.naming import position_name, stem_of
from napari_beadscope.batch.source import PositionInfo, SourceError
from napari_beadscope.batch.sources.base import SourceBase, check_pixels
from napari_beadscope.batch.sources.czi_planes import CziPlanes
from napari_beadscope.batch.sources.ome import channel_names
from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.replay.source import to_grey

_LOG = logging.getLogger(__name__)
_EXTRA = "pip install 'napari-beadscope[bioio]'"
_Y = 3  # axis of rows in bioio's arrays


@dataclass(frozen=True, slots=True)
class _Scene:
    """The array ``(t, c, z, y, x)`` of a scene, and what each of its blocks is made of."""

    array: Any
    graph: dict[Any, Any]


class VendorSource(SourceBase):
    """The frames of a maker's file; each scene is a position. Colours are turned into grey.

    Raises
    ------
    InputError
        The reader is not installed, the file is damaged, or it has both time and focus.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            from bioio import BioImage
            from bioio_base.exceptions import UnsupportedFileFormatError
        except ImportError as error:
            raise InputError(f"{path} needs bioio to be read", _EXTRA) from error
        try:
            with _quiet():
                self._image = BioImage(path)
                self._names = tuple(self._image.scenes)
                self._timed: list[bool] = []  # of each position: whether frames are along T
                self._positions = tuple(self._info(at) for at in range(len(self._names)))
        except InputError:
            raise
        except (UnsupportedFileFormatError, ImportError) as error:
            raise InputError(
                f"no reader for {path} is installed, or it is damaged ({_first_line(error)})",
                f"install readers with {_EXTRA}, or check the file",
            ) from error
        except Exception as error:  # every reader has errors of its own
            raise InputError(
                f"{path} cannot be read ({_first_line(error)})", "check the file"
            ) from error
        self._scenes: dict[int, _Scene] = {}
        self._czi = _open_czi(path)
        if self._czi is not None and self._czi.scenes > len(self._names):
            self._czi.close()
            raise InputError(
                f"{path} has {self._czi.scenes} scenes, of which {len(self._names)} can be read",
                "save each scene as a file",
            )
        self._agree: dict[int, bool] = {}

    def _info(self, index: int) -> PositionInfo:
        image = self._image
        image.set_scene(index)
        sizes = dict(zip(image.dims.order, image.dims.shape))
        frames, planes = int(sizes.get("T", 1)), int(sizes.get("Z", 1))
        if frames > 1 and planes > 1:
            raise InputError(
                f"{self.path} has {frames} time points of {planes} focal planes",
                "save one focal plane, or a projection",
            )
        self._timed.append(frames > 1)
        names = tuple(str(name) for name in image.channel_names or ())
        size = image.physical_pixel_sizes.X
        return PositionInfo(
            name=position_name(stem_of(self.path), index, len(self._names)),
            path=self.path,
            index=index,
            frames=frames * planes,
            channels=channel_names(names, int(sizes.get("C", 1))),
            height_px=int(sizes["Y"]),
            width_px=int(sizes["X"]),
            dtype=check_pixels(np.dtype(image.dtype), self.path),
            times_s=_times(image, frames) if planes == 1 else None,
            nm_per_px=round(float(size) * 1e3, 6) if size and size > 0 else None,
            kind="vendor",
        )

    def positions(self) -> tuple[PositionInfo, ...]:
        """Return the scenes."""
        return self._positions

    def frame(self, position: int, channel: int, number: int) -> np.ndarray:
        """Return one plane; SourceError if it cannot be decoded, or is not in the file."""
        try:
            with _quiet():
                at = (number, channel, 0) if self._timed[position] else (0, channel, number)
                if self._czi is not None and not self._czi.has(position, *at):
                    raise self._missing(number, channel)
                plane = self._plane(position, at)
        except SourceError:
            raise
        except Exception as error:  # every reader has errors of its own
            raise SourceError(
                f"frame {number} of channel {channel} of {self.path} cannot be decoded"
                f" ({_first_line(error)})",
                "copy the file again, or use other frames",
            ) from error
        if not plane.any():  # what readers make of planes that were never taken
            raise self._missing(number, channel)
        return to_grey(plane) if plane.ndim == 3 else plane

    def _missing(self, number: int, channel: int) -> SourceError:
        return SourceError(
            f"frame {number} of channel {channel} of {self.path} is missing (it was never taken)",
            "use the frames before it",
        )

    def _plane(self, position: int, at: tuple[int, int, int]) -> np.ndarray:
        """Return a plane from where it costs least, if that gives what bioio does."""
        if self._czi is None:
            return _plane(self._scene(position), at)
        direct = self._czi.plane(position, *at)
        if position not in self._agree:
            info = self._positions[position]
            self._agree[position] = direct.shape == info.shape and direct.dtype == info.dtype
            if self._agree[position] and len(self._positions) > 1:  # is it the same scene?
                self._agree[position] = np.array_equal(direct, _plane(self._scene(position), at))
        return direct if self._agree[position] else _plane(self._scene(position), at)

    def close(self) -> None:
        """Close the file."""
        if self._czi is not None:
            self._czi.close()
            self._czi = None

    def _scene(self, position: int) -> _Scene:
        if position not in self._scenes:
            self._image.set_scene(position)
            array = self._image.dask_data
            self._scenes = {position: _Scene(array, dict(array.__dask_graph__()))}
        return self._scenes[position]


def _open_czi(path: Path) -> CziPlanes | None:
    if path.suffix.lower() != ".czi":
        return None
    try:
        return CziPlanes(path)
    except Exception:  # noqa: BLE001  bioio may have another reader for it
        _LOG.info("%s is read by bioio alone", path, exc_info=True)
        return None


def _plane(scene: _Scene, at: tuple[int, int, int]) -> np.ndarray:
    """Return ``(y, x)``, or ``(y, x, colours)``, from the blocks that hold it and no others."""
    import dask
    from dask.optimization import cull

    array = scene.array
    ends = [np.cumsum(sizes) for sizes in array.chunks]
    block = tuple(int(np.searchsorted(ends[axis], at[axis], "right")) for axis in range(_Y))
    inside = tuple(
        at[axis] - int(ends[axis][block[axis]] - array.chunks[axis][block[axis]])
        for axis in range(_Y)
    )
    out = np.empty(array.shape[_Y:], array.dtype)
    for rest in product(*(range(len(sizes)) for sizes in array.chunks[_Y:])):
        key = (array.name, *block, *rest)
        part, _ = cull(scene.graph, [key])
        place = tuple(
            slice(int(ends[axis][at] - array.chunks[axis][at]), int(ends[axis][at]))
            for axis, at in enumerate(rest, _Y)
        )
        out[place] = np.asarray(dask.get(part, key))[inside]
    return out.astype(array.dtype.newbyteorder("="), copy=False)


def _times(image: Any, frames: int) -> tuple[float, ...] | None:
    """Return times if the file tells the time between frames."""
    try:
        step = image.time_interval
    except Exception:  # noqa: BLE001  metadata that the reader does not understand say nothing
        return None
    if frames == 1:
        return (0.0,)
    seconds = step.total_seconds() if isinstance(step, timedelta) else 0.0
    return tuple(round(k * seconds, 9) for k in range(frames)) if seconds > 0 else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what readers warn of: metadata that their makers write otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")
