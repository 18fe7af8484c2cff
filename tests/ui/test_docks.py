"""Each dock in real napari on a fake engine: what it shows, what its buttons do, how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_beadscope.ui.host import SessionHost

PLUGIN = "napari-beadscope"
NAMES = ("Camera", "Beads", "Acquisition", "Status")


def open_dock(host: SessionHost, name: str) -> Any:
    return host.viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]


@pytest.fixture
def live(shown_host: SessionHost, qtbot: Any) -> SessionHost:
    """A shown host that is live."""
    camera = open_dock(shown_host, "Camera")
    qtbot.mouseClick(camera.live, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown_host.live_view.layer is not None)
    qtbot.waitUntil(lambda: shown_host.live_view.layer.data.any())
    return shown_host


def test_every_dock_is_in_the_plugin_and_shares_one_session(host: SessionHost) -> None:
    docks = [open_dock(host, name) for name in NAMES]
    assert {id(dock.session) for dock in docks} == {id(host.session)}
    assert all(dock.awake for dock in docks)


def test_every_input_has_a_tooltip(host: SessionHost) -> None:
    from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit

    for name in NAMES:
        dock = open_dock(host, name)
        for kind in (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit):
            for widget in dock.findChildren(kind):
                up, found = widget, False
                while up is not None and up is not dock and not found:
                    found, up = bool(up.toolTip()), up.parentWidget()
                assert found or widget.objectName().startswith(("qt_", "Scroll")), (
                    name,
                    widget,
                    getattr(widget, "text", str)(),
                )


def test_a_closed_dock_rests_and_live_goes_on(live: SessionHost, qtbot: Any, scopes: Any) -> None:
    dock, camera = live.viewer.window.add_plugin_dock_widget(PLUGIN, "Camera")
    dock.destroyOnClose()  # what its × calls
    qtbot.waitUntil(lambda: not camera.awake)
    shown = live.session.model.screen.shown
    qtbot.waitUntil(lambda: live.session.model.screen.shown > shown)
    again = open_dock(live, "Camera")
    assert again is not camera
    assert again.live.isChecked()
    assert len(scopes.made) == 1
