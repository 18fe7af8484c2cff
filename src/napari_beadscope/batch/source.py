"""Where a batch's frames come from: positions, channels and frames of a file or folder.

Owns the Protocol that every format fulfils, what is known of a position, and the error of pixels
that cannot be had. Must not know steps, runs or plans. Formats are in `batch.sources`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.lifetime import Closes


class SourceError(InputError):
    """Pixels that a source should have cannot be had; frames are never made up."""


@dataclass(frozen=True, slots=True)
class PositionInfo:
    """One field of view of a source.

    Attributes
    ----------
    name : str
        Name in the run: safe in file names, unique and stable.
    path : Path
        The file or folder that was opened, absolute.
    index : int
        Number of the position in its source, from 0.
    frames : int
        Frames in time.
    channels : tuple of str
        A name for each channel, in the file's order; '0', '1', ... where the file names none.
    height_px, width_px : int
        Size of a frame.
    dtype : str
        Type of the pixels as the source gives them: 'uint8', 'uint16', 'float32', ...
    times_s : tuple of float or None
        Seconds since the first frame, one for each frame; None if the file does not say.
    nm_per_px : float or None
        Size of a pixel in the sample; None if the file does not say.
    kind : str
        Format: 'tiff', 'recording', 'zarr', 'video', 'images', 'vendor'.

    Examples
    --------
    >>> one = PositionInfo("a", Path("/a.tif"), 0, 9, ("0", "1"), 64, 80, "uint16", None, None,
    ...                    "tiff")
    >>> one.frame_bytes
    10240
    """

    name: str
    path: Path
    index: int
    frames: int
    channels: tuple[str, ...]
    height_px: int
    width_px: int
    dtype: str
    times_s: tuple[float, ...] | None
    nm_per_px: float | None
    kind: str

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` of a frame."""
        return self.height_px, self.width_px

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame of one channel."""
        return self.height_px * self.width_px * np.dtype(self.dtype).itemsize


@runtime_checkable
class Source(Closes, Protocol):
    """Frames of all positions and channels of a file or folder; a context manager.

    A source is used by one thread at a time. Use `open_source` to get one.
    """

    def positions(self) -> tuple[PositionInfo, ...]:
        """Return what the source holds, in its order."""

    def read(self, position: int, channel: int, first: int, last: int) -> np.ndarray:
        """Return frames ``[first, last)`` of a channel as ``(n, y, x)``, in native byte order.

        The array is the caller's: nothing else refers to it. Reading costs the same wherever the
        frames are, and however long the source is.

        Raises
        ------
        SourceError
            A frame is damaged or missing; the sentence names the file and the frame.
        """

    def files(self) -> tuple[Path, ...]:
        """Return every file that is read, absolute."""

    def fingerprint(self) -> str:
        """Return a digest of all files: names, sizes, times of change, and samples of the content.

        Another fingerprint says that results were made from something else.
        """


def open_source(path: str | Path) -> Source:
    """Open a file or folder of any format that `batch.sources` lists.

    Parameters
    ----------
    path : str or Path
        TIFF or OME-TIFF, OME-Zarr, movie, recording, folder of images, or a vendor's file.

    Raises
    ------
    InputError
        There is nothing, it is damaged, or nothing reads it; the sentence says what would.
    """
    from napari_beadscope.batch.sources import find_format

    place = Path(path).expanduser().absolute()
    return find_format(place).open(place)
