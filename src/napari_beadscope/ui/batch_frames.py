"""Pixels of a batch as lazy arrays for napari: the source's frames, and labels in chunks.

Owns which file a frame comes from, and that files are closed when nobody looks any more. Must not
know Qt, layers or journals. Nothing is read before it is shown, and nothing is ever written.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_beadscope.batch.source import PositionInfo, Source, open_source
from napari_beadscope.core.errors import InputError
from napari_beadscope.ui.lazy_stack import LazyStack


class OpenSource:
    """A source that is open as long as one of its channels is held."""

    def __init__(self, path: Path) -> None:
        self._source: Source = open_source(path)
        self._lock = threading.Lock()  # a source is used by one thread at a time
        self._close = weakref.finalize(self, self._source.close)

    def position(self, index: int) -> PositionInfo:
        """Return what is known of a position.

        Raises
        ------
        InputError
            The source has no such position any more.
        """
        positions = self._source.positions()
        if not 0 <= index < len(positions):
            self._close()
            raise InputError("the source has fewer positions than when it was processed", "")
        return positions[index]

    def read(self, position: int, channel: int, frame: int) -> np.ndarray:
        """Return one frame ``(y, x)``."""
        with self._lock:
            return self._source.read(position, channel, frame, frame + 1)[0]


class ChannelFrames(LazyStack):
    """All frames of a channel of a position, read when they are shown.

    Parameters
    ----------
    source : OpenSource
        Shared by the channels.
    info : PositionInfo
        The position.
    channel : int
        Index of the channel.
    """

    def __init__(self, source: OpenSource, info: PositionInfo, channel: int) -> None:
        super().__init__((info.frames, *info.shape), info.dtype)
        self._source, self._index, self._channel = source, info.index, channel

    def frame(self, number: int) -> np.ndarray:
        """Return one frame ``(y, x)``."""
        return self._source.read(self._index, self._channel, number)


class CellLabels(LazyStack):
    """Labels of cells in chunks of frames, as one array of cells; 0 is no cell, 1 the cell 0.

    Parameters
    ----------
    chunks : sequence of (first, path)
        TIFF stacks of labels, in order, and the frame that each begins with.
    frames : int
        Frames of the position.
    cells : mapping of int to ndarray, optional
        For each frame the cell of every label, ``cells[frame][label]``, and -1 for no cell.
        Without, the labels are shown as they are.
    """

    def __init__(
        self,
        chunks: Sequence[tuple[int, Path]],
        frames: int,
        cells: Mapping[int, np.ndarray] | None = None,
    ) -> None:
        import tifffile

        self._chunks: list[tuple[int, int, Path]] = []
        shape: tuple[int, ...] = (0, 0)
        for first, path in chunks:
            with tifffile.TiffFile(path) as file:
                shape = file.pages.first.shape
                self._chunks.append((first, first + len(file.pages), path))
        super().__init__((frames, shape[0], shape[1]), np.int32)
        self._cells = cells

    def frame(self, number: int) -> np.ndarray:
        """Return the cells of one frame ``(y, x)``."""
        import tifffile

        for first, last, path in self._chunks:
            if first <= number < last:
                labels = np.asarray(tifffile.imread(path, key=number - first), np.int32)
                return labels if self._cells is None else self._named(number, labels)
        return np.zeros(self.shape[1:], np.int32)

    def _named(self, number: int, labels: np.ndarray) -> np.ndarray:
        assert self._cells is not None
        cells = np.full(int(labels.max(initial=0)) + 1, -1, np.int32)
        known = self._cells.get(number, cells)[: len(cells)]
        cells[: len(known)] = known
        cells[0] = -1
        return cells[labels] + 1
