"""The processes: a supervisor that owns memory and restarts workers, and the workers themselves.

Front ends use `launch`, `EngineClient` and `list_engines`; everything else runs in the engine's
own process tree, which outlives its front ends.
"""

from __future__ import annotations

from napari_beadscope.engine.client import EngineClient
from napari_beadscope.engine.config import EngineConfig
from napari_beadscope.engine.launch import launch
from napari_beadscope.engine.places import EngineInfo, list_engines, remove_leftovers

__all__ = [
    "EngineClient",
    "EngineConfig",
    "EngineInfo",
    "launch",
    "list_engines",
    "remove_leftovers",
]
