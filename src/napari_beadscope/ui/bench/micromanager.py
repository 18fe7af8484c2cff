"""napari-micromanager's live view on MMCore's demo camera, measured as the others are.

A script for a Python of its own that has napari, napari-micromanager, pymmcore-plus and
mm-test-adapters: ``python micromanager.py JSON``. Prints one JSON object a line.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

CANVAS_PX = (1200, 900)
WARM_UP_S = 3.0
EXPOSURE_MS = 10.0


def run() -> None:
    """Measure every size that is asked for."""
    import napari
    from gui_clock import GuiClock
    from napari_micromanager import MainWindow
    from pymmcore_plus import CMMCorePlus

    wanted = json.loads(sys.argv[1])
    viewer = napari.Viewer()
    viewer.window.resize(*CANVAS_PX)
    core = CMMCorePlus.instance()
    core.loadSystemConfiguration()
    viewer.window.add_dock_widget(MainWindow(viewer, mmcore=core))
    camera = core.getCameraDevice()
    core.setProperty(camera, "PixelType", "16bit")
    clock = GuiClock(viewer)
    for size in wanted["sizes"]:
        core.setProperty(camera, "OnCameraCCDXSize", size)
        core.setProperty(camera, "OnCameraCCDYSize", size)
        core.setExposure(EXPOSURE_MS)
        core.startContinuousSequenceAcquisition(0)
        _wait(WARM_UP_S)
        clock.start()
        _wait(wanted["seconds"])
        spent = clock.stop()
        core.stopSequenceAcquisition()
        _wait(0.3)
        row = {
            "contestant": "napari-micromanager",
            "size_px": core.getImageWidth(),
            "beads": 0,
            "updates": spent.draws,
            "camera_fps": 1000 / EXPOSURE_MS,
            **{name: getattr(spent, name) for name in ("wall_s", "cpu_s", "draw_s", "draws")},
        }
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


def _wait(seconds: float) -> None:
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


if __name__ == "__main__":
    run()
    sys.stdout.flush()
    time.sleep(0.1)
    import os

    os._exit(0)
