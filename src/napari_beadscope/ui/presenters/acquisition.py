"""The Acquisition dock's mind: what is kept, where, for how long, and what that will take.

Owns when a recording can be started and why not. Must not know Qt.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.settings import expanded
from napari_beadscope.core.types import AcquisitionMode
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.presenters.amounts import bytes_text, clock, duration_text
from napari_beadscope.ui.presenters.disk import DiskGauge
from napari_beadscope.ui.presenters.zlut import why_claimed
from napari_beadscope.ui.session import Session

MODE_LABELS = {
    AcquisitionMode.TRACK: "Tracks",
    AcquisitionMode.TRACK_ROIS: "Tracks + bead movies",
    AcquisitionMode.TRACK_FULL: "Tracks + full video",
    AcquisitionMode.ROIS: "Bead movies",
    AcquisitionMode.FULL: "Full video",
}
MODE_TIPS = {
    AcquisitionMode.TRACK: "Positions only (tracks.csv): smallest, nothing to track again later",
    AcquisitionMode.TRACK_ROIS: "Positions, and a movie of each bead's ROI",
    AcquisitionMode.TRACK_FULL: "Positions, and every frame whole: can be tracked again later",
    AcquisitionMode.ROIS: "A movie of each bead's ROI, tracked later",
    AcquisitionMode.FULL: "Every frame whole; needs no beads",
}
#: How a recording can end by itself.
UNTIL_STOPPED, BY_TIME, BY_FRAMES = "stopped", "time", "frames"
DEFAULT_NAME = "recording"


class AcquisitionPresenter:
    """What the Acquisition dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._disk = DiskGauge(session)

    def set_mode(self, mode: AcquisitionMode) -> None:
        """Choose what is kept."""
        self._session.model.mode = mode

    def set_root(self, folder: str) -> None:
        """Choose the folder in which each recording gets a folder of its own."""
        try:
            self._session.model.root = expanded(folder)
        except InputError as error:
            self._session.fail(error)
            self._session.model.events.root.emit(self._session.model.root)

    def set_name(self, name: str) -> None:
        """Choose the name that follows the date."""
        self._session.model.name = name.strip()

    def set_note(self, text: str) -> None:
        """Write something down that is kept with the recording."""
        self._session.model.note = text.strip()

    @property
    def limit_kind(self) -> str:
        """How the recording will end."""
        return self._session.model.limit_kind

    def set_limit_kind(self, kind: str) -> None:
        """Choose how the recording will end."""
        self._session.model.limit_kind = kind

    def set_limit_s(self, seconds: float) -> None:
        """Stop by itself after this time."""
        self._session.model.limit_s = seconds

    def set_limit_frames(self, frames: int) -> None:
        """Stop by itself after so many frames."""
        self._session.model.limit_frames = frames

    def start(self) -> None:
        """Start to record, with the camera if it is off."""
        session, model = self._session, self._session.model
        if session.scope is None or not model.live:
            session.start_live()
        root, mode, name, note = model.root, model.mode, model.name or DEFAULT_NAME, model.note
        seconds = model.limit_s if model.limit_kind == BY_TIME else 0.0
        frames = model.limit_frames if model.limit_kind == BY_FRAMES else 0
        session.on_scope(
            "Starting the recording",
            lambda scope: scope.start_recording(
                root, mode.value, seconds=seconds, frames=frames, name=name, note=note
            ),
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

    def why_not(self) -> str:
        """Return why recording cannot be started or stopped now, '' if it can."""
        model = self._session.model
        if model.busy.endswith("the recording"):
            return f"{model.busy}…"
        if model.recording is not None:
            return ""
        claimed = why_claimed(self._session)
        if claimed:
            return claimed
        if (model.mode.tracks or model.mode.rois) and not model.beads:
            return "No beads yet: find or add some, or save Full video"
        if re.search(r"[/\\\0]", model.name) or model.name in (".", ".."):
            return "The name is part of a folder's name: leave out / and \\"
        if not _writable(model.root):
            return f"Nothing can be written to {model.root}: choose another folder"
        disk = self._disk.state()
        if disk.left_bytes is not None and disk.left_bytes < 1e9:
            return f"Only {bytes_text(disk.left_bytes)} left on the disk: free some space"
        return ""

    def progress(self) -> str:
        """Return how far the recording is, in one line."""
        model = self._session.model
        if model.recording is None:
            if model.last_recording is not None:
                return f"Saved: {model.last_recording.name}"
            return "Not recording"
        frames = model.status.recorded_frames if model.status is not None else 0
        by_time = model.limit_kind == BY_TIME and model.limit_s
        by_frames = model.limit_kind == BY_FRAMES and model.limit_frames
        time_limit = f" of {clock(model.limit_s)}" if by_time else ""
        frame_limit = f" of {model.limit_frames:,}" if by_frames else ""
        return f"● {clock(model.recorded_s)}{time_limit} · {frames:,}{frame_limit} frames"

    def estimate(self) -> str:
        """Return what a recording will take, per second and, if it has a limit, in all."""
        model = self._session.model
        rate = self._disk.state().rate_bytes_per_s
        if rate <= 0:
            return "Size: known when the camera is live" if model.status is None else ""
        text = f"Size: {bytes_text(rate)}/s"
        seconds = self._limit_s()
        if seconds:
            return f"{text}, {bytes_text(rate * seconds)} in {clock(seconds)}"
        return f"{text}, {bytes_text(rate * 60)} per minute"

    def disk(self) -> str:
        """Return what is left on the disk, and for how long that lasts."""
        disk = self._disk.state()
        if disk.left_bytes is None:
            return "Disk: folder cannot be reached"
        text = f"Disk: {bytes_text(disk.left_bytes)} free"
        return text if disk.left_s is None else f"{text}, lasts {duration_text(disk.left_s)}"

    def disk_tone(self) -> str:
        """Return 'bad' if the disk is nearly full, 'warn' if this recording does not fit."""
        disk = self._disk.state()
        if disk.is_short:
            return "bad"
        wanted = self._limit_s()
        return "warn" if wanted and disk.left_s is not None and wanted > disk.left_s else "ok"

    def _limit_s(self) -> float:
        model = self._session.model
        if model.limit_kind == BY_TIME:
            return model.limit_s
        fps = 0.0 if model.status is None else model.status.fps or model.status.nominal_fps
        if model.limit_kind == BY_FRAMES and fps > 0:
            return model.limit_frames / fps
        return 0.0

    def _stopped(self, path: Path) -> None:
        self._session.stopped_recording(path)
        self._session.say(Message("info", f"Recording saved: {path}", time.time()))


def _writable(folder: Path) -> bool:
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return folder.is_dir() and os.access(folder, os.W_OK)
    except OSError:
        return False
