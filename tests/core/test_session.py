"""Start-up, restarts, the camera's stream and shutdown."""

from __future__ import annotations

import pytest

from napari_beadscope.core.commands import (
    AddMotor,
    GetCamera,
    MoveMotor,
    SetCalibration,
    SetCamera,
    Shutdown,
    StartLive,
    StartRecording,
)
from napari_beadscope.core.messages import (
    BeadsChanged,
    CalibrationChanged,
    LiveChanged,
    Progress,
    Stopping,
    Stream,
    StreamChanged,
    WorkerLost,
)
from napari_beadscope.core.orders import (
    Attach,
    Crashed,
    Done,
    Ready,
    RunCamera,
    SetTask,
    Stop,
    StreamEnded,
)
from napari_beadscope.core.session_state import (
    Exit,
    Joined,
    Kill,
    Left,
    MakeStream,
    Phase,
    ReleaseClaims,
    Spawn,
    StreamMade,
    WorkerState,
)
from napari_beadscope.core.types import Calibration, FrameFormat
from napari_beadscope.core.window import Window, follow


def spawned(engine) -> list[str]:
    return [effect.worker for effect in engine.effects if isinstance(effect, Spawn)]


# start-up


def test_it_starts_everything_at_once_and_is_up_when_all_are_ready(make):
    engine = make()
    assert [e.worker for e in engine.all_effects if isinstance(e, Spawn)] == [
        "camera", "recorder", "tracker-0", "tracker-1",
    ]  # fmt: skip
    engine.ready("tracker-1", "recorder", "tracker-0")
    assert engine.state.phase is Phase.STARTING
    engine.say("camera", Ready(FrameFormat(100, 120, "uint8"), 100.0))
    assert engine.state.phase is Phase.STARTING  # there is no ring yet
    (made,) = [e for e in engine.effects if isinstance(e, MakeStream)]
    assert made.format.shape == (100, 120)
    engine.ready("camera")
    assert [p.fraction for p in engine.events(Progress)] == [0.25, 0.5, 0.75, 1.0]


def test_the_ring_is_shown_to_those_that_are_ready_now_and_to_others_when_they_are(make):
    engine = make()
    engine.ready("recorder", "camera")
    assert engine.orders("camera", Attach)
    assert engine.orders("recorder", Attach)
    assert not engine.orders("tracker-0")
    assert engine.events(StreamChanged)
    engine.ready("tracker-0")
    assert [type(order) for order in engine.orders("tracker-0")] == [Attach, SetTask]


def test_a_motor_never_keeps_the_engine_from_coming_up(make):
    engine = make()
    number = engine.ask(AddMotor("focus", "simulated-focus"))
    engine.ready("camera", "recorder", "tracker-0", "tracker-1")
    assert engine.state.phase is Phase.UP
    assert engine.replies(number) == []
    engine.ready("motor-focus")
    assert engine.reply(number).error == ""


@pytest.mark.parametrize("fatal", [True, False])
@pytest.mark.parametrize("name", ["camera", "recorder", "tracker-1"])
def test_who_cannot_start_ends_the_start_up_with_its_own_words(make, name, fatal):
    engine = make(max_restarts=2)
    asked = engine.ask(AddMotor("focus", "simulated-focus"))
    for _ in range(1 if fatal else 3):
        engine.say(name, Crashed("there is no such thing", "get one", "Tb", fatal, "InputError"))
        engine.gone(name, "ended with exit code 1")
        engine.tick(30.0)
    (stopping,) = engine.events(Stopping)
    assert (stopping.error, stopping.what, stopping.remedy) == (
        "InputError", "there is no such thing", "get one",
    )  # fmt: skip
    for other in ("camera", "recorder", "tracker-0", "tracker-1", "motor-focus"):
        engine.gone(other)
    assert engine.all_effects.count(Exit()) == 1
    assert engine.state.phase is Phase.STOPPED
    assert engine.reply(asked).error


def test_a_failing_motor_does_not_end_the_start_up(make):
    engine = make()
    number = engine.ask(AddMotor("focus", "nonsense"))
    engine.say(
        "motor-focus", Crashed("no motor 'nonsense'", "see the list", "Tb", True, "InputError")
    )
    engine.gone("motor-focus")
    assert (engine.reply(number).error, engine.reply(number).what) == (
        "InputError", "no motor 'nonsense'",
    )  # fmt: skip
    assert not spawned(engine)
    engine.ready("camera", "recorder", "tracker-0", "tracker-1")
    assert engine.state.phase is Phase.UP
    again = engine.ask(AddMotor("focus", "simulated-focus"))
    assert spawned(engine) == ["motor-focus"]
    engine.ready("motor-focus")
    assert engine.reply(again).error == ""


def test_who_never_gets_ready_is_not_started_for_ever(make):
    """Each try outlasts the window in which deaths count."""
    engine = make(max_restarts=3, start_timeout_s=50.0, restart_window_s=20.0)
    engine.ready("camera", "recorder", "tracker-0")
    for _ in range(4):
        engine.tick(51.0)
        assert Kill("tracker-1") in engine.effects
        assert Kill("tracker-0") not in engine.effects
        engine.gone("tracker-1")
        engine.tick(5.0)
    (stopping,) = engine.events(Stopping)
    assert "tracker-1" in stopping.what
    assert "did not start" in stopping.what


# restarts


def test_a_dead_worker_is_restarted_at_once_then_with_growing_pauses(engine):
    engine.gone("recorder")
    assert spawned(engine) == ["recorder"]
    assert engine.state.workers["recorder"].restarts == 1
    pauses = []
    for _ in range(3):
        engine.ready("recorder")
        engine.gone("recorder")
        began = engine.now_s
        while not spawned(engine):
            engine.tick(0.05)
        pauses.append(round(engine.now_s - began, 2))
    assert pauses == [0.25, 0.5, 1.0]
    assert all(lost.restarted for lost in engine.events(WorkerLost))


def test_one_that_dies_too_often_stays_down_but_old_deaths_are_forgotten(make):
    engine = make(max_restarts=2, restart_window_s=60.0).come_up()
    for _ in range(6):
        engine.gone("tracker-0")
        engine.tick(31.0)
        engine.ready("tracker-0")
    assert engine.state.workers["tracker-0"].state is WorkerState.READY
    for _ in range(2):
        engine.gone("tracker-0")
        engine.tick(1.0)
        engine.ready("tracker-0")
    assert engine.state.workers["tracker-0"].state is WorkerState.FAILED
    assert engine.state.trackers == ("tracker-1",)
    assert not engine.events(WorkerLost)[-1].restarted
    engine.tick(1000.0)
    assert not spawned(engine)


def test_a_stalled_worker_is_killed_once_and_named(engine):
    engine.tick(10.0, tracker_0=5.5)
    assert Kill("tracker-0") in engine.effects
    engine.tick(10.0, tracker_0=15.5)
    assert Kill("tracker-0") not in engine.effects
    engine.gone("tracker-0", "killed by SIGKILL")
    assert engine.events(WorkerLost)[-1].why == "gave no sign of life for 5.5 s"
    assert spawned(engine) == ["tracker-0"]
    engine.ready("tracker-0")
    engine.tick(0.1, tracker_0=99.0)  # the predecessor's sign of life
    assert Kill("tracker-0") not in engine.effects


def test_the_original_traceback_is_told_and_not_a_later_log(engine):
    engine.say("recorder", Crashed("broke", "", "Traceback: original"))
    engine.say("recorder", Crashed("the recorder process died", "", "log text"))
    engine.gone("recorder")
    assert engine.events(WorkerLost)[-1].traceback == "Traceback: original"
    engine.ready("recorder")
    engine.gone("recorder")
    assert engine.events(WorkerLost)[-1].traceback == ""


def test_what_is_said_by_the_dead_is_not_heard(engine):
    engine.gone("tracker-0")
    engine.ready("tracker-0")
    engine.gone("tracker-0")
    engine.gone("tracker-0")
    assert len(engine.events(WorkerLost)) == 2
    engine.say("tracker-0", Done(1))
    engine.say("tracker-0", Ready())
    assert engine.state.workers["tracker-0"].state is WorkerState.DOWN
    engine.say("nobody", Ready())
    engine.gone("nobody")


def test_ready_said_twice_changes_nothing(engine):
    before = engine.state
    engine.say("tracker-0", Ready())
    engine.ready("camera")
    assert engine.state == before
    assert engine.effects == []


def test_claims_of_the_dead_are_released_when_nothing_is_recorded(engine):
    engine.gone("tracker-0")
    assert engine.effects.index(ReleaseClaims("tracker-0")) < engine.effects.index(
        Spawn("tracker-0")
    )


# the camera's stream


def test_a_restarted_camera_streams_on_with_its_settings(engine):
    number = engine.ask(SetCamera("exposure_ms", 3.0))
    engine.say("camera", Done(engine.state.counter, value=["all"]))
    assert engine.reply(number).value == ["all"]
    refused = engine.ask(SetCamera("exposure_ms", -1.0))
    engine.say("camera", Done(engine.state.counter, "DeviceError", "not -1", "more"))
    assert (engine.reply(refused).error, engine.reply(refused).what) == ("DeviceError", "not -1")
    engine.gone("camera")
    assert engine.state.camera_settings == {"exposure_ms": 3.0}  # what its successor starts with
    engine.ready("camera")
    assert engine.orders("camera") == [Attach(engine.state.stream), RunCamera(True)]


def test_live_is_wanted_while_the_camera_is_away_and_done_when_it_is_back(engine):
    engine.say("camera", StreamEnded(0))
    assert engine.events(LiveChanged)[-1].why
    engine.gone("camera")
    engine.ask(StartLive())
    assert not engine.orders("camera")
    assert engine.replies()[-1].error == ""
    engine.ready("camera")
    assert engine.orders("camera", RunCamera) == [RunCamera(True)]


def test_the_end_of_a_stream_that_was_paused_is_not_news(engine):
    engine.say("camera", StreamEnded(0))
    count = len(engine.events(LiveChanged))
    engine.say("camera", StreamEnded(0))
    assert len(engine.events(LiveChanged)) == count


def test_a_camera_that_failed_for_good_is_told(engine):
    engine.say("camera", Crashed("unplugged", "plug it in", "Tb", True))
    assert engine.state.phase is Phase.UP
    engine.gone("camera")
    assert not engine.state.streaming
    assert not engine.events(LiveChanged)[-1].streaming
    number = engine.ask(StartLive())
    assert engine.reply(number).error == "DeviceError"
    assert "unplugged" in engine.reply(number).what
    assert engine.reply(engine.ask(GetCamera())).error == "DeviceError"
    assert engine.reply(engine.ask(StartRecording("f", "full"))).error == "DeviceError"


def test_another_frame_format_makes_another_ring(engine):
    small = FrameFormat(40, 40, "uint16")
    engine.gone("camera")
    engine.say("camera", Ready(small, 50.0))
    assert MakeStream(small, 50.0, False) in engine.effects
    assert not engine.orders("camera", RunCamera)
    stream = Stream("ring2", small, 8, 50.0, False)
    engine.feed(StreamMade(stream))
    assert engine.orders("camera") == [Attach(stream), RunCamera(True)]
    for name in ("recorder", "tracker-0", "tracker-1"):
        assert engine.orders(name, Attach)
    assert [bead.bead for bead in engine.events(BeadsChanged)[-1].beads] == [0]
    assert engine.orders("tracker-1", SetTask)[0].task.beads == engine.state.beads


def test_beads_follow_to_another_window_of_the_sensor(engine):
    form, whole = engine.state.stream.format, Window(0, 0, *engine.state.stream.format.shape)
    engine.say("camera", Ready(form, 100.0, window=whole))
    engine.feed(StreamMade(Stream("ring2", form, 8, 100.0, False, whole, first=90)))
    engine.say("tracker-0", Done(-1))
    before = engine.state.beads
    part = FrameFormat(80, 90, "uint8")
    window = Window(10, 20, 80, 90)
    number = engine.ask(SetCamera("roi", window.text))
    engine.say("camera", Ready(part, 100.0, window=window))
    assert MakeStream(part, 100.0, False, window) in engine.effects
    engine.feed(StreamMade(Stream("ring3", part, 8, 100.0, False, window, first=120)))
    moved, left_out = follow(before, whole, window, part.shape)
    assert engine.state.beads == moved
    assert engine.events(BeadsChanged)[-1].beads == moved
    assert bool(engine.events(BeadsChanged)[-1].why) == bool(left_out)
    for name in ("tracker-0", "tracker-1"):
        orders = engine.orders(name)
        attach = max(i for i, order in enumerate(orders) if isinstance(order, Attach))
        assert [order.task.beads for order in orders[attach + 1 :]] == [moved]
    engine.say("camera", Done(engine.state.counter, value=["all"]))
    assert engine.reply(number).value == ["all"]


def test_the_same_format_from_another_window_makes_another_ring_too(engine):
    form = engine.state.stream.format
    window = Window(5, 5, *form.shape)
    engine.say("camera", Ready(form, 100.0, window=window))
    assert MakeStream(form, 100.0, False, window) in engine.effects


def test_binning_changes_the_pixel_size_and_drops_the_zlut(engine):
    form = engine.state.stream.format
    engine.feed(StreamMade(Stream("ring2", form, 8, 9.0, False, Window(0, 0, *form.shape))))
    engine.ask(SetCalibration(Calibration(80.0, "zlut.txt")))
    number = engine.state.counter
    for name in ("tracker-0", "tracker-1"):
        engine.say(name, Done(number))
    half = FrameFormat(form.height_px // 2, form.width_px // 2, form.dtype)
    window = Window(0, 0, *form.shape, binning=2)
    engine.feed(StreamMade(Stream("ring3", half, 8, 9.0, False, window)))
    assert engine.state.calibration == Calibration(160.0, "")
    changed = engine.events(CalibrationChanged)[-1]
    assert changed.calibration == engine.state.calibration
    assert "another binning" in changed.why


def test_no_recording_begins_while_the_camera_is_being_set(engine):
    engine.ask(SetCamera("roi", "0,0,64,64"))
    refused = engine.reply(engine.ask(StartRecording("f", "full")))
    assert "being changed" in refused.what
    engine.say("camera", Done(engine.state.counter, value=[]))
    engine.ask(StartRecording("f", "full"))
    assert engine.state.recording is not None
    late = engine.reply(engine.ask(SetCamera("roi", "full")))
    assert "while recording" in late.what


# shutdown


def test_shutdown_stops_the_camera_then_everyone_and_answers_last(engine):
    number = engine.ask(Shutdown())
    second = engine.ask(Shutdown(), client=2)
    assert [e.why for e in engine.events(Stopping)] == ["asked to"]
    ends = (RunCamera(False), Stop())
    told = [e for e in engine.all_effects if getattr(e, "order", None) in ends]
    assert told[0].order == RunCamera(False)
    assert sorted(e.worker for e in told[1:]) == ["camera", "recorder", "tracker-0", "tracker-1"]
    late = engine.ask(StartLive())
    assert engine.reply(late).error == "StateError"
    for name in engine.state.workers:
        assert engine.replies(number) == []
        engine.gone(name, "ended with exit code 0")
    assert engine.effects[-1] == Exit()
    assert engine.reply(number).error == engine.reply(second).error == ""
    assert not engine.events(WorkerLost)
    assert engine.reply(engine.ask(Shutdown())).error == ""
    assert engine.tick(100.0) == []


def test_who_does_not_stop_is_killed_and_who_cannot_be_killed_is_left(engine):
    engine.ask(Shutdown())
    for name in ("camera", "tracker-0", "tracker-1"):
        engine.gone(name)
    engine.tick(engine.limits.stop_timeout_s + 0.1)
    assert engine.effects == [Kill("recorder")]
    engine.tick(engine.limits.stop_timeout_s + 0.1)
    assert engine.effects[-1] == Exit()


def test_nobody_is_started_while_stopping(engine):
    for _ in range(2):
        engine.gone("tracker-0")
        engine.ready("tracker-0")
    engine.gone("tracker-0")
    assert engine.state.workers["tracker-0"].state is WorkerState.DOWN
    engine.gone("tracker-1")
    assert spawned(engine) == ["tracker-1"]
    engine.ask(Shutdown())
    assert Kill("tracker-1") in engine.effects
    engine.gone("tracker-1")
    engine.gone("camera")
    engine.tick(5.0)
    engine.gone("recorder")
    assert engine.state.phase is Phase.STOPPED
    assert "tracker-0" not in spawned(engine)


def test_what_was_asked_of_others_is_answered_when_they_go(engine):
    engine.ask(AddMotor("focus", "simulated-focus"))
    engine.ready("motor-focus")
    moved = engine.ask(MoveMotor("focus", 3.0))
    shown = engine.ask(GetCamera())
    engine.ask(Shutdown())
    engine.say("camera", Done(engine.state.pending[-1].number, value=[]))
    assert engine.reply(shown).error == ""
    engine.gone("motor-focus")
    assert engine.reply(moved).error == "DeviceError"


def test_left_alone_it_ends_after_the_grace_period(make):
    engine = make(grace_s=10.0)
    engine.feed(Left(1))
    engine.tick(20.0)  # start-up ends by itself
    assert engine.state.phase is Phase.STARTING
    engine.ready()
    engine.tick(9.0)
    engine.feed(Joined(2))
    engine.feed(Joined(3))
    engine.tick(100.0)
    engine.feed(Left(2))
    engine.tick(100.0)
    engine.feed(Left(3))
    engine.tick(10.0)
    assert engine.state.phase is Phase.UP
    engine.tick(0.1)
    assert engine.state.phase is Phase.STOPPING
    assert "no front end" in engine.events(Stopping)[-1].why
