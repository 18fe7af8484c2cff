"""The Plots dock: every kind of plot, choices by mouse and keyboard, saving, themes, its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Annotation, Calibration
from napari_beadscope.storage.tables import TRACKS
from napari_beadscope.tracking import ZLut
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.opened import KEY, Opened
from napari_beadscope.ui.plots.figure import Kind
from napari_beadscope.ui.plots.palette import bead_colour

LEFT = Qt.MouseButton.LeftButton


def with_rings(scope: Any) -> None:
    """Let the fake scope's rows have heights and profiles."""
    plain = scope.tracks

    def tracks(since_seq: int = -1) -> np.ndarray:
        rows = plain(since_seq)
        rows["z_nm"] = 400.0 + 5 * np.sin(rows["frame"] / 30)
        rows["n_radial"] = 24
        rows["profile"][:, :24] = 100 + 20 * np.cos(np.arange(24) / 4)
        return rows

    scope.tracks = tracks


@pytest.fixture
def plots(live: SessionHost, scopes: Any, open_dock: Any, qtbot: Any) -> Any:
    """The dock of a shown viewer that is live, with six beads that have heights."""
    with_rings(scopes.last)
    live.session.on_scope(
        "Finding beads", lambda scope: scope.find_beads(max_beads=6), live.session.took_beads
    )
    dock = open_dock(live, "Plots")
    qtbot.waitUntil(lambda: len(live.session.model.beads) == 6, timeout=20_000)
    qtbot.waitUntil(lambda: drawn(dock, 4), timeout=20_000)
    return dock


def curves(dock: Any, panel: int = 0) -> list[Any]:
    figure = dock.canvas.figure
    return [] if figure is None else list(figure.panels[panel].curves)


def drawn(dock: Any, count: int) -> bool:
    found = curves(dock)
    return len(found) == count and all(len(curve.x) for curve in found)


def choose(dock: Any, combo: Any, text: str) -> None:
    at = combo.findText(text)
    assert at >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(at)
    combo.activated.emit(at)


def show(dock: Any, qtbot: Any, kind: Kind) -> None:
    at = dock.controls.kind.findData(kind.value)
    dock.controls.kind.setCurrentIndex(at)
    dock.controls.kind.activated.emit(at)
    qtbot.waitUntil(lambda: dock._shown_kind is kind, timeout=10_000)
    qtbot.waitUntil(lambda: bool(curves(dock)), timeout=10_000)


def test_x_y_z_of_the_first_beads_run_with_time(plots: Any, qtbot: Any) -> None:
    canvas = plots.canvas
    assert [plot.getAxis("left").labelText for plot in canvas.plots] == [
        "Δx (nm)", "Δy (nm)", "Δz (nm)",
    ]  # fmt: skip
    assert [curve.colour for curve in curves(plots)] == [0, 1, 2, 3]
    assert canvas.plots[1].vb.linkedView(0) is canvas.plots[0].vb
    before = curves(plots)[0].x[-1]
    qtbot.waitUntil(lambda: curves(plots)[0].x[-1] > before + 0.3)
    assert np.abs(curves(plots)[0].y).max() < 100 * 0.3 * 6  # 100 nm per px, 0.3 px of noise
    assert "frames" in plots.words.text()
    assert "color:" + bead_colour(3, "") in canvas._legend.text


def test_selected_then_typed_beads(plots: Any, qtbot: Any, live: SessionHost) -> None:
    live.session.model.selected = frozenset({2, 5})
    qtbot.waitUntil(lambda: [curve.colour for curve in curves(plots)] == [2, 5])
    plots.controls.beads.setFocus()
    qtbot.keyClicks(plots.controls.beads, "0-1, 4")
    qtbot.keyClick(plots.controls.beads, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: [curve.colour for curve in curves(plots)] == [0, 1, 4])
    plots.controls.beads.setText("all")
    plots.controls.beads.editingFinished.emit()
    qtbot.waitUntil(lambda: len(curves(plots)) == 6)
    plots.controls.beads.setText("x")
    plots.controls.beads.editingFinished.emit()
    qtbot.waitUntil(lambda: plots.words.text().endswith("write 0, 3, 5-8, or all"))
    assert "#e5484d" in plots.words.styleSheet()
    plots.controls.beads.clear()
    qtbot.waitUntil(lambda: [curve.colour for curve in curves(plots)] == [2, 5])


def test_the_wheel_pauses_and_the_button_runs_again(plots: Any, qtbot: Any) -> None:
    choose(plots, plots.controls.window_box, "10 s")
    qtbot.waitUntil(lambda: plots.canvas.figure.span[1] - plots.canvas.figure.span[0] == 10.0)
    plots.canvas.plots[0].vb.sigRangeChangedManually.emit([True, True])
    plots.canvas.plots[0].setXRange(0.5, 1.0, padding=0)
    assert plots.controls.pause.isChecked()
    qtbot.waitUntil(lambda: plots.canvas.figure.span == pytest.approx((0.5, 1.0), abs=1e-6))
    held = plots.canvas.seen
    qtbot.wait(400)
    assert plots.canvas.seen == held
    qtbot.mouseClick(plots.controls.pause, LEFT)
    qtbot.waitUntil(lambda: plots.canvas.seen[1] - plots.canvas.seen[0] == pytest.approx(10.0))
    plots.canvas.setFocus()
    qtbot.keyClick(plots.canvas, Qt.Key.Key_Space)
    assert plots.choices.halted
    seen = plots.canvas.seen
    qtbot.keyClick(plots.canvas, Qt.Key.Key_Plus)
    assert plots.canvas.seen[1] - plots.canvas.seen[0] < seen[1] - seen[0]
    qtbot.keyClick(plots.canvas, Qt.Key.Key_Left)
    qtbot.keyClick(plots.canvas, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: plots.canvas.seen[1] > seen[1])


def test_drift_needs_a_reference(plots: Any, qtbot: Any, live: SessionHost) -> None:
    box = plots.controls.corrected
    assert not box.isEnabled()
    assert "Annotations dock" in box.toolTip()
    said = {1: Annotation(reference=True), 3: Annotation(label="long")}
    live.session.on_scope("Noting", lambda scope: scope.set_annotations(said))
    live.session.model.annotations = said
    qtbot.waitUntil(box.isEnabled)
    assert "reference beads 1" in box.toolTip()
    qtbot.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))
    qtbot.waitUntil(lambda: "less the drift of bead 1" in plots.words.text())
    assert np.nanmax(np.abs(curves(plots)[1].y)) == pytest.approx(0.0, abs=1e-6)
    assert "1 (ref)" in plots.canvas._legend.text
    assert "3 long" in plots.canvas._legend.text
    show(plots, qtbot, Kind.HISTOGRAM)
    show(plots, qtbot, Kind.TIME)
    assert box.isChecked()


def test_rows_are_chosen_in_a_menu(plots: Any, qtbot: Any) -> None:
    actions = {action.text(): action for action in plots.controls.rows.menu().actions()}
    assert actions["x (nm)"].isChecked()
    magnet = next(name for name in actions if name.startswith("magnet"))
    assert not actions[magnet].isChecked()
    actions[magnet].trigger()
    actions["y (nm)"].trigger()
    labels = ["Δx (nm)", "Δz (nm)", magnet]
    qtbot.waitUntil(lambda: [panel.up for panel in plots.canvas.figure.panels] == labels)
    assert len(curves(plots, 2)) == 1


def test_one_against_another_and_against_a_motor(plots: Any, qtbot: Any) -> None:
    show(plots, qtbot, Kind.RELATION)
    assert plots.canvas.plots[0].vb.state["aspectLocked"]
    controls = plots.controls
    magnet = next(
        controls.across.itemText(i)
        for i in range(controls.across.count())
        if controls.across.itemText(i).startswith("magnet")
    )
    choose(plots, controls.across, magnet)
    choose(plots, controls.up, "z (nm)")
    qtbot.waitUntil(lambda: plots.canvas.figure.across == magnet)
    assert plots.canvas.plots[0].getAxis("bottom").labelText == magnet
    assert not plots.canvas.plots[0].vb.state["aspectLocked"]


def test_saturation_is_red_and_in_words(plots: Any, qtbot: Any, scopes: Any) -> None:
    show(plots, qtbot, Kind.HISTOGRAM)
    assert plots.words.text().startswith("None saturated")
    for frame in scopes.last._pool:
        frame[:100] = 255
    qtbot.waitUntil(lambda: plots.words.text().startswith("Saturated: "))
    assert "Shorten the exposure" in plots.words.text()
    assert "#e5484d" in plots.words.styleSheet()
    choose(plots, plots.controls.region, "ROIs of these beads")
    assert plots.controls.beads.isVisible()


def test_a_profile_over_its_zlut(plots: Any, qtbot: Any, live: SessionHost, tmp_path: Path) -> None:
    show(plots, qtbot, Kind.PROFILE)
    assert plots.words.text() == "Bead 0: no Z-LUT to compare with"
    z_nm = np.arange(0.0, 1000.0, 50.0)
    lut = ZLut(z_nm, 100 + 20 * np.cos(np.arange(32) / (3 + z_nm[:, None] / 400)))
    lut.save(tmp_path / "lut.txt")
    live.session.model.calibration = Calibration(100.0, str(tmp_path / "lut.txt"))
    qtbot.waitUntil(lambda: len(plots.canvas.figure.panels) == 2)
    assert plots.words.text().startswith("Bead 0: z = ")
    mark = plots.canvas.figure.panels[1].marks[0]
    assert mark.at == pytest.approx(0.4, abs=0.01)
    live.session.model.calibration = Calibration(100.0, str(tmp_path / "gone.txt"))
    qtbot.waitUntil(lambda: "does not exist" in plots.canvas.figure.words)


@pytest.mark.parametrize("kind", [Kind.ALLAN, Kind.SPECTRUM])
def test_stability_on_logarithmic_axes(plots: Any, qtbot: Any, kind: Kind) -> None:
    qtbot.waitUntil(lambda: curves(plots)[0].x[-1] > 1.0, timeout=10_000)
    show(plots, qtbot, kind)
    assert [curve.colour for curve in curves(plots)] == [0, 1, 2, 3]
    assert plots.canvas.plots[0].getAxis("bottom").logMode
    choose(plots, plots.controls.axis, "z")
    qtbot.waitUntil(lambda: " z " in f" {plots.canvas.figure.panels[0].up} ")


def saved(host: SessionHost, path: Path) -> bool:
    said = [message.text for message in host.session.model.messages]
    return any(text.startswith("Saved") and text.endswith(str(path)) for text in said)


def opened_layer(host: SessionHost) -> Any:
    rows = np.zeros(400, TRACKS)
    rows["frame"] = np.repeat(np.arange(200), 2)
    rows["time_s"] = rows["frame"] / 50
    rows["bead"] = np.tile([3, 8], 200)
    rows["x_nm"], rows["y_nm"], rows["z_nm"] = 100.0 * rows["bead"], 50.0, rows["frame"]
    rows["quality"] = 1.0
    said = {8: Annotation(reference=True)}
    opened = Opened(Path("pull.csv"), Calibration(100.0), said, table=rows)
    vertices = np.stack([rows["bead"], rows["frame"], rows["y_nm"], rows["x_nm"]], axis=1)
    return host.viewer.add_tracks(vertices[::2], name="pull tracks", metadata={KEY: opened})


def test_an_opened_recording_is_a_source(
    shown_host: SessionHost, open_dock: Any, qtbot: Any
) -> None:
    dock = open_dock(shown_host, "Plots")
    qtbot.waitUntil(lambda: "press Live" in dock.words.text())
    layer = opened_layer(shown_host)
    choose(dock, dock.controls.source, "pull tracks")
    qtbot.waitUntil(lambda: [curve.colour for curve in curves(dock)] == [3, 8])
    assert curves(dock, 2)[0].x[-1] == pytest.approx(199 / 50)
    assert dock.controls.pause.text() == "Show all"
    assert not dock.controls.window_box.isEnabled()
    assert dock.controls.corrected.isEnabled()
    model = dock.controls.kind.model()
    assert not model.item(dock.controls.kind.findData(Kind.HISTOGRAM.value)).isEnabled()
    dock.canvas.plots[0].vb.sigRangeChangedManually.emit([True, True])
    dock.canvas.plots[0].setXRange(1.0, 2.0, padding=0)
    qtbot.waitUntil(lambda: "51 frames" in dock.words.text())
    qtbot.mouseClick(dock.controls.pause, LEFT)
    qtbot.waitUntil(lambda: "200 frames" in dock.words.text())
    show(dock, qtbot, Kind.ALLAN)
    shown_host.viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: dock.controls.source.currentText() == "live")


def test_without_an_engine_the_opened_recording_is_plotted_by_itself(
    shown_host: SessionHost, open_dock: Any, qtbot: Any
) -> None:
    dock = open_dock(shown_host, "Plots")
    assert dock.choices.source == "live"
    opened_layer(shown_host)
    qtbot.waitUntil(lambda: [curve.colour for curve in curves(dock)] == [3, 8])
    assert dock.controls.source.currentText() == "pull tracks"
    shown_host.session.start_live()
    qtbot.waitUntil(lambda: shown_host.session.model.live)
    assert dock.choices.source == "live"
    choose(dock, dock.controls.source, "pull tracks")
    shown_host.session.stop_live()
    shown_host.session.start_live()
    qtbot.waitUntil(lambda: shown_host.session.model.live)
    assert dock.choices.source == "layer:pull tracks"  # the user has chosen it


def test_recordings_are_told_apart_in_the_list(
    shown_host: SessionHost, open_dock: Any, qtbot: Any
) -> None:
    dock = open_dock(shown_host, "Plots")
    for minute in (10, 25):
        opened_layer(shown_host).name = f"2031-07-14_09-{minute}-00_recording tracks"
    dock.controls.show_choices()
    texts = [dock.controls.source.itemText(at) for at in range(3)]
    assert texts == ["live", "…10-00_recording tracks", "…25-00_recording tracks"]
    tip = dock.controls.source.itemData(2, Qt.ItemDataRole.ToolTipRole)
    assert tip == "2031-07-14_09-25-00_recording tracks"


def test_pictures_and_data_are_saved_and_nothing_is_replaced(
    plots: Any, qtbot: Any, live: SessionHost, tmp_path: Path
) -> None:
    for ending in ("png", "svg", "csv"):
        plots.saving.save(tmp_path / f"plot.{ending}")
        path = tmp_path / f"plot.{ending}"
        qtbot.waitUntil(lambda path=path: saved(live, path))
    image = QImage(str(tmp_path / "plot.png"))
    assert image.width() == 3 * plots.canvas.width()
    assert image.pixelColor(2, 2).name() == "#ffffff"
    drawing = (tmp_path / "plot.svg").read_text()
    assert drawing.count("<path") + drawing.count("<polyline") > 10
    assert "<text" in drawing
    assert "(nm)" in drawing
    header = (tmp_path / "plot.csv").read_text().splitlines()[0]
    assert header == "frame,time_s,bead,x_nm,y_nm,z_nm,quality"
    for ending in ("png", "csv"):
        before = (tmp_path / f"plot.{ending}").read_bytes()
        count = len(live.session.model.messages)
        plots.saving.save(tmp_path / f"plot.{ending}")
        qtbot.waitUntil(lambda count=count: len(live.session.model.messages) > count)
        assert "exists: choose another name" in live.session.model.messages[-1].text
        assert (tmp_path / f"plot.{ending}").read_bytes() == before
    plots.saving.save(tmp_path / "plot.jpg")
    assert "end its name with .png or .svg" in live.session.model.messages[-1].text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plot.csv", "plot.png", "plot.svg"]


def test_the_plot_is_copied(plots: Any, qtbot: Any) -> None:
    clipboard = QApplication.clipboard()
    clipboard.clear()
    qtbot.mouseClick(plots.saving.copy_button, LEFT)
    assert clipboard.image().width() == 3 * plots.canvas.width()
    assert plots.canvas.theme[0] != "#ffffff"


def test_it_follows_the_theme(plots: Any, qtbot: Any, live: SessionHost) -> None:
    dark = plots.canvas.theme
    live.viewer.theme = "light"
    assert plots.canvas.theme != dark
    axis = plots.canvas.plots[0].getAxis("left")
    assert axis.textPen().color().name() == plots.canvas.theme[1]
    assert plots.canvas.backgroundBrush().color().name() == plots.canvas.theme[0]
    live.viewer.theme = "dark"
    assert plots.canvas.theme == dark


def test_it_fits_on_the_right_and_below(plots: Any, qtbot: Any, live: SessionHost) -> None:
    assert plots.minimumSizeHint().width() <= 330
    assert plots.minimumSizeHint().height() <= 190
    main, dock = live.viewer.window._qt_window, plots.parent()
    main.resize(1366, 768)
    main.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    main.resizeDocks([dock], [330], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: plots.width() <= 400)

    def rows() -> int:
        return len({round(plot.sceneBoundingRect().top()) for plot in plots.canvas.plots})

    qtbot.waitUntil(lambda: rows() == 3, timeout=10_000)
    main.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    main.resizeDocks([dock], [190], Qt.Orientation.Vertical)
    qtbot.waitUntil(lambda: plots.width() > 600 and rows() == 1, timeout=10_000)


def test_an_error_is_a_sentence_and_the_dock_goes_on(plots: Any, qtbot: Any, scopes: Any) -> None:
    scopes.last.fail_with["motor_history"] = InputError("no such motor", "add it")
    actions = {action.text(): action for action in plots.controls.rows.menu().actions()}
    next(action for name, action in actions.items() if name.startswith("magnet")).trigger()
    qtbot.waitUntil(lambda: plots.words.text() == "No such motor: add it")
    del scopes.last.fail_with["motor_history"]
    qtbot.waitUntil(lambda: "frames" in plots.words.text(), timeout=10_000)


def test_a_closed_dock_rests_and_comes_back(
    plots: Any, qtbot: Any, live: SessionHost, open_dock: Any
) -> None:
    plots.parent().destroyOnClose()  # what its × calls
    qtbot.waitUntil(lambda: not plots.awake)
    assert not plots._timer.isActive()
    again = open_dock(live, "Plots")
    assert again is not plots
    qtbot.waitUntil(lambda: drawn(again, 4), timeout=10_000)


def test_what_was_seen_stays_when_the_engine_is_lost(
    plots: Any, qtbot: Any, live: SessionHost
) -> None:
    live.session._lost(InputError("no engine", "start one"))
    qtbot.wait(300)
    assert drawn(plots, 4)
    plots.choices.window_s = 10.0
    qtbot.waitUntil(lambda: plots.canvas.figure.span[1] - plots.canvas.figure.span[0] == 10.0)
    assert drawn(plots, 4)
