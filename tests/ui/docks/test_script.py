"""The Script dock in real napari: scripts run in processes of their own, for real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_beadscope.script.runs import drafts_folder, running_scripts
from napari_beadscope.ui.docks.script import ScriptDock
from napari_beadscope.ui.host import SessionHost, host_of
from napari_beadscope.ui.jobs import launch_inline
from napari_beadscope.ui.presenters.script import STARTER

LEFT = Qt.MouseButton.LeftButton
pytestmark = pytest.mark.timeout(120)  # each script is a process that has to start
LONG = "import time\nfor k in range(600):\n    print('line', k)\n    time.sleep(0.05)\n"


@pytest.fixture(autouse=True)
def _no_draft() -> Iterator[None]:
    """Each test begins with the starter, and leaves no script running."""
    forget_drafts()
    yield
    forget_drafts()
    for run in running_scripts("e1"):
        run.stop()
        run.wait(15)


def forget_drafts() -> None:
    for path in drafts_folder().glob("draft*"):
        path.unlink()


def open_dock(host: SessionHost) -> Any:
    return host.viewer.window.add_plugin_dock_widget("napari-beadscope", "Script")[1]


@pytest.fixture
def dock(host: SessionHost) -> Iterator[Any]:
    """The dock of a live session on a fake engine; its script ends with the test."""
    host.session.start_live()
    made = open_dock(host)
    yield made
    if made.presenter.run is not None:
        made.presenter.stop()
        made.presenter.run.wait(15)


def run(dock: Any, qtbot: Any, text: str) -> None:
    """Run a text to its end."""
    type_anew(dock, text)
    dock.run.click()
    assert dock.presenter.running, dock.state.text()
    qtbot.waitUntil(lambda: not dock.presenter.running, timeout=20_000)
    qtbot.waitUntil(lambda: not dock._clock.isActive(), timeout=5_000)


def test_it_begins_with_a_script_that_works_and_says_what_is_missing(host: SessionHost) -> None:
    dock = open_dock(host)
    assert dock.editor.toPlainText() == STARTER
    assert not dock.run.isEnabled()
    assert dock.run.toolTip() == dock.state.text()
    assert "Press Live" in dock.state.text()
    assert dock.stop.toolTip() == "No script runs"
    host.session.start_live()
    assert dock.run.isEnabled()
    assert dock.state.text() == "Ready to run"


def test_output_state_and_end(dock: Any, qtbot: Any) -> None:
    run(dock, qtbot, "import os\nprint('engine', os.environ['BEADSCOPE_ENGINE'])\nprint('µm')\n")
    assert dock.output.toPlainText() == "engine e1\nµm\n"
    assert dock.state.text().startswith("Finished after ")
    assert dock.run.isEnabled()
    run(dock, qtbot, "print('second')\n")  # one after another
    assert dock.output.toPlainText() == "second\n"


def test_an_error_marks_its_line(dock: Any, qtbot: Any) -> None:
    run(dock, qtbot, "print('begun')\n\nx = {}\nx['y']\n")
    assert dock.state.text() == "Failed in line 4: KeyError: 'y'"
    assert dock.editor.marked == 4
    assert dock.editor.textCursor().blockNumber() == 3
    assert dock.output.toPlainText().startswith("begun\nTraceback")
    dock.editor.insertPlainText(" ")  # mending it takes the mark away
    assert dock.editor.marked == 0


def test_what_is_not_python_is_not_started(dock: Any, host: SessionHost) -> None:
    dock.editor.setPlainText("print('never')\nfor x in\n")
    dock.run.click()
    assert not dock.presenter.running
    text = host.session.model.messages[-1].text
    assert text.startswith("Line 2 of draft.py is not Python")
    assert dock.output.toPlainText() == ""


def test_output_comes_while_it_runs_and_stop_ends_it(dock: Any, qtbot: Any) -> None:
    dock.editor.setPlainText(LONG)
    dock.run.click()
    qtbot.waitUntil(lambda: "line 3" in dock.output.toPlainText(), timeout=20_000)
    assert dock.presenter.running
    assert "runs · " in dock.state.text().lower()
    assert not dock.run.isEnabled()
    assert dock.run.toolTip() == "A script runs: stop it first"
    dock.stop.click()
    qtbot.waitUntil(lambda: not dock.presenter.running, timeout=10_000)
    assert dock.state.text().startswith("Stopped after ")
    assert dock.run.isEnabled()


PACED = """\
from pathlib import Path
from napari_beadscope.script.conduct import Conduct
import time
conduct = Conduct.of_this_process()  # what a Scope does; the engine of this test is none
for k in range(1, 4000):
    conduct.checkpoint()
    conduct.tell(k, 4000, "counting")
    print("count", k, flush=True)
    time.sleep(0.02)
"""


def test_pause_resume_and_progress(dock: Any, qtbot: Any) -> None:
    assert not dock.pause.isEnabled()
    assert dock.pause.toolTip() == "No script runs"
    assert dock.bar.isHidden()
    dock.editor.setPlainText(PACED)
    dock.run.click()
    qtbot.waitUntil(lambda: not dock.bar.isHidden())
    qtbot.waitUntil(lambda: " of 4000, about " in dock.bar.format())
    assert dock.bar.format().endswith("left: counting")
    assert dock.pause.text() == "Pause"
    dock.pause.click()
    qtbot.waitUntil(lambda: "paused · " in dock.state.text().lower())
    assert dock.pause.text() == "Resume"
    lines = dock.output.toPlainText().count("\n")
    dock.pause.click()
    assert dock.pause.text() == "Pause"
    qtbot.waitUntil(lambda: dock.output.toPlainText().count("\n") > lines + 3)
    dock.pause.click()
    dock.stop.click()  # also while it waits
    qtbot.waitUntil(lambda: not dock.presenter.running)
    assert dock.state.text().startswith("Stopped after ")
    qtbot.waitUntil(lambda: dock.bar.isHidden())
    assert dock.pause.text() == "Pause"


def test_a_name_that_scope_does_not_have_is_marked_and_not_started(
    dock: Any, host: SessionHost
) -> None:
    text = "from napari_beadscope import Scope\nscope = Scope.attach()\nscope.mov('focus', 1)\n"
    type_anew(dock, text)
    dock.run.click()
    assert not dock.presenter.running
    said = host.session.model.messages[-1].text
    assert said.startswith("Line 3 of draft.py: a Scope has no mov")
    assert dock.editor.marked == 3


def test_a_recipe_from_the_menu_is_checked_like_a_script(
    dock: Any, host: SessionHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [action.text() for action in dock.new.menu().actions() if action.text()]
    assert kinds == [
        "Script",
        "Recipe",
        "Force ramp",
        "Constant force",
        "Force clamp",
        "Time lapse",
    ]
    dock.new.menu().actions()[2].trigger()
    assert "recipe: force-ramp\n" in dock.editor.toPlainText()
    type_anew(dock, dock.editor.toPlainText().replace("seconds_each: 1.0", "seconds_each: -1"))
    dock.run.click()
    said = host.session.model.messages[-1].text
    assert said.startswith("Line 4 of draft.py: 'seconds_each' cannot be -1")
    assert dock.editor.marked == 4
    path = tmp_path / "ramp.yaml"
    asked: list[str] = []

    def answer(parent: Any, title: str, start: str, pattern: str) -> Any:
        asked.append(start)
        return str(path), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    dock.save.click()
    assert asked == ["recipe.yaml"]
    assert dock.title.text() == "ramp.yaml"


def test_who_reads_further_up_is_left_there(dock: Any, qtbot: Any) -> None:
    dock.editor.setPlainText(LONG.replace("0.05", "0.005"))
    dock.run.click()
    qtbot.waitUntil(lambda: "line 60" in dock.output.toPlainText(), timeout=20_000)
    bar = dock.output.verticalScrollBar()
    assert bar.value() == bar.maximum()
    bar.setValue(0)
    qtbot.waitUntil(lambda: "line 120" in dock.output.toPlainText(), timeout=20_000)
    assert bar.value() == 0


def test_files_are_opened_saved_and_not_lost(
    dock: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pull.py"
    path.write_text("print('from a file')\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    dock.open.click()
    assert dock.editor.toPlainText() == "print('from a file')\n"
    assert dock.title.text() == "pull.py"
    dock.editor.selectAll()
    dock.editor.insertPlainText("print('changed')\n")
    assert dock.title.text() == "pull.py *"
    run(dock, qtbot, "print('changed')\n")  # saves it
    assert path.read_text() == "print('changed')\n"
    assert dock.title.text() == "pull.py"
    assert dock.state.text().startswith("pull.py finished after")
    dock.editor.appendPlainText("x = 1")
    asked: list[str] = []

    def cancel(parent: Any, title: str, text: str, buttons: Any) -> Any:
        asked.append(text)
        return QMessageBox.StandardButton.Cancel

    monkeypatch.setattr(QMessageBox, "question", cancel)
    dock.new.click()
    assert asked == ["Keep the changes to the script (pull.py)?"]
    assert "x = 1" in dock.editor.toPlainText()
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Save)
    dock.new.click()
    assert "x = 1" in path.read_text()
    assert dock.editor.toPlainText() == STARTER
    copy = tmp_path / "copy.py"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(copy), ""))
    dock.save.click()
    assert copy.read_text() == STARTER
    assert dock.title.text() == "copy.py"


def test_files_that_cannot_be_read_or_written_are_told(
    dock: Any, host: SessionHost, tmp_path: Path
) -> None:
    dock.open_file(str(tmp_path / "none.py"))
    assert "none.py cannot be opened (No such file" in host.session.model.messages[-1].text
    assert not dock.presenter.save("x", str(tmp_path / "no" / "folder" / "x.py"))
    assert "cannot be written" in host.session.model.messages[-1].text


def test_typing_the_python_way(dock: Any) -> None:
    editor = dock.editor
    editor.clear()

    def press(key: Any, text: str = "") -> None:
        kind, plain = QEvent.Type.KeyPress, Qt.KeyboardModifier.NoModifier
        editor.keyPressEvent(QKeyEvent(kind, key, plain, text))

    for letter in "if x:":
        press(Qt.Key.Key_A, letter)
    press(Qt.Key.Key_Return)
    press(Qt.Key.Key_A, "y")
    press(Qt.Key.Key_Tab)
    press(Qt.Key.Key_A, "z")
    assert editor.toPlainText() == "if x:\n    y   z"


def test_the_script_goes_on_without_its_dock_and_is_found_by_the_next(
    dock: Any, host: SessionHost, qtbot: Any, make_napari_viewer: Callable[..., Any], scopes: Any
) -> None:
    dock.editor.setPlainText(LONG)
    dock.run.click()
    qtbot.waitUntil(lambda: "line 1" in dock.output.toPlainText(), timeout=20_000)
    dock.rest()  # as when it is closed
    assert not dock._clock.isActive()
    dock.wake()
    host.close()
    assert len(running_scripts("e1")) == 1  # its viewer is gone
    other = host_of(make_napari_viewer(), scopes, launch_inline)
    found = open_dock(other)
    other.session.start_live()
    assert found.presenter.running
    qtbot.waitUntil(lambda: "line" in found.output.toPlainText(), timeout=10_000)
    found.stop.click()
    qtbot.waitUntil(lambda: not found.presenter.running, timeout=10_000)
    other.close()


def test_what_was_typed_is_there_again(host: SessionHost) -> None:
    first = open_dock(host)
    first.editor.setPlainText("print('not saved')\n")
    first.editor.document().setModified(True)
    first.rest()
    from napari_beadscope.ui.presenters.script import ScriptPresenter

    assert ScriptPresenter(host.session).first_text() == "print('not saved')\n"


def type_anew(dock: Any, text: str) -> None:
    dock.editor.selectAll()
    dock.editor.insertPlainText(text)


@pytest.mark.parametrize("how", ["viewer", "window", "quit"])
def test_a_draft_is_kept_when_the_viewer_closes(
    make_napari_viewer: Callable[..., Any], scopes: Any, qtbot: Any, how: str
) -> None:
    host = host_of(make_napari_viewer(show=True), scopes, launch_inline)
    viewer = host.viewer
    dock = open_dock(host)
    plots = viewer.window.add_plugin_dock_widget("napari-beadscope", "Plots")[1]
    host.session.start_live()
    qtbot.wait(300)
    thread = plots._worker._thread
    assert thread.is_alive()
    type_anew(dock, "print('an hour of typing')\n")
    if how == "viewer":
        viewer.close()
    elif how == "window":
        window = viewer.window._qt_window  # napari's fixture closes it once more
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        window.close(quit_app=False, confirm_need=False)
    else:
        QApplication.instance().aboutToQuit.emit()
    assert host.closed
    assert (drafts_folder() / "draft.py").read_text() == "print('an hour of typing')\n"
    thread.join(5)
    assert not thread.is_alive()


def test_two_viewers_have_drafts_of_their_own(
    host: SessionHost, make_napari_viewer: Callable[..., Any], scopes: Any
) -> None:
    other = host_of(make_napari_viewer(), scopes, launch_inline)
    for each, text in ((open_dock(host), "print('A')"), (open_dock(other), "print('B')")):
        type_anew(each, text)
    other.close()
    host.close()
    kept = {path.read_text() for path in drafts_folder().glob("draft*.py")}
    assert kept == {"print('A')", "print('B')"}
    assert not list(drafts_folder().glob("*.held"))


def test_a_file_that_another_program_has_changed(
    dock: Any, host: SessionHost, qtbot: Any, tmp_path: Path
) -> None:
    path, link = tmp_path / "pull.py", tmp_path / "link.py"
    path.write_bytes(b"print('one')\r\n")
    path.chmod(0o755)
    link.symlink_to(path)
    dock.open_file(str(link))

    def run_it() -> None:
        dock.run.click()
        qtbot.waitUntil(lambda: not dock.presenter.running, timeout=20_000)
        qtbot.waitUntil(lambda: not dock._clock.isActive(), timeout=5_000)

    path.write_bytes(b"print('two')\r\n")
    run_it()
    assert path.read_bytes() == b"print('two')\r\n"
    assert dock.output.toPlainText() == "two\n"
    assert dock.editor.toPlainText() == "print('two')\n"
    type_anew(dock, "print('three')\n")
    run_it()  # changed here alone: saved, in its way
    assert path.read_bytes() == b"print('three')\r\n"
    assert path.stat().st_mode & 0o777 == 0o755
    assert link.is_symlink()
    type_anew(dock, "print('mine')\n")
    path.write_bytes(b"print('theirs')\r\n")
    dock.run.click()
    assert not dock.presenter.running
    said = host.session.model.messages[-1].text
    assert said.startswith("Link.py was changed here, and by another program: save this one")
    assert path.read_bytes() == b"print('theirs')\r\n"


def test_a_draft_works_in_the_folder_of_the_recordings(
    dock: Any, host: SessionHost, qtbot: Any, tmp_path: Path
) -> None:
    host.session.model.root = tmp_path / "new" / "data"
    type_anew(dock, "import os\nprint(os.getcwd())\n")
    assert dock.title.text() == "draft"
    dock.run.click()
    qtbot.waitUntil(lambda: "data" in dock.output.toPlainText(), timeout=20_000)
    assert dock.output.toPlainText() == f"{tmp_path / 'new' / 'data'}\n"
    assert dock.title.text() == "draft"


def test_a_text_that_no_file_can_hold_is_told(dock: Any, host: SessionHost) -> None:
    assert not dock.presenter.save("x = 1\nprint('\ud800')\n")
    said = host.session.model.messages[-1].text
    assert said.startswith("Line 2 of the script has a character that no file can hold")


def test_narrow_and_wide(host: SessionHost, qtbot: Any) -> None:
    dock = ScriptDock(host.viewer)
    qtbot.addWidget(dock)
    assert dock.minimumSizeHint().width() <= 330
    dock.show()
    dock.resize(320, 500)
    assert dock.parts.orientation() == Qt.Orientation.Vertical
    dock.resize(900, 200)
    assert dock.parts.orientation() == Qt.Orientation.Horizontal


# --- on a real engine ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_script_by_mouse_on_a_real_engine(
    make_napari_viewer: Callable[..., Any], qtbot: Any, tmp_path: Path
) -> None:
    host = host_of(make_napari_viewer(show=True))
    try:
        host.session.model.options = {"height_px": 256, "width_px": 256, "beads": 3, "fps": 50.0}
        host.session.start_live()
        qtbot.waitUntil(lambda: host.session.model.live, timeout=40_000)
        dock = open_dock(host)
        qtbot.waitUntil(dock.run.isEnabled)
        qtbot.mouseClick(dock.run, LEFT, pos=QPoint(8, 8))
        qtbot.waitUntil(lambda: "Finished" in dock.state.text(), timeout=40_000)
        lines = dock.output.toPlainText().splitlines()
        assert lines[0] == "3 beads are tracked"
        assert len(lines) == 6
        qtbot.waitUntil(lambda: len(host.session.model.beads) == 3)  # the viewer shows them, too
        assert host.session.scope is not None
        assert host.session.scope.status().streaming
        dock._new("time-lapse")
        folder = f"folder: {tmp_path}\n"
        type_anew(
            dock, dock.editor.toPlainText().replace("recordings: 3", "recordings: 2") + folder
        )
        qtbot.mouseClick(dock.run, LEFT, pos=QPoint(8, 8))
        qtbot.waitUntil(lambda: "Finished" in dock.state.text(), timeout=60_000)
        assert len(list(tmp_path.glob("*_time-lapse-*"))) == 2
    finally:
        if host.session.scope is not None:
            host.session.scope.stop()
        host.close()
