"""The Hardware dock: a card per motor, go to, jog by mouse and keys, stop, add."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.locks import Locks, ZLock
from napari_beadscope.core.messages import StatusChanged, WorkerStatus
from napari_beadscope.devices import DeviceInfo
from napari_beadscope.storage import load_settings
from napari_beadscope.ui.host import SessionHost, host_of
from napari_beadscope.ui.presenters.adding import own_classes

LEFT = Qt.MouseButton.LeftButton
contains = Qt.MatchFlag.MatchContains
PATIENCE = {"timeout": 20_000}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEADSCOPE_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def dock(live: SessionHost, open_dock: Callable[[SessionHost, str], Any], qtbot: Any) -> Any:
    """The dock over the two motors of a fake microscope."""
    made = open_dock(live, "Hardware")
    qtbot.waitUntil(lambda: len(made.cards) == 2, **PATIENCE)
    return made


@pytest.fixture
def scope(scopes: Any, dock: Any) -> Any:
    return scopes.last


def text_of(dock: Any, name: str) -> str:
    return dock.cards[name].position.text()


def click(button: Any, qtbot: Any) -> None:
    qtbot.waitUntil(button.isEnabled, **PATIENCE)
    qtbot.mouseClick(button, LEFT)


def type_target(dock: Any, name: str, text: str, qtbot: Any) -> None:
    edit = dock.cards[name].target.lineEdit()
    edit.setFocus()
    edit.selectAll()
    qtbot.keyClicks(edit, text)
    qtbot.keyClick(edit, Qt.Key.Key_Return)


def test_without_an_engine_it_says_what_to_do(
    shown_host: SessionHost, open_dock: Callable[[SessionHost, str], Any]
) -> None:
    dock = open_dock(shown_host, "Hardware")
    assert "press Live" in dock.words.text()
    assert not dock.stop_all.isEnabled()
    assert dock.stop_all.toolTip() == "There are no motors"
    assert not dock.adding.add.isEnabled()
    assert "press Live first" in dock.adding.add.toolTip()


def test_cards_show_place_unit_and_limits_as_they_change(dock: Any, scope: Any, qtbot: Any) -> None:
    assert list(dock.cards) == ["focus", "magnet"]
    assert text_of(dock, "focus") == "0.000 µm"
    assert text_of(dock, "magnet") == "1.000 mm"
    assert dock.cards["focus"].state.text() == "−50 to 50 µm"
    assert not dock.words.isVisible()
    began = time.monotonic()
    scope.move("focus", -1.25)
    qtbot.waitUntil(lambda: text_of(dock, "focus") == "−1.250 µm", **PATIENCE)
    assert time.monotonic() - began < 1.0
    assert dock.minimumSizeHint().width() <= 330


def test_go_to_by_button_and_enter(dock: Any, scope: Any, qtbot: Any) -> None:
    card = dock.cards["focus"]
    card.target.setValue(3.5)
    click(card.go, qtbot)
    qtbot.waitUntil(lambda: text_of(dock, "focus") == "3.500 µm", **PATIENCE)
    type_target(dock, "magnet", "7", qtbot)
    qtbot.waitUntil(lambda: text_of(dock, "magnet") == "7.000 mm", **PATIENCE)


def test_beyond_the_limits_is_refused_with_the_limits(
    dock: Any, scope: Any, live: SessionHost, qtbot: Any
) -> None:
    type_target(dock, "magnet", "11", qtbot)
    message = live.session.model.messages[-1]
    assert message.severity == "error"
    assert message.text == ("The magnet motor cannot go to 11.000 mm: its limits are 0 to 10 mm")
    assert "move" not in scope.calls
    card = dock.cards["magnet"]
    card.steps.setCurrentIndex(card.steps.count() - 1)
    type_target(dock, "magnet", "9", qtbot)
    qtbot.waitUntil(lambda: text_of(dock, "magnet") == "9.000 mm", **PATIENCE)
    click(card.more, qtbot)  # 2 mm, but the end comes first
    qtbot.waitUntil(lambda: text_of(dock, "magnet") == "10.000 mm", **PATIENCE)
    click(card.more, qtbot)
    assert "highest position" in live.session.model.messages[-1].text


def test_jog_by_buttons_and_keys(dock: Any, scope: Any, qtbot: Any) -> None:
    card = dock.cards["focus"]
    assert card.step == 0.1
    click(card.more, qtbot)
    qtbot.waitUntil(lambda: text_of(dock, "focus") == "0.100 µm", **PATIENCE)
    card.steps.setCurrentIndex(card.steps.findData(1.0))
    click(card.less, qtbot)
    qtbot.waitUntil(lambda: text_of(dock, "focus") == "−0.900 µm", **PATIENCE)
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_Up)
    qtbot.keyClick(card, Qt.Key.Key_Right)
    qtbot.keyClick(card, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: text_of(dock, "focus") == "0.100 µm", **PATIENCE)
    qtbot.keyClick(card, Qt.Key.Key_PageUp)
    qtbot.waitUntil(lambda: text_of(dock, "focus") == "10.100 µm", **PATIENCE)
    qtbot.keyClick(card, Qt.Key.Key_PageDown)
    qtbot.waitUntil(lambda: text_of(dock, "focus") == "0.100 µm", **PATIENCE)


def test_jogs_add_up_while_the_motor_is_on_its_way(dock: Any, scope: Any, qtbot: Any) -> None:
    scope.slow = True
    card = dock.cards["focus"]
    for _ in range(3):
        click(card.more, qtbot)
    qtbot.waitUntil(lambda: scope.readings["focus"].target == pytest.approx(0.3), **PATIENCE)
    qtbot.waitUntil(lambda: card.state.text() == "→ 0.300 µm", **PATIENCE)
    assert text_of(dock, "focus") == "0.000 µm"
    assert card.stop.font().bold()


def test_stop_one_all_and_by_escape(dock: Any, scope: Any, qtbot: Any) -> None:
    scope.slow = True

    def send() -> None:
        scope.move("focus", 40.0)
        scope.move("magnet", 9.0)

    def moving() -> list[bool]:
        return [reading.moving for reading in scope.motors()]

    send()
    click(dock.cards["focus"].stop, qtbot)
    qtbot.waitUntil(lambda: moving() == [False, True], **PATIENCE)
    send()
    click(dock.stop_all, qtbot)
    qtbot.waitUntil(lambda: moving() == [False, False], **PATIENCE)
    send()
    dock.cards["magnet"].setFocus()
    qtbot.keyClick(dock.cards["magnet"], Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: moving() == [False, False], **PATIENCE)


def test_a_motor_that_is_down_says_so_and_takes_no_commands(
    dock: Any, scope: Any, live: SessionHost, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = scope.status()
    down = WorkerStatus("motor-focus", 0, "DOWN", False, 0, 0.0)

    def with_dead() -> Any:
        return type(status)(
            **{
                name: getattr(status, name)
                for name in status.__struct_fields__
                if name != "workers"
            },
            workers=(*status.workers, down),
        )

    monkeypatch.setattr(scope, "status", with_dead)
    qtbot.waitUntil(lambda: "restarted" in dock.cards["focus"].state.text(), **PATIENCE)
    assert not dock.cards["focus"].go.isEnabled()
    assert "does not answer" in dock.cards["focus"].go.toolTip()
    assert dock.cards["magnet"].go.isEnabled()
    assert StatusChanged(with_dead()).status.workers[-1] == down


def test_a_motor_that_the_z_lock_holds_can_only_be_stopped(
    dock: Any, scope: Any, live: SessionHost, qtbot: Any
) -> None:
    card = dock.cards["focus"]
    live.session.model.locks = Locks(z=ZLock())
    qtbot.waitUntil(lambda: card.state.text() == "held by the Z-lock", **PATIENCE)
    assert not card.go.isEnabled()
    assert "switch it off" in card.go.toolTip()
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_Up)
    assert "move" not in scope.calls
    assert "ends the Z-lock" in card.stop.toolTip()
    click(card.stop, qtbot)
    qtbot.waitUntil(lambda: "stop_motor" in scope.calls, **PATIENCE)


def test_add_a_motor_with_options(dock: Any, scope: Any, live: SessionHost, qtbot: Any) -> None:
    click(dock.unfold, qtbot)
    assert dock.adding.isVisible()
    assert dock.adding.name.text() == "focus"
    assert dock.adding.options.editor("speed").suffix() == " µm/s"
    dock.adding.options.editor("high").setValue(20.0)
    click(dock.adding.add, qtbot)
    qtbot.waitUntil(lambda: bool(live.session.model.messages), **PATIENCE)
    assert "already: choose another name" in live.session.model.messages[-1].text
    dock.adding.name.setText("stage")
    click(dock.adding.add, qtbot)
    qtbot.waitUntil(lambda: "stage" in dock.cards, **PATIENCE)
    assert dock.cards["stage"].state.text() == "−50 to 20 µm"
    dock.adding.name.setText("  ")
    click(dock.adding.add, qtbot)
    assert "no name" in live.session.model.messages[-1].text


def test_a_sensor_is_shown_and_has_nothing_to_move(dock: Any, scope: Any, qtbot: Any) -> None:
    scope.add_hardware("air", "simulated-temperature")
    qtbot.waitUntil(lambda: "air" in dock.cards, **PATIENCE)
    card = dock.cards["air"]
    assert card.position.text() == "0.000 °C"
    assert card.accessibleName() == "sensor air"
    assert not hasattr(card, "go")
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_Up)
    assert "move" not in scope.calls


def test_motors_come_back_until_they_are_removed(
    dock: Any, scope: Any, live: SessionHost, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
    monkeypatch.setattr(QMessageBox, "question", lambda *_: next(answers))
    click(dock.unfold, qtbot)
    dock.adding.kind.setCurrentIndex(dock.adding.kind.findText("rotation", contains))
    assert dock.adding.name.text() == "rotation"
    dock.adding.options.editor("speed").setValue(3.0)
    click(dock.adding.add, qtbot)
    qtbot.waitUntil(lambda: "rotation" in kept(), **PATIENCE)
    assert kept() == {
        "focus": {"id": "simulated-focus", "options": {}},
        "magnet": {"id": "simulated-magnet", "options": {}},
        "rotation": {"id": "simulated-rotation", "options": {"speed": 3.0}},
    }
    qtbot.waitUntil(lambda: "rotation" in dock.cards, **PATIENCE)
    card = dock.cards["rotation"]
    assert card.step == 1.0
    assert card.steps.currentText() == "step 1 turn"
    click(card.remove, qtbot)  # on second thoughts
    assert "remove_hardware" not in scope.calls
    click(card.remove, qtbot)
    qtbot.waitUntil(lambda: "rotation" not in dock.cards, **PATIENCE)
    qtbot.waitUntil(lambda: list(kept()) == ["focus", "magnet"], **PATIENCE)


def test_a_class_of_ones_own_from_its_file(
    dock: Any, scope: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lab.py"
    file.write_text(
        "raise SystemExit  # it is read, not run\n"
        "class _Part: pass\n"
        "class Lift:\n"
        "    def __init__(self, port, speed=2.5, *, slow: bool = True): pass\n"
        "class Valve: pass\n"
    )
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    click(dock.unfold, qtbot)
    adding = dock.adding
    adding.kind.setCurrentIndex(adding.kind.findText("A class of your own"))
    adding.browse.click()
    assert [adding.which.itemText(row) for row in range(2)] == [f"{file}:Lift", f"{file}:Valve"]
    assert adding.name.text() == "lift"
    adding.options.editor("port").setText("COM3")
    adding.options.editor("port").editingFinished.emit()
    assert adding.options.editor("speed").value() == 2.5
    assert adding.options.editor("slow").isChecked()
    click(adding.add, qtbot)
    qtbot.waitUntil(lambda: "lift" in dock.cards, **PATIENCE)
    assert scope.readings["lift"].info.motor == f"{file}:Lift"
    qtbot.waitUntil(lambda: kept().get("lift", {}).get("options") == {"port": "COM3"}, **PATIENCE)


@pytest.mark.parametrize(
    ("text", "words"),
    [("x = (", "line 1 is not Python"), ("x = 1\n", "no class in"), ("\0", "is not Python")],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "lab.py"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        own_classes(file)
    with pytest.raises(InputError, match="cannot be read"):
        own_classes(tmp_path)


def test_connected_motors_are_searched_for(
    dock: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = (
        DeviceInfo("vendor:4711", "Stage 4711", "", "stage"),
        DeviceInfo("other:X", "Other stage", "none is connected", "stage"),
    )
    monkeypatch.setattr("napari_beadscope.devices.find_motors", lambda: there)
    click(dock.unfold, qtbot)
    click(dock.adding.search, qtbot)
    qtbot.waitUntil(lambda: dock.adding.kind.itemText(0) == "Stage 4711", **PATIENCE)
    assert dock.adding.kind.findText("Other stage") == -1
    dock.adding.kind.setCurrentIndex(0)
    assert dock.adding.motor == "vendor:4711"
    assert dock.adding.name.text() == "stage"


def test_a_claimed_motor_says_what_has_it(dock: Any, scope: Any, qtbot: Any) -> None:
    reading = scope.readings["focus"]
    scope.readings["focus"] = replace(reading, info=replace(reading.info, claimed="a Z-LUT sweep"))
    card = dock.cards["focus"]
    qtbot.waitUntil(lambda: card.state.text() == "held by a Z-LUT sweep", **PATIENCE)
    for button in (card.go, card.more, card.remove):
        assert not button.isEnabled()
        assert "moved by a Z-LUT sweep" in button.toolTip()
    assert card.stop.isEnabled()
    assert "that ends a Z-LUT sweep" in card.stop.toolTip()


def kept() -> dict[str, Any]:
    return dict(load_settings().get("hardware.motors") or {})


def test_closed_it_asks_nothing_and_reopened_it_goes_on(
    dock: Any, scope: Any, live: SessionHost, open_dock: Any, qtbot: Any
) -> None:
    live.viewer.window.remove_dock_widget(dock)
    assert not dock.awake
    assert not dock._clock.isActive()
    again = open_dock(live, "Hardware")
    qtbot.waitUntil(lambda: len(again.cards) == 2, **PATIENCE)


@pytest.fixture
def real(make_napari_viewer: Callable[..., Any]) -> Iterator[SessionHost]:
    made = host_of(make_napari_viewer(show=True))
    yield made
    scope = made.session.scope
    if scope is not None:
        scope.stop()
    made.close()


@pytest.mark.slow
def test_a_simulated_microscope_has_focus_and_magnet(
    real: SessionHost, open_dock: Any, qtbot: Any
) -> None:
    real.session.model.options = {"width_px": 160, "height_px": 128, "beads": 2}
    dock = open_dock(real, "Hardware")
    real.session.start_live()
    qtbot.waitUntil(lambda: list(dock.cards) == ["focus", "magnet"], timeout=30_000)
    type_target(dock, "magnet", "10", qtbot)  # five seconds
    qtbot.waitUntil(lambda: dock.cards["magnet"].state.text() == "→ 10.000 mm", **PATIENCE)
    qtbot.waitUntil(lambda: dock.presenter.cards()[1].position > 1.0, **PATIENCE)
    qtbot.keyClick(dock.cards["magnet"], Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not dock.presenter.cards()[1].moving, **PATIENCE)
    here = dock.presenter.cards()[1].position
    assert 1.0 < here < 9.9
    _, values = dock.presenter.past("magnet")
    assert len(values) > 10
    assert values.max() == pytest.approx(here)
