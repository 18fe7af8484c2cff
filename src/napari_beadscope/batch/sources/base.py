"""What sources of all formats share: closing, checks of ranges, fingerprints.

Owns the digest of files. Must not know a format.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_beadscope.batch.source import PositionInfo, SourceError
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.lifetime import Closing

_SAMPLE_BYTES = 65536
_SAMPLES = 16
_SAMPLED_FILES = 64


class SourceBase(Closing, ABC):
    """A source of which a format says how positions are listed and a frame is read.

    Parameters
    ----------
    path : Path
        The file or folder, absolute.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def positions(self) -> tuple[PositionInfo, ...]:
        """Return what the source holds; see `Source.positions`."""

    def files(self) -> tuple[Path, ...]:
        """Return every file that is read; see `Source.files`."""
        return (self.path,)

    @abstractmethod
    def frame(self, position: int, channel: int, number: int) -> np.ndarray:
        """Return one frame ``(y, x)``; what `read` calls with numbers that exist."""

    def read(self, position: int, channel: int, first: int, last: int) -> np.ndarray:
        """Return frames of a channel; see `Source.read`."""
        info = self.checked(position, channel, first, last)
        out = np.empty((last - first, *info.shape), info.dtype)
        for number in range(first, last):
            frame = self.frame(position, channel, number)
            if frame.shape != info.shape:
                raise SourceError(
                    f"frame {number} of {info.path} is {frame.shape[1]} x {frame.shape[0]} px, not"
                    f" {info.width_px} x {info.height_px}",
                    "save frames of one size",
                )
            out[number - first] = frame
        return out

    def checked(self, position: int, channel: int, first: int, last: int) -> PositionInfo:
        """Return what is known of a position; SourceError for what it does not have."""
        positions = self.positions()
        if not 0 <= position < len(positions):
            raise SourceError(
                f"{self.path} has no position {position}", f"it has {len(positions)}, from 0"
            )
        info = positions[position]
        if not 0 <= channel < len(info.channels):
            raise SourceError(
                f"{self.path} has no channel {channel}", f"it has {len(info.channels)}, from 0"
            )
        if not 0 <= first <= last <= info.frames:
            raise SourceError(
                f"{self.path} does not have frames {first} to {last - 1}",
                f"it has {info.frames}, from 0",
            )
        return info

    def fingerprint(self) -> str:
        """Return a digest of all files; see `Source.fingerprint`."""
        return fingerprint_of(self.path, self.files())


def fingerprint_of(root: Path, files: Sequence[Path]) -> str:
    """Return a digest of files: names below `root`, sizes, times of change, sampled content.

    Of each file its beginning, its end and places between are sampled; of many files some.

    Raises
    ------
    InputError
        A file is gone.
    """
    digest = hashlib.sha256()
    every = max(1, -(-len(files) // _SAMPLED_FILES))
    for at, file in enumerate(sorted(files)):
        try:
            state = file.stat()
            name = os.path.relpath(file, root if root.is_dir() else root.parent)
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
            if at % every == 0:
                _sample(file, state.st_size, digest)
        except OSError as error:
            raise InputError(
                f"{file} cannot be read any more ({error.strerror})", "bring it back"
            ) from error
    return digest.hexdigest()


def _sample(file: Path, size: int, digest: hashlib._Hash) -> None:
    last = max(0, size - _SAMPLE_BYTES)
    with open(file, "rb") as opened:
        for at in sorted({last * k // (_SAMPLES - 1) for k in range(_SAMPLES)}):
            opened.seek(at)
            digest.update(opened.read(_SAMPLE_BYTES))


def check_pixels(dtype: np.dtype, path: Path) -> str:
    """Return the name of a type of pixels in native byte order; InputError if it is no number."""
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise InputError(
            f"the pixels of {path} are {dtype}", "save them as 8, 16 or 32 bit grey values"
        )
    return dtype.newbyteorder("=").name


def usable_times(seconds: Sequence[float | None], frames: int) -> tuple[float, ...] | None:
    """Return times since the first frame, or None unless there is one for each, in order.

    Examples
    --------
    >>> usable_times([5.0, 5.5, 6.5], 3)
    (0.0, 0.5, 1.5)
    >>> usable_times([0.0, 0.0, 0.0], 3), usable_times([1.0, None], 2)
    (None, None)
    """
    known = [float(one) for one in seconds if one is not None]
    if len(known) != frames or len(seconds) != frames or not known:
        return None
    values = np.array(known)
    steps = np.diff(values)
    if not np.isfinite(values).all() or (steps <= 0).any():
        return None
    return tuple(float(one) for one in np.round(values - values[0], 9))
