"""Make the pictures in docs/images: real napari, a real engine, the simulated microscope.

On a machine without a screen: ``xvfb-run -a -s "-screen 0 1400x900x24" python
tools/make_pictures.py``. Takes half a minute; overwrites what is there.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
from napari.settings import get_settings
from PIL import Image
from qtpy.QtWidgets import QApplication, QWidget

from napari_beadscope.ui.host import SessionHost, host_of

LAPTOP_PX = (1366, 768)
DOCKS = ("Camera", "Beads", "Acquisition", "Status")
IMAGES = Path(__file__).parents[1] / "docs" / "images"


def wait(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
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
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def shoot_docks(docks: dict[str, QWidget], folder: Path) -> None:
    """Save a picture of each dock."""
    for name, dock in docks.items():
        path = folder / f"dock-{name.lower()}.png"
        dock.grab().save(str(path))
        with Image.open(path) as picture:
            save(picture, path)


def go_live(host: SessionHost, docks: dict[str, QWidget]) -> None:
    """Start the simulated microscope, find its beads, and let them be tracked in z."""
    model = host.session.model
    host.viewer.open_sample("napari-beadscope", "live")
    wait(lambda: model.screen.shown > 3)
    wait(docks["Beads"].find_button.isEnabled)
    docks["Beads"].find_button.click()
    wait(lambda: model.beads)
    wait(lambda: sum(row.good for row in docks["Beads"].presenter.rows()) > 10)
    host.viewer.reset_view()


def record(host: SessionHost, docks: dict[str, QWidget], root: Path, folder: Path) -> None:
    """Record a little, take the pictures of that, and open what was saved."""
    model, viewer = host.session.model, host.viewer
    docks["Acquisition"].presenter.set_root(str(root))
    docks["Acquisition"].presenter.set_name("pull")
    docks["Acquisition"].button.click()
    wait(lambda: model.recorded_s >= 4)
    docks["Beads"].table.selectRow(1)
    settle(0.3)
    shoot(viewer, folder / "workspace-dark.png")
    shoot_docks(docks, folder)
    docks["Acquisition"].button.click()
    wait(lambda: model.last_recording)
    viewer.theme = "light"
    settle(2)
    shoot(viewer, folder / "workspace-light.png")
    viewer.theme = "dark"
    docks["Camera"].live.click()
    wait(lambda: not model.live and not model.busy)
    for layer in viewer.layers:
        layer.visible = False
    docks["Acquisition"].open.click()
    viewer.dims.set_point(0, 100)
    viewer.reset_view()
    settle(1)
    shoot(viewer, folder / "recording-opened.png")


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    get_settings().appearance.theme = "dark"
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*LAPTOP_PX)
    host = host_of(viewer)
    with tempfile.TemporaryDirectory(prefix="tweezers-") as root:
        try:
            docks = {
                name: viewer.window.add_plugin_dock_widget("napari-beadscope", name)[1]
                for name in DOCKS
            }
            go_live(host, docks)
            viewer.window.resize(*LAPTOP_PX)
            record(host, docks, Path(root), folder)
        finally:
            if host.session.scope is not None:
                host.session.scope.stop()
            host.close()
            viewer.close()


if __name__ == "__main__":
    main()
