"""Cameras, motors and sensors: their Protocols, the registry, the simulated microscope, replay.

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
    ResumableMotor,
    Sensor,
)
from napari_beadscope.devices.found import DeviceInfo
from napari_beadscope.devices.motor import MotorBase, SensorBase, reach_of
from napari_beadscope.devices.registry import (
    absolute_id,
    camera_options,
    find_cameras,
    find_motors,
    list_cameras,
    list_motors,
    motor_options,
    motors_of_camera,
    open_camera,
    open_motor,
)

__all__ = [
    "Camera",
    "DeviceInfo",
    "EndOfStream",
    "Motor",
    "MotorBase",
    "MotorReadout",
    "Property",
    "Resumable",
    "ResumableMotor",
    "Sensor",
    "SensorBase",
    "absolute_id",
    "camera_options",
    "find_cameras",
    "find_motors",
    "list_cameras",
    "list_motors",
    "motor_options",
    "motors_of_camera",
    "open_camera",
    "open_motor",
    "reach_of",
]
