"""Which cameras and stages of Micro-Manager can be had: its configuration files, their stages.

Loads no device: what a file says is read from its text, and what is loaded is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from napari_beadscope.devices.found import DeviceInfo
from napari_beadscope.devices.micromanager.address import Configuration, adapters_folder
from napari_beadscope.devices.micromanager.host import read_word

_USUAL_NAMES = {"": "focus", "x": "x", "y": "y"}


def find_cameras() -> Iterator[DeviceInfo]:
    """Return the configurations in the folder of Micro-Manager, the simulated one among them."""
    for configuration in _configurations():
        yield DeviceInfo(_id(configuration), f"Micro-Manager: {_title(configuration)}")


def find_motors() -> Iterator[DeviceInfo]:
    """Return the stages of the configurations that are loaded, of others that of the focus."""
    for configuration in _configurations():
        word = read_word(configuration)
        for stage in _focus(configuration) if word is None else word.stages:
            axis = stage.rpartition(":")[2] if stage.endswith((":x", ":y")) else ""
            yield DeviceInfo(
                f"{_id(configuration)}:{stage}",
                f"Micro-Manager: {stage.replace(':', ' ')} of {_title(configuration)} (µm)",
                usual_name=_USUAL_NAMES[axis],
            )


def _configurations() -> Iterator[Configuration]:
    folder = adapters_folder()
    for path in sorted(folder.glob("*.cfg")):
        yield Configuration(path.resolve(), folder)


def _id(configuration: Configuration) -> str:
    is_demo = configuration.path.name == "MMConfig_demo.cfg"
    return f"micromanager:{'demo' if is_demo else configuration.path}"


def _title(configuration: Configuration) -> str:
    is_demo = configuration.path.name == "MMConfig_demo.cfg"
    return "simulated devices" if is_demo else configuration.path.name


def _focus(configuration: Configuration) -> Iterator[str]:
    text = Path(configuration.path).read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if parts[:3] == ["Property", "Core", "Focus"] and len(parts) == 4 and parts[3]:
            yield parts[3]
