"""What the front end needs from a `Scope`, and where it gets one.

Owns the two protocols and the way to the real thing. Must not know Qt or napari.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

    from napari_beadscope.core.locks import Locks, XYState
    from napari_beadscope.core.settings import Settings
    from napari_beadscope.core.types import Annotation, Bead, Calibration, FrameFormat, FrameStamp


class ScopePort(Protocol):
    """The part of `napari_beadscope.Scope` that the front end calls."""

    @property
    def beads(self) -> Sequence[Bead]:
        """Beads that are tracked now."""
        ...

    @property
    def calibration(self) -> Calibration:
        """Pixel size and Z-LUT in use."""
        ...

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames that come now."""
        ...

    @property
    def is_started(self) -> bool:
        """Whether there is an engine behind this."""
        ...

    def start(self) -> Any:
        """Launch the engine."""
        ...

    def stop(self) -> None:
        """Shut the engine down."""
        ...

    def detach(self) -> None:
        """Let go of the engine, which goes on."""
        ...

    def start_live(self) -> None:
        """Start the camera."""
        ...

    def stop_live(self) -> None:
        """Stop the camera."""
        ...

    def copy_latest_into(self, buffer: np.ndarray) -> FrameStamp | None:
        """Copy the newest frame into `buffer` ``(y, x)``."""
        ...

    def latest_frame(self) -> Any:
        """Return a copy of the newest frame with its number, None if there is none."""
        ...

    def newest_frame(self) -> Any:
        """Return the same, after waiting for the first; StateError if the camera pauses."""
        ...

    def tracks(self, since_seq: int = -1) -> np.ndarray:
        """Return the track rows newer than `since_seq`."""
        ...

    def status(self) -> Any:
        """Return how the engine is."""
        ...

    def find_beads(
        self, max_beads: int | None = None, size_px: int | None = None
    ) -> Sequence[Bead]:
        """Find beads on the newest frame and track them."""
        ...

    def set_beads(
        self, beads: tuple[Bead, ...], annotations: Mapping[int, Annotation] | None = None
    ) -> Any:
        """Track these beads; with `annotations`, those take the place of all."""
        ...

    @property
    def annotations(self) -> Mapping[int, Annotation]:
        """What is said about beads."""
        ...

    def set_annotations(self, annotations: Mapping[int, Annotation]) -> Any:
        """Replace what is said about the beads that are named."""
        ...

    def set_calibration(self, nm_per_px: float | None = None, zlut: str | None = None) -> Any:
        """Set pixel size and Z-LUT; None leaves it, '' is no Z-LUT."""
        ...

    def set_method(self, method: str) -> Any:
        """Choose the tracking method."""
        ...

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
        """Start to record."""
        ...

    def stop_recording(self) -> Path:
        """Stop to record; the files are closed on return."""
        ...

    def add_hardware(self, name: str, motor: str, **options: Any) -> Any:
        """Add a motor under a name."""
        ...

    def remove_hardware(self, name: str) -> Any:
        """End a motor or sensor."""
        ...

    def move(self, motor: str, target: float, *, wait: bool = True) -> Any:
        """Send a motor somewhere."""
        ...

    def stop_motor(self, motor: str) -> Any:
        """Halt a motor."""
        ...

    def stop_motors(self) -> Any:
        """Halt every motor."""
        ...

    def again(self) -> ScopePort:
        """Return another attachment to the same engine."""
        ...

    def sweep_zlut(
        self,
        beads: Iterable[int] | None = None,
        *,
        low_um: float = -1.5,
        high_um: float = 1.5,
        step_nm: float = 50.0,
        frames_per_step: int = 10,
        folder: str | Path,
        motor: str = "focus",
        on_plane: Callable[[Any], None] | None = None,
        progress: Callable[[float, float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Any:
        """Make a Z-LUT by a focus sweep."""
        ...

    @property
    def settings(self) -> Settings:
        """The settings that hold in the engine."""
        ...

    def set_settings(self, changes: Mapping[str, Any]) -> Any:
        """Let other settings hold in the engine, and tell every front end."""
        ...

    @property
    def missing_motors(self) -> Mapping[str, Exception]:
        """Motors of the settings that could not be started, and why."""
        ...

    def camera_properties(self) -> Sequence[Mapping[str, Any]]:
        """Return what can be set on the camera."""
        ...

    def set_camera(self, **values: Any) -> Any:
        """Set camera properties."""
        ...

    def motors(self) -> Sequence[Any]:
        """Return every motor: `info` (name, unit, limits), position, target, moving."""
        ...

    def motor_history(self, motor: str, since_ns: int = 0) -> np.ndarray:
        """Return a motor's recent positions: fields time_ns (monotonic) and value (its unit)."""
        ...

    @property
    def engine(self) -> Any:
        """The engine that is attached: `engine_id`, `pid`."""
        ...

    @property
    def locks(self) -> Locks:
        """Both locks: what was asked for, and how it goes."""
        ...

    def set_xy_lock(
        self,
        on: bool = True,
        *,
        interval_s: float | None = None,
        max_step_px: float | None = None,
        window: int | None = None,
    ) -> Any:
        """Let ROIs follow their beads, or end that."""
        ...

    def execute_xy_lock(
        self, *, max_step_px: float | None = None, window: int | None = None
    ) -> XYState:
        """Let ROIs follow their beads once."""
        ...

    def set_z_lock(
        self,
        on: bool = True,
        *,
        bead: int | Literal["reference"] = "reference",
        target_nm: float | None = None,
        interval_s: float | None = None,
        max_step_nm: float | None = None,
        window: int | None = None,
        gain: float | None = None,
        motor: str | None = None,
        nm_per_um: float | None = None,
        min_quality: float | None = None,
        patience_s: float | None = None,
    ) -> Any:
        """Let the focus hold a height, or end that."""
        ...

    def on_event(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Call `callback` with every event, on a thread of its own."""
        ...


class ScopeSource(Protocol):
    """Where a session gets its `Scope` from."""

    def create(self, camera_id: str, options: dict[str, Any]) -> ScopePort:
        """Return a scope for a camera, not yet started."""
        ...

    def attach(self, engine_id: str) -> ScopePort:
        """Return a scope attached to a running engine."""
        ...

    def running(self) -> Sequence[Any]:
        """Return the engines that run on this machine."""
        ...


class EngineScopes:
    """The real source: engines in processes of their own."""

    def create(self, camera_id: str, options: dict[str, Any]) -> ScopePort:
        """Return a scope for a camera, not yet started."""
        from napari_beadscope.devices import motors_of_camera
        from napari_beadscope.script import Scope

        scope = Scope(camera_id, options=options)
        if scope.settings.hardware.motors is None:
            for motor in motors_of_camera(camera_id):
                scope.add_hardware(motor.usual_name, motor.id)
        return scope

    def attach(self, engine_id: str) -> ScopePort:
        """Return a scope attached to a running engine."""
        from napari_beadscope.script import Scope

        return Scope.attach(engine_id)

    def running(self) -> Sequence[Any]:
        """Return the engines that run on this machine."""
        from napari_beadscope.engine import list_engines

        return list_engines()
