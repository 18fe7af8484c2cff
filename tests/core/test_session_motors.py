"""The session's rules for who may move a motor, and for front ends that go."""

from __future__ import annotations

from typing import Any

import pytest

from napari_beadscope.core.commands import (
    AddMotor,
    ClaimMotor,
    Goodbye,
    MoveMotor,
    ReleaseMotor,
    SetCalibration,
    SetZLock,
    Shutdown,
    StartRecording,
    StopMotor,
)
from napari_beadscope.core.locks import ZLock
from napari_beadscope.core.messages import FrontEndLost, MotorsChanged, Reply
from napari_beadscope.core.orders import Done, FocusMoved, Halt, Move
from napari_beadscope.core.session_state import Joined, Left, Phase, Tick
from napari_beadscope.core.types import Calibration

FOCUS = "motor-focus"
CLAIM = ClaimMotor("focus", 2.5, "a sweep")
MOVES = "a sweep moves the focus motor"


@pytest.fixture
def engine(make: Any) -> Any:
    """An engine with a focus and a magnet motor, and two front ends, 1 and 2."""
    engine = make().come_up()
    for name in ("focus", "magnet"):
        engine.ask(AddMotor(name, f"simulated-{name}"))
        engine.ready(f"motor-{name}")
    engine.feed(Joined(2))
    return engine


def move(engine: Any, motor: str, target: float, client: int = 1) -> Reply | None:
    """Send a motor somewhere, whose process takes the order; return the reply."""
    number = engine.ask(MoveMotor(motor, target), client)
    for order in engine.orders(f"motor-{motor}", Move):
        assert order.target == target
        engine.say(f"motor-{motor}", Done(order.number))
    return engine.reply(number)


def leave(engine: Any, client: int = 1, *moving: str) -> list[Any]:
    """Let a front end go without a word; return what the others are told."""
    engine.feed(Left(client, 77, frozenset(moving)))
    return engine.events(FrontEndLost, last=True)


def moves_on(engine: Any, *moving: str) -> None:
    engine.feed(Tick({}, frozenset(moving)))


def claimed(engine: Any) -> str:
    return next(one.claimed for one in engine.state.motor_infos if one.name == "focus")


def test_a_claimed_motor_is_moved_by_one_front_end_only(engine: Any) -> None:
    assert not engine.reply(engine.ask(CLAIM)).error
    (told,) = engine.events(MotorsChanged, last=True)
    assert [one.claimed for one in told.motors] == ["a sweep", ""]
    assert not move(engine, "focus", 3.0).error
    assert not move(engine, "magnet", 3.0, client=2).error
    engine.ask(SetCalibration(Calibration(100.0, "z.txt")))
    for name in engine.state.trackers:
        engine.say(name, Done(engine.state.counter))
    for refused, client in (
        (MoveMotor("focus", 1.0), 2),
        (ClaimMotor("focus", 0.0, "another sweep"), 2),
        (SetZLock(ZLock(bead=0)), 1),
        (StartRecording("there", "track"), 1),
    ):
        reply = engine.reply(engine.ask(refused, client))
        assert (reply.error, reply.what) == ("StateError", MOVES)
        assert engine.state.recording is None
        assert engine.state.locks.z is None
    assert not engine.reply(engine.ask(ClaimMotor("focus", 4.0, "a longer sweep"))).error
    assert claimed(engine) == "a longer sweep"


def test_what_cannot_be_claimed_is_refused(engine: Any) -> None:
    for command, words in (
        (ClaimMotor("stage", 0.0, "x"), "there is no motor named 'stage'"),
        (ClaimMotor("focus", 99.0, "x"), "the focus motor cannot go back to 99"),
        (ClaimMotor("focus", float("nan"), "x"), "cannot go back to nan"),
        (ClaimMotor("focus", 0.0, " "), "nobody is told what claims the focus motor"),
        (ReleaseMotor("focus"), "the focus motor was taken from you"),
    ):
        assert words in engine.reply(engine.ask(command)).what
    engine.ask(StartRecording("there", "track"))
    reply = engine.reply(engine.ask(CLAIM))
    assert str(reply.what) == "a recording is on, which a sweep would disturb"
    assert not engine.state.motion.claims


def test_the_z_lock_keeps_its_motor(engine: Any) -> None:
    engine.ask(SetCalibration(Calibration(100.0, "z.txt")))
    for name in engine.state.trackers:
        engine.say(name, Done(engine.state.counter))
    assert not engine.reply(engine.ask(SetZLock(ZLock(bead=0)))).error
    assert engine.reply(engine.ask(CLAIM)).what == "the Z-lock holds the focus motor"


def test_giving_back_is_answered_when_the_motor_is_back(engine: Any) -> None:
    engine.ask(CLAIM)
    number = engine.ask(ReleaseMotor("focus"))
    (order,) = engine.orders(FOCUS, Move)
    assert order.target == 2.5
    moves_on(engine)  # the motor has not even heard of it
    assert not engine.replies(number)
    assert "on its way back to 2.5 um after a sweep" in move_refused(engine)
    engine.say(FOCUS, Done(order.number))
    moves_on(engine, "focus")
    assert not engine.replies(number)
    moves_on(engine)
    assert not engine.reply(number).error
    assert claimed(engine) == ""
    assert not engine.events(FrontEndLost)
    assert not move(engine, "focus", 1.0, client=2).error


def move_refused(engine: Any) -> str:
    return engine.reply(engine.ask(MoveMotor("focus", 1.0))).what


def test_a_front_end_that_dies_with_a_claim_has_its_motor_brought_back(engine: Any) -> None:
    engine.ask(CLAIM)
    move(engine, "focus", 9.0)
    (told,) = leave(engine, 1, "focus")
    assert (told.halted, told.going_back) == ((), ("focus",))
    assert told.what == (
        "a front end (process 77) ended without a goodbye: the focus motor goes back to 2.5 um "
        "(a sweep was on)"
    )
    (order,) = engine.orders(FOCUS)
    assert order == Move(order.number, 2.5)
    assert claimed(engine) == "the way back after a sweep"
    reply = engine.reply(engine.ask(StartRecording("there", "track"), client=2))
    assert "on its way back" in reply.what
    engine.say(FOCUS, Done(order.number))
    moves_on(engine)
    assert claimed(engine) == ""


def test_also_one_that_says_goodbye_but_keeps_it(engine: Any) -> None:
    engine.ask(CLAIM)
    engine.ask(Goodbye())
    (told,) = leave(engine)
    assert "left without giving back what it had claimed" in told.what
    assert engine.orders(FOCUS, Move)


def test_the_engine_does_not_end_before_the_motor_is_back(make: Any) -> None:
    engine = make(grace_s=1.0).come_up()
    engine.ask(AddMotor("focus", "simulated-focus"))
    engine.ready(FOCUS)
    engine.ask(CLAIM)
    leave(engine)
    (order,) = engine.orders(FOCUS, Move)
    engine.say(FOCUS, Done(order.number))
    for _ in range(5):
        engine.now_s += 1.0
        moves_on(engine, "focus")
    assert engine.state.phase is Phase.UP
    moves_on(engine)
    engine.tick(0.5)
    engine.tick(1.0)
    assert engine.state.phase is Phase.STOPPING


def test_a_motor_that_dies_on_the_way_back_goes_on_when_it_is_up(engine: Any) -> None:
    engine.ask(CLAIM)
    engine.gone(FOCUS)
    leave(engine)
    assert not engine.orders(FOCUS)
    engine.ready(FOCUS)
    (order,) = engine.orders(FOCUS, Move)
    engine.say(FOCUS, Done(order.number))
    engine.tick(1.0)
    engine.ask(CLAIM, client=2)
    engine.ask(ReleaseMotor("focus"), client=2)
    (order,) = engine.orders(FOCUS, Move)
    engine.say(FOCUS, Done(order.number))
    engine.gone(FOCUS)
    engine.tick(30.0)
    engine.ready(FOCUS)
    (again,) = engine.orders(FOCUS, Move)
    assert again.target == 2.5
    assert again.number != order.number


def test_what_keeps_a_motor_from_coming_back_is_told(engine: Any) -> None:
    engine.ask(CLAIM)
    leave(engine)
    (order,) = engine.orders(FOCUS, Move)
    engine.say(FOCUS, Done(order.number, "DeviceError", "it is switched off", "switch it on"))
    (told,) = engine.events(FrontEndLost, last=True)
    assert told.what == "it is switched off: switch it on"
    assert claimed(engine) == ""

    number = engine.ask(CLAIM, client=2) and engine.ask(ReleaseMotor("focus"), client=2)
    (order,) = engine.orders(FOCUS, Move)
    engine.say(FOCUS, Done(order.number))
    engine.now_s += engine.limits.order_timeout_s + 1
    moves_on(engine, "focus")
    assert engine.reply(number).what == "the focus motor did not come back to 2.5"

    number = engine.ask(CLAIM, client=2) and engine.ask(ReleaseMotor("focus"), client=2)
    for _ in range(engine.limits.max_restarts + 1):
        engine.gone(FOCUS)
        engine.tick(20.0)
    assert "the focus motor's process ended" in engine.reply(number).what
    assert claimed(engine) == ""


@pytest.mark.parametrize("by", [1, 2])
def test_whoever_stops_a_motor_keeps_it_where_it_is(engine: Any, by: int) -> None:
    engine.ask(CLAIM)
    number = engine.ask(ReleaseMotor("focus"))
    engine.ask(StopMotor("focus"), client=by)
    assert len(engine.orders(FOCUS, Halt)) == 1
    assert "told to stop on its way back" in engine.reply(number).what
    assert claimed(engine) == ""


def test_a_stop_ends_the_claim_of_another_front_end_only(engine: Any) -> None:
    engine.ask(CLAIM)
    engine.ask(StopMotor("focus"))
    assert claimed(engine) == "a sweep"
    engine.ask(StopMotor("focus"), client=2)
    assert claimed(engine) == ""
    assert "was taken from you" in engine.reply(engine.ask(ReleaseMotor("focus"))).what
    assert leave(engine) == engine.events(FrontEndLost)
    assert not engine.orders(FOCUS)


def test_what_a_dead_front_end_had_sent_is_halted(engine: Any) -> None:
    move(engine, "focus", 9.0, client=2)
    move(engine, "magnet", 9.0, client=2)
    move(engine, "focus", 5.0)
    (told,) = leave(engine, 1, "focus", "magnet")
    assert told.halted == ("focus",)
    assert told.what == (
        "a front end (process 77) ended without a goodbye: the focus motor was halted"
    )
    assert engine.orders(FOCUS, Halt)
    assert not engine.orders("motor-magnet")
    (told,) = leave(engine, 2, "magnet")
    assert told.halted == ("magnet",)


def test_also_what_had_not_begun_to_move(engine: Any) -> None:
    engine.ask(MoveMotor("magnet", 3.0))
    leave(engine)
    assert engine.orders("motor-magnet", Halt)


def test_what_has_arrived_is_left_alone(engine: Any) -> None:
    move(engine, "focus", 5.0)
    (told,) = leave(engine, 1, "magnet")
    assert told.halted == ()
    assert told.what == "a front end (process 77) ended without a goodbye"
    assert not engine.orders(FOCUS)


def test_a_goodbye_leaves_motors_going(engine: Any) -> None:
    move(engine, "magnet", 9.0)
    assert not engine.reply(engine.ask(Goodbye())).error
    assert leave(engine, 1, "magnet") == []
    assert not engine.orders("motor-magnet")


def test_the_z_lock_goes_on_when_who_had_sent_its_motor_dies(engine: Any) -> None:
    engine.ask(SetCalibration(Calibration(100.0, "z.txt")))
    for name in engine.state.trackers:
        engine.say(name, Done(engine.state.counter))
    move(engine, "focus", 1.0)
    engine.ask(SetZLock(ZLock(bead=0)))
    engine.ready("control")
    engine.say("control", FocusMoved(engine.state.steering.z_number, 1.1))
    (told,) = leave(engine, 1, "focus")
    assert told.halted == ()
    assert not engine.orders(FOCUS)
    assert engine.state.locks.z is not None


def test_the_end_of_the_engine_ends_claims(engine: Any) -> None:
    engine.ask(CLAIM)
    number = engine.ask(ReleaseMotor("focus"))
    engine.ask(Shutdown(), client=2)
    assert "the engine stops" in engine.reply(number).what
    assert not engine.state.motion.claims
    assert leave(engine, 1, "focus") == []
