"""A `Scope` without processes: same methods, numpy frames, everything in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from fake_motors import FakeMotors

from napari_beadscope.core import messages
from napari_beadscope.core.errors import InputError, StateError
from napari_beadscope.core.locks import HeldBead, Locks, XYLock, XYState, ZLock, ZState
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
from napari_beadscope.core.window import Window, follow
from napari_beadscope.devices.camera import Property
from napari_beadscope.script.view import Frame

#: Where the beads are, ``(y, x)`` in px; those that leave a small frame are not there.
PLACES = tuple((y, x) for y in range(40, 220, 60) for x in range(40, 220, 60))


def _rings(shape: tuple[int, int]) -> np.ndarray:
    """Beads as the search sees them: rings of 0 to 2 about each place, 15 px in radius."""
    y, x = np.indices(shape)
    image = np.zeros(shape)
    for place in PLACES:
        r = np.hypot(y - place[0], x - place[1])
        image += (1 + np.cos(0.7 * r)) * np.exp(-((r / 15.4) ** 8))
    return image


@dataclass(frozen=True)
class FakeEngine:
    engine_id: str = "e1"
    camera: str = "simulated"
    pid: int = 4711
    started_unix_s: float = 0.0
    recording: str = ""
    recording_since_unix_s: float = 0.0


class FakeScope(FakeMotors):
    """Frames of noise with a number in them; beads on a grid; `fps` frames per second."""

    def __init__(self, camera_id: str = "simulated", options: dict[str, Any] | None = None) -> None:
        super().__init__()
        options = options or {}
        self.camera_id = camera_id
        self.shape = (int(options.get("height_px", 512)), int(options.get("width_px", 512)))
        self.dtype = str(options.get("dtype", "uint8"))
        self.fps = float(options.get("fps", 100.0))
        self.calls: list[str] = []
        self.beads: tuple[Bead, ...] = ()
        self.annotations: dict[int, Annotation] = {}
        self.locks = Locks()
        self.engine = FakeEngine()
        self.calibration = Calibration()
        self.settings = Settings()
        self.missing_motors: dict[str, Exception] = {}
        self.method = "precise"
        self.step = ""
        self.exposure_ms = 2.0
        self.streaming = False
        self.recording = ""
        self.dropped = 0
        self.backlog = 0
        self.fail_with: dict[str, Exception] = {}
        self.controls: list[tuple[str, Any]] = []
        self.timeplots: list[Any] = []
        self._callback: Callable[[Any], None] | None = None
        self._start = time.monotonic()
        self._recording_frame = 0
        self._frame_sent = -1
        self._rng = np.random.default_rng(1)
        top = np.iinfo(self.dtype).max
        rings = (top // 8 * _rings(self.shape)).astype(self.dtype)
        self._whole = self._pool = [
            self._rng.integers(top // 3, 2 * top // 5, self.shape).astype(self.dtype) + rings
            for _ in range(4)
        ]
        self.window = self.sensor = Window(0, 0, *self.shape)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fail_with:
            raise self.fail_with[name]

    def emit(self, event: Any) -> None:
        assert self._callback is not None
        self._callback(event)

    @property
    def frame(self) -> int:
        return int((time.monotonic() - self._start) * self.fps)

    @property
    def format(self) -> FrameFormat:
        return FrameFormat(*self.shape, self.dtype)

    @property
    def is_started(self) -> bool:
        return True

    def start(self) -> FakeScope:
        self._called("start")
        return self

    def stop(self) -> None:
        self._called("stop")
        self.streaming = False

    def detach(self) -> None:
        self._called("detach")

    def start_live(self) -> None:
        self._called("start_live")
        self.streaming = True

    def stop_live(self) -> None:
        self._called("stop_live")
        self.streaming = False

    def copy_latest_into(self, buffer: np.ndarray) -> FrameStamp | None:
        if "copy_latest_into" in self.fail_with:
            raise self.fail_with["copy_latest_into"]
        if not self.streaming:
            return None
        number = self.frame
        buffer[:] = self._pool[number % len(self._pool)]
        return FrameStamp(number, time.monotonic_ns())

    def latest_frame(self) -> Frame | None:
        buffer = np.empty(self.shape, self.dtype)
        stamp = self.copy_latest_into(buffer)
        return None if stamp is None else Frame(buffer, stamp.frame, stamp.time_ns)

    def newest_frame(self) -> Frame:
        frame = self.latest_frame()
        if frame is None:
            raise StateError("there is no frame yet", "start the live view")
        return frame

    def tracks(self, since_seq: int = -1) -> np.ndarray:
        newest, beads = self.frame, self.beads  # another thread may set others meanwhile
        first = max(since_seq + 1, newest - 200)
        frames = np.arange(first, newest + 1)
        if not self.streaming or not beads or not len(frames):
            return np.zeros(0, TRACK_ROW)
        rows = np.zeros(len(frames) * len(beads), TRACK_ROW)
        rows["frame"] = rows["seq"] = np.repeat(frames, len(beads))
        rows["time_ns"] = rows["frame"] * int(1e9 / self.fps)
        rows["bead"] = np.tile([bead.bead for bead in beads], len(frames))
        centres = np.array([bead.roi.centre_px for bead in beads])
        wiggle = self._rng.normal(0, 0.3, (len(rows), 2))
        rows["y_px"], rows["x_px"] = (np.tile(centres, (len(frames), 1)) + wiggle).T
        rows["z_nm"] = np.nan
        rows["quality"] = 1.0
        return rows

    def status(self) -> messages.Status:
        self._called("status")
        on = self.streaming
        frames = self.frame
        return messages.Status(
            phase="streaming" if on else "idle",
            streaming=on,
            camera_id=self.camera_id,
            can_wait=False,
            height_px=self.shape[0],
            width_px=self.shape[1],
            dtype=self.dtype,
            nominal_fps=self.fps,
            fps=self.fps if on else 0.0,
            frames=frames,
            dropped=self.dropped,
            backlog=self.backlog,
            tracked_fps=self.fps if on and self.beads else 0.0,
            rows=frames * len(self.beads),
            pool="RUNNING" if self.beads else "READY",
            pool_busy=0,
            recording=self.recording,
            mode="track+full" if self.recording else "",
            recorded_frames=frames - self._recording_frame if self.recording else 0,
            recorded_s=(frames - self._recording_frame) / self.fps if self.recording else 0.0,
            disk_left_bytes=250_000_000_000,
            write_bytes_per_s=0.0,
            tracking=messages.Tracking(
                "cpu", "cpu", self.method, "no CUDA device found; 2 cores", self.step
            ),
            workers=(
                messages.WorkerStatus("camera", 101, "RUNNING", True, 0, 0.1, 40_000_000),
                messages.WorkerStatus("tracker-0", 102, "RUNNING", True, 1, 0.1),
                messages.WorkerStatus("recorder", 103, "READY", False, 0, 5.0),
            ),
            latency_ms=3.2,
            memory_bytes=700_000_000,
            memory_left_bytes=8_000_000_000,
        )

    def find_beads(
        self, max_beads: int | None = None, size_px: int | None = None
    ) -> tuple[Bead, ...]:
        self._called("find_beads")
        size = size_px or 48
        self.beads = tuple(
            Bead(i, Roi.around(y, x, size)) for i, (y, x) in enumerate(PLACES[:max_beads])
        )
        self.annotations = {}
        return self.beads

    def set_beads(
        self, beads: Sequence[Bead], annotations: Mapping[int, Annotation] | None = None
    ) -> None:
        self._called("set_beads")
        if self.recording:
            raise StateError("cannot change the beads while recording", "stop the recording first")
        if len({bead.roi.size for bead in beads}) > 1:
            raise InputError("the beads' ROIs differ in size", "use one ROI size for all beads")
        for bead in beads:
            if not bead.roi.inside(self.shape):
                raise InputError(
                    f"the ROI of bead {bead.bead} leaves the frame", "move it or make it smaller"
                )
        self.beads = tuple(beads)
        said = self.annotations if annotations is None else annotations
        ids = {bead.bead for bead in beads}
        self.annotations = {bead: text for bead, text in said.items() if bead in ids}

    def set_annotations(self, annotations: Mapping[int, Annotation]) -> None:
        self._called("set_annotations")
        for bead in annotations:
            if bead not in {one.bead for one in self.beads}:
                raise InputError(f"there is no bead {bead} to annotate", "see which there are")
        said = {**self.annotations, **annotations}
        self.annotations = {bead: text for bead, text in said.items() if text != Annotation()}

    def set_calibration(self, nm_per_px: float | None = None, zlut: str | None = None) -> None:
        self._called("set_calibration")
        if zlut and not Path(zlut).is_file():
            raise InputError(f"no Z-LUT at {zlut}", "check the path")
        old = self.calibration
        self.calibration = Calibration(
            old.nm_per_px if nm_per_px is None else nm_per_px, old.zlut if zlut is None else zlut
        )

    def set_method(self, method: str) -> None:
        self._called("set_method")
        self.method = method

    def set_settings(self, changes: Mapping[str, Any]) -> None:
        self._called("set_settings")
        if self.recording:
            raise StateError("cannot change the settings while recording", "stop the recording")
        self.settings = self.settings.replace(changes)
        tracking = self.settings.tracking
        self.calibration = Calibration(tracking.nm_per_px, tracking.zlut)
        self.method = tracking.method
        self.emit(messages.SettingsChanged(self.settings.to_dict()))

    def start_recording(
        self,
        folder: str | Path,
        mode: str,
        *,
        seconds: float = 0.0,
        frames: int = 0,
        name: str = "",
        note: str = "",
    ) -> Path:
        self._called("start_recording")
        self.asked = {"mode": mode, "seconds": seconds, "frames": frames, "note": note}
        if not self.streaming:
            raise StateError("the camera is not running", "start live")
        self._recording_frame = self.frame
        self.recording = str(Path(folder) / f"20261121_{name}")
        return Path(self.recording)

    def stop_recording(self) -> Path:
        self._called("stop_recording")
        path, self.recording = self.recording, ""
        return Path(path)

    def camera_properties(self) -> list[dict[str, Any]]:
        found = (
            Property("exposure_ms", "ms", "float", 0.1, 10.0, (), self.exposure_ms),
            Property("fps", "1/s", "float", 1.0, 500.0, (), self.fps),
            Property("roi", "px", "roi", 32, 32, (self.sensor.text,), self.window.text),
            Property("binning", "", "choice", 0, 0, ("1", "2", "4"), str(self.window.binning)),
        )
        return [asdict(one) for one in found]

    def set_camera(self, **values: Any) -> None:
        self._called("set_camera")
        if self.recording:
            raise StateError("cannot change the camera while recording", "stop the recording first")
        props = {prop["name"]: Property(**prop) for prop in self.camera_properties()}
        for name, value in values.items():
            checked = props[name].check(value)
            if name == "roi":
                self._look_at(Window.parse(str(checked), self.window.binning))
            elif name == "binning":
                self._look_at(replace(self.window, binning=int(checked)))
            else:
                setattr(self, name, checked)

    def _look_at(self, window: Window) -> None:
        """Show that window of the sensor; beads follow, and the pixel size too."""
        before, self.window = self.window, window
        step = window.binning
        rows, columns = (
            slice(first, first + step * count, step)
            for first, count in zip((window.y0, window.x0), window.shape, strict=True)
        )
        self.shape = window.shape
        self._pool = [frame[rows, columns] for frame in self._whole]
        self.beads, left_out = follow(self.beads, before, window, self.shape)
        stream = messages.Stream("ring", self.format, 8, self.fps, False, window, self.frame)
        self.emit(messages.StreamChanged(stream))
        self.emit(messages.BeadsChanged(self.beads, f"{left_out} are gone" if left_out else ""))
        if window.binning != before.binning:
            nm_per_px = self.calibration.nm_per_px * window.binning / before.binning
            self.calibration = Calibration(nm_per_px)
            self.emit(messages.CalibrationChanged(self.calibration))

    def motor_history(self, motor: str, since_ns: int = 0) -> np.ndarray:
        """A motor that goes to and fro once in ten seconds."""
        self._called("motor_history")
        samples = np.zeros(100, [("time_ns", "<i8"), ("value", "<f8")])
        samples["time_ns"] = time.monotonic_ns() - np.arange(100)[::-1] * 100_000_000
        samples["value"] = np.sin(samples["time_ns"] * 2e-10 * np.pi)
        return samples[samples["time_ns"] > since_ns]

    def _lock(self, **changes: Any) -> None:
        self.locks = replace(self.locks, **changes)
        self.emit(messages.LocksChanged(self.locks))

    def set_xy_lock(self, on: bool = True, **values: Any) -> None:
        self._called("set_xy_lock")
        ids = tuple(bead.bead for bead in self.beads)
        state = XYState("on", "", ids[1:], (HeldBead(ids[0], "it is lost"),), 2, 3.0, 1)
        lock = replace(self.locks.xy or XYLock(), **values)
        self._lock(xy=lock if on else None, xy_state=state if on else XYState())

    def execute_xy_lock(self, **values: Any) -> XYState:
        self._called("execute_xy_lock")
        held = (HeldBead(0, "its ROI would leave the frame"),)
        return XYState("off", "", (1, 2), held, 2, 4.0, 1)

    def set_z_lock(self, on: bool = True, *, bead: int | str = "reference", **values: Any) -> None:
        self._called("set_z_lock")
        number = -1 if isinstance(bead, str) else bead
        lock = ZLock(bead=number, **values)
        target = 1500.0 if lock.target_nm is None else lock.target_nm
        state = ZState("locked", "", target, target + 4.0, 4.0, 2.0, 7)
        self._lock(z=lock if on else None, z_state=state if on else ZState())

    def on_event(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        self._callback = callback
        return lambda: setattr(self, "_callback", None)


class FakeScopes:
    """A source of fake scopes that remembers them."""

    def __init__(self, engines: Sequence[FakeEngine] = ()) -> None:
        self.made: list[FakeScope] = []
        self.engines = tuple(engines)
        self.fail_with: dict[str, Exception] = {}
        self.recording = ""
        self.missing: dict[str, Exception] = {}
        self.running_options: dict[str, Any] = {}  # what an engine that runs was started with

    @property
    def last(self) -> FakeScope:
        return self.made[-1]

    def create(self, camera_id: str, options: dict[str, Any]) -> FakeScope:
        scope = FakeScope(camera_id, options)
        scope.fail_with.update(self.fail_with)
        scope.missing_motors = dict(self.missing)
        self.made.append(scope)
        return scope

    def attach(self, engine_id: str) -> FakeScope:
        scope = FakeScope(options=self.running_options)
        scope.streaming = True
        scope.recording = self.recording
        scope.find_beads(4)
        self.made.append(scope)
        return scope

    def running(self) -> Sequence[FakeEngine]:
        return self.engines
