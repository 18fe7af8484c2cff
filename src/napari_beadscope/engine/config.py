"""What an engine and each of its workers are told when they are started."""

from __future__ import annotations

from typing import Any

import msgspec

from napari_beadscope.core.messages import Shared
from napari_beadscope.core.session_state import Limits
from napari_beadscope.core.types import METHODS, Calibration
from napari_beadscope.ring import HistorySpec, TableSpec

HEALTH_ROWS = 64
MOTOR_ROWS = 16
MOTOR_SAMPLES = 8192  # of each motor's recent positions: ten minutes of rest, 40 s on the way
RECORDER_CLAIM = 0  # on the frame ring; the trackers' follow
HEALTH_FIELDS = (
    ("pid", "<i8"),
    ("heartbeat_ns", "<i8"),  # may lie in the future: a long step was announced
    ("state", "<i8"),  # index into WORKER_STATES
    ("busy", "<i8"),
    ("frames", "<i8"),
    ("rows", "<i8"),
    ("tracked", "<i8"),  # frames worked on
    ("latency_us", "<i8"),  # from exposure to its row, of the oldest frame of the newest batch
    ("gpu_used", "<i8"),  # bytes in use on the GPU that tracks, by anybody; 0 without one
    ("gpu_total", "<i8"),
)
MOTOR_FIELDS = (
    ("position", "<f8"),
    ("target", "<f8"),
    ("moving", "<i8"),
    ("time_ns", "<i8"),
)
WORKER_STATES = ("STARTING", "READY", "RUNNING", "FINISHED")


class EngineConfig(msgspec.Struct, frozen=True):
    """Everything a new engine needs to know; sent to its standard input as JSON."""

    camera_id: str = "simulated"
    camera_options: dict[str, Any] = {}
    limits: Limits = Limits()
    ring_mb: int = 512
    min_ring_slots: int = 8
    status_hz: float = 10.0
    health_log_s: float = 60.0
    profiles: bool = True
    backend: str = "auto"
    method: str = METHODS[0]
    calibration: Calibration = Calibration()
    settings: dict[str, Any] = {}
    verbose: bool = False


class WorkerConfig(msgspec.Struct, frozen=True):
    """Everything a new worker needs to know; sent to its standard input as JSON."""

    name: str
    row: int
    session: str
    address: str
    secret: str
    shared: Shared
    engine: EngineConfig
    motors: tuple[str, ...] = ()
    device: str = ""
    device_options: dict[str, Any] = {}
    camera_settings: dict[str, float | str] = {}  # what was set on the camera before it died


def health_spec(name: str) -> TableSpec:
    """Return the table of the workers' signs of life."""
    return TableSpec(name, HEALTH_ROWS, HEALTH_FIELDS)


def motor_spec(name: str) -> TableSpec:
    """Return the table of the motors' latest positions."""
    return TableSpec(name, MOTOR_ROWS, MOTOR_FIELDS)


def motor_history_spec(name: str) -> HistorySpec:
    """Return the rings of the motors' recent positions."""
    return HistorySpec(name, MOTOR_ROWS, MOTOR_SAMPLES)
