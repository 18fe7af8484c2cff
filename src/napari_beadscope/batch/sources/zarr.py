"""OME-Zarr: images, plates and series of images, versions 0.1 to 0.5.

Owns what the metadata mean. Must not know how chunks are stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.naming import position_name, stem_of
from napari_beadscope.batch.source import PositionInfo, SourceError
from napari_beadscope.batch.sources.base import SourceBase, check_pixels
from napari_beadscope.batch.sources.ome import NANOMETRES, SECONDS, channel_names
from napari_beadscope.batch.sources.zarr_array import (
    DamagedChunk,
    MissingChunk,
    ZarrArray,
    read_json,
)
from napari_beadscope.core.errors import InputError

_TIME = {"second": 1.0, "millisecond": 1e-3, "microsecond": 1e-6, "minute": 60.0, "hour": 3600.0}
_LENGTH = {
    "nanometer": 1.0, "micrometer": 1e3, "millimeter": 1e6, "picometer": 1e-3, "angstrom": 0.1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Image:
    """One image: its largest array, its axes, and the step along each of them."""

    array: ZarrArray
    axes: tuple[str, ...]
    units: tuple[str, ...]
    steps: tuple[float, ...]
    channels: tuple[str, ...]

    def size(self, axis: str) -> int:
        return self.array.shape[self.axes.index(axis)] if axis in self.axes else 1


class ZarrSource(SourceBase):
    """The full-resolution frames of an OME-Zarr folder; each image, or field of a well, is one.

    Raises
    ------
    InputError
        There is no image, or it has both time and focus.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            folders = list(_image_folders(path))
            self._images = [self._image(folder) for folder in folders]
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InputError(
                f"the metadata of {path} are damaged ({error!r})", "copy it again"
            ) from error
        if not self._images:
            raise InputError(f"there is no OME-Zarr image in {path}", "give the folder of one")
        self._positions = tuple(self._info(index) for index in range(len(self._images)))

    def _image(self, folder: Path) -> _Image:
        attributes = _attributes(folder)
        if "multiscales" not in attributes:
            raise InputError(
                f"{folder} has no metadata of an OME-Zarr image", "copy it again, or take it out"
            )
        scales = attributes["multiscales"][0]
        first = scales["datasets"][0]
        array = ZarrArray(folder / str(first["path"]))
        axes, units = _axes(scales.get("axes"), len(array.shape))
        if len(axes) != len(array.shape) or axes[-2:] != ("y", "x"):
            raise InputError(f"the axes of {folder} are {axes}", "save it with axes t, c, y, x")
        known = (attributes.get("omero") or {}).get("channels") or []
        names = tuple(str(one.get("label") or "") for one in known)
        return _Image(array, axes, units, _steps(scales, first, len(axes)), names)

    def _info(self, index: int) -> PositionInfo:
        image = self._images[index]
        other = [axis for axis in image.axes if axis not in "tczyx" and image.size(axis) > 1]
        if other or (image.size("t") > 1 and image.size("z") > 1):
            raise InputError(
                f"{image.array.folder} has axes {', '.join(image.axes)} of sizes"
                f" {image.array.shape}, and only one can be time",
                "save one focal plane, or a projection",
            )
        frames = image.size("t") * image.size("z")
        return PositionInfo(
            name=position_name(stem_of(self.path), index, len(self._images)),
            path=self.path,
            index=index,
            frames=frames,
            channels=channel_names(image.channels, image.size("c")),
            height_px=image.size("y"),
            width_px=image.size("x"),
            dtype=check_pixels(image.array.dtype, self.path),
            times_s=_times(image, frames),
            nm_per_px=_pixel_size(image),
            kind="zarr",
        )

    def positions(self) -> tuple[PositionInfo, ...]:
        """Return the images, in the order of series, or of wells and fields."""
        return self._positions

    def files(self) -> tuple[Path, ...]:
        """Return metadata and chunks of the full resolution."""
        names = (".zattrs", ".zgroup", "zarr.json")
        known = [self.path / name for name in names if (self.path / name).exists()]
        for image in self._images:
            folder = image.array.folder.parent
            if folder != self.path:
                known += [folder / name for name in names if (folder / name).exists()]
            known += image.array.files()
        return tuple(known)

    def frame(self, position: int, channel: int, number: int) -> np.ndarray:
        """Return one plane; SourceError if a chunk of it is missing or damaged."""
        image = self._images[position]
        at = {"c": channel, "t": number if image.size("t") > 1 else 0}
        at["z"] = number if image.size("t") == 1 else 0
        try:
            return image.array.plane([at.get(axis, 0) for axis in image.axes[:-2]])
        except MissingChunk as error:
            raise SourceError(
                f"frame {number} of channel {channel} of {self.path} is missing ({error})",
                "copy it again; whoever writes it has to write empty chunks, too",
            ) from error
        except DamagedChunk as error:
            raise SourceError(
                f"frame {number} of channel {channel} of {self.path} is damaged ({error})",
                "copy it again, or use other frames",
            ) from error
        except (IndexError, ValueError) as error:
            raise SourceError(
                f"the metadata of {image.array.folder} do not fit its chunks ({error})",
                "copy it again",
            ) from error


def _attributes(folder: Path) -> dict[str, Any]:
    """Return OME's attributes of a group, of Zarr 2 or 3."""
    new = read_json(folder / "zarr.json").get("attributes") or {}
    found = new.get("ome") or new or read_json(folder / ".zattrs")
    return dict(found.get("ome") or found)


def _image_folders(path: Path) -> list[Path]:
    attributes = _attributes(path)
    if "multiscales" in attributes:
        return [path]
    if "plate" in attributes:
        wells = [path / str(well["path"]) for well in attributes["plate"]["wells"]]
        return [one for well in wells for one in _fields(well)]
    if "well" in attributes:
        return _fields(path)
    numbered = [one for one in path.iterdir() if one.is_dir() and one.name.isdigit()]
    return sorted(numbered, key=lambda one: int(one.name))


def _fields(well: Path) -> list[Path]:
    return [well / str(image["path"]) for image in _attributes(well)["well"]["images"]]


def _axes(axes: Any, count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names and units of axes; early versions had no units, or always all five."""
    if not axes:
        return tuple("tczyx"[-count:]), ("",) * count
    named = [one if isinstance(one, dict) else {"name": one} for one in axes]
    names = tuple(str(one["name"]).lower() for one in named)
    return names, tuple(str(one.get("unit") or "") for one in named)


def _steps(scales: dict[str, Any], dataset: dict[str, Any], count: int) -> tuple[float, ...]:
    """Return the step along each axis, in its unit."""
    steps = [1.0] * count
    for owner in (dataset, scales):
        for one in owner.get("coordinateTransformations") or []:
            if one.get("type") == "scale":
                steps = [a * float(b) for a, b in zip(steps, one["scale"], strict=True)]
    return tuple(steps)


def _times(image: _Image, frames: int) -> tuple[float, ...] | None:
    """Return times only if the axis has a unit: a step of 1 of nothing says nothing."""
    if "t" not in image.axes:
        return None
    at = image.axes.index("t")
    unit = _TIME.get(image.units[at], SECONDS.get(image.units[at]))
    if unit is None or image.steps[at] <= 0 or image.size("t") < frames:
        return None
    return tuple(round(k * image.steps[at] * unit, 9) for k in range(frames))


def _pixel_size(image: _Image) -> float | None:
    unit = _LENGTH.get(image.units[-1], NANOMETRES.get(image.units[-1]))
    return round(image.steps[-1] * unit, 6) if unit and image.steps[-1] > 0 else None
