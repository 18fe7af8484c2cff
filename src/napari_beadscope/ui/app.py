"""napari on an engine that somebody else has started: `beadscope demo`, or a user's script.

Owns the window's life. Closing the window leaves the engine running.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import napari

from napari_beadscope.ui.host import host_of
from napari_beadscope.ui.ports import EngineScopes, ScopePort
from napari_beadscope.ui.workspace import open_workspace

if TYPE_CHECKING:
    from napari_beadscope.script import Scope


def show(scope: Scope, viewer: napari.viewer.Viewer | None = None) -> napari.viewer.Viewer:
    """Open napari with all docks on a `Scope` of your own, and return the viewer.

    The Scope stays yours: the docks command the same engine, and closing the viewer ends neither.
    What `Scope.add_timeplot` and `Scope.add_control` add, before or after, is in the docks. Call
    ``napari.run()`` then.

    Parameters
    ----------
    scope : Scope
        It is started if it is not yet.
    viewer : napari viewer, optional
        Without docks of ours so far; default a new one.
    """
    if not scope.is_started:
        scope.start()
    viewer = viewer or napari.Viewer(title="BeadScope")
    session = host_of(viewer, _OneScope(scope)).session
    open_workspace(viewer)
    session.attach(scope.engine.engine_id)
    return viewer


class _OneScope(EngineScopes):
    """A source whose engine is that of a user's Scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def attach(self, engine_id: str) -> ScopePort:
        scope = self._scope
        if scope.is_started and scope.engine.engine_id == engine_id:
            return cast(ScopePort, _Borrowed(scope))
        return super().attach(engine_id)


class _Borrowed:
    """A user's Scope, which the docks use and neither stop nor leave."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scope, name)

    def stop(self) -> None:
        """Leave that to the user."""

    def detach(self) -> None:
        """Leave that to the user."""


def show_engine(engine_id: str, title: str = "BeadScope") -> None:
    """Open napari with all docks, attached to an engine; return when the window is closed.

    Ctrl-C and SIGTERM close the window.
    """
    viewer = napari.Viewer(title=title)

    def close(number: int, frame: FrameType | None) -> None:
        viewer.close()

    before = {number: signal.signal(number, close) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        open_workspace(viewer)
        host_of(viewer).session.attach(engine_id)
        napari.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
