"""The Hardware dock: a card per motor, go to, jog by mouse and keys, stop, add."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_beadscope.core.locks import Locks, ZLock
from napari_beadscope.core.messages import StatusChanged, WorkerStatus
from napari_beadscope.ui.host import SessionHost, host_of

LEFT = Qt.MouseButton.LeftButton
PATIENCE = {"timeout": 20_000}


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
    assert not dock.add.isEnabled()
    assert "press Live first" in dock.add.toolTip()


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
    qtbot.mouseClick(card.go, LEFT)
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
    qtbot.mouseClick(card.more, LEFT)  # 2 mm, but the end comes first
    qtbot.waitUntil(lambda: text_of(dock, "magnet") == "10.000 mm", **PATIENCE)
    qtbot.mouseClick(card.more, LEFT)
    assert "highest position" in live.session.model.messages[-1].text


def test_jog_by_buttons_and_keys(dock: Any, scope: Any, qtbot: Any) -> None:
    card = dock.cards["focus"]
    assert card.step == 0.1
    qtbot.mouseClick(card.more, LEFT)
    qtbot.waitUntil(lambda: text_of(dock, "focus") == "0.100 µm", **PATIENCE)
    card.steps.setCurrentIndex(card.steps.findData(1.0))
    qtbot.mouseClick(card.less, LEFT)
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
        qtbot.mouseClick(card.more, LEFT)
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
    qtbot.mouseClick(dock.cards["focus"].stop, LEFT)
    qtbot.waitUntil(lambda: moving() == [False, True], **PATIENCE)
    send()
    qtbot.mouseClick(dock.stop_all, LEFT)
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
    qtbot.mouseClick(card.stop, LEFT)
    qtbot.waitUntil(lambda: "stop_motor" in scope.calls, **PATIENCE)


def test_add_a_motor_with_options(dock: Any, scope: Any, live: SessionHost, qtbot: Any) -> None:
    qtbot.mouseClick(dock.unfold, LEFT)
    assert dock.adding.isVisible()
    assert dock.name.text() == "focus"
    assert dock.options.editor("speed").suffix() == " µm/s"
    dock.options.editor("high").setValue(20.0)
    qtbot.mouseClick(dock.add, LEFT)
    qtbot.waitUntil(lambda: bool(live.session.model.messages), **PATIENCE)
    assert "already: choose another name" in live.session.model.messages[-1].text
    dock.name.setText("stage")
    qtbot.mouseClick(dock.add, LEFT)
    qtbot.waitUntil(lambda: "stage" in dock.cards, **PATIENCE)
    assert dock.cards["stage"].state.text() == "−50 to 20 µm"
    dock.name.setText("  ")
    qtbot.mouseClick(dock.add, LEFT)
    assert "no name" in live.session.model.messages[-1].text


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
