"""All docks at once: each has its place, nothing is clipped, everything is named and reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
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

from napari_beadscope.core.types import (
    AcquisitionMode,
    Annotation,
    Bead,
    Calibration,
    FrameFormat,
    FrameStamp,
    Roi,
)
from napari_beadscope.storage import Manifest, RecordingWriter
from napari_beadscope.storage.annotations import ANNOTATIONS_NAME, write_annotations
from napari_beadscope.testing.backends import rings
from napari_beadscope.tracking import build_zlut
from napari_beadscope.ui import workspace
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.model import JobState
from napari_beadscope.ui.places import ACQUIRE, BELOW, LOOK, SET_UP
from napari_beadscope.ui.presenters.zlut import SWEEPING, ZLutPresenter
from napari_beadscope.ui.session import Session

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


def test_a_sweep_is_started_without_scrolling(
    shown_host: SessionHost, qtbot: Any, tmp_path: Path
) -> None:
    session = shown_host.session
    docks = open_at(shown_host, qtbot, LAPTOP)
    session.start_live()
    qtbot.waitUntil(lambda: session.model.screen.shown > 1)
    load_zlut(session, tmp_path / "zlut.txt")
    dock: Any = raised(docks["Z-LUT"])
    qtbot.waitUntil(lambda: dock.presenter.present is not None)
    session.model.job = JobState(SWEEPING, 0.5)
    qtbot.wait(300)
    view = dock.findChild(QScrollArea).viewport()
    seen = (dock.file, dock.load, dock.low, dock.step, dock.start, dock.estimate, dock.job.cancel)
    for widget in seen:
        bottom = widget.mapTo(view, widget.rect().bottomRight()).y()
        assert bottom <= view.height(), f"{widget} ends at {bottom} of {view.height()} px"
    dock.low.setValue(-12.5)
    for box in (dock.low, dock.high, dock.step, dock.frames):
        wanted = box.fontMetrics().horizontalAdvance(box.text()) + 4
        qtbot.waitUntil(lambda box=box, wanted=wanted: box.lineEdit().width() >= wanted)


def load_zlut(session: Session, path: Path) -> None:
    """Measure z with some Z-LUT."""
    z_nm = np.arange(-1000.0, 1001.0, 50.0)
    build_zlut(rings(np.full(41, 23.5), np.full(41, 23.5), z_nm), z_nm).save(path)
    ZLutPresenter(session).choose(str(path))


LONG_NAME = "2031-07-14_09-30-00_lambda-DNA-on-streptavidin_flow-cell-12b"


def open_recording(host: SessionHost, folder: Path, beads: int = 12) -> None:
    """Open a recording of so many beads, each of which something is said about."""
    found = tuple(Bead(n, Roi(8 * n, 8 * n, 16)) for n in range(beads))
    manifest = Manifest.new(
        mode=AcquisitionMode.FULL,
        format=FrameFormat(128, 128, "uint8"),
        beads=found,
        calibration=Calibration(72.0),
    )
    with RecordingWriter.create(folder, manifest) as writer:
        writer.write_frames(np.ones((1, 128, 128), np.uint8), [FrameStamp(0, 0)])
    said = {n: Annotation(f"tether {n}", n % 2 == 0, reference=True) for n in range(beads)}
    write_annotations(folder / ANNOTATIONS_NAME, said)
    host.viewer.open(folder, plugin=workspace.PLUGIN)


def test_a_recording_with_a_long_name_makes_no_dock_wider(
    shown_host: SessionHost, qtbot: Any, tmp_path: Path
) -> None:
    docks = open_at(shown_host, qtbot, LAPTOP)
    open_recording(shown_host, tmp_path / LONG_NAME)
    zlut = tmp_path / LONG_NAME / f"{LONG_NAME}.txt"
    session = shown_host.session
    session.start_live()
    qtbot.waitUntil(lambda: session.model.screen.shown > 1)
    session.on_scope("Finding beads", lambda scope: scope.find_beads(9), session.took_beads)
    load_zlut(session, zlut)
    qtbot.waitUntil(lambda: session.model.calibration.zlut == str(zlut))
    annotations = raised(docks["Annotations"])
    shown_host.viewer.layers.selection.active = shown_host.viewer.layers[f"{LONG_NAME} beads"]
    qtbot.waitUntil(lambda: "beads" in annotations.source.currentText())
    qtbot.wait(300)
    narrow = (*SET_UP.names, *ACQUIRE.names, *LOOK.names)
    wide = {name: raised(docks[name]).minimumSizeHint().width() for name in narrow}
    limit = {name: max(340, docks[name].width() * 2 / 3) for name in narrow}
    assert {name: width for name, width in wide.items() if width > limit[name]} == {}
    window = shown_host.viewer.window._qt_window
    assert (window.width(), window.height()) == LAPTOP


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
