"""The Jobs dock in real napari: batches run in processes of their own, for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import batches
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from napari_beadscope.batch.background import process_of, start_run, stop
from napari_beadscope.batch.flags import FLAGS_NAME, Flag, read_flags
from napari_beadscope.ui.batch_layers import opened_in
from napari_beadscope.ui.batch_look import look_at
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.notices import MessageDialog

LEFT = Qt.MouseButton.LeftButton
pytestmark = pytest.mark.timeout(180)  # each run is a process that starts others


@pytest.fixture
def dock(host: SessionHost, open_dock: Any, qtbot: Any) -> Iterator[Any]:
    """The dock; a run that it has started ends with the test."""
    made = open_dock(host, "Jobs")
    yield made
    run = made.presenter.started
    if run is not None and run.exit_code is None:
        stop(run.pid)
        qtbot.waitUntil(lambda: run.exit_code is not None)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A batch of two positions, of which the second has failed."""
    return batches.make_results(tmp_path)


def table(dock: Any) -> list[tuple[str, ...]]:
    """Position, step, state, done and failed as shown."""
    rows = dock.steps.rows
    texts = [[rows.index(r, c).data() for c in range(7)] for r in range(rows.rowCount())]
    return [(p, s, state, done, failed) for p, s, state, done, _, _, failed in texts]


def test_it_begins_empty_and_says_what_is_missing(dock: Any) -> None:
    assert dock.state.text() == "Choose a plan, or the folder of a batch's results"
    assert not dock.run.isEnabled()
    assert dock.run.toolTip() == dock.state.text()
    assert dock.stop.toolTip() == "Nothing runs"
    assert dock.open.toolTip() == "There are no results yet"


def test_a_folder_of_results_is_shown_and_its_failures_opened(
    dock: Any, out: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(out))
    dock.folder.trigger()
    assert dock.path.currentText() == str(out)
    assert dock.state.text().startswith("Over; some of it has failed: Run tries that again")
    assert "5 of 10 units · 2 failed" in dock.state.text()
    assert dock.bar.value() == 500
    assert table(dock)[0] == ("a", "segment", "done", "2/2", "")
    assert table(dock)[3] == ("b", "segment", "failed", "0/2", "2")
    assert table(dock)[4] == ("b", "track", "blocked", "0/1", "1")
    assert dock.tabs.tabText(2) == "Errors (2)"
    qtbot.keyClick(dock.steps, Qt.Key.Key_Down)
    dock.steps.selectRow(3)
    qtbot.keyClick(dock.steps, Qt.Key.Key_Return)
    dialog = dock.window().findChild(MessageDialog)
    assert "OSError: the disk has a hole" in dialog.text.toPlainText()
    dialog.reject()
    assert dock.failures.item(0).text() == (
        "segment of b, frames 0 to 2: the disk has a hole: mend it"
    )


def test_what_is_no_batch_is_told(dock: Any, tmp_path: Path) -> None:
    dock.presenter.choose(str(tmp_path))
    assert dock.state.text() == "This folder holds no batch: choose one with results, or a plan"
    assert not dock.run.isEnabled()
    plan = tmp_path / "plan.yml"
    plan.write_text("inputs: ['*.tif']\nsteps: [nonsense]\noutput: out\n")
    dock.presenter.choose(str(plan))
    assert "nonsense" in dock.state.toolTip()
    assert dock.run.toolTip() == dock.state.toolTip()
    batches.make_plan(tmp_path).rename(plan)  # mended: it is looked at again
    dock.presenter.poll()
    assert dock.state.text() == "Nothing is done yet · 2 positions × 1 step"
    assert dock.run.isEnabled()
    dock.presenter.choose(str(tmp_path / "gone.yaml"))
    assert dock.state.text() == f"There is no {tmp_path / 'gone.yaml'}"


def test_a_run_is_followed_finished_early_and_gone_on_with(
    dock: Any, tmp_path: Path, qtbot: Any
) -> None:
    dock.presenter.choose(str(batches.make_plan(tmp_path)))
    dock.run.click()
    assert not dock.run.isEnabled()
    assert dock.state.text().startswith("Starting")
    qtbot.waitUntil(lambda: dock.bar.value() > 0, timeout=60_000)
    assert dock.state.text().startswith("Running")
    assert dock.tabs.tabText(3).startswith("Workers (")
    assert dock.run.toolTip() == "It runs already"
    dock.drain.click()
    qtbot.waitUntil(lambda: not dock.presenter.is_on, timeout=60_000)
    assert dock.state.text().startswith("Interrupted: Run goes on")
    done = look_at(tmp_path / "out").now.done
    assert 0 < done < 20
    dock.run.click()
    qtbot.waitUntil(lambda: not dock.presenter.is_on, timeout=60_000)
    assert dock.state.text().startswith("Over; some of it has failed")
    assert table(dock) == [("a", "slow", "done", "10/10", ""), ("b", "slow", "failed", "9/10", "1")]
    assert "dust on the lens" in dock.failures.item(0).text()
    dock.failures.itemClicked.emit(dock.failures.item(0))
    dialog = dock.window().findChild(MessageDialog)
    assert 'raise ValueError("dust on the lens")' in dialog.text.toPlainText()
    dialog.reject()


def test_a_run_outlives_the_dock_is_found_again_and_stopped(
    dock: Any, tmp_path: Path, qtbot: Any
) -> None:
    out = tmp_path / "out"
    run = start_run(batches.make_plan(tmp_path, frames=400))  # by another napari, say
    qtbot.waitUntil(lambda: look_at(out).state == "running", timeout=60_000)
    dock.presenter.choose(str(out))
    assert dock.state.text().startswith("Running")
    assert process_of(out, run.pid) == run.pid
    assert process_of(out) == run.pid
    assert process_of(tmp_path, run.pid) == 0
    dock.stop.click()
    assert not dock.stop.isEnabled()
    qtbot.waitUntil(lambda: not dock.presenter.is_on, timeout=60_000)
    assert dock.state.text().startswith(("Interrupted", "Cut off"))
    assert dock.run.isEnabled()
    qtbot.waitUntil(lambda: run.exit_code is not None)


def test_a_run_that_cannot_begin_says_why(
    dock: Any, host: SessionHost, tmp_path: Path, qtbot: Any
) -> None:
    plan = batches.make_plan(tmp_path)
    dock.presenter.choose(str(plan))
    (tmp_path / "out").write_text("in the way")
    dock.run.click()
    qtbot.waitUntil(lambda: bool(host.session.model.messages), timeout=60_000)
    text = host.session.model.messages[-1].text
    assert text.startswith("The batch could not be run: ")
    assert "is a file" in text + host.session.model.messages[-1].traceback


def test_results_are_opened_chosen_and_judged(
    dock: Any, host: SessionHost, out: Path, qtbot: Any
) -> None:
    dock.presenter.choose(str(out))
    dock.steps.selectRow(0)
    assert dock.open.toolTip() == "Frames, labels, tracks and table of a"
    dock.open.click()
    viewer = host.viewer
    assert [type(layer).__name__ for layer in viewer.layers] == [
        "Image",
        "Image",
        "Labels",
        "Tracks",
        "Points",
    ]
    panel = dock.found
    assert panel.title.text() == "a: 2 cells"
    rows = panel.table.rows
    assert [rows.index(r, 1).data() for r in range(2)] == ["6", "4"]
    assert not panel.good.isEnabled()
    viewer.dims.set_point(0, 0)
    panel.table.selectRow(1)  # cell 1, which is there from frame 2 on
    points, labels = viewer.layers[-1], viewer.layers[2]
    assert len(points.selected_data) == 4
    assert labels.selected_label == 2
    assert viewer.dims.point[0] == 2
    qtbot.keyClick(panel.table, Qt.Key.Key_N)
    assert read_flags(out) == {("a", "cell", 1): Flag(False)}
    assert set(points.features.loc[points.features["cell"] == 1, "good"]) == {"no"}
    assert rows.index(1, 4).data() == "no"
    panel.note.setFocus()
    qtbot.keyClicks(panel.note, "dust")
    qtbot.keyClick(panel.note, Qt.Key.Key_Return)
    assert read_flags(out) == {("a", "cell", 1): Flag(False, "dust")}
    labels.selected_label = 1  # picked in the image
    assert {index.row() for index in panel.table.selectionModel().selectedRows()} == {0}
    panel.good.click()
    assert read_flags(out)["a", "cell", 0] == Flag(True)
    points.selected_data = set(range(len(points.data)))
    assert len(panel.table.selectionModel().selectedRows()) == 2
    panel.clear.click()
    assert read_flags(out) == {("a", "cell", 1): Flag(None, "dust")}


def test_flags_that_cannot_be_saved_are_taken_back(dock: Any, host: SessionHost, out: Path) -> None:
    dock.presenter.choose(str(out))
    dock.open.click()
    (out / FLAGS_NAME).write_text("what is this?\n")
    dock.found.table.selectRow(0)
    dock.found.bad.click()
    assert "flags.csv line 1 lacks 'position'" in host.session.model.messages[-1].text
    assert dock.found.table.rows.index(0, 4).data() == ""
    assert (out / FLAGS_NAME).read_text() == "what is this?\n"


def test_another_position_takes_the_place_of_the_first_and_layers_may_go(
    dock: Any, host: SessionHost, tmp_path: Path
) -> None:
    out = batches.make_results(tmp_path, ("a", "c", "z"))
    host.viewer.open(str(out), plugin="napari-beadscope")  # as by File → Open
    assert dock.found.title.text() == "a: 2 cells"
    assert dock.path.currentText() == str(out)  # what is opened is what the dock is about
    dock.steps.selectRow(4)
    dock.open.click()
    assert {opened_in(layer).name for layer in host.viewer.layers} == {"c"}
    assert dock.found.title.text() == "c: 2 cells"
    host.viewer.layers.clear()
    assert dock.found.table.rows.rowCount() == 0
    assert dock.found.title.text().startswith("Open a position")


def test_the_last_batch_is_there_in_the_next_viewer(
    dock: Any, host: SessionHost, out: Path, make_napari_viewer: Any, open_dock: Any
) -> None:
    dock.presenter.choose(str(out))
    dock.rest()
    dock.wake()
    again = open_dock(host, "Jobs")
    assert again.path.currentText() == str(out)
    assert again.state.text() == dock.state.text()
    assert [again.path.itemText(k) for k in range(again.path.count())] == [str(out)]


def test_looking_never_makes_the_window_wait(
    shown_host: SessionHost, open_dock: Any, out: Path, qtbot: Any
) -> None:
    dock = open_dock(shown_host, "Jobs")
    dock.presenter.choose(str(out))
    assert dock.presenter.look is None  # it is being looked at, elsewhere
    qtbot.waitUntil(lambda: dock.presenter.look is not None)
    dock.steps.selectRow(0)
    view = dock.steps.viewport()
    place = dock.steps.visualRect(dock.steps.rows.index(0, 0)).center()
    qtbot.mouseClick(view, LEFT, pos=QPoint(place.x(), place.y()))
    qtbot.mouseDClick(view, LEFT, pos=QPoint(place.x(), place.y()))
    qtbot.waitUntil(lambda: len(shown_host.viewer.layers) == 5)
    qtbot.waitUntil(lambda: dock.found.title.text() == "a: 2 cells")
