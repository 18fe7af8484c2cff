"""A recording as a camera that can wait.

Owns pace, start and loop. Must not know file formats.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.lifetime import Opening
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.devices.camera import (
    EndOfStream,
    MotorReadout,
    Property,
    check_target,
    find_property,
)
from napari_beadscope.devices.options import checked_options
from napari_beadscope.devices.replay.source import FrameSource, open_frames

_LOG = logging.getLogger(__name__)
_USUAL_FPS = 30.0
_FASTEST_FPS = 100000.0


class ReplayOptions(BaseModel):
    """How a recording is played.

    Examples
    --------
    >>> ReplayOptions(fps=0, loop=True).start
    0
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    fps: float | None = Field(
        None,
        ge=0,
        le=_FASTEST_FPS,
        description="pace, 1/s; 0 is full speed; default: the file's own, else 30",
    )
    loop: bool = Field(False, description="start again at the end")
    start: int = Field(0, ge=0, description="first frame to play, counted from 0")


class ReplayCamera(Opening):
    """Plays the frames of a file or folder.

    Nothing is lost: a late reader delays what follows. Frame numbers count what was played from
    0 on, also when looping; with `start` 0 and no loop they are the frames' indices. Stamps are
    those of the material, at its own rate, however fast it is played.

    Parameters
    ----------
    path : str or Path
        What `open_frames` takes.
    options : ReplayOptions or dict, optional
        Pace, loop and start.

    Examples
    --------
    >>> ReplayCamera("movie.tif", {"fps": 0}).can_wait
    True
    """

    can_wait = True
    lock_name = ""

    def __init__(
        self, path: str | Path, options: ReplayOptions | dict[str, Any] | None = None
    ) -> None:
        self._path = Path(path)
        self._options = _replay_options(options)
        self._source: FrameSource | None = None
        self._pace = self._options.fps
        self._began_ns = 0
        self._next = 0
        self._due_ns = 0
        self._running = False

    @property
    def fps(self) -> float:
        """Rate at which the material was taken, frames/s: its own, else the pace, else 30."""
        own = self._source.fps if self._source is not None else None
        return own or self._options.fps or _USUAL_FPS

    @property
    def pace(self) -> float:
        """Rate at which it is played, frames/s; 0 is full speed."""
        return self.fps if self._pace is None else self._pace

    @property
    def source(self) -> FrameSource:
        """The frames being played; DeviceError before `open`."""
        if self._source is None:
            raise DeviceError(f"{self._path} is not open", "open the camera first")
        return self._source

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        return self.source.format

    def open(self) -> None:
        """Open the files; InputError says what is wrong with them."""
        if self._source is not None:
            return
        source = open_frames(self._path)
        if self._options.start >= len(source):
            source.close()
            raise InputError(
                f"replay cannot start at frame {self._options.start} of {self._path}",
                f"it has {len(source)} frames, the first is 0",
            )
        self._source = source
        self._next = 0
        if not (source.fps or self._options.fps):
            _LOG.warning("%s states no frame rate: %g frames/s assumed", self._path, _USUAL_FPS)

    def close(self) -> None:
        """Stop and close the files."""
        self.stop()
        if self._source is not None:
            self._source.close()
        self._source = None

    def start(self) -> None:
        """Play from where it stands."""
        if not self._running:
            self.source  # noqa: B018  raises if not open
            self._running = True
            self._due_ns = time.monotonic_ns()
            self._began_ns = self._began_ns or self._due_ns

    def resume_after(self, stamp: FrameStamp) -> None:
        """Go on after a frame that was played before, with numbers and times that continue."""
        self._next = stamp.frame + 1
        self._began_ns = stamp.time_ns - round(stamp.frame * 1e9 / self.fps)

    def stop(self) -> None:
        """Pause."""
        self._running = False

    def read_into(self, out: np.ndarray, timeout_s: float) -> FrameStamp | None:
        """Copy the next frame into `out` when it is due; see `Camera.read_into`."""
        if not self._running:
            raise DeviceError("the replay is not started", "call start first")
        check_target(out, self.format)
        length = len(self.source)
        index = self._options.start + self._next
        if index >= length and not self._options.loop:
            raise EndOfStream(f"{self._path} has no frame after {length - 1}")
        now_ns = time.monotonic_ns()
        if self.pace > 0:
            wait_s = (self._due_ns - now_ns) / 1e9
            if wait_s > timeout_s:
                time.sleep(max(timeout_s, 0))
                return None
            if wait_s > 0:
                time.sleep(wait_s)
        self.source.read_into(index % length, out)
        stamp = FrameStamp(self._next, self._began_ns + round(self._next * 1e9 / self.fps))
        self._next += 1
        if self.pace > 0:
            period_ns = round(1e9 / self.pace)
            # a late reader shifts the pace: frames never come faster than they were asked for
            self._due_ns = max(self._due_ns + period_ns, now_ns)
        return stamp

    def properties(self) -> tuple[Property, ...]:
        """The pace."""
        return (Property("fps", "1/s", "float", 0.0, _FASTEST_FPS, (), self.pace),)

    def get(self, name: str) -> float | str:
        """Return a property's value."""
        return find_property(self, name).value

    def set(self, name: str, value: float | str) -> None:
        """Change the pace from the next frame on; 0 is full speed."""
        self._pace = float(find_property(self, name).check(value))
        self._due_ns = min(self._due_ns, time.monotonic_ns())


def _replay_options(options: ReplayOptions | dict[str, Any] | None) -> ReplayOptions:
    if isinstance(options, ReplayOptions):
        return options
    return checked_options(ReplayOptions, options or {}, "replay")


def open_replay(path: str, options: dict[str, Any], motors: MotorReadout | None) -> ReplayCamera:
    """Return a replay camera; what the registry calls. It has no use for motors."""
    return ReplayCamera(path, options)
