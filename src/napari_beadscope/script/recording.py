"""Recordings of the engine that is attached.

Must not know Qt or napari.
"""

from __future__ import annotations

from pathlib import Path

from napari_beadscope.core.commands import (
    StartRecording,
    StopRecording,
)
from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.messages import AcquisitionChanged
from napari_beadscope.core.types import AcquisitionMode
from napari_beadscope.script.configure import number, recording_folder, whole_number
from napari_beadscope.script.link import STOP_TIMEOUT_S, Link


class Recorder(Link):
    """What lands on disk."""

    def start_recording(
        self,
        folder: str | Path | None = None,
        mode: str | AcquisitionMode | None = None,
        *,
        seconds: float = 0.0,
        frames: int = 0,
        name: str = "",
        note: str = "",
    ) -> Path:
        """Begin a recording and return its folder, once it is on in every process.

        Parameters
        ----------
        folder : path, optional
            The recording's own folder, or with `name` the folder that gets ``<date>_<name>``;
            default the folder of the settings.
        mode : str, optional
            ``track``, ``track+rois``, ``track+full``, ``rois`` or ``full``; default that of the
            settings.
        seconds, frames : float, int
            Ends by itself after that; 0 for no limit.
        note : str
            Kept in the manifest.
        """
        path = recording_folder(folder, name, self.settings)
        mode = mode or self.settings.recording.mode
        mode = mode.value if isinstance(mode, AcquisitionMode) else mode
        self._view.forget_recording()
        limits = whole_number("frames", frames), number("seconds", seconds)
        self._ask(StartRecording(str(path), mode, *limits, note), timeout_s=60)
        return path

    def stop_recording(self) -> Path:
        """End the recording; return its folder when every file is closed.

        Raises
        ------
        StateError
            Nothing is being recorded.
        StorageError
            It ended early, because of what the message says.
        """
        value = self._ask(StopRecording(), timeout_s=STOP_TIMEOUT_S)
        if value["error"]:
            raise StorageError(value["error"], f"what was saved is in {value['folder']}")
        return Path(value["folder"])

    def record(
        self,
        folder: str | Path | None = None,
        mode: str | AcquisitionMode | None = None,
        *,
        seconds: float = 0.0,
        frames: int = 0,
        name: str = "",
        note: str = "",
    ) -> Path:
        """Record for `seconds` or `frames`, or to the end of a finite source; return the folder.

        Raises
        ------
        StorageError
            It ended early, because of what the message says; what was saved is in the folder.
        """
        path = self.start_recording(
            folder, mode, seconds=seconds, frames=frames, name=name, note=note
        )
        self.wait_recorded()
        return path

    def wait_recorded(self, timeout_s: float | None = None) -> AcquisitionChanged:
        """Wait until the recording has ended and return its last announcement.

        Raises
        ------
        StorageError
            It ended early, because of what the message says.
        EngineError
            The engine is gone, or `timeout_s` is over.
        """
        return self._view.wait_recorded(timeout_s)
