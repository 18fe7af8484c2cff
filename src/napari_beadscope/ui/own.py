"""Users' own plots and panels: what their code adds to the docks.

Owns how they are found, shown, and kept from breaking anything. Must not know what they do.
"""

from __future__ import annotations

import inspect
import logging
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDockWidget, QWidget

from napari_beadscope.core.errors import InputError
from napari_beadscope.ui.messages import message_of_error
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.plots.samples import Sampler, Samples
from napari_beadscope.ui.session import Session

if TYPE_CHECKING:
    import napari

    from napari_beadscope.ui.host import SessionHost

_LOG = logging.getLogger(__name__)


class OwnThings:
    """A viewer's users' plots and panels.

    What is added to the `Scope` (`Scope.add_timeplot`, `Scope.add_control`) is found by `look`.

    Parameters
    ----------
    viewer : napari viewer
        Where panels go.
    session : Session
        Whose Scope is looked at, and who tells errors.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        self._viewer, self._session = viewer, session
        self.samples = Samples()
        self._sampler = Sampler(self.samples)
        self._docks: dict[str, QDockWidget] = {}
        self._seen: dict[str, tuple[int, int]] = {}  # of which scope, how many

    def add_timeplot(self, name: str, source: Callable[[], float], unit: str = "") -> None:
        """Plot what `source` returns against time, in the Plots dock's Time plot.

        Parameters
        ----------
        name : str
            What the row is called; one of the same name is replaced.
        source : callable
            Returns a number. It is called ten times a second in a thread of its own; what it
            raises is told once, and it is called again.
        unit : str
            Put on the axis.
        """
        if not callable(source):
            raise InputError(
                f"the source of {name!r} is a {type(source).__name__}",
                "give a function that returns a number",
            )
        self._sampler.add(name, source, unit)

    def add_control(self, name: str, panel: Any) -> None:
        """Show a panel in a dock of its own; what goes wrong is told, not raised.

        Parameters
        ----------
        name : str
            Of the dock; one of the same name is replaced.
        panel : QWidget, magicgui widget, or callable
            The panel, or what makes it; a callable with a parameter gets the `Scope`.
        """
        try:
            widget = _made(panel, name, self._session.scope)
            old = self._docks.pop(name, None)
            if old is not None:
                self._viewer.window.remove_dock_widget(old)
            dock = self._viewer.window.add_dock_widget(widget, name=name, area="right")
            self._docks[name] = dock
        except InputError as error:
            self._session.fail(error)
        except Exception as error:  # noqa: BLE001  users' code, which must break nothing
            _LOG.exception("the panel %r could not be made", name)
            self._session.fail(error, traceback.format_exc(), f"Making the panel '{name}'")

    def look(self) -> None:
        """Take up what is new on the Scope, and tell of sources that have failed."""
        for failure in self._sampler.take_failures():
            text = message_of_error(failure.error, doing=f"Reading '{failure.name}'").text
            self._session.say(Message("warning", text, time.time(), failure.traceback))
        scope: Any = self._session.scope
        if scope is None:
            return
        for entry in self._fresh(scope, "timeplots"):
            self.add_timeplot(*entry)
        for entry in self._fresh(scope, "controls"):
            self.add_control(*entry)

    def close(self) -> None:
        """Stop to read sources."""
        self._sampler.close()

    def _fresh(self, scope: Any, name: str) -> list[Any]:
        entries = getattr(scope, name)
        known, count = self._seen.get(name, (0, 0))
        if known != id(scope):
            count = 0
        self._seen[name] = (id(scope), len(entries))
        return list(entries[count:])


def _made(panel: Any, name: str, scope: Any) -> QWidget:
    """Return the widget behind whatever a user calls a panel."""
    if isinstance(panel, QWidget):
        return panel
    native = getattr(panel, "native", None)
    if isinstance(native, QWidget):
        return native
    if callable(panel):
        made = panel(scope) if _takes_one(panel) else panel()
        if not callable(made) or isinstance(made, QWidget) or hasattr(made, "native"):
            return _made(made, name, scope)
        panel = made
    raise InputError(
        f"the panel {name!r} is a {type(panel).__name__}",
        "give a Qt widget, a magicgui widget, or a function that returns one",
    )


def _takes_one(function: Callable[..., Any]) -> bool:
    """Whether a function wants an argument."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        for one in parameters
    )


def scope_of(viewer: napari.viewer.Viewer) -> Any:
    """Return the `Scope` behind a viewer's docks, None while there is no engine.

    Parameters
    ----------
    viewer : napari viewer
        Such as `viewer` in napari's console.
    """
    return _host(viewer).session.scope


def add_timeplot(
    viewer: napari.viewer.Viewer, name: str, source: Callable[[], float], unit: str = ""
) -> None:
    """Plot a quantity of your own against time in a viewer's Plots dock; see `OwnThings`."""
    _host(viewer).own.add_timeplot(name, source, unit)


def add_control(viewer: napari.viewer.Viewer, name: str, panel: Any) -> None:
    """Show a panel of your own in a dock of a viewer; see `OwnThings`."""
    _host(viewer).own.add_control(name, panel)


def _host(viewer: napari.viewer.Viewer) -> SessionHost:
    from napari_beadscope.ui.host import host_of

    return host_of(viewer)
