"""Commands: each is answered once, with what is true for every worker."""

from __future__ import annotations

import pytest

from napari_beadscope.core.commands import (
    AddMotor,
    GetCamera,
    GetStatus,
    MoveMotor,
    SetBackend,
    SetBeads,
    SetCalibration,
    SetCamera,
    StartLive,
    StartRecording,
    StopLive,
    StopMotor,
    StopRecording,
)
from napari_beadscope.core.messages import (
    BeadsChanged,
    CalibrationChanged,
    MotorsChanged,
    Tracking,
    TrackingChanged,
)
from napari_beadscope.core.orders import Crashed, Done, Halt, Move, RunCamera, SetTask
from napari_beadscope.core.types import Bead, Calibration, MotorInfo, Roi

ONE_BEAD = (Bead(7, Roi(5, 5, 30)),)


def last_number(engine) -> int:
    return engine.state.counter


def test_a_change_is_announced_and_answered_when_every_tracker_has_it(engine):
    number = engine.ask(SetBeads(ONE_BEAD))
    told = {name: engine.orders(name, SetTask) for name in engine.state.trackers}
    for name, (order,) in told.items():
        assert order.task.beads == ONE_BEAD
        assert not engine.replies(number)
        engine.say(name, Done(order.number))
    assert engine.reply(number).error == ""
    assert engine.events(BeadsChanged, last=True) == [BeadsChanged(ONE_BEAD)]


def test_a_tracker_that_dies_over_a_change_does_not_hold_it_up(engine):
    number = engine.ask(SetBeads(ONE_BEAD))
    engine.say("tracker-1", Done(last_number(engine)))
    engine.gone("tracker-0")
    assert engine.reply(number).error == ""
    engine.ready("tracker-0")
    assert engine.orders("tracker-0", SetTask)[0].task.beads == ONE_BEAD


def test_a_change_that_a_tracker_cannot_take_is_taken_back(engine):
    before = engine.state.live_task()
    number = engine.ask(SetCalibration(Calibration(80.0, "bad.txt")))
    task = last_number(engine)
    engine.say("tracker-0", Done(task))
    engine.say("tracker-1", Done(task, "InputError", "bad.txt is no Z-LUT", "choose another"))
    assert (engine.reply(number).error, engine.reply(number).what) == (
        "InputError", "bad.txt is no Z-LUT",
    )  # fmt: skip
    assert engine.state.live_task() == before
    for name in ("tracker-0", "tracker-1"):
        assert engine.orders(name) == [SetTask(-1, before)]
    assert not engine.events(CalibrationChanged)
    engine.say("tracker-0", Done(task))
    assert len(engine.replies(number)) == 1


def test_taking_back_leaves_later_changes_alone(engine):
    bad = engine.ask(SetCalibration(Calibration(80.0, "bad.txt")))
    first = last_number(engine)
    good = engine.ask(SetCalibration(Calibration(90.0)))
    second = last_number(engine)
    for name in ("tracker-0", "tracker-1"):
        engine.say(name, Done(first, "InputError", "bad", ""))
        engine.say(name, Done(second))
    assert engine.reply(bad).error == "InputError"
    assert engine.reply(good).error == ""
    assert engine.state.calibration == Calibration(90.0)


def test_a_change_without_any_tracker_is_done_at_once(make):
    engine = make(trackers=0)
    engine.ready()
    number = engine.ask(SetBeads(ONE_BEAD))
    assert engine.reply(number).error == ""
    assert engine.events(BeadsChanged)


@pytest.mark.parametrize(
    ("beads", "words"),
    [
        ((Bead(1, Roi(0, 0, 20)), Bead(1, Roi(9, 9, 20))), "bead 1 is given twice"),
        ((Bead(1, Roi(0, 0, 20)), Bead(2, Roi(9, 9, 22))), "differ in size"),
        ((Bead(1, Roi(-1, 0, 20)),), "ROI of bead 1 .* not inside the frame of 120 x 100 px"),
        ((Bead(1, Roi(81, 0, 20)),), "not inside"),
        ((Bead(1, Roi(0, 101, 20)),), "not inside"),
        ((Bead(1, Roi(0, 0, 7)),), "not inside"),
    ],
)
def test_beads_that_cannot_be_are_refused(engine, beads, words):
    before = engine.state
    reply = engine.reply(engine.ask(SetBeads(beads)))
    assert reply.error == "InputError"
    assert reply.remedy
    import re

    assert re.search(words, reply.what)
    assert engine.state == before


@pytest.mark.parametrize(
    ("command", "error", "words"),
    [
        (SetCalibration(Calibration(0.0)), "InputError", "nm per px is 0.0"),
        (SetCalibration(Calibration(float("nan"))), "InputError", "nm per px is nan"),
        (SetCalibration(Calibration(float("inf"))), "InputError", "nm per px is inf"),
        (MoveMotor("focus", 1.0), "InputError", "no motor named 'focus'"),
        (AddMotor(" ", "simulated-focus"), "InputError", "needs a name"),
        (AddMotor("a/b", "simulated-focus"), "InputError", "cannot be a motor's name"),
        (AddMotor("a\0b", "simulated-focus"), "InputError", "cannot be a motor's name"),
        (AddMotor("m" * 300, "simulated-focus"), "InputError", "cannot be a motor's name"),
        (SetBeads((Bead(2**31, Roi(5, 5, 30)),)), "InputError", "cannot be a bead's ID"),
        (SetBeads((Bead(-1, Roi(5, 5, 30)),)), "InputError", "cannot be a bead's ID"),
        (StopRecording(), "StateError", "nothing is being recorded"),
        (StartRecording("f", "films"), "InputError", "no acquisition mode 'films'"),
        (StartRecording("", "full"), "InputError", "no folder"),
        (StartRecording("a\0b", "full"), "InputError", "cannot be a folder"),
        (StartRecording("f", "full", -1), "InputError", "must not be negative"),
        (StartRecording("f", "full", 0, -0.5), "InputError", "must not be negative"),
        (StartRecording("f", "full", 0, float("nan")), "InputError", "must not be negative"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(engine, command, error, words):
    before = engine.state
    reply = engine.reply(engine.ask(command))
    assert (reply.error, words in reply.what, bool(reply.remedy)) == (error, True, True)
    assert engine.state == before


@pytest.mark.parametrize(
    "command",
    [StartLive(), SetBeads(ONE_BEAD), StartRecording("f", "full"), GetCamera(), StopLive()],
)
def test_before_the_camera_is_ready_one_is_asked_to_wait(make, command):
    engine = make()
    reply = engine.reply(engine.ask(command))
    assert (reply.error, "not ready" in reply.what) == ("StateError", True)


@pytest.mark.parametrize(
    "command",
    [
        StopLive(),
        SetBeads(ONE_BEAD),
        SetCalibration(Calibration(5.0)),
        SetBackend("cpu"),
        SetCamera("exposure_ms", 1.0),
        StartRecording("other", "full"),
    ],
)
def test_while_recording_some_things_are_refused(engine, command):
    engine.ask(StartRecording("there", "full"))
    reply = engine.reply(engine.ask(command))
    assert reply.error == "StateError"
    assert reply.remedy in ("stop the recording first", "stop that one first")
    for allowed in (GetCamera(), GetStatus(), StartLive()):
        engine.ask(allowed)
        assert not [r for r in engine.replies() if r.number == engine.number and r.error]


def test_live_on_and_off(engine):
    engine.ask(StartLive())
    assert not engine.orders("camera")
    engine.ask(StopLive())
    assert engine.orders("camera") == [RunCamera(False)]
    engine.ask(StopLive())
    assert not engine.orders("camera")
    assert {reply.error for reply in engine.replies()} == {""}


def test_a_motor_is_added_moved_and_lost(engine):
    added = engine.ask(AddMotor("focus", "simulated-focus", {"speed": 1}))
    assert engine.state.motors == {"focus": ("simulated-focus", {"speed": 1})}
    early = engine.ask(MoveMotor("focus", 1.0))
    assert engine.reply(early).error == "StateError"
    twice = engine.ask(AddMotor("focus", "simulated-focus"))
    assert engine.reply(twice).error == "InputError"
    engine.ready("motor-focus")
    assert engine.reply(added).error == ""
    assert engine.state.motor_infos == (MotorInfo("focus", "simulated-focus", "um", -50.0, 50.0),)
    assert engine.events(MotorsChanged, last=True) == [MotorsChanged(engine.state.motor_infos)]
    moved = engine.ask(MoveMotor("focus", 2.5))
    (order,) = engine.orders("motor-focus", Move)
    assert order.target == 2.5
    engine.say("motor-focus", Done(order.number))
    assert engine.reply(moved).error == ""
    halted = engine.ask(StopMotor("focus"))
    (order,) = engine.orders("motor-focus", Halt)
    assert not engine.replies(halted)
    engine.say("motor-focus", Done(order.number))
    assert engine.reply(halted).error == ""
    assert engine.reply(engine.ask(StopMotor("other"))).remedy == "known motors: focus"
    stuck = engine.ask(MoveMotor("focus", 2.5))
    engine.say("motor-focus", Crashed("it jammed", "free it", "Tb", error="DeviceError"))
    engine.gone("motor-focus")
    reply = engine.reply(stuck)
    assert (reply.error, reply.what, reply.remedy) == ("DeviceError", "it jammed", "free it")
    engine.ready("motor-focus")  # once it has been ready, it is restarted
    assert engine.reply(engine.ask(MoveMotor("other", 1.0))).remedy == "known motors: focus"


def test_who_does_not_answer_is_not_waited_for_for_ever(make):
    engine = make(order_timeout_s=30.0).come_up()
    shown = engine.ask(GetCamera())
    changed = engine.ask(SetBackend("slow"))
    engine.say("tracker-0", Done(last_number(engine)))
    engine.tick(30.0)
    assert not engine.replies(shown)
    engine.tick(0.1)
    assert engine.reply(shown).what == "camera did not answer in 30 s"
    assert engine.reply(changed).what == "tracker-1 did not answer in 30 s"
    assert engine.state.backend == "auto"
    engine.say("camera", Done(last_number(engine)))
    assert not engine.effects


def test_recording_waits_for_changes_to_be_true(engine):
    engine.ask(SetBeads(ONE_BEAD))
    reply = engine.reply(engine.ask(StartRecording("f", "track")))
    assert "being changed" in reply.what


def test_there_are_only_so_many_motors(engine):
    for k in range(16):
        engine.ask(AddMotor(f"m{k}", "simulated-focus"))
    assert "16 motors already" in engine.reply(engine.ask(AddMotor("m16", "simulated-focus"))).what


def test_backend_and_method_are_one_task(engine):
    engine.ask(SetBackend("cpu", "magtrack-compatible"))
    (order,) = engine.orders("tracker-0")
    assert (order.task.backend, order.task.method) == ("cpu", "magtrack-compatible")
    for tracker in ("tracker-0", "tracker-1"):
        engine.say(tracker, Done(last_number(engine)))
    engine.ask(SetBackend(method="precise"))
    (order,) = engine.orders("tracker-1")
    task = order.task
    assert (task.backend, task.method) == ("cpu", "precise")
    reply = engine.reply(engine.ask(SetBackend(method="quick")))
    assert (reply.what, reply.remedy) == (
        "there is no tracking method 'quick'",
        "choose precise or magtrack-compatible",
    )


def test_what_trackers_prepare_is_announced_once_for_all(engine):
    ready = Tracking("cpu", "cpu", "precise", "2 cores")
    compiling = Tracking("cpu", "cpu", "precise", "2 cores", "compiling kernels")
    engine.say("tracker-0", compiling)
    engine.say("tracker-1", compiling)
    engine.say("tracker-0", ready)
    assert engine.state.tracking == compiling
    engine.say("tracker-1", ready)
    assert [event.tracking for event in engine.events(TrackingChanged)] == [compiling, ready]
    engine.gone("tracker-0")
    assert engine.state.tracking == ready
