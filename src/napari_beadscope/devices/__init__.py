"""Cameras and motors: their Protocols, the registry, the simulated microscope, replay.

Owns what talks to hardware or stands in for it. Must not know rings, engines or tracking.
"""

from __future__ import annotations

from napari_beadscope.devices.camera import (
    Camera,
    EndOfStream,
    Motor,
    MotorReadout,
    Property,
    Resumable,
)
from napari_beadscope.devices.registry import (
    CameraInfo,
    list_cameras,
    open_camera,
    open_motor,
)

__all__ = [
    "Camera",
    "CameraInfo",
    "EndOfStream",
    "Motor",
    "MotorReadout",
    "Property",
    "Resumable",
    "list_cameras",
    "open_camera",
    "open_motor",
]
