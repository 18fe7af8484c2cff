"""The napari front end: docks, live view, reader and sample data.

Three layers, each knowing only the one before it: models hold what is true, presenters turn
intentions into calls of `Scope` and values into words, docks are thin Qt. This is the only
package that imports Qt or napari. It decides nothing about an experiment: the engine does.

For users' own code there are `show`, `scope_of`, `add_timeplot` and `add_control`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_beadscope.ui.app import show
    from napari_beadscope.ui.own import add_control, add_timeplot, scope_of

__all__ = ["add_control", "add_timeplot", "scope_of", "show"]
_WHERE = {"add_control": "own", "add_timeplot": "own", "scope_of": "own", "show": "app"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
