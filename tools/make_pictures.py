"""Make the pictures in docs/images: real napari, a real engine, the simulated microscope.

The workspace and each dock, on a laptop's screen and on a large one, in both themes; and a
recording opened again, and results of a batch. On a machine without a screen:
``xvfb-run -a -s "-screen 0 1920x1200x24" python tools/make_pictures.py``. Takes a few minutes;
overwrites what is there.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from napari.settings import get_settings
from PIL import Image
from qtpy.QtWidgets import QApplication, QDockWidget

from napari_beadscope.core.types import Annotation
from napari_beadscope.testing.cells import SyntheticCells, write_cells
from napari_beadscope.ui.host import SessionHost, host_of
from napari_beadscope.ui.places import PLUGIN
from napari_beadscope.ui.workspace import open_workspace, plugin_docks

SIZES_PX = {"laptop": (1366, 768), "desktop": (1920, 1080)}
THEMES = ("dark", "light")
BATCH = """inputs: ["field_*.ome.tif"]
channels: {phase: 0, fluorescence: [1]}
steps: [segment, correct, track, extract]
output: results
chunk_frames: 4
nm_per_px: 200
"""
IMAGES = Path(__file__).parents[1] / "docs" / "images"


def wait(condition: Callable[[], object], timeout_s: float = 90.0) -> None:
    """Let napari run until `condition` holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("napari did not get there in time")
        QApplication.processEvents()
        time.sleep(0.005)


def settle(seconds: float) -> None:
    """Let napari run for a while."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end, seconds + 1)


def shoot(viewer: napari.Viewer, path: Path) -> None:
    """Save a picture of the whole window."""
    save(Image.fromarray(viewer.window.screenshot(canvas_only=False, flash=False)), path)


def save(picture: Image.Image, path: Path) -> None:
    """Save a picture in 256 colours, which is what a repository can bear."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def docks_of(viewer: napari.Viewer) -> dict[str, QDockWidget]:
    """Return all docks of the workspace by name."""
    docks = viewer.window.dock_widgets
    return {name: docks[f"{name} ({PLUGIN})"].parent() for name in plugin_docks()}


def content(viewer: napari.Viewer, name: str) -> Any:
    """Return what is in a dock."""
    return viewer.window.dock_widgets[f"{name} ({PLUGIN})"]


def go_live(host: SessionHost) -> None:
    """Start the simulated microscope, find its beads, and let them be tracked in z."""
    model, viewer = host.session.model, host.viewer
    viewer.open_sample(PLUGIN, "live")
    wait(lambda: model.screen.shown > 3)
    beads = content(viewer, "Beads")
    wait(beads.find_button.isEnabled)
    beads.find_button.click()
    wait(lambda: model.beads)
    wait(lambda: sum(row.good for row in beads.presenter.rows()) > 10)
    viewer.reset_view()


def set_up(host: SessionHost) -> None:
    """Judge beads and lock both locks."""
    model = host.session.model
    numbers = [bead.bead for bead in model.beads]
    said = {
        numbers[0]: Annotation("stuck", True, "moves with the stage", reference=True),
        numbers[1]: Annotation("tether 1", True),
        numbers[2]: Annotation("tether 2", True, "long"),
        numbers[3]: Annotation("pair", False, "two tethers?"),
    }
    host.session.on_scope(
        "Annotating",
        lambda scope: [scope.annotate(bead, **_words(one)) for bead, one in said.items()],
    )
    wait(lambda: model.annotations)
    host.session.on_scope(
        "Setting the XY-lock", lambda scope: scope.set_xy_lock(True, interval_s=1.0)
    )
    host.session.on_scope(
        "Setting the Z-lock", lambda scope: scope.set_z_lock(True, bead=numbers[1], target_nm=None)
    )
    model.selected = frozenset(numbers[1:3])
    settle(10)


def _words(one: Annotation) -> dict[str, Any]:
    return {
        "label": one.label,
        "good": one.good,
        "note": one.note,
        "reference": one.reference,
    }


def run_batch(host: SessionHost, root: Path) -> None:
    """Run a batch of synthetic cells in the Jobs dock, and judge some of what it found."""
    for number in range(4):
        scene = SyntheticCells(
            frames=24, size_px=(256, 256), cells=8, divisions=2, unevenness=0.2, seed=number
        )
        write_cells(root / f"field_{number}.ome.tif", scene)
    (root / "plan.yaml").write_text(BATCH, encoding="utf-8")
    dock = content(host.viewer, "Jobs")
    dock.presenter.choose(str(root / "plan.yaml"))
    wait(dock.run.isEnabled)
    dock.run.click()
    wait(lambda: dock.open.isEnabled() and not dock.presenter.is_on, 300)
    dock.presenter.choose(str(root / "results"))
    wait(lambda: dock.presenter.look is not None)


def open_batch(host: SessionHost, folder: Path) -> None:
    """Open what the batch found at a position."""
    viewer = host.viewer
    viewer.layers.clear()
    dock = content(viewer, "Jobs")
    for name, other in docks_of(viewer).items():
        if name != "Jobs":
            other.close()
    settle(0.5)
    viewer.window.resize(*SIZES_PX["laptop"])
    dock.steps.selectRow(4)
    dock.open.click()
    wait(lambda: len(viewer.layers) == 5)
    viewer.dims.set_point(0, 12)
    for cell, good in ((0, True), (2, False), (4, True)):
        dock.results.judge([cell], good=good)
    dock.results.select(frozenset({0}))
    viewer.reset_view()
    settle(2)
    shoot(viewer, folder / "batch-opened.png")


def shoot_all(viewer: napari.Viewer, folder: Path) -> None:
    """Take the workspace and each of its docks, at each size and in each theme."""
    for size, pixels in SIZES_PX.items():
        viewer.window.resize(*pixels)
        settle(0.5)
        open_workspace(viewer)
        settle(0.5)
        viewer.reset_view()
        for theme in THEMES:
            viewer.theme = theme
            settle(2)
            shoot(viewer, folder / f"workspace-{size}-{theme}.png")
            for name, dock in docks_of(viewer).items():
                dock.raise_()
                settle(1.5)
                path = folder / "docks" / f"{name.lower()}-{size}-{theme}.png"
                path.parent.mkdir(exist_ok=True)
                content(viewer, name).grab().save(str(path))
                with Image.open(path) as picture:
                    save(picture, path)
            for name in ("Status", "Camera"):
                docks_of(viewer)[name].raise_()
    viewer.theme = THEMES[0]


def record_and_open(host: SessionHost, root: Path, folder: Path) -> None:
    """Record a little, and open what was saved."""
    model, viewer = host.session.model, host.viewer
    viewer.window.resize(*SIZES_PX["laptop"])
    acquisition = content(viewer, "Acquisition")
    acquisition.presenter.set_root(str(root))
    acquisition.presenter.set_name("pull")
    acquisition.button.click()
    wait(lambda: model.recorded_s >= 4)
    acquisition.button.click()
    wait(lambda: model.last_recording)
    content(viewer, "Camera").live.click()
    wait(lambda: not model.live and not model.busy)
    for layer in viewer.layers:
        layer.visible = False
    acquisition.open.click()
    viewer.dims.set_point(0, 100)
    viewer.reset_view()
    docks_of(viewer)["Annotations"].raise_()
    settle(1)
    shoot(viewer, folder / "recording-opened.png")


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    get_settings().appearance.theme = THEMES[0]
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZES_PX["laptop"])
    host = host_of(viewer)
    with tempfile.TemporaryDirectory(prefix="tweezers-") as root:
        try:
            open_workspace(viewer)
            go_live(host)
            set_up(host)
            run_batch(host, Path(root))
            shoot_all(viewer, folder)
            record_and_open(host, Path(root), folder)
            open_batch(host, folder)
        finally:
            if host.session.scope is not None:
                host.session.scope.stop()
            host.close()
            viewer.close()


if __name__ == "__main__":
    main()
