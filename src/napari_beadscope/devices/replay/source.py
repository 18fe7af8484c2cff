"""Frames from files, one at a time: the Protocol, grey conversion, and which reader fits.

Owns the choice of reader by path. Must not know pace or cameras; offline tracking reads through
it too. Readers stream: they hold one frame, or map the file, however long the recording is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.lifetime import Closes
from napari_beadscope.core.types import FrameFormat

TIFF_ENDINGS = frozenset({".tif", ".tiff", ".btf", ".tf8", ".tf2"})
IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp"})
VIDEO_ENDINGS = frozenset({".avi", ".mp4", ".mkv", ".mov", ".m4v", ".webm", ".wmv", ".mpg"})


@runtime_checkable
class FrameSource(Closes, Protocol):
    """Frames by index, all of one size; a context manager that closes the files.

    Attributes
    ----------
    name : str
        File or folder, for messages.
    fps : float or None
        Rate at which it was recorded, if the files say so.
    note : str
        What is to be known of how the files are taken as frames; '' for nothing.
    """

    name: str
    fps: float | None
    note: str

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""

    def __len__(self) -> int:
        """Return the number of frames."""

    def read_into(self, index: int, out: np.ndarray) -> None:
        """Copy frame `index` into `out` ``(y, x)``.

        Raises
        ------
        DeviceError
            The frame is damaged, or `out` does not fit; the message names file and frame.
        """


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a sort key under which ``img_2`` comes before ``img_10``.

    Examples
    --------
    >>> sorted(["b10", "b9", "a"], key=natural_key)
    ['a', 'b9', 'b10']
    """
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts if part]


def to_grey(image: np.ndarray) -> np.ndarray:
    """Return ``(y, x)`` of a grey or colour image ``(y, x, channels)``, same dtype.

    Equal channels give exactly that channel; others the luma 0.299 R + 0.587 G + 0.114 B
    (ITU-R BT.601), rounded. A second or fourth channel is transparency and left out.

    Examples
    --------
    >>> to_grey(np.full((2, 2, 3), 7, np.uint8))[0, 0]
    np.uint8(7)
    """
    if image.ndim == 2:
        return image
    if image.shape[2] < 3:
        return np.asarray(image[..., 0])
    wide = image[..., :3].astype(np.uint32)
    luma = (299 * wide[..., 0] + 587 * wide[..., 1] + 114 * wide[..., 2] + 500) // 1000
    return luma.astype(image.dtype)


def check_dtype(dtype: np.dtype, name: str) -> str:
    """Return ``uint8`` or ``uint16``, or raise InputError for any other pixel type."""
    if dtype.kind == "u" and dtype.itemsize in (1, 2):
        return f"uint{8 * dtype.itemsize}"
    raise InputError(
        f"the pixels of {name} are {dtype}", "convert them to unsigned 8-bit or 16-bit integers"
    )


def open_frames(path: str | Path) -> FrameSource:
    """Open a TIFF, a movie or a folder as frames ``(t, y, x)``.

    Parameters
    ----------
    path : str or Path
        A TIFF or OME-TIFF (any number of pages or files, BigTIFF; T and Z are read in file
        order), AVI, MP4 and what else FFmpeg reads, a PNG, JPEG or BMP, or a folder of one kind
        of these images in natural order. In a folder with ``video_*.ome.tif``, the frames of a
        recording, other files are left out.

    Returns
    -------
    FrameSource
        Close it, or use it in a ``with``.

    Raises
    ------
    InputError
        The path does not exist, is not an image, or holds what cannot be one row of frames:
        several channels, mixed sizes, pixels other than uint8 or uint16.

    Examples
    --------
    >>> open_frames("no/such.tif")
    Traceback (most recent call last):
    ...
    napari_beadscope.core.errors.InputError: there is no file or folder no/such.tif: check the path
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise InputError(f"there is no file or folder {place}", "check the path")
    if not (place.is_file() or place.is_dir()):
        raise InputError(f"{place} is neither a file nor a folder", "give an image or a movie")
    if place.is_dir():
        return _open_folder(place)
    ending = place.suffix.lower()
    if ending in TIFF_ENDINGS:
        from napari_beadscope.devices.replay.tiff import TiffFrames

        return TiffFrames(place)
    if ending in IMAGE_ENDINGS:
        from napari_beadscope.devices.replay.images import ImageFrames

        return ImageFrames(place, [place])
    if ending in VIDEO_ENDINGS:
        from napari_beadscope.devices.replay.video import VideoFrames

        return VideoFrames(place)
    known = ", ".join(sorted(TIFF_ENDINGS | IMAGE_ENDINGS | VIDEO_ENDINGS))
    raise InputError(f"{place} is not an image file by its name", f"known endings are {known}")


def _open_folder(folder: Path) -> FrameSource:
    files = [file for file in folder.iterdir() if file.is_file() and file.name[0] not in "._"]
    files.sort(key=lambda file: natural_key(file.name))
    recorded = [file for file in files if re.fullmatch(r"video_\d+\.ome\.tif", file.name)]
    if recorded:
        from napari_beadscope.devices.replay.tiff import TiffFolder

        return TiffFolder(folder, recorded)
    kinds = {
        "TIFF": [file for file in files if file.suffix.lower() in TIFF_ENDINGS],
        "PNG, JPEG or BMP": [file for file in files if file.suffix.lower() in IMAGE_ENDINGS],
    }
    present = {kind: found for kind, found in kinds.items() if found}
    if not present:
        raise InputError(
            f"there are no images in the folder {folder}",
            "choose a folder of TIFF, PNG, JPEG or BMP files, or name a movie file",
        )
    if len(present) > 1:
        counts = " and ".join(f"{len(found)} {kind}" for kind, found in present.items())
        raise InputError(
            f"the folder {folder} mixes {counts} files", "keep one kind of image in it"
        )
    if "TIFF" in present:
        from napari_beadscope.devices.replay.tiff import TiffFolder

        return TiffFolder(folder, present["TIFF"])
    from napari_beadscope.devices.replay.images import ImageFrames

    return ImageFrames(folder, present["PNG, JPEG or BMP"])
