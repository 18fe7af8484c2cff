"""What one can do with an attached engine: look, find beads, move motors, record.

`Scope` adds how to get and leave the engine. Must not know Qt or napari.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.commands import (
    AddMotor,
    GetCamera,
    MoveMotor,
    SetBackend,
    SetBeads,
    SetCalibration,
    SetCamera,
    StartLive,
    StartRecording,
    StopLive,
    StopRecording,
)
from napari_beadscope.core.errors import EngineError, InputError, StateError, StorageError
from napari_beadscope.core.messages import (
    AcquisitionChanged,
    Event,
    Status,
    Tracking,
)
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import AcquisitionMode, Bead, Calibration, FrameFormat, FrameStamp
from napari_beadscope.engine import EngineClient
from napari_beadscope.script.configure import absolute, number, recording_folder, whole_number
from napari_beadscope.script.view import EngineView, Frame

STOP_TIMEOUT_S = 150.0
_PREPARE_S = 330.0  # trackers may have to compile


class AttachedScope:
    """The part of a `Scope` that needs an engine; each call raises `StateError` without one."""

    def __init__(self, camera: str, settings: Settings) -> None:
        self.camera_id = camera
        self.settings = settings
        self.controls: list[tuple[str, Any]] = []
        self.timeplots: list[tuple[str, Callable[[], float]]] = []
        self._hardware: dict[str, tuple[str, dict]] = {}
        self._client: EngineClient | None = None
        self._stopped = False
        self._view = EngineView()

    # --- looking ------------------------------------------------------------------------

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
            deadline = time.monotonic() + timeout_s
            while (frame := self.latest_frame()) is None or frame.frame == last:
                if time.monotonic() > deadline:
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

    # --- settings of the experiment -----------------------------------------------------

    @property
    def beads(self) -> tuple[Bead, ...]:
        """The beads that are tracked."""
        return self._view.beads

    def set_beads(self, beads: tuple[Bead, ...] | list[Bead]) -> None:
        """Replace the beads that are tracked; returns when that is true for every tracker."""
        self._ask(SetBeads(tuple(beads)), timeout_s=_PREPARE_S)

    def find_beads(
        self, max_beads: int | None = None, size_px: int | None = None
    ) -> tuple[Bead, ...]:
        """Find beads in the newest frame, track them, and return them.

        Raises
        ------
        StateError
            There is no frame yet.
        InputError
            No bead was found.
        """
        from napari_beadscope.tracking import beads_from_found, find_beads, suggest_roi_size

        frame = self.latest_frame()
        if frame is None:
            raise StateError("there is no frame to find beads in", "start the live view")
        found = find_beads(frame.image, size_px=size_px)
        if not len(found.x_px):
            raise InputError(
                f"no beads were found in frame {frame.frame} of {self.camera_id}",
                "focus, raise the contrast, or add beads by hand",
            )
        size = size_px or suggest_roi_size(found)
        beads = beads_from_found(found, frame.image.shape, size)[:max_beads]
        self.set_beads(beads)
        return beads

    @property
    def calibration(self) -> Calibration:
        """Pixel size and Z-LUT in use."""
        return self._view.calibration

    def set_calibration(
        self, nm_per_px: float | None = None, zlut: str | Path | None = None
    ) -> None:
        """Change the pixel size, the Z-LUT (a file; '' for none), or both."""
        old = self.calibration
        path = old.zlut if zlut is None else absolute(zlut)
        new = Calibration(
            old.nm_per_px if nm_per_px is None else number("nm_per_px", nm_per_px), path
        )
        self._ask(SetCalibration(new), timeout_s=_PREPARE_S)

    @property
    def tracking(self) -> Tracking:
        """Which backend tracks with which method and why, and what is still being prepared."""
        self._attached()
        return self._view.status().tracking

    def set_backend(self, name: str | None = None, method: str | None = None) -> None:
        """Choose the tracking backend (see ``beadscope info``) and the method; None: as it is."""
        self._ask(SetBackend(name, method), timeout_s=_PREPARE_S)

    def set_method(self, method: str) -> None:
        """Choose the tracking method: "precise" or "magtrack-compatible"."""
        self.set_backend(None, method)

    def camera_properties(self) -> list[dict[str, Any]]:
        """Return the camera's properties: name, unit, kind, minimum, maximum, choices, value."""
        return list(self._ask(GetCamera()))

    def set_camera(self, **values: float | str) -> None:
        """Set properties of the camera, such as ``exposure_ms=5``."""
        for name, value in values.items():
            self._ask(SetCamera(name, value))

    # --- hardware and what users add ----------------------------------------------------

    def add_hardware(self, name: str, motor: str, **options: Any) -> None:
        """Add a motor under a name of its own, in a process of its own.

        Parameters
        ----------
        name : str
            What it moves. The simulated microscope obeys ``focus`` (um) and ``magnet`` (mm).
        motor : str
            A motor ID such as ``simulated-focus``.
        """
        if name in self._hardware:
            raise InputError(f"there is a motor named {name!r} already", "choose another name")
        if self._client is not None:
            self._ask(AddMotor(name, motor, options))
        self._hardware[name] = (motor, options)

    def move(
        self, motor: str, target: float, *, wait: bool = True, timeout_s: float = 60.0
    ) -> None:
        """Send a motor to `target` in its own unit, and by default wait until it has arrived."""
        self._ask(MoveMotor(motor, number("target", target)))
        if not wait:
            return
        deadline = time.monotonic() + timeout_s
        while self._view.motor(motor)["moving"]:
            if time.monotonic() > deadline:
                raise EngineError(f"motor {motor!r} is not there after {timeout_s:g} s", "stop it")
            time.sleep(0.005)

    def motor_positions(self) -> dict[str, float]:
        """Return the latest position of each motor, in its own unit."""
        return {name: self._view.motor(name)["position"] for name in self._view.motors}

    def add_control(self, name: str, control: Any) -> None:
        """Add a panel of your own, a widget or what makes one, to the docks of this Scope."""
        self.controls.append((name, control))

    def add_timeplot(self, name: str, source: Callable[[], float]) -> None:
        """Add a quantity of your own, read from `source`, to what the docks plot against time."""
        self.timeplots.append((name, source))

    # --- recording ----------------------------------------------------------------------

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

    # --- events -------------------------------------------------------------------------

    def on_event(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event, on a thread of its own; return what ends that."""
        return self._view.subscribe(callback)

    def wait_for(self, condition: Callable[[Any], bool], timeout_s: float = 10.0) -> None:
        """Wait until ``condition(scope)`` holds; raise `EngineError` after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not condition(self):
            if time.monotonic() > deadline:
                raise EngineError(f"what was waited for did not come within {timeout_s:g} s")
            time.sleep(0.005)

    # --- inside -------------------------------------------------------------------------

    def _attached(self) -> EngineClient:
        if self._client is None:
            why = "was stopped" if self._stopped else "is not started"
            raise StateError(f"the Scope {why}", "make a new one" if self._stopped else "start it")
        return self._client

    def _ask(self, command: Any, timeout_s: float = 30.0) -> Any:
        return self._attached().ask(command, timeout_s)
