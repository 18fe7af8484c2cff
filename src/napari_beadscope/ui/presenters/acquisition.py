"""The Acquisition dock's mind: what is kept, where, for how long, and how long the disk lasts.

Owns the estimate of the data rate. Must not know Qt.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from napari_beadscope.core.types import AcquisitionMode, FrameFormat
from napari_beadscope.ui.model import Message, format_of
from napari_beadscope.ui.session import Session

MODE_LABELS = {
    AcquisitionMode.TRACK: "Tracks",
    AcquisitionMode.TRACK_ROIS: "Tracks + bead movies",
    AcquisitionMode.TRACK_FULL: "Tracks + full video",
    AcquisitionMode.ROIS: "Bead movies",
    AcquisitionMode.FULL: "Full video",
}
#: Bytes of one line of tracks.csv, and of one radial bin in profiles.csv, as written.
TRACK_ROW_BYTES = 80
PROFILE_BIN_BYTES = 9
DEFAULT_NAME = "recording"


class AcquisitionPresenter:
    """What the Record dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def set_mode(self, mode: AcquisitionMode) -> None:
        """Choose what is kept."""
        self._session.model.mode = mode

    def set_root(self, folder: str) -> None:
        """Choose the folder in which each recording gets a folder of its own."""
        self._session.model.root = Path(folder).expanduser()

    def set_name(self, name: str) -> None:
        """Choose the name that follows the date."""
        self._session.model.name = name.strip()

    def set_limit_s(self, seconds: float) -> None:
        """Stop by itself after this time; 0 goes on until stopped."""
        self._session.model.limit_s = seconds

    def start(self) -> None:
        """Start to record, with the camera if it is off."""
        session, model = self._session, self._session.model
        if session.scope is None or not model.live:
            session.start_live()
        root, mode, name = model.root, model.mode, model.name or DEFAULT_NAME
        seconds = model.limit_s
        session.on_scope(
            "Starting the recording",
            lambda scope: scope.start_recording(root, mode.value, seconds=seconds, name=name),
            session.started_recording,
        )

    def stop(self) -> None:
        """Stop to record; the files are closed when `recording` becomes None."""
        self._session.on_scope(
            "Closing the recording", lambda scope: scope.stop_recording(), self._stopped
        )

    def toggle(self) -> None:
        """Start or stop."""
        if self._session.model.recording is None:
            self.start()
        else:
            self.stop()

    def progress(self) -> str:
        """Return how far the recording is, in one line."""
        model = self._session.model
        if model.recording is None:
            if model.last_recording is not None:
                return f"Saved: {model.last_recording.name}"
            return "Not recording"
        frames = model.status.recorded_frames if model.status is not None else 0
        limit = f" of {clock(model.limit_s)}" if model.limit_s else ""
        return f"● {clock(model.recorded_s)}{limit} · {frames:,} frames"

    def disk(self) -> str:
        """Return what is left on the disk, in GB and in minutes at this data rate."""
        model = self._session.model
        left = self._bytes_left()
        if left is None:
            return "Disk: folder cannot be reached"
        text = f"Disk: {bytes_text(left)} free"
        status = model.status
        if self._session.scope is None or status is None:
            return text
        sizes = [bead.roi.size for bead in model.beads]
        rate = bytes_per_second(model.mode, format_of(status), status.fps, sizes)
        if rate <= 0:
            return text
        return f"{text} · {duration_text(left / rate)} at {rate / 1e6:.3g} MB/s"

    def disk_is_short(self) -> bool:
        """Return whether less than 1 GB is left."""
        left = self._bytes_left()
        return left is not None and left < 1e9

    def hint(self) -> str:
        """Return why the chosen mode may not do what is wanted, '' if it does."""
        model = self._session.model
        if (model.mode.tracks or model.mode.rois) and not model.beads:
            return "No beads yet: this mode needs some"
        return ""

    def _bytes_left(self) -> int | None:
        model = self._session.model
        if model.recording is not None and model.status is not None:
            return int(model.status.disk_left_bytes)
        folder = model.root
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            return None

    def _stopped(self, path: Path) -> None:
        self._session.stopped_recording(path)
        self._session.say(Message("info", f"Recording saved: {path}", time.time()))


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
        per_frame += sum(TRACK_ROW_BYTES + PROFILE_BIN_BYTES * size / 2 for size in roi_sizes_px)
    return per_frame * fps


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours if need be.

    Examples
    --------
    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}"


def duration_text(seconds: float) -> str:
    """Return a duration in the unit one thinks in.

    Examples
    --------
    >>> duration_text(90), duration_text(5400), duration_text(36000), duration_text(1e7)
    ('1.5 min', '90 min', '10 h', '> 4 days')
    """
    minutes = seconds / 60
    if minutes < 10:
        return f"{minutes:.1f} min"
    if minutes < 180:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.0f} h" if hours < 96 else "> 4 days"


def bytes_text(count: float) -> str:
    """Return bytes in MB, GB or TB (powers of ten).

    Examples
    --------
    >>> bytes_text(5.2e8), bytes_text(4.12e11), bytes_text(2.5e12)
    ('520 MB', '412 GB', '2.5 TB')
    """
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    if count < 1e12:
        return f"{count / 1e9:.3g} GB"
    return f"{count / 1e12:.1f} TB"
