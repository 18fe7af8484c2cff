"""What lands on disk and how it is read back: video, ROI movies, tracks, manifest.

Knows nothing of processes, rings, devices or how tracks are made. Names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_beadscope.storage.beads_csv import read_beads, read_points, write_beads
    from napari_beadscope.storage.manifest import Manifest
    from napari_beadscope.storage.reader import Recording, open_recording
    from napari_beadscope.storage.settings_file import load_settings, save_settings
    from napari_beadscope.storage.writer import RecordingWriter

_WHERE = {
    "Manifest": "manifest",
    "Recording": "reader",
    "RecordingWriter": "writer",
    "load_settings": "settings_file",
    "open_recording": "reader",
    "read_beads": "beads_csv",
    "read_points": "beads_csv",
    "save_settings": "settings_file",
    "write_beads": "beads_csv",
}
__all__ = [
    "Manifest",
    "Recording",
    "RecordingWriter",
    "load_settings",
    "open_recording",
    "read_beads",
    "read_points",
    "save_settings",
    "write_beads",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
