"""Frames, track rows and the status of the engine that is attached.

Must not know Qt or napari.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from napari_beadscope.core.commands import (
    StartLive,
    StopLive,
)
from napari_beadscope.core.errors import EngineError, StateError
from napari_beadscope.core.messages import Status
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.script.link import Link
from napari_beadscope.script.view import Frame


class Looking(Link):
    """What comes from the engine."""

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        self._attached()
        return self._view.format

    def start_live(self) -> None:
        """Let the camera stream."""
        self._ask(StartLive())

    def stop_live(self) -> None:
        """Let the camera pause."""
        self._ask(StopLive())

    def latest_frame(self) -> Frame | None:
        """Return a copy of the newest frame, or None if there is none yet."""
        self._attached()
        return self._view.latest_frame()

    def newest_frame(self, timeout_s: float = 20.0) -> Frame:
        """Return a copy of the newest frame; of a camera that streams, the first is waited for.

        Raises
        ------
        StateError
            The camera pauses and has given no frame, or it streams and gave none in `timeout_s`.
        """
        deadline = self._now() + timeout_s
        while (frame := self.latest_frame()) is None:
            if not self._view.streaming:
                raise StateError("there is no frame yet", "start the live view")
            if self._now() > deadline:
                raise StateError(
                    f"{self.camera_id} streams, but gave no frame for {timeout_s:g} s",
                    "look at its cable, trigger and frame rate",
                )
            time.sleep(0.002)
        return frame

    def copy_latest_into(self, buffer: np.ndarray) -> FrameStamp | None:
        """Copy the newest frame into `buffer` ``(y, x)``; return its stamp, or None if none."""
        self._attached()
        return self._view.copy_latest_into(buffer)

    def frames(self, n: int | None = None, timeout_s: float = 5.0) -> Iterator[Frame]:
        """Yield copies of the newest frames, `n` of them or without end, skipping what is older.

        Raises
        ------
        EngineError
            No new frame within `timeout_s`, or the engine is gone.
        """
        last = -1
        count = 0
        while n is None or count < n:
            deadline = self._now() + timeout_s
            while (frame := self.latest_frame()) is None or frame.frame == last:
                if self._now() > deadline:
                    raise EngineError(f"no new frame for {timeout_s:g} s", "start the live view")
                time.sleep(0.001)
            last = frame.frame
            count += 1
            yield frame

    def tracks(self, since_seq: int = -1) -> np.ndarray:
        """Return the newest track rows (`core.types.TRACK_ROW`) of frames after ``seq``.

        Rows come frame by frame, bead by bead. What the rings no longer hold is left out.
        """
        self._attached()
        return self._view.tracks(since_seq)

    def status(self) -> Status:
        """Return the newest status: rates, drops, backlog, recording, workers."""
        self._attached()
        return self._view.status()
