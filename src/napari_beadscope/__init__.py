"""Live microscope control and 3-D bead tracking inside napari.

Public names are loaded on first use, so importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_beadscope.core.types import AcquisitionMode, Bead, Roi
    from napari_beadscope.script import Scope
    from napari_beadscope.storage import open_recording
    from napari_beadscope.tracking import ZLut, find_beads, track_stack

__version__ = "0.1.0"

_WHERE = {
    "AcquisitionMode": "core.types",
    "Bead": "core.types",
    "Roi": "core.types",
    "Scope": "script",
    "ZLut": "tracking",
    "find_beads": "tracking",
    "open_recording": "storage",
    "track_stack": "tracking",
}
__all__ = [
    "AcquisitionMode",
    "Bead",
    "Roi",
    "Scope",
    "ZLut",
    "__version__",
    "find_beads",
    "open_recording",
    "track_stack",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
