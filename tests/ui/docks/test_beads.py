"""The Beads dock and the layer of boxes in real napari, by mouse and keys, on a fake engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QToolButton

from napari_beadscope.core.types import Annotation, Bead, Roi
from napari_beadscope.ui.bead_states import COLOURS, BeadState
from napari_beadscope.ui.host import SessionHost

LEFT = Qt.MouseButton.LeftButton
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier
KEY = Qt.Key
FIELD = tuple(Bead(i, Roi.around(120 + 120 * (i // 3), 100 + 150 * (i % 3), 48)) for i in range(6))


@pytest.fixture
def beads(live: SessionHost, open_dock: Callable[[SessionHost, str], Any], qtbot: Any) -> Any:
    """The dock of a live session with six beads, once their trails have settled the view."""
    dock = open_dock(live, "Beads")
    live.session.set_beads(FIELD)
    qtbot.waitUntil(lambda: live.overlays.trails is not None)
    live.viewer.reset_view()
    qtbot.wait(200)
    return dock


@pytest.fixture
def hand(beads: Any, live: SessionHost, hand_over: Any) -> Any:
    """Mouse and keys over the boxes, which are the active layer."""
    live.viewer.layers.selection.active = live.overlays.boxes
    return hand_over(live)


def test_a_click_adds_a_bead(
    beads: Any, hand: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    qtbot.mouseClick(beads.add, LEFT)
    assert live.overlays.boxes.mode == "add"
    hand.click(400, 200)
    hand.click(400, 300)
    qtbot.waitUntil(lambda: len(scopes.last.beads) == 8)
    assert scopes.last.beads[:6] == FIELD
    for bead, number, x in zip(scopes.last.beads[6:], (6, 7), (200, 300)):
        assert (bead.bead, bead.roi.size) == (number, 48)
        assert hand.near(bead.roi, 400, x)
    hand.press(KEY.Key_4)  # napari's own key for moving the view
    assert not beads.add.isChecked()
    hand.press(KEY.Key_2)  # and for adding
    assert beads.add.isChecked()
    qtbot.mouseClick(beads.add, LEFT)
    assert live.overlays.boxes.mode == "pan_zoom"


def test_a_drag_moves_beads_and_their_ids_stay(
    beads: Any, hand: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    hand.press(KEY.Key_3)
    assert live.overlays.boxes.mode == "select"
    hand.drag((120, 250), (180, 275))
    qtbot.waitUntil(lambda: scopes.last.beads != FIELD)
    moved = scopes.last.beads
    assert hand.near(moved[1].roi, 180, 275)
    assert [one for one in moved if one.bead != 1] == [one for one in FIELD if one.bead != 1]
    assert live.session.model.selected == {1}
    boxes = live.overlays.boxes
    assert tuple(boxes.data[1]) == moved[1].roi.centre_px  # on whole pixels
    hand.click(240, 400, SHIFT)
    qtbot.waitUntil(lambda: live.session.model.selected == {1, 5})
    hand.drag((240, 400), (300, 400))
    qtbot.waitUntil(lambda: scopes.last.beads != moved)
    assert hand.near(scopes.last.beads[5].roi, 300, 400)
    assert hand.near(scopes.last.beads[1].roi, 240, 275)


def test_many_are_selected_deleted_and_brought_back(
    beads: Any, hand: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    hand.press(KEY.Key_3)
    hand.drag((60, 30), (270, 290))  # a box about 0, 1, 3 and 4
    qtbot.waitUntil(lambda: live.session.model.selected == {0, 1, 3, 4})
    chosen = {index.row() for index in beads.table.selectionModel().selectedRows()}
    assert chosen == {0, 1, 3, 4}
    hand.press(KEY.Key_Delete)
    qtbot.waitUntil(lambda: [bead.bead for bead in scopes.last.beads] == [2, 5])
    assert beads.rows.ids == [2, 5]
    assert live.overlays.boxes.features["bead"].tolist() == [2, 5]
    hand.press(KEY.Key_Z, CONTROL)
    qtbot.waitUntil(lambda: scopes.last.beads == FIELD)
    assert live.overlays.boxes.features["bead"].tolist() == [0, 1, 2, 3, 4, 5]
    hand.press(KEY.Key_Z, CONTROL | SHIFT)
    qtbot.waitUntil(lambda: [bead.bead for bead in scopes.last.beads] == [2, 5])
    hand.press(KEY.Key_A)
    qtbot.waitUntil(lambda: live.session.model.selected == {2, 5})


def test_copies_have_ids_of_their_own(
    beads: Any, hand: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    hand.press(KEY.Key_3)
    hand.click(120, 100)
    hand.press(KEY.Key_C, CONTROL)
    hand.press(KEY.Key_V, CONTROL)
    qtbot.waitUntil(lambda: len(scopes.last.beads) == 7)
    assert scopes.last.beads[6] == Bead(6, Roi(FIELD[0].roi.y0 + 24, FIELD[0].roi.x0 + 24, 48))
    assert live.session.model.selected == {6}
    assert set(live.overlays.boxes.selected_data) == {6}
    boxes = live.overlays.boxes
    boxes._copy_data()
    boxes._paste_data()  # what napari does elsewhere, without an event
    qtbot.waitUntil(lambda: len(scopes.last.beads) == 8)
    assert [bead.bead for bead in scopes.last.beads] == list(range(8))


def test_what_the_engine_refuses_goes_back_and_says_why(
    beads: Any, hand: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    boxes = live.overlays.boxes
    hand.press(KEY.Key_3)
    hand.drag((120, 100), (120, 6))
    qtbot.waitUntil(lambda: "leaves the frame" in _last_text(live))
    assert tuple(boxes.data[0]) == FIELD[0].roi.centre_px
    scopes.last.recording = "/data/run"
    hand.press(KEY.Key_Delete)
    qtbot.waitUntil(lambda: "while recording" in _last_text(live))
    assert len(boxes.data) == 6
    assert scopes.last.beads == FIELD
    assert not live.session.model.history.undone


def test_boxes_that_are_resized_in_the_layer_controls_go_back(
    beads: Any, hand: Any, live: SessionHost, qtbot: Any
) -> None:
    boxes = live.overlays.boxes
    boxes.selected_data = {0, 1}
    boxes.current_size = 90
    assert set(np.ravel(boxes.size)) == {48.0}
    assert "Beads dock" in _last_text(live)


def test_undo_redo_and_renumber_by_button_and_in_the_table(
    beads: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    assert beads.undo.toolTip() == "Undo: add 6 beads (Ctrl+Z in the image)"
    assert beads.redo.toolTip() == "Nothing to redo"
    beads.table.selectRow(0)
    beads.table.setFocus()
    qtbot.keyClick(beads.table, KEY.Key_Delete)
    qtbot.waitUntil(lambda: scopes.last.beads == FIELD[1:])
    qtbot.mouseClick(beads.renumber, LEFT)
    qtbot.waitUntil(lambda: [bead.bead for bead in scopes.last.beads] == [0, 1, 2, 3, 4])
    qtbot.waitUntil(lambda: live.overlays.boxes.features["bead"].tolist() == [0, 1, 2, 3, 4])
    assert beads.undo.toolTip().startswith("Undo: number by position")
    qtbot.mouseClick(beads.undo, LEFT)
    qtbot.waitUntil(lambda: scopes.last.beads == FIELD[1:])
    beads.table.setFocus()
    qtbot.keyClick(beads.table, KEY.Key_Z, CONTROL)
    qtbot.waitUntil(lambda: scopes.last.beads == FIELD)
    qtbot.mouseClick(beads.redo, LEFT)
    qtbot.waitUntil(lambda: scopes.last.beads == FIELD[1:])


def test_colours_tell_the_state_and_the_table_says_it(
    beads: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    model, boxes = live.session.model, live.overlays.boxes
    scopes.last.set_annotations({2: Annotation(reference=True)})
    model.annotations = dict(scopes.last.annotations)
    model.locked = frozenset({3})
    live.session.set_beads((*FIELD[:5], Bead(5, Roi.around(240, 270, 48))))
    model.selected = frozenset({0})
    expected = [
        BeadState.SELECTED,
        BeadState.TRACKED,
        BeadState.REFERENCE,
        BeadState.LOCKED,
        BeadState.TOUCHING,
        BeadState.TOUCHING,
    ]
    qtbot.waitUntil(lambda: np.allclose(boxes.border_color, COLOURS[expected]))
    qtbot.waitUntil(lambda: [row.state for row in beads.presenter.rows()][2] == "tracked, ref")
    texts = [beads.rows.data(beads.rows.index(row, 4)) for row in range(6)]
    assert texts == [
        "tracked",
        "tracked",
        "tracked, ref",
        "tracked, lock",
        "tracked, near",
        "tracked, near",
    ]
    tip = beads.rows.data(beads.rows.index(2, 4), Qt.ItemDataRole.ToolTipRole)
    assert tip == "Bead 2: tracked; reference: stuck to the surface, shows the drift"
    assert boxes.features["label"].tolist() == ["0", "1", "2 ref", "3 lock", "4", "5"]
    assert boxes.features["state"].tolist()[1:3] == ["tracked", "reference"]
    entries = beads.legend.entries
    assert entries[BeadState.TOUCHING].text() == "neighbour 2"
    assert entries[BeadState.LOST].text() == "lost"
    assert entries[BeadState.LOST].toolTip().endswith("none now")
    qtbot.mouseClick(entries[BeadState.TOUCHING], LEFT)
    assert model.selected == {4, 5}
    live.session.stop_live()
    qtbot.waitUntil(lambda: beads.rows.data(beads.rows.index(0, 4)) == "paused")


def test_the_preview_shows_candidates_until_they_are_taken(
    beads: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    panel = beads.panel
    qtbot.mouseClick(beads.preview, LEFT)
    qtbot.waitUntil(panel.isVisible)
    layer = live.overlays.candidates
    assert layer.visible
    assert len(layer.data) == 9
    assert layer.scale[-1] == live.overlays.boxes.scale[-1]
    assert panel.summary.text().startswith("9 of 9 taken")
    assert panel.replace.text() == "Replace by 9"
    beads.at_most.setValue(4)
    assert panel.replace.text() == "Replace by 4"
    green = layer.border_color[:, 1] > layer.border_color[:, 0]
    assert green.tolist() == [True] * 4 + [False] * 5
    assert layer.features["label"].tolist()[4:] == ["extra"] * 5
    panel.score.setValue(100)
    assert panel.score_value.text() == "1.00"
    assert not panel.add.isEnabled()
    assert panel.add.toolTip() == "No candidate meets the criteria"
    panel.score.setValue(60)
    assert scopes.last.beads == FIELD
    panel.discard.click()
    assert not panel.isVisible()
    assert not layer.visible
    assert scopes.last.beads == FIELD
    beads.at_most.setValue(0)
    qtbot.mouseClick(beads.preview, LEFT)
    qtbot.waitUntil(panel.isVisible)
    assert live.overlays.candidates is layer
    qtbot.mouseClick(panel.replace, LEFT)
    qtbot.waitUntil(lambda: len(scopes.last.beads) == 9)
    assert not layer.visible
    qtbot.mouseClick(beads.undo, LEFT)
    qtbot.waitUntil(lambda: scopes.last.beads == FIELD)


def test_found_at_once_selected_removed_resized_cleared(
    beads: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    beads.at_most.setValue(5)
    qtbot.mouseClick(beads.find_button, LEFT)
    qtbot.waitUntil(lambda: beads.rows.rowCount() == 5)
    qtbot.waitUntil(lambda: beads.count.text() == "5 beads, 5 tracked")
    beads.table.selectRow(2)
    assert live.session.model.selected == {2}
    assert set(live.overlays.boxes.selected_data) == {2}
    qtbot.waitUntil(beads.remove.isEnabled)
    qtbot.mouseClick(beads.remove, LEFT)
    qtbot.waitUntil(lambda: [bead.bead for bead in scopes.last.beads] == [0, 1, 3, 4])
    beads.roi_size.setValue(30)
    qtbot.waitUntil(lambda: {bead.roi.size for bead in scopes.last.beads} == {30})
    assert set(np.ravel(live.overlays.boxes.size)) == {30.0}
    qtbot.mouseClick(beads.clear, LEFT)
    qtbot.waitUntil(lambda: scopes.last.beads == ())


def test_buttons_say_why_they_cannot_act(beads: Any, live: SessionHost) -> None:
    model = live.session.model
    assert beads.remove.toolTip() == "Select beads in the table or the image first"
    model.recording = Path("/tmp/r")
    for button in (beads.find_button, beads.add, beads.remove, beads.clear, beads.renumber):
        assert not button.isEnabled()
        assert button.toolTip() == "Beads cannot change while recording"
    assert beads.preview.isEnabled()
    assert not beads.method.isEnabled()
    model.recording = None
    model.live = False
    assert beads.find_button.toolTip() == beads.preview.toolTip() == "Press Live first"


def test_a_deleted_layer_of_boxes_comes_back_when_beads_are_added(
    beads: Any, live: SessionHost, qtbot: Any
) -> None:
    live.viewer.layers.remove(live.overlays.boxes)
    assert live.overlays.boxes is None
    qtbot.mouseClick(beads.add, LEFT)
    assert len(live.overlays.boxes.data) == 6
    assert live.overlays.boxes.mode == "add"


def test_beads_may_change_while_their_layers_are_hidden(
    beads: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    boxes, positions = live.overlays.boxes, live.overlays.positions
    boxes.visible = positions.visible = False
    live.session.set_beads(FIELD[:2])
    qtbot.waitUntil(lambda: scopes.last.beads == FIELD[:2])
    live.viewer.scene.camera.zoom *= 1.5  # draws anew
    qtbot.wait(300)
    assert beads.rows.ids == [0, 1]
    boxes.visible = positions.visible = True
    assert boxes.features["bead"].tolist() == [0, 1]
    assert np.array_equal(boxes.data, [bead.roi.centre_px for bead in FIELD[:2]])
    qtbot.waitUntil(lambda: len(positions.data) == 2)


def test_three_dimensional_view_ends_adding(beads: Any, live: SessionHost, qtbot: Any) -> None:
    qtbot.mouseClick(beads.add, LEFT)
    live.viewer.dims.ndisplay = 3
    qtbot.waitUntil(lambda: not beads.add.isChecked())
    live.viewer.dims.ndisplay = 2
    assert live.overlays.boxes.mode == "pan_zoom"
    live.viewer.dims.ndisplay = 3
    qtbot.mouseClick(beads.add, LEFT)
    assert not beads.add.isChecked()
    assert _last_text(live) == "Beads are added in the 2-D view: switch from 3-D first"
    live.viewer.dims.ndisplay = 2


def test_a_recording_ends_adding(beads: Any, live: SessionHost, qtbot: Any) -> None:
    qtbot.mouseClick(beads.add, LEFT)
    live.session.model.recording = Path("/tmp/r")
    assert not beads.add.isChecked()
    assert live.overlays.boxes.mode == "pan_zoom"
    live.session.model.recording = None


def test_a_closed_dock_ends_adding(beads: Any, live: SessionHost, qtbot: Any) -> None:
    qtbot.mouseClick(beads.add, LEFT)
    beads.parent().destroyOnClose()  # what its × calls
    qtbot.waitUntil(lambda: not beads.awake)
    assert live.overlays.boxes.mode == "pan_zoom"


def test_calibration(beads: Any, live: SessionHost, qtbot: Any, scopes: Any) -> None:
    beads.nm_per_px.setValue(72.5)
    qtbot.waitUntil(lambda: scopes.last.calibration.nm_per_px == 72.5)
    beads.zlut.changed.emit("/no/such/file.txt")
    qtbot.waitUntil(lambda: "No Z-LUT at" in _last_text(live))
    assert beads.zlut.edit.text() == ""


def test_method(beads: Any, qtbot: Any, scopes: Any) -> None:
    assert beads.method.currentText() == "precise"
    assert "photon noise" in beads.method.toolTip()
    beads.method.setCurrentIndex(1)
    beads.method.textActivated.emit("magtrack-compatible")
    qtbot.waitUntil(lambda: scopes.last.method == "magtrack-compatible")
    assert "MagScope" in beads.method.toolTip()


def test_the_legend_is_reached_by_keyboard(beads: Any) -> None:
    for button in beads.legend.findChildren(QToolButton):
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert button.toolTip()


def _last_text(host: SessionHost) -> str:
    messages = host.session.model.messages
    return messages[-1].text if messages else ""
