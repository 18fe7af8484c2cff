"""How long the disk lasts, and what a recording takes of it.

Owns the estimate of the data rate. Must not know Qt.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from napari_beadscope.core.types import AcquisitionMode, FrameFormat
from napari_beadscope.ui.model import format_of
from napari_beadscope.ui.session import Session

#: Bytes of one line of tracks.csv, as written.
TRACK_ROW_BYTES = 80
#: Less than this is short: a recording stops by itself not much later.
SHORT_BYTES = 2e9
SHORT_S = 300.0
_ASK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class DiskState:
    """What is left of a disk; None where it is not known."""

    left_bytes: int | None
    rate_bytes_per_s: float  # of the chosen mode, or of the recording that is on

    @property
    def left_s(self) -> float | None:
        """How long the disk lasts at this rate."""
        if self.left_bytes is None or self.rate_bytes_per_s <= 0:
            return None
        return self.left_bytes / self.rate_bytes_per_s

    @property
    def is_short(self) -> bool:
        """Whether there is little left, in bytes or in time."""
        if self.left_bytes is None:
            return False
        return self.left_bytes < SHORT_BYTES or (self.left_s or SHORT_S) < SHORT_S


class DiskGauge:
    """Looks at the disk of one session's recordings, at most once a second.

    Parameters
    ----------
    session : Session
        Names folder, mode, beads and camera.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked: tuple[Path, float, int | None] = (Path(), 0.0, None)

    def state(self) -> DiskState:
        """Return what is left, and the rate."""
        model = self._session.model
        rate = 0.0
        if self._session.scope is not None and model.status is not None:
            sizes = [bead.roi.size for bead in model.beads]
            fps = model.status.fps or model.status.nominal_fps
            rate = bytes_per_second(model.mode, format_of(model.status), fps, sizes)
        return DiskState(self._left(), rate)

    def _left(self) -> int | None:
        model = self._session.model
        recording, status = model.recording, model.status
        if recording is not None and status is not None and status.disk_left_bytes >= 0:
            return int(status.disk_left_bytes)
        folder, asked_s, left = self._asked
        if folder == model.root and time.monotonic() - asked_s < _ASK_EVERY_S:
            return left
        left = _free(model.root)
        self._asked = (model.root, time.monotonic(), left)
        return left


def _free(folder: Path) -> int | None:
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def bytes_per_second(
    mode: AcquisitionMode, frame: FrameFormat, fps: float, roi_sizes_px: list[int]
) -> float:
    """Return about how many bytes a recording takes per second.

    Examples
    --------
    >>> bytes_per_second(AcquisitionMode.FULL, FrameFormat(1000, 1000, "uint8"), 100.0, [])
    100000000.0
    """
    item = frame.nbytes / (frame.height_px * frame.width_px)
    per_frame = 0.0
    if mode.video:
        per_frame += frame.nbytes
    if mode.rois:
        per_frame += item * sum(size * size for size in roi_sizes_px)
    if mode.tracks:
        per_frame += TRACK_ROW_BYTES * len(roi_sizes_px)
    return per_frame * fps
