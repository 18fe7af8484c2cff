"""Frames of movies, decoded by PyAV (FFmpeg).

Owns order of presentation, seeking and grey conversion. Must not know pace. Of YUV movies the
stored luma is the frame, without stretching a limited range: pixels are those that were saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.lifetime import Closing
from napari_beadscope.core.types import FrameFormat
from napari_beadscope.devices.camera import check_target
from napari_beadscope.devices.replay.source import to_grey


class VideoFrames(Closing):
    """The frames of the first video stream of a file.

    Opening reads through the file once without decoding, to count frames and note their times.

    Parameters
    ----------
    path : Path
        The movie.

    Raises
    ------
    InputError
        Not a movie, or without a frame that can be decoded.
    """

    def __init__(self, path: Path) -> None:
        import av

        self.name = str(path)
        try:
            self._container = av.open(self.name)
        except (av.FFmpegError, OSError, ValueError) as error:  # also names that are no text
            raise InputError(f"{path} is not a movie ({error})", "check the file") from error
        try:
            if not self._container.streams.video:
                raise InputError(f"there is no picture in {path}", "choose a movie")
            self._stream: Any = self._container.streams.video[0]
            self._stream.thread_type = "AUTO"
            rate = self._stream.average_rate
            self.note = ""
            self.fps: float | None = float(rate) if rate else None
            self._times = self._read_times()
            self._frames: Iterator[Any] = iter(())
            self._next = len(self._times)
            first = self._decode(0)
        except DeviceError as error:
            self._container.close()
            raise InputError(error.what, error.remedy) from error
        except InputError:
            self._container.close()
            raise
        self._format = FrameFormat(first.shape[0], first.shape[1], str(first.dtype))

    def _read_times(self) -> list[int]:
        import av

        times: list[int] = []
        try:
            for packet in self._container.demux(self._stream):
                if packet.size and not packet.is_corrupt:  # the last of a file that is cut is half
                    stamp = packet.pts if packet.pts is not None else packet.dts
                    times.append(len(times) if stamp is None else stamp)
        except av.FFmpegError as error:
            if not times:
                raise InputError(f"{self.name} is damaged ({error})", "check the file") from error
        return sorted(times)

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        return self._format

    def __len__(self) -> int:
        return len(self._times)

    @property
    def times_s(self) -> tuple[float, ...]:
        """When each frame is shown, in seconds; empty if the movie does not say."""
        base = self._stream.time_base
        return tuple(float(time * base) for time in self._times) if base and self.fps else ()

    @property
    def promised(self) -> int:
        """How many frames the file's own table has, 0 if it has none: a cut file has fewer."""
        exact = "mp4" in self._container.format.name
        return int(self._stream.frames) if exact else 0

    def _decode(self, index: int) -> np.ndarray:
        """Return frame `index`, from where decoding stands or after a seek."""
        import av

        if not 0 <= index < len(self._times):
            raise DeviceError(
                f"{self.name} has no frame {index}", f"it has {len(self._times)} frames"
            )
        try:
            if index < self._next or index > self._next + 32:
                wanted = self._times[index]
                self._container.seek(wanted, stream=self._stream, backward=True)
                self._frames = self._container.decode(self._stream)
                frame = next(self._frames)
                while frame.pts is not None and frame.pts < wanted:
                    frame = next(self._frames)
            else:
                frame = next(self._frames)
                for _ in range(index - self._next):
                    frame = next(self._frames)
            self._next = index + 1
            if frame.is_corrupt:
                raise ValueError("a part of it is missing")
            return _grey(frame)
        except (av.FFmpegError, StopIteration, OSError, ValueError) as error:
            self._next = len(self._times)
            reason = "the movie ends before it" if isinstance(error, StopIteration) else error
            raise DeviceError(
                f"frame {index} of {self.name} cannot be decoded ({reason})",
                "use the frames before it, or save the movie again",
            ) from error

    def read_into(self, index: int, out: np.ndarray) -> None:
        """Copy frame `index` into `out`; see `FrameSource.read_into`."""
        check_target(out, self._format)
        out[...] = self._decode(index)

    def close(self) -> None:
        """Close the movie."""
        self._frames = iter(())
        self._container.close()


def _grey(frame: Any) -> np.ndarray:
    """Return a decoded frame as grey ``(y, x)``, uint8 or uint16."""
    kind = frame.format
    depth = kind.components[0].bits
    grey = kind.name.startswith("gray")
    luma_first = kind.is_planar and kind.name.startswith(("yuv", "nv1", "nv2"))
    if grey or luma_first:
        plane = frame.planes[0]
        dtype = np.dtype(np.uint8 if depth <= 8 else (">u2" if kind.is_big_endian else "<u2"))
        rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)
        return np.asarray(rows[: frame.height, : frame.width]).astype(dtype.newbyteorder("="))
    wide = depth > 8
    return to_grey(frame.to_ndarray(format="rgb48le" if wide else "rgb24"))
