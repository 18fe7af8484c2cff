"""A camera and trackers without processes, for measuring a viewer and nothing else.

Owns frames and track rows that come at 100 Hz as an engine's would. On a machine with few cores
an engine would take the time that is to be measured. Must not know Qt or napari.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_beadscope.core.locks import Locks
from napari_beadscope.core.messages import Status, Tracking
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import (
    TRACK_ROW,
    Annotation,
    Bead,
    Calibration,
    FrameFormat,
    FrameStamp,
    Roi,
)

FPS = 100.0
ROI_PX = 32
_POOL = 8
_WANDER_PX = 0.7
_MEAN, _NOISE = 1200.0, 60.0


def grid_of_beads(size_px: int, count: int) -> tuple[Bead, ...]:
    """Return `count` beads, evenly spread over a frame of `size_px` squared.

    Examples
    --------
    >>> len(grid_of_beads(512, 500))
    500
    """
    side = int(np.ceil(np.sqrt(count))) if count else 0
    edge = ROI_PX
    places = np.linspace(edge, size_px - edge, side) if side > 1 else np.array([size_px / 2])
    spots = [(y, x) for y in places for x in places][:count]
    return tuple(Bead(k, Roi.around(y, x, ROI_PX)) for k, (y, x) in enumerate(spots))


class StandInScope:
    """What a session needs of a `Scope`, with frames of noise and beads that wander.

    Parameters
    ----------
    camera_id : str
        What the status says.
    options : dict
        ``size_px``, of square uint16 frames.
    """

    is_started = True

    def __init__(self, camera_id: str, options: Mapping[str, Any]) -> None:
        size = int(options["size_px"])
        self._camera_id = camera_id
        self.format = FrameFormat(size, size, "uint16")
        self.beads: tuple[Bead, ...] = ()
        self.calibration = Calibration()
        self.settings = Settings()
        self.missing_motors: dict[str, str] = {}
        self.annotations: dict[int, Annotation] = {}
        self.locks = Locks()
        self.controls: list[Any] = []
        self.timeplots: list[Any] = []
        self._rng = np.random.default_rng(0)
        noise = self._rng.normal(_MEAN, _NOISE, (_POOL, size, size)).astype(np.uint16)
        self._pool = list(noise)
        self._began_s = time.monotonic()
        self._streaming = False

    def start(self) -> StandInScope:
        """Be ready at once."""
        return self

    def stop(self) -> None:
        """End."""
        self._streaming = False

    detach = stop

    def start_live(self) -> None:
        """Stream."""
        self._streaming = True

    def stop_live(self) -> None:
        """Pause."""
        self._streaming = False

    @property
    def newest(self) -> int:
        """Number of the newest frame."""
        return int((time.monotonic() - self._began_s) * FPS)

    def copy_latest_into(self, buffer: np.ndarray) -> FrameStamp | None:
        """Copy the newest frame."""
        if not self._streaming:
            return None
        frame = self.newest
        np.copyto(buffer, self._pool[frame % _POOL])
        return FrameStamp(frame, int(1e9 * (self._began_s + frame / FPS)))

    def latest_image(self) -> tuple[np.ndarray, int]:
        """Return a copy of the newest frame, and its number."""
        frame = self.newest
        return self._pool[frame % _POOL].copy(), frame

    def tracks(self, since_seq: int = -1) -> np.ndarray:
        """Return a row for each bead and frame after `since_seq`, at most of 2 s."""
        newest = self.newest
        first = max(since_seq + 1, newest - int(2 * FPS))
        frames = np.arange(first, newest + 1)
        count = len(self.beads)
        rows = np.zeros(len(frames) * count, TRACK_ROW)
        if not len(rows):
            return rows
        rows["seq"] = rows["frame"] = np.repeat(frames, count)
        rows["time_ns"] = (1e9 * (self._began_s + rows["frame"] / FPS)).astype(np.int64)
        rows["bead"] = np.tile([bead.bead for bead in self.beads], len(frames))
        centres = np.tile([bead.roi.centre_px for bead in self.beads], (len(frames), 1))
        rows["y_px"], rows["x_px"] = (centres + self._rng.normal(0, _WANDER_PX, centres.shape)).T
        rows["z_nm"] = np.nan
        rows["quality"] = 1.0
        return rows

    def status(self) -> Status:
        """Return a status in which all is well."""
        return Status(
            phase="UP",
            streaming=self._streaming,
            camera_id=self._camera_id,
            can_wait=False,
            width_px=self.format.width_px,
            height_px=self.format.height_px,
            dtype=self.format.dtype,
            nominal_fps=FPS,
            fps=FPS,
            frames=self.newest,
            dropped=0,
            backlog=0,
            tracked_fps=FPS,
            rows=self.newest * len(self.beads),
            pool="RUNNING",
            pool_busy=0,
            recording="",
            mode="",
            recorded_frames=0,
            recorded_s=0.0,
            disk_left_bytes=-1,
            write_bytes_per_s=0.0,
            workers=(),
            tracking=Tracking("cpu", "cpu", "precise"),
        )

    def set_beads(
        self, beads: Sequence[Bead], annotations: Mapping[int, Annotation] | None = None
    ) -> None:
        """Let these be tracked."""
        self.beads, self.annotations = tuple(beads), dict(annotations or {})

    def set_calibration(self, nm_per_px: float | None = None, zlut: str | None = None) -> None:
        """Note the pixel size."""
        self.calibration = Calibration(nm_per_px or self.calibration.nm_per_px, zlut or "")

    def set_method(self, method: str) -> None:
        """There is none."""

    def camera_properties(self) -> list[dict[str, Any]]:
        """There are none."""
        return []

    def on_event(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Nothing ever happens."""
        return lambda: None


class StandInScopes:
    """Where a session gets stand-ins from."""

    def create(self, camera_id: str, options: dict[str, Any]) -> Any:
        """Return a new one."""
        return StandInScope(camera_id, options)

    def attach(self, engine_id: str) -> Any:
        """Return a new one too."""
        return StandInScope(engine_id, {"size_px": 512})

    def running(self) -> Sequence[Any]:
        """Return none."""
        return ()
