"""All docks at once: each has its place, nothing is clipped, everything is named and reached."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QScrollArea,
    QSlider,
    QWidget,
)
from superqt import QElidingLabel

from napari_beadscope.ui import workspace
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.places import ACQUIRE, BELOW, SET_UP

LAPTOP, DESKTOP = (1366, 768), (1920, 1080)
CONTROLS = (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QSlider)


def open_at(host: SessionHost, qtbot: Any, size: tuple[int, int]) -> dict[str, QDockWidget]:
    """Open the workspace in a window of this size; its docks by name."""
    window = host.viewer.window
    window.resize(*size)
    qtbot.waitUntil(lambda: window._qt_window.width() == size[0])
    workspace.open_workspace(host.viewer)
    docks = {
        name: window.dock_widgets[f"{name} ({workspace.PLUGIN})"].parent()
        for name in workspace.plugin_docks()
    }
    qtbot.waitUntil(docks["Camera"].isVisible)
    return docks


def raised(dock: QDockWidget) -> Dock:
    """Bring a dock to the front of its tabs; what is in it."""
    dock.raise_()
    QApplication.processEvents()
    QApplication.processEvents()
    content = dock.findChild(Dock)
    assert content is not None
    return content


def own(dock: Dock, kinds: Any) -> list[QWidget]:
    """The visible widgets of these kinds, without the parts that Qt makes of its own accord."""
    inner = (QComboBox, QAbstractSpinBox)
    return [
        widget
        for kind in kinds
        for widget in dock.findChildren(kind)
        if widget.isVisible()
        and not isinstance(widget.parent(), inner)
        and not (widget.objectName().startswith("qt_") or widget.objectName() == "ScrollLeftButton")
    ]


def test_every_dock_of_the_plugin_has_one_place(shown_host: SessionHost, qtbot: Any) -> None:
    docks = open_at(shown_host, qtbot, LAPTOP)
    planned = [name for place in (SET_UP, ACQUIRE, BELOW) for name in place.names]
    assert sorted(planned) == sorted(docks)
    assert {dock.windowTitle() for dock in docks.values()} == set(docks)


def test_the_workspace_can_be_opened_again(shown_host: SessionHost, qtbot: Any) -> None:
    docks = open_at(shown_host, qtbot, LAPTOP)
    before = dict(docks)
    docks["Camera"].close()
    assert open_at(shown_host, qtbot, LAPTOP) == before
    qtbot.waitUntil(docks["Camera"].isVisible)


def test_docks_from_the_menu_come_to_where_they_belong(shown_host: SessionHost, qtbot: Any) -> None:
    window = shown_host.viewer.window
    window.resize(*LAPTOP)
    docks = {}
    for name in workspace.plugin_docks():
        docks[name], content = window.add_plugin_dock_widget(workspace.PLUGIN, name)
        qtbot.waitUntil(lambda content=content: content.placed)
        qtbot.waitUntil(content.isVisible)
    main = window._qt_window
    for place in (SET_UP, ACQUIRE, BELOW):
        first, *others = [docks[name] for name in place.names if name in docks]
        assert main.dockWidgetArea(first) == place.area
        assert set(main.tabifiedDockWidgets(first)) == set(others)
    assert (main.width(), main.height()) == LAPTOP
    assert main._qt_viewer.canvas.native.height() >= LAPTOP[1] / 2


def test_the_workspace_command_is_in_the_menu(shown_host: SessionHost, qtbot: Any) -> None:
    from napari._app_model import get_app_model

    app = get_app_model()
    command = f"{workspace.PLUGIN}.workspace"
    items = app.menus.get_menu("napari/file/acquire")
    assert command in {str(one.command.id) for one in items if hasattr(one, "command")}
    app.commands.execute_command(command).result()
    opened = shown_host.viewer.window.dock_widgets
    assert {f"{name} ({workspace.PLUGIN})" for name in workspace.plugin_docks()} <= set(opened)


@pytest.mark.parametrize("size", [LAPTOP, DESKTOP], ids=["laptop", "desktop"])
def test_nothing_is_clipped(shown_host: SessionHost, qtbot: Any, size: tuple[int, int]) -> None:
    session = shown_host.session
    docks = open_at(shown_host, qtbot, size)
    session.start_live()
    qtbot.waitUntil(lambda: session.model.screen.shown > 1, timeout=10_000)
    session.on_scope("Finding beads", lambda scope: scope.find_beads(9), session.took_beads)
    qtbot.waitUntil(lambda: len(session.model.beads) == 9)
    qtbot.wait(300)
    clipped = []
    for name, dock in docks.items():
        content = raised(dock)
        scroll = content.findChild(QScrollArea)
        if scroll.widget().width() > scroll.viewport().width():
            clipped.append(f"{name}: content is wider than the dock")
        for widget in own(content, (QAbstractButton, QLabel)):
            if isinstance(widget, QElidingLabel) or getattr(widget, "wordWrap", lambda: False)():
                continue
            wanted = widget.minimumSizeHint().width()
            if widget.width() < wanted:
                text = getattr(widget, "text", str)()
                clipped.append(f"{name}: {text!r} has {widget.width()} of {wanted} px")
    assert clipped == []
    window = shown_host.viewer.window._qt_window
    assert (window.width(), window.height()) == size
    canvas = window._qt_viewer.canvas.native
    assert canvas.width() >= 0.48 * size[0]
    assert canvas.height() >= size[1] / 2


def test_every_control_is_explained_and_reached_by_keyboard(
    shown_host: SessionHost, qtbot: Any
) -> None:
    lacking = []
    for name, dock in open_at(shown_host, qtbot, LAPTOP).items():
        for widget in own(raised(dock), CONTROLS):
            what = f"{name}: {type(widget).__name__} {getattr(widget, 'text', str)()!r}"
            if not widget.toolTip():
                lacking.append(f"{what} has no tooltip")
            if widget.isEnabled() and not widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                lacking.append(f"{what} is not reached by Tab")
    assert lacking == []
