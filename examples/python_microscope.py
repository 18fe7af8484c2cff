"""A camera and a stage of python-microscope, here its simulated ones: look, move, record.

Needs ``pip install "napari-beadscope[microscope]"``. For a real device put its class in the place
of the simulated one, and what the class is made with into ``arguments``.
"""

from __future__ import annotations

from napari_beadscope import Scope, open_recording

CAMERA = "microscope:microscope.simulators.SimulatedCamera"
STAGE = "microscope:microscope.simulators.SimulatedStage:z"


def main() -> None:
    sensor = {"sensor_shape": [320, 240]}
    with Scope(CAMERA, options={"arguments": sensor, "fps": 50}) as scope:
        scope.set_camera(exposure_ms=2, **{"image pattern": "one_gaussian"})
        scope.add_hardware("focus", STAGE, arguments={"limits": {"z": [0, 200]}})
        scope.move("focus", 42.5)
        folder = scope.record("try", mode="full", frames=50)
        print(f"focus at {scope.motor_positions()['focus']:.1f} µm")
    recording = open_recording(folder)
    print(f"{len(recording.frame_numbers)} frames, {len(recording.gaps)} gaps, in {folder}")


if __name__ == "__main__":
    main()
