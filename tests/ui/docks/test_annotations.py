"""The Annotations dock: typed by hand, for several beads at once, live and of opened files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QEnterEvent
from qtpy.QtWidgets import QApplication, QLineEdit

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.messages import AnnotationsChanged
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
from napari_beadscope.storage.annotations import read_annotations, write_annotations
from napari_beadscope.ui import reader
from napari_beadscope.ui.docks.annotation_table import GOOD, LABEL, NOTE, REFERENCE
from napari_beadscope.ui.docks.annotations import AnnotationsDock
from napari_beadscope.ui.opened import annotations_in
from napari_beadscope.ui.take_over import take_over_live

PLUGIN = "napari-beadscope"
BEADS = (Bead(4, Roi(10, 20, 16)), Bead(7, Roi(40, 30, 16)), Bead(9, Roi(60, 40, 16)))
SAID = {4: Annotation("a", True), 7: Annotation(reference=True)}


@pytest.fixture
def dock(host: Any, qtbot: Any) -> AnnotationsDock:
    made = AnnotationsDock(host.viewer)
    qtbot.addWidget(made)
    made.resize(320, 300)
    return made


@pytest.fixture
def live(dock: AnnotationsDock) -> AnnotationsDock:
    """The dock with four live beads."""
    dock.session.start_live()
    dock.session.took_beads(dock.session.scope.find_beads(4))
    return dock


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    manifest = Manifest.new(
        mode=AcquisitionMode.FULL,
        format=FrameFormat(100, 80, "uint8"),
        beads=BEADS,
        calibration=Calibration(72.0),
    )
    with RecordingWriter.create(tmp_path / "r", manifest) as writer:
        writer.write_frames(np.ones((2, 100, 80), np.uint8), [FrameStamp(0, 0), FrameStamp(1, 9)])
    write_annotations(tmp_path / "r" / "annotations.csv", SAID)
    return tmp_path / "r"


def text(dock: AnnotationsDock, row: int, column: int) -> str:
    return str(dock.table.rows.index(row, column).data())


def go_to(dock: AnnotationsDock, row: int, column: int, *others: int) -> None:
    """Select rows as with the mouse and Ctrl, the last one current."""
    dock.table.select(frozenset(dock.table.rows.ids[place] for place in (row, *others)))
    index = dock.table.rows.index(row, column)
    flags = dock.table.selectionModel().SelectionFlag
    dock.table.selectionModel().setCurrentIndex(index, flags.NoUpdate)
    dock._choose_beads(dock.table.chosen)


def test_beads_are_judged_and_marked_by_keys(live: AnnotationsDock, qtbot: Any) -> None:
    scope = live.session.scope
    go_to(live, 1, GOOD, 2)
    qtbot.keyClick(live.table, Qt.Key.Key_Y)
    assert scope.annotations == {1: Annotation(good=True), 2: Annotation(good=True)}
    go_to(live, 2, GOOD)
    qtbot.keyClick(live.table, Qt.Key.Key_N)
    assert [text(live, row, GOOD) for row in range(4)] == ["", "yes", "no", ""]
    qtbot.keyClick(live.table, Qt.Key.Key_Delete)
    go_to(live, 0, REFERENCE, 3)
    qtbot.keyClick(live.table, Qt.Key.Key_Space)
    assert scope.annotations == {
        0: Annotation(reference=True),
        1: Annotation(good=True),
        3: Annotation(reference=True),
    }
    qtbot.keyClick(live.table, Qt.Key.Key_Space)
    assert set(scope.annotations) == {1}
    assert live.count.text() == "4 beads, 1 good"


def test_text_is_typed_into_all_selected_rows(live: AnnotationsDock, qtbot: Any) -> None:
    live.show()
    go_to(live, 1, LABEL, 3)
    live.table.setFocus()
    qtbot.keyClicks(live.table, "t")  # begins the edit
    editor = live.table.findChild(QLineEdit)
    assert editor is not None
    qtbot.keyClicks(editor, "ether, 2")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    wanted = Annotation("tether, 2")
    both = {1: wanted, 3: wanted}
    qtbot.waitUntil(lambda: live.session.scope.annotations == both, timeout=2000)
    assert text(live, 3, LABEL) == "tether, 2"


def test_the_buttons_do_what_the_keys_do(live: AnnotationsDock) -> None:
    assert not live.buttons["Good"][0].isEnabled()
    assert "Select beads" in live.buttons["Good"][0].toolTip()
    go_to(live, 0, LABEL, 1)
    for name in ("Bad", "Reference"):
        live.buttons[name][0].click()
    both = Annotation(good=False, reference=True)
    assert live.session.scope.annotations == {0: both, 1: both}
    for name in ("Not judged", "Reference"):
        live.buttons[name][0].click()
    assert live.session.scope.annotations == {}


def test_selection_is_that_of_the_session(live: AnnotationsDock) -> None:
    live.model.selected = frozenset({2})
    assert live.table.chosen == {2}
    go_to(live, 0, LABEL, 3)
    assert live.model.selected == {0, 3}


def test_what_the_engine_refuses_is_taken_back(
    live: AnnotationsDock, host: Any, qtbot: Any
) -> None:
    live.session.scope.fail_with["set_annotations"] = InputError("too long", "be brief")
    go_to(live, 1, GOOD)
    qtbot.keyClick(live.table, Qt.Key.Key_Y)
    assert text(live, 1, GOOD) == ""
    assert live.model.messages[-1].text == "Too long: be brief"


def test_what_another_viewer_says_is_shown(live: AnnotationsDock, host: Any) -> None:
    said = {2: Annotation("from elsewhere")}
    live.session.scope.annotations = said
    live.session.scope.emit(AnnotationsChanged(said))
    host.session.tick()
    assert text(live, 2, LABEL) == "from elsewhere"


def test_who_types_faster_than_the_engine_answers_loses_nothing(
    live: AnnotationsDock, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, waiting = live.session, []
    monkeypatch.setattr(
        session,
        "on_scope",
        lambda label, work, done=None, undo=None: waiting.append((work, done)),
    )
    live.presenter.say({1}, label="tether")
    session._take_event(AnnotationsChanged({0: Annotation("older")}))
    live.presenter.say({1}, good=True)
    for work, done in waiting:
        done(work(session.scope))
    assert session.scope.annotations == {1: Annotation("tether", True)}
    assert session.model.annotations == {1: Annotation("tether", True)}


def test_annotations_without_an_engine_go_to_the_next_one(
    dock: AnnotationsDock, host: Any, qtbot: Any
) -> None:
    beads = tuple(Bead(k, Roi(60 * k, 20, 48)) for k in range(2))
    dock.session.set_beads(beads)
    go_to(dock, 1, GOOD)
    qtbot.keyClick(dock.table, Qt.Key.Key_Y)
    dock.session.start_live()
    assert dock.session.scope.annotations == {1: Annotation(good=True)}


def test_an_opened_recording_is_annotated_and_saved(
    dock: AnnotationsDock, host: Any, recording: Path, qtbot: Any
) -> None:
    video, beads = host.viewer.open(str(recording), plugin=PLUGIN)
    host.viewer.layers.selection.active = video  # any of its layers will do
    assert dock.source.currentText() == "r beads"
    assert [text(dock, row, GOOD) for row in range(3)] == ["yes", "", ""]
    assert dock.state.text() == "saved"
    assert not dock.save.isEnabled()
    go_to(dock, 2, NOTE)
    assert beads.selected_data == {2}
    qtbot.keyClick(dock.table, Qt.Key.Key_Delete)  # nothing there yet
    dock.table.rows.setData(dock.table.rows.index(2, NOTE), "two\nlines, µ")
    assert annotations_in(beads.features)[9] == Annotation(note="two\nlines, µ")
    assert dock.state.text() == "1 bead not saved"
    assert read_annotations(recording / "annotations.csv") == SAID
    dock.save.click()
    wanted = {**SAID, 9: Annotation(note="two\nlines, µ")}
    assert read_annotations(recording / "annotations.csv") == wanted
    assert dock.state.text() == "saved"
    again = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    assert annotations_in(again.features) == wanted


def test_what_naparis_table_of_features_changes_is_seen(
    dock: AnnotationsDock, host: Any, recording: Path, qtbot: Any
) -> None:
    beads = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    host.viewer.layers.selection.active = beads
    beads.features = beads.features.assign(label=["x", "y", "z"])
    qtbot.waitUntil(lambda: text(dock, 2, LABEL) == "z", timeout=2000)
    beads.selected_data = {1}
    qtbot.waitUntil(lambda: dock.table.chosen == {7}, timeout=2000)


def test_silent_changes_are_seen_when_the_mouse_comes_in(
    dock: AnnotationsDock, host: Any, recording: Path
) -> None:
    beads = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    host.viewer.layers.selection.active = beads
    beads.features.loc[0, "good"] = "no"  # as napari's table of features does
    place = QPointF(5, 5)
    QApplication.sendEvent(dock, QEnterEvent(place, place, place))
    assert text(dock, 0, GOOD) == "no"
    assert dock.save.isEnabled()


def test_a_folder_that_cannot_be_written_is_told(
    dock: AnnotationsDock, host: Any, recording: Path
) -> None:
    beads = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    host.viewer.layers.selection.active = beads
    dock.presenter.say([4], label="b")
    recording.rename(recording.with_name("elsewhere"))
    dock.save.setEnabled(True)
    dock.save.click()
    assert "cannot write" in dock.model.messages[-1].text.lower()
    assert dock.state.text() == "1 bead not saved"


def test_opened_beads_are_taken_over_into_the_live_session(
    dock: AnnotationsDock, host: Any, recording: Path
) -> None:
    dock.session.start_live()
    beads = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    host.viewer.layers.selection.active = beads
    dock.presenter.say([9], label="new")
    dock.take.click()
    scope = dock.session.scope
    assert scope.beads == BEADS
    assert scope.annotations == {**SAID, 9: Annotation("new")}
    assert scope.calibration == Calibration(72.0)
    assert "3 beads taken over from r beads" in dock.model.messages[-1].text


def test_the_menu_takes_over_too_and_says_what_it_needs(host: Any, recording: Path) -> None:
    host.session.start_live()
    take_over_live(host.viewer)
    assert "select one of its layers" in host.session.model.messages[-1].text
    video, _ = host.viewer.open(str(recording), plugin=PLUGIN)
    host.viewer.layers.selection.active = video
    host.session.model.recording = recording
    take_over_live(host.viewer)
    assert "while recording" in host.session.model.messages[-1].text
    host.session.model.recording = None
    take_over_live(host.viewer)
    assert host.session.scope.beads == BEADS
    assert host.session.scope.annotations == SAID


def test_no_beads_are_taken_over_while_recording(
    dock: AnnotationsDock, host: Any, recording: Path, tmp_path: Path
) -> None:
    host.viewer.layers.selection.active = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    dock.model.recording = tmp_path
    assert not dock.take.isEnabled()
    assert "while recording" in dock.take.toolTip()


def test_a_dock_that_is_closed_lets_go_of_the_layers(
    dock: AnnotationsDock, host: Any, recording: Path
) -> None:
    beads = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    host.viewer.layers.selection.active = beads
    before = len(beads.events.features.callbacks)
    dock.rest()
    assert len(beads.events.features.callbacks) == before - 1
    dock.wake()
    host.viewer.layers.remove(beads)
    assert dock.source.count() == 1
    assert dock.source.currentText() == "Live beads"


def test_saving_leaves_what_others_have_said_meanwhile(
    dock: AnnotationsDock, host: Any, recording: Path
) -> None:
    path = recording / "annotations.csv"
    first = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    host.viewer.layers.selection.active = first
    dock.presenter.say([9], label="here")
    elsewhere = {**SAID, 4: Annotation("typed in an editor"), 88: Annotation("of no bead here")}
    write_annotations(path, elsewhere)
    dock.presenter.save()
    assert read_annotations(path) == {**elsewhere, 9: Annotation("here")}
    assert annotations_in(first.features)[4] == Annotation("typed in an editor")
    assert dock.presenter.why_not_save() == "Nothing has changed since it was saved"

    dock.presenter.say([7], label="ours", reference=False)
    write_annotations(path, {7: Annotation("theirs")})
    dock.presenter.save()
    assert "bead 7 was also changed elsewhere" in dock.model.messages[-1].text
    assert read_annotations(path) == {7: Annotation("theirs")}
    assert annotations_in(first.features)[7] == Annotation("ours")


def test_long_text_is_refused_in_an_opened_recording(
    dock: AnnotationsDock, host: Any, recording: Path
) -> None:
    beads = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    host.viewer.layers.selection.active = beads
    dock.presenter.say([9], note="x" * 140_000)
    assert "note of bead 9 has 140000 characters" in dock.model.messages[-1].text
    assert annotations_in(beads.features) == SAID
    beads.features = beads.features.assign(note=["", "", "a\0b"])  # as napari's table may
    dock.presenter.save()
    assert "of bead 9 holds a null character" in dock.model.messages[-1].text
    dock.session.start_live()
    dock.presenter.take_over()
    assert dock.session.scope.beads == ()
    assert read_annotations(recording / "annotations.csv") == SAID


def test_damaged_annotations_block_neither_opening_nor_are_written_over(
    dock: AnnotationsDock, host: Any, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(reader, "show_warning", told.append)
    damaged = "bead,good\n4,yes\n7,maybe\n"
    (recording / "annotations.csv").write_text(damaged)
    video, beads = host.viewer.open(str(recording), plugin=PLUGIN)
    assert video.data.shape == (2, 100, 80)
    assert len(told) == 1
    assert f"{recording / 'annotations.csv'} line 3, column 'good'" in told[0]
    host.viewer.layers.selection.active = beads
    dock.presenter.say([4], label="new")
    dock.presenter.save()
    assert "annotations.csv line 3" in dock.model.messages[-1].text
    assert (recording / "annotations.csv").read_text() == damaged


def test_copied_beads_have_ids_of_their_own(
    dock: AnnotationsDock, host: Any, recording: Path
) -> None:
    beads = host.viewer.open(str(recording), plugin=PLUGIN)[1]
    host.viewer.layers.selection.active = beads
    beads.selected_data = {0, 1}
    beads._copy_data()
    beads._paste_data()
    assert [row.bead for row in dock.presenter.rows()] == [4, 7, 9, 10, 11]
    dock.session.start_live()
    dock.presenter.take_over()
    assert [bead.bead for bead in dock.session.scope.beads] == [4, 7, 9, 10, 11]


def test_recordings_are_told_apart_in_the_list(
    dock: AnnotationsDock, host: Any, recording: Path
) -> None:
    for minute in (10, 25):
        beads = host.viewer.open(str(recording), plugin=PLUGIN)[1]
        beads.name = f"2031-07-14_09-{minute}-00_pull beads"
    dock._layers_changed()
    texts = [dock.source.itemText(place) for place in range(dock.source.count())]
    assert texts == ["Live beads", "…10-00_pull beads", "…25-00_pull beads"]
    tip = dock.source.itemData(2, Qt.ItemDataRole.ToolTipRole)
    assert tip == "2031-07-14_09-25-00_pull beads"
