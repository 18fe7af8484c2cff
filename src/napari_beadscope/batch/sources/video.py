"""AVI, MP4 and other movies that FFmpeg reads.

Owns what a movie means to a batch, and whether its file is cut. Must not know codecs:
`devices.replay` decodes.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from napari_beadscope.batch.naming import stem_of
from napari_beadscope.batch.source import PositionInfo, SourceError
from napari_beadscope.batch.sources.base import SourceBase, usable_times
from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices.replay.video import VideoFrames

_EBML, _SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")


class VideoSource(SourceBase):
    """The frames of a movie, as one position of one channel; colours are turned into grey."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._movie = VideoFrames(path)
        frames = len(self._movie)
        times = usable_times(list(self._movie.times_s), frames)
        if _cut(path) or self._movie.promised > frames:
            frames, times = frames + 1, None  # who reads to the end is told that there was more
        size = self._movie.format
        self._positions = (
            PositionInfo(
                name=stem_of(path),
                path=path,
                index=0,
                frames=frames,
                channels=("0",),
                height_px=size.height_px,
                width_px=size.width_px,
                dtype=size.dtype,
                times_s=times,
                nm_per_px=None,
                kind="video",
            ),
        )

    def positions(self) -> tuple[PositionInfo, ...]:
        """Return the one position."""
        return self._positions

    def frame(self, position: int, channel: int, number: int) -> np.ndarray:
        """Return one frame; SourceError if it cannot be decoded."""
        if number == len(self._movie):
            raise SourceError(
                f"frame {number} of {self.path} is missing (the file is cut)",
                "copy the file again, or use the frames before it",
            )
        out = np.empty(self._movie.format.shape, self._movie.format.dtype)
        try:
            self._movie.read_into(number, out)
        except DeviceError as error:
            raise SourceError(error.what, error.remedy) from error
        return out

    def close(self) -> None:
        """Close the movie."""
        self._movie.close()


def _cut(path: Path) -> bool:
    """Return whether an AVI or a Matroska file is shorter than its head says."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(4096)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return bool(struct.unpack("<I", head[4:8])[0] + 8 > size)
    if head[:4] == _EBML:
        begin, length = _element(head, 4)
        segment = begin + (length or 0)
        if head[segment : segment + 4] == _SEGMENT:
            begin, length = _element(head, segment + 4)
            return length is not None and begin + length > size
    return False


def _element(data: bytes, at: int) -> tuple[int, int | None]:
    """Return where the content of an EBML element begins, and its length if it is known."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length() if first else 1
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return at + width, None if value == (1 << 7 * width) - 1 else value
