"""A simulated magnetic-tweezers microscope: camera, focus motor, magnet motor, ground truth.

Owns nothing but names. Must not be imported for anything but a simulation.
"""

from __future__ import annotations

from napari_beadscope.devices.simulated.camera import SimulatedCamera
from napari_beadscope.devices.simulated.microscope import SimulatedMicroscope
from napari_beadscope.devices.simulated.motor import SimulatedMotor
from napari_beadscope.devices.simulated.options import SimulatedOptions

__all__ = ["SimulatedCamera", "SimulatedMicroscope", "SimulatedMotor", "SimulatedOptions"]
