"""Folders of images, one plane a file: series of frames, also of several channels and positions.

Owns how names of files tell time, channel and position. Must not know decoding: `devices.replay`
decodes PNG and JPEG, tifffile TIFF.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from napari_beadscope.batch.naming import position_name, stem_of
from napari_beadscope.batch.source import PositionInfo, SourceError
from napari_beadscope.batch.sources.base import SourceBase, check_pixels
from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.replay.images import read_image
from napari_beadscope.devices.replay.source import (
    IMAGE_ENDINGS,
    TIFF_ENDINGS,
    natural_key,
)

#: How software marks numbers in names of files; longer marks come before their beginnings.
_MARKS = {
    "position": ("position", "pos", "xy", "fov", "stage", "p", "s"),
    "channel": ("channel", "wavelength", "ch", "c", "w"),
    "time": ("timepoint", "time", "frame", "t"),
    "focus": ("focus", "z"),
}
_KIND = {mark: kind for kind, marks in _MARKS.items() for mark in marks}
_TOKEN = re.compile(
    r"(?:^|(?<=[_\-. ])|(?<=\d))(" + "|".join(sorted(_KIND, key=len, reverse=True)) + r")[_-]?(\d+)"
    r"(?=$|[_\-. ]|[a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Which file holds which plane: (position, channel, frame)."""

    files: dict[tuple[int, int, int], Path]
    positions: int
    channels: tuple[str, ...]
    frames: int


class FolderSource(SourceBase):
    """The images of a folder.

    Where all names have numbers marked as time, channel or position, such as
    ``img_t003_c1_p02.tif`` or ``a_w2_s4_t7.tif``, these tell the planes apart; a file that is
    missing among them is a frame that is missing. Otherwise the images are frames in natural
    order.

    Raises
    ------
    InputError
        There are no images, they are of several kinds or sizes, or have several planes each.
    """

    def __init__(self, path: Path) -> None:
        folder = path if path.is_dir() else path.parent
        super().__init__(path)
        files = image_files(folder) if path.is_dir() else [path]
        if not files:
            raise InputError(f"there are no images in {folder}", "give a folder of images")
        kinds = sorted({_kind(file) for file in files})
        if len(kinds) > 1:
            raise InputError(f"{folder} mixes {' and '.join(kinds)}", "keep one kind of image")
        self._grid = _grid(files, folder)
        first = _read(files[0])
        self._files = tuple(files)
        stem = stem_of(path)
        self._positions = tuple(
            PositionInfo(
                name=position_name(stem, index, self._grid.positions),
                path=path,
                index=index,
                frames=self._grid.frames,
                channels=self._grid.channels,
                height_px=first.shape[0],
                width_px=first.shape[1],
                dtype=check_pixels(first.dtype, files[0]),
                times_s=None,
                nm_per_px=None,
                kind="images",
            )
            for index in range(self._grid.positions)
        )

    def positions(self) -> tuple[PositionInfo, ...]:
        """Return the positions that the names tell apart."""
        return self._positions

    def files(self) -> tuple[Path, ...]:
        """Return the images."""
        return self._files

    def frame(self, position: int, channel: int, number: int) -> np.ndarray:
        """Return one image; SourceError if its file is missing or damaged."""
        file = self._grid.files.get((position, channel, number))
        if file is None:
            raise SourceError(
                f"frame {number} of channel {channel} of position {position} in {self.path} is"
                " missing (there is no file of it)",
                "bring the file back, or use other frames",
            )
        try:
            image = _read(file)
        except InputError as error:
            raise SourceError(f"frame {number}: {error.what}", error.remedy) from error
        if image.dtype != np.dtype(self._positions[position].dtype):
            raise SourceError(
                f"frame {number}, {file}, is {image.dtype}, not {self._positions[position].dtype}",
                "save frames of one type",
            )
        return image


def image_files(folder: Path) -> list[Path]:
    """Return the images right in a folder, in natural order."""
    endings = TIFF_ENDINGS | IMAGE_ENDINGS
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in endings and file.name[0] not in "._" and file.is_file()
    ]
    return sorted(files, key=lambda file: natural_key(file.name))


def _kind(file: Path) -> str:
    return "TIFF" if file.suffix.lower() in TIFF_ENDINGS else "PNG, JPEG or BMP"


def marked(name: str) -> dict[str, int]:
    """Return the numbers that a file's name marks.

    Examples
    --------
    >>> marked("img_t003_c1_p02.tif")
    {'time': 3, 'channel': 1, 'position': 2}
    >>> marked("exp_w2_s4_t7.TIF"), marked("cells_0012.png")
    ({'channel': 2, 'position': 4, 'time': 7}, {})
    >>> marked("img_channel001_position002_time000000003_z000.tif")
    {'channel': 1, 'position': 2, 'time': 3, 'focus': 0}
    """
    stem = name.rpartition(".")[0]
    found: dict[str, int] = {}
    for mark, number in _TOKEN.findall(stem):
        found.setdefault(_KIND[mark.lower()], int(number))
    return found


def _grid(files: Sequence[Path], folder: Path) -> _Grid:
    """Arrange files by the numbers in their names, or else one after the other."""
    marks = [marked(file.name) for file in files]
    kinds = set(marks[0])
    useful = {kind for kind in kinds if len({one.get(kind) for one in marks}) > 1}
    in_turn = _Grid({(0, 0, k): file for k, file in enumerate(files)}, 1, ("0",), len(files))
    if any(set(one) != kinds for one in marks) or not useful:
        return in_turn
    if "focus" in useful:
        raise InputError(
            f"the names of the files in {folder} tell several focal planes apart",
            "keep one of them, or projections",
        )
    numbers = {kind: sorted({one[kind] for one in marks}) for kind in useful}
    times = numbers.get("time", [0])
    times = list(range(times[0], times[-1] + 1)) if _steps_by_one(times) else times
    numbers["time"] = times
    places: dict[tuple[int, int, int], Path] = {}
    for file, one in zip(files, marks):
        place = tuple(
            numbers[kind].index(one[kind]) if kind in useful else 0
            for kind in ("position", "channel", "time")
        )
        key = (place[0], place[1], place[2])
        if key in places:
            return in_turn  # the numbers mean something else
        places[key] = file
    channels = tuple(str(number) for number in numbers.get("channel", [0]))
    return _Grid(places, len(numbers.get("position", [0])), channels, len(times))


def _steps_by_one(times: list[int]) -> bool:
    """Return whether most times follow on each other, so that a jump is a file that is missing."""
    steps = [after - before for before, after in pairwise(times)]
    return steps.count(1) * 2 > len(steps)


def _read(file: Path) -> np.ndarray:
    if file.suffix.lower() not in TIFF_ENDINGS:
        return read_image(file)
    from napari_beadscope.batch.sources.tiff import TiffSource

    with TiffSource(file) as source:
        planes = [(info, len(info.channels) * info.frames) for info in source.positions()]
        if len(planes) > 1 or planes[0][1] > 1:
            raise InputError(
                f"{file} has {sum(count for _, count in planes)} planes, and a folder of images has"
                " one in each",
                f"give '{file.parent}/*{file.suffix}' for every file by itself",
            )
        return source.read(0, 0, 0, 1)[0]
