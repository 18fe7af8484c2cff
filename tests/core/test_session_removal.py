"""The session's rules for motors that are removed."""

from __future__ import annotations

from typing import Any

import pytest

from napari_beadscope.core.commands import (
    AddMotor,
    ClaimMotor,
    MoveMotor,
    RemoveMotor,
    Shutdown,
    StartRecording,
)
from napari_beadscope.core.messages import MotorsChanged, WorkerLost
from napari_beadscope.core.orders import Crashed, Stop
from napari_beadscope.core.session_state import FreeRow, Joined, Kill, Phase, Spawn

NAMES = ("focus", "magnet", "stage")


@pytest.fixture
def engine(make: Any) -> Any:
    """An engine with three motors and two front ends."""
    engine = make(stop_timeout_s=5.0).come_up()
    for name in NAMES:
        engine.ask(AddMotor(name, "simulated-focus"))
        engine.ready(f"motor-{name}")
    engine.feed(Joined(2))
    return engine


def names(engine: Any) -> list[str]:
    return [info.name for info in engine.state.motor_infos]


def test_it_is_told_to_stop_and_forgotten_when_it_has(engine: Any) -> None:
    asked = engine.ask(RemoveMotor("magnet"))
    assert engine.orders("motor-magnet") == [Stop()]
    assert not engine.replies(asked)
    engine.gone("motor-magnet", "exited with 0")
    assert not engine.reply(asked).error
    assert names(engine) == ["focus", "stage"]
    assert engine.events(MotorsChanged, last=True)[-1].motors == engine.state.motor_infos
    assert FreeRow("motor-magnet", 1) in engine.effects
    assert not engine.events(WorkerLost)  # it was wanted
    assert "magnet" not in engine.state.reaches
    assert "no motor named 'magnet'" in engine.reply(engine.ask(MoveMotor("magnet", 1.0))).what


def test_others_keep_their_rows_and_the_next_gets_the_free_one(engine: Any) -> None:
    engine.ask(RemoveMotor("focus"))
    engine.gone("motor-focus")
    rows = {info.name: info.row for info in engine.state.motor_infos}
    assert rows == {"magnet": 1, "stage": 2}
    engine.ask(AddMotor("new", "simulated-focus"))
    engine.ask(AddMotor("newer", "simulated-focus"))
    rows = {info.name: info.row for info in engine.state.motor_infos}
    assert rows == {"magnet": 1, "stage": 2, "new": 0, "newer": 3}


def test_one_that_failed_for_good_is_forgotten_at_once(engine: Any) -> None:
    engine.ask(AddMotor("lost", "no-such-motor"))
    engine.say("motor-lost", Crashed("there is no motor", "", "", fatal=True, error="InputError"))
    engine.gone("motor-lost")
    assert "lost" in names(engine)
    assert not engine.reply(engine.ask(RemoveMotor("lost"))).error
    assert names(engine) == list(NAMES)


def test_one_that_waits_for_its_restart_is_not_started_again(engine: Any) -> None:
    for _ in range(2):
        engine.gone("motor-stage")
        engine.tick(0.0)
    assert not engine.state.workers["motor-stage"].alive
    assert not engine.reply(engine.ask(RemoveMotor("stage"))).error
    engine.tick(100.0)
    assert "motor-stage" not in engine.state.workers
    assert Spawn("motor-stage") not in engine.effects


def test_one_that_does_not_end_is_killed(engine: Any) -> None:
    asked = engine.ask(RemoveMotor("stage"))
    engine.tick(4.0)
    assert Kill("motor-stage") not in engine.all_effects
    engine.tick(2.0)
    assert Kill("motor-stage") in engine.effects
    engine.gone("motor-stage")
    assert not engine.reply(asked).error
    assert not engine.events(WorkerLost)


def test_one_that_is_starting_is_killed_and_who_added_it_is_told(engine: Any) -> None:
    added = engine.ask(AddMotor("slow", "simulated-focus"))
    removed = engine.ask(RemoveMotor("slow"), client=2)
    assert Kill("motor-slow") in engine.effects
    engine.gone("motor-slow")
    assert "it was removed" in engine.reply(added).what
    assert not engine.reply(removed).error
    assert names(engine) == list(NAMES)


def test_who_waits_for_it_is_told_that_it_was_removed(engine: Any) -> None:
    engine.ask(RemoveMotor("focus"))
    moved = engine.ask(MoveMotor("focus", 1.0), client=2)
    again = engine.ask(RemoveMotor("focus"), client=2)
    engine.gone("motor-focus")
    assert "it was removed" in engine.reply(moved).what
    assert not engine.reply(again).error


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (None, "there is no motor named 'lamp'"),
        (ClaimMotor("focus", 0.0, "a sweep"), "a sweep moves the focus motor"),
        (StartRecording("there", "full"), "cannot remove the focus motor while recording"),
    ],
)
def test_it_stays_where_it_is_needed(engine: Any, before: Any, words: str) -> None:
    if before is not None:
        engine.ask(before)
    reply = engine.reply(engine.ask(RemoveMotor("focus" if before else "lamp"), client=2))
    assert words in reply.what
    assert names(engine) == list(NAMES)


def test_one_that_was_there_is_tried_again_though_it_cannot_be_opened_now(engine: Any) -> None:
    gone = Crashed("the cable is out", "plug it in", "", fatal=True, error="DeviceError")
    engine.gone("motor-stage")
    for _ in range(2):
        engine.say("motor-stage", gone)
        engine.gone("motor-stage")
        assert engine.events(WorkerLost, last=True)[0].restarted
        engine.tick(10.0)
        assert Spawn("motor-stage") in engine.effects
    engine.ready("motor-stage")
    assert engine.reply(engine.ask(AddMotor("stage", "simulated-focus"))).error


def test_an_engine_that_stops_meanwhile_answers_and_ends(engine: Any) -> None:
    asked = engine.ask(RemoveMotor("focus"))
    stopped = engine.ask(Shutdown())
    engine.tick(6.0)
    for name in tuple(engine.state.workers):
        engine.gone(name, "exited with 0")
    assert engine.state.phase is Phase.STOPPED
    assert engine.replies(asked)
    assert not engine.reply(stopped).error
