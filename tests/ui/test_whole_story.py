"""A newcomer's session by mouse and keys, in real napari with a real engine, from menu to file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.utils import progress
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QAction
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QLineEdit, QTabBar, QWidget

from napari_beadscope.core.types import Annotation
from napari_beadscope.devices.simulated.microscope import SimulatedMicroscope
from napari_beadscope.engine import list_engines
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.ui.host import SessionHost, host_of
from napari_beadscope.ui.opened import KEY
from napari_beadscope.ui.places import PLUGIN

OPTIONS = {
    "width_px": 384,
    "height_px": 320,
    "beads": 6,
    "touching_pairs": 0,
    "spacing_px": 100.0,
    "fps": 50.0,
    "seed": 5,
}
LEFT, KEYS = Qt.MouseButton.LeftButton, Qt.Key
CONTROL = Qt.KeyboardModifier.ControlModifier
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]


class Person:
    """Somebody in front of napari: what they can point at, click and type."""

    def __init__(self, viewer: Any, qtbot: Any) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        self.window = viewer.window._qt_window

    def menu(self, *texts: str) -> None:
        """Choose from the menu bar."""
        actions = self.window.menuBar().actions()
        for text in texts[:-1]:
            actions = self._named(actions, text).menu().actions()
        self._named(actions, texts[-1]).trigger()

    def tab(self, name: str) -> Any:
        """Click on a dock's tab; what is in the dock."""
        content = self.viewer.window.dock_widgets[f"{name} ({PLUGIN})"]
        for bar in self.window.findChildren(QTabBar):
            for place in range(bar.count()):
                if bar.isVisible() and bar.tabText(place) == name:
                    QTest.mouseClick(bar, LEFT, pos=bar.tabRect(place).center())
        self.qtbot.waitUntil(content.isVisible)
        return content

    def click(self, button: QWidget, timeout_ms: int = 20_000) -> None:
        """Click on a button once it can be clicked."""
        self.qtbot.waitUntil(button.isEnabled, timeout=timeout_ms)
        QTest.mouseClick(button, LEFT)

    def type_into(self, field: QWidget, text: str) -> None:
        """Replace what a field holds."""
        edit = field if isinstance(field, QLineEdit) else field.findChild(QLineEdit)
        edit.setFocus()
        edit.selectAll()
        QTest.keyClicks(edit, text)
        QTest.keyClick(edit, KEYS.Key_Return)

    def cell(self, table: Any, row: int, column: int) -> None:
        """Click on a cell of a table."""
        index = table.model().index(row, column)
        table.scrollTo(index)
        place: QPoint = table.visualRect(index).center()
        QTest.mouseClick(table.viewport(), LEFT, pos=place)

    def editors(self, table: Any) -> list[QLineEdit]:
        """The fields in which a cell of a table is being edited."""
        return [one for one in table.viewport().findChildren(QLineEdit) if one.isVisible()]

    @staticmethod
    def _named(actions: list[QAction], text: str) -> QAction:
        return next(one for one in actions if one.text().replace("&", "").startswith(text))


@pytest.fixture
def sit_down(make_napari_viewer: Callable[..., Any], qtbot: Any) -> Iterator[Callable[[], Person]]:
    """Return a function that opens napari for somebody; end what is left of engines."""
    hosts: list[SessionHost] = []

    def make() -> Person:
        viewer = make_napari_viewer(show=True)
        viewer.window.resize(1366, 768)
        hosts.append(host_of(viewer))
        return Person(viewer, qtbot)

    yield make
    for host in hosts:
        host.close()
    for engine in list_engines():
        Scope.attach(engine.engine_id).stop()


def go_live(person: Person, host: SessionHost) -> None:
    camera = person.tab("Camera")
    for name, value in OPTIONS.items():
        camera.presenter.set_option(name, value)
    person.click(camera.live)
    person.qtbot.waitUntil(lambda: host.session.model.screen.shown > 3, timeout=40_000)


def find(person: Person, host: SessionHost) -> None:
    model, dock = host.session.model, person.tab("Beads")
    person.click(dock.preview)
    person.qtbot.waitUntil(dock.panel.replace.isVisible, timeout=40_000)
    assert model.beads == ()  # nothing is tracked before it is wanted
    person.click(dock.panel.replace)
    person.qtbot.waitUntil(lambda: len(model.beads) == 6, timeout=40_000)
    person.qtbot.waitUntil(
        lambda: sum(row.good for row in dock.presenter.rows()) == 6, timeout=60_000
    )


def edit(person: Person, host: SessionHost, hand: Any) -> None:
    model, dock, found = host.session.model, person.tab("Beads"), host.session.model.beads
    person.qtbot.waitUntil(lambda: host.overlays.trails is not None)
    host.viewer.reset_view()
    QTest.qWait(500)  # until the image stands still
    person.click(dock.add)
    hand.click(*_empty_place(host))
    person.qtbot.waitUntil(lambda: len(model.beads) == 7)
    person.click(dock.add)
    hand.press(KEYS.Key_3)
    centre = np.array(found[0].roi.centre_px)
    hand.drag(tuple(centre), tuple(centre + 6))
    person.qtbot.waitUntil(lambda: model.beads[0] != found[0])
    assert [bead.bead for bead in model.beads] == [*(bead.bead for bead in found), 6]
    hand.press(KEYS.Key_Z, CONTROL)
    person.qtbot.waitUntil(lambda: model.beads[0] == found[0])
    hand.click(*model.beads[6].roi.centre_px)
    person.qtbot.waitUntil(lambda: model.selected == {6})
    hand.press(KEYS.Key_Delete)
    person.qtbot.waitUntil(lambda: model.beads == found)
    hand.press(KEYS.Key_4)


def _empty_place(host: SessionHost) -> tuple[float, float]:
    """Return a place in the frame that is far from all beads."""
    centres = np.array([bead.roi.centre_px for bead in host.session.model.beads])
    half = host.session.model.beads[0].roi.size / 2 + 2
    y, x = np.mgrid[half : 320 - half : 4, half : 384 - half : 4]
    away = np.hypot(y[..., None] - centres[:, 0], x[..., None] - centres[:, 1]).min(axis=-1)
    best = np.unravel_index(away.argmax(), away.shape)
    return float(y[best]), float(x[best])


def sweep(person: Person, host: SessionHost) -> None:
    model, dock = host.session.model, person.tab("Z-LUT")
    assert model.calibration.zlut == ""
    for field, text in ((dock.low, "-1"), (dock.high, "1"), (dock.step, "100"), (dock.frames, "4")):
        person.type_into(field, text)
    person.click(dock.start)
    person.qtbot.waitUntil(lambda: model.calibration.zlut != "", timeout=120_000)
    beads = person.tab("Beads")
    person.qtbot.waitUntil(
        lambda: sum(row.z_nm != "–" for row in beads.presenter.rows()) >= 5, timeout=30_000
    )


def record(person: Person, host: SessionHost) -> Path:
    model, dock = host.session.model, host.viewer.window.dock_widgets[f"Acquisition ({PLUGIN})"]
    person.type_into(dock.name, "pull")
    person.click(dock.button)
    person.qtbot.waitUntil(lambda: model.recording is not None, timeout=20_000)
    folder = model.recording
    assert folder is not None
    annotate(person, host, {0: ("stuck", True, True), 2: ("tether", True, False)})
    person.qtbot.waitUntil(lambda: model.status.recorded_frames >= 100, timeout=30_000)
    person.click(dock.button)
    person.qtbot.waitUntil(lambda: model.last_recording == folder, timeout=30_000)
    person.click(dock.open)
    person.qtbot.waitUntil(lambda: f"{folder.name} tracks" in host.viewer.layers, timeout=30_000)
    return folder


def annotate(person: Person, host: SessionHost, said: dict[int, tuple[str, bool, bool]]) -> None:
    """Type a label, and press Y or N and Space, in the rows of these beads."""
    table = person.tab("Annotations").table
    for row, (label, good, reference) in said.items():
        person.cell(table, row, 1)
        QTest.keyClicks(table, label[0])
        (editor,) = person.editors(table)
        QTest.keyClicks(editor, label[1:])
        QTest.keyClick(editor, KEYS.Key_Return)
        person.qtbot.waitUntil(lambda: not person.editors(table))
        person.cell(table, row, 2)
        QTest.keyClick(table, KEYS.Key_Y if good else KEYS.Key_N)
        if reference:
            person.cell(table, row, 3)
            QTest.keyClick(table, KEYS.Key_Space)


def save(person: Person, name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File → Save of one layer; in the dialog, our kind of file and this name."""
    layers = person.viewer.layers
    layers.selection.active = layers[name]

    def answer(*_: Any, filter: str, **__: Any) -> tuple[str, str]:
        return str(path), next(one for one in filter.split(";;") if "Annotated tracks" in one)

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    person.menu("File", "Save Selected Layers")
    person.qtbot.waitUntil(path.is_file, timeout=20_000)


def test_from_the_workspace_to_the_reopened_file(
    sit_down: Callable[[], Person],
    hand_over: Any,
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = sit_down()
    host = host_of(person.viewer)
    person.menu("File", "Acquire", "BeadScope: open workspace")
    acquisition = person.viewer.window.dock_widgets[f"Acquisition ({PLUGIN})"]
    person.type_into(acquisition.root.edit, str(tmp_path))
    go_live(person, host)
    find(person, host)
    edit(person, host, hand_over(host))
    sweep(person, host)
    beads, zlut = host.session.model.beads, host.session.model.calibration.zlut
    folder = record(person, host)
    opened = host.viewer.layers[f"{folder.name} beads"]
    host.viewer.layers.selection.active = opened
    annotate(person, host, {3: ("pair", False, False)})
    person.click(person.tab("Annotations").save)
    wanted = {
        beads[0].bead: Annotation("stuck", True, "", True),
        beads[2].bead: Annotation("tether", True),
        beads[3].bead: Annotation("pair", False),
    }
    qtbot.waitUntil(lambda: 3 in open_recording(folder).annotations)
    assert open_recording(folder).annotations == wanted
    save(person, f"{folder.name} tracks", tmp_path / "annotated.tracks.csv", monkeypatch)
    assert [one.text for one in host.session.model.messages if one.severity != "info"] == []
    shown_in = person.window._activity_dialog.handle_progress_change
    person.viewer.close()
    assert host.closed
    # With PySide6 napari would still show progress in the window that was closed.
    progress._all_instances.events.changed.disconnect(shown_in)

    recording = open_recording(folder)
    assert recording.manifest.state == "complete"
    assert recording.beads == beads
    assert len(recording.tracks) == 6 * len(recording.frame_numbers) >= 600
    first = recording.manifest.first_frame or 0
    truth = SimulatedMicroscope(OPTIONS).truth(first + recording.frame_numbers)
    measured = recording.tracks[recording.tracks["bead"] == beads[0].bead]
    bead = np.abs(truth[0, :, :2] - [measured["x_px"][0], measured["y_px"][0]]).sum(1).argmin()
    assert np.sqrt(np.mean((measured["x_px"] - truth[:, bead, 0]) ** 2)) < 0.02
    z_nm = measured["z_nm"] - truth[:, bead, 2]
    assert np.nanstd(z_nm) < 10.0
    assert np.isfinite(z_nm).mean() > 0.95

    person = sit_down()
    person.viewer.open(str(folder), plugin=PLUGIN)
    reopened = person.viewer.layers[f"{folder.name} beads"]
    assert reopened.metadata[KEY].annotations == wanted
    assert Path(reopened.metadata[KEY].calibration.zlut).read_text() == Path(zlut).read_text()
    assert reopened.features["label"].tolist() == ["stuck", "", "tether", "pair", "", ""]
    person.viewer.open(str(tmp_path / "annotated.tracks.csv"), plugin=PLUGIN)
    (again,) = [
        layer
        for layer in person.viewer.layers
        if layer.name.startswith("annotated") and "label" in layer.features
    ]
    assert set(again.features["label"]) == {"stuck", "", "tether", "pair"}
