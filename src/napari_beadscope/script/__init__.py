"""Scope, the facade that scripts, notebooks, the command line and the docks use."""

from __future__ import annotations

from napari_beadscope.script.scope import Scope
from napari_beadscope.script.view import Frame

__all__ = ["Frame", "Scope"]
