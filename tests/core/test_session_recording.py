"""Recordings: the same frames for everyone, from the command to the last closed file."""

from __future__ import annotations

import pytest

from napari_beadscope.core.commands import (
    Shutdown,
    StartRecording,
    StopLive,
    StopRecording,
)
from napari_beadscope.core.messages import AcquisitionChanged, Tracking
from napari_beadscope.core.orders import (
    Abort,
    Arm,
    Armed,
    Attach,
    Began,
    Begin,
    Crashed,
    End,
    Finished,
    Ready,
    RecordingFailed,
    Remark,
    RunCamera,
    Stop,
    StreamEnded,
    Untracked,
)
from napari_beadscope.core.session_state import (
    Exit,
    Kill,
    MakeStream,
    RecordingPhase,
    ReleaseClaims,
)
from napari_beadscope.core.types import FrameFormat

EVERYONE = ["recorder", "tracker-0", "tracker-1"]


def record(engine, mode="track+full", **limits) -> int:
    return engine.ask(StartRecording("there", mode, **limits))


def running(engine, **limits) -> int:
    number = record(engine, **limits)
    engine.arm()
    engine.begin()
    assert engine.state.recording.phase is RecordingPhase.RUNNING
    return number


def ends(engine) -> list[AcquisitionChanged]:
    return [event for event in engine.events(AcquisitionChanged) if not event.on]


def fail_for_good(engine, name: str) -> None:
    engine.say(name, Crashed("broken", "mend it", "Tb", fatal=True))
    engine.gone(name)


def test_the_whole_way(engine):
    started = record(engine, frames=0)
    for name in EVERYONE:
        (arm,) = engine.orders(name)
        assert isinstance(arm, Arm)
        assert (arm.resume, arm.task.folder, arm.task.mode.value) == (False, "there", "track+full")
    number = engine.state.recording.number
    for head, name in enumerate(EVERYONE):
        assert not engine.orders("recorder", Begin)
        engine.say(name, Armed(number, 40 + head))
    for name in EVERYONE:
        assert engine.orders(name) == [Begin(number, 42, -1)]
    for name in EVERYONE:
        assert not engine.events(AcquisitionChanged)
        assert not engine.replies(started)
        engine.say(name, Began(number))
    assert engine.events(AcquisitionChanged) == [AcquisitionChanged(True, "there", "track+full")]
    assert engine.reply(started).error == ""
    assert engine.state.pool == "RUNNING"
    engine.head = 142
    stopped = engine.ask(StopRecording())
    also = engine.ask(StopRecording(), client=2)
    for name in EVERYONE:
        assert not ends(engine)
        engine.say(name, Finished(0, 100, 200))
    assert ends(engine) == [AcquisitionChanged(False, "there", "track+full", 100, 200)]
    expected = {"folder": "there", "frames": 100, "rows": 200, "error": ""}
    assert engine.reply(stopped).value == engine.reply(also).value == expected
    assert engine.state.recording is None
    assert engine.state.pool == "FINISHED"


def test_the_end_is_one_frame_number_for_everyone(engine):
    running(engine)
    engine.head = 77
    engine.ask(StopRecording())
    for name in EVERYONE:
        assert engine.orders(name) == [End(engine.state.recording.number, 77)]


@pytest.mark.parametrize("mode", ["full", "rois"])
def test_modes_without_tracks_leave_the_trackers_alone(engine, mode):
    record(engine, mode)
    assert engine.state.recording.participants == {"recorder"}
    assert not engine.orders("tracker-0")
    engine.arm()
    engine.begin()
    engine.gone("tracker-0")
    assert engine.state.recording.phase is RecordingPhase.RUNNING


@pytest.mark.parametrize("mode", ["track", "track+rois", "track+full", "rois"])
def test_modes_that_need_beads_say_so(make, mode):
    engine = make()
    engine.ready()
    reply = engine.reply(record(engine, mode))
    assert (reply.error, reply.remedy) == ("StateError", "find or add beads")
    assert engine.replies(record(engine, "full")) == []


def test_a_camera_at_rest_is_started_when_all_have_begun(engine):
    engine.ask(StopLive())
    record(engine)
    engine.arm()
    engine.begin("recorder", "tracker-0")
    assert not engine.orders("camera")
    engine.begin("tracker-1")
    assert engine.orders("camera") == [RunCamera(True)]


def test_the_frame_limit_ends_it_without_a_command(engine):
    engine.head = 10
    record(engine, frames=5)
    engine.arm()
    assert engine.orders("recorder") == [Begin(engine.state.recording.number, 10, 15)]
    engine.begin()
    engine.head = 14
    engine.tick(0.05)
    assert engine.state.recording.phase is RecordingPhase.RUNNING
    engine.head = 30
    engine.tick(0.05)
    assert engine.orders("tracker-0") == [End(engine.state.recording.number, 15)]


def test_the_time_limit_counts_from_when_it_runs(engine):
    record(engine, seconds=2.0)
    engine.tick(1.5)
    engine.arm()
    engine.begin()
    engine.tick(1.9)
    assert engine.state.recording.phase is RecordingPhase.RUNNING
    engine.tick(0.1)
    assert engine.state.recording.phase is RecordingPhase.FINISHING


def test_who_finishes_by_itself_ends_it_for_the_others(engine):
    running(engine, frames=5)
    engine.head = 9
    engine.finish("recorder", frames=5)
    assert not engine.orders("recorder")
    for name in ("tracker-0", "tracker-1"):
        assert engine.orders(name) == [End(engine.state.recording.number, 5)]
    engine.finish("tracker-0", "tracker-1")
    assert ends(engine)[0].frames == 5


def test_the_limit_may_be_reached_before_all_have_begun(engine):
    started = record(engine, frames=5)
    engine.arm()
    engine.head = 9
    engine.begin("recorder", "tracker-0")
    engine.finish("recorder", frames=5)
    engine.finish("tracker-0")
    assert not engine.events(AcquisitionChanged)
    engine.begin("tracker-1")
    assert [event.on for event in engine.events(AcquisitionChanged)] == [True]
    assert engine.reply(started).error == ""
    engine.finish("tracker-1")
    assert ends(engine)[0].frames == 5


@pytest.mark.parametrize("stop", ["asked", "shutdown", "source", "camera"])
def test_stopped_while_beginning_it_is_on_and_then_off(engine, stop):
    started = record(engine)
    engine.arm()
    engine.head = 6
    {
        "asked": lambda: engine.ask(StopRecording()),
        "shutdown": lambda: engine.ask(Shutdown()),
        "source": lambda: engine.say("camera", StreamEnded(6)),
        "camera": lambda: fail_for_good(engine, "camera"),
    }[stop]()
    assert not engine.events(AcquisitionChanged)
    engine.begin("recorder", "tracker-0")
    engine.begin("tracker-1")
    assert engine.reply(started).error == ""
    assert engine.orders("recorder") == [End(engine.state.recording.number, 6)]
    engine.finish()
    assert [event.on for event in engine.events(AcquisitionChanged)] == [True, False]
    assert ("camera" in ends(engine)[0].error) == (stop == "camera")


@pytest.mark.parametrize("stop", ["asked", "shutdown", "source", "camera", "tracker", "recorder"])
def test_stopped_while_arming_it_never_was(engine, stop):
    started = record(engine)
    engine.arm("recorder")
    stopped = None
    match stop:
        case "asked":
            stopped = engine.ask(StopRecording())
        case "shutdown":
            engine.ask(Shutdown())
        case "source":
            engine.say("camera", StreamEnded(6))
        case "camera" | "recorder":
            fail_for_good(engine, stop)
        case "tracker":
            fail_for_good(engine, "tracker-0")
    assert engine.state.recording is None
    assert engine.reply(started).error
    assert not engine.events(AcquisitionChanged)
    if stopped is not None:
        assert engine.reply(stopped).error == "StateError"
    told = {e.worker for e in engine.all_effects if getattr(e, "order", None) == Abort()}
    gone = {"tracker": {"tracker-0"}, "recorder": {"recorder"}}.get(stop, set())
    assert told == set(EVERYONE) - gone
    assert {ReleaseClaims(name) for name in gone} <= set(engine.effects)


def test_a_recorder_that_cannot_write_refuses_the_recording(engine):
    started = record(engine)
    engine.say("recorder", RecordingFailed("there is full", "make room"))
    assert (engine.reply(started).error, engine.reply(started).what) == (
        "StorageError", "there is full",
    )  # fmt: skip
    assert not engine.events(AcquisitionChanged)


def test_a_tracker_that_cannot_track_refuses_the_recording(engine):
    started = record(engine)
    engine.say("tracker-1", Finished(engine.state.recording.number, error="no such Z-LUT"))
    assert (engine.reply(started).error, engine.reply(started).what) == (
        "TrackingError", "no such Z-LUT",
    )  # fmt: skip


def test_what_is_said_about_an_earlier_recording_is_not_heard(engine):
    record(engine)
    old = engine.state.recording.number
    engine.ask(StopRecording())
    record(engine)
    new = engine.state.recording.number
    assert new != old
    before = engine.state
    for report in (
        Armed(old, 5), Began(old), Finished(old), RecordingFailed("late", "", 1, 2, old),
    ):  # fmt: skip
        engine.say("recorder", report)
        assert engine.state == before


# deaths


def test_died_while_arming_it_is_armed_anew(engine):
    record(engine)
    engine.arm("recorder", "tracker-0")
    engine.gone("tracker-0")
    assert ReleaseClaims("tracker-0") in engine.effects
    engine.arm("tracker-1")
    assert engine.state.recording.phase is RecordingPhase.ARMING
    engine.ready("tracker-0")
    assert [order.resume for order in engine.orders("tracker-0", Arm)] == [False]
    engine.head = 50
    engine.arm("tracker-0")
    assert engine.orders("recorder") == [Begin(engine.state.recording.number, 50, -1)]


@pytest.mark.parametrize("begun", [False, True])
def test_died_while_beginning_it_must_begin_again(engine, begun):
    record(engine)
    engine.arm()
    if begun:
        engine.begin("tracker-0")
    engine.gone("tracker-0")
    assert ReleaseClaims("tracker-0") not in engine.effects
    engine.begin("recorder", "tracker-1")
    assert not engine.events(AcquisitionChanged)
    engine.ready("tracker-0")
    orders = engine.orders("tracker-0")
    assert [type(order) for order in orders[-2:]] == [Arm, Begin]
    assert orders[-2].resume
    engine.arm("tracker-0")
    engine.begin("tracker-0")
    assert engine.events(AcquisitionChanged)[0].on


@pytest.mark.parametrize("name", EVERYONE)
def test_died_while_running_its_claim_stands_and_its_successor_resumes(engine, name):
    running(engine)
    engine.gone(name)
    assert ReleaseClaims(name) not in engine.effects
    engine.ready(name)
    number = engine.state.recording.number
    assert engine.orders(name, Arm)[0].resume
    assert engine.orders(name)[-1] == Begin(number, 0, -1)
    engine.arm(name)
    engine.begin(name)
    assert engine.state.recording.phase is RecordingPhase.RUNNING
    assert len(engine.events(AcquisitionChanged)) == 1


def test_died_while_finishing_its_successor_drains(engine):
    running(engine)
    engine.head = 9
    engine.ask(StopRecording())
    engine.finish("tracker-0")
    engine.gone("tracker-0")
    assert ReleaseClaims("tracker-0") in engine.effects
    engine.gone("recorder")
    assert ReleaseClaims("recorder") not in engine.effects
    engine.ready("tracker-0", "recorder")
    number = engine.state.recording.number
    assert engine.orders("recorder")[-2:] == [Begin(number, 0, 9), End(number, 9)]
    engine.ready("tracker-0")
    assert not engine.orders("tracker-0", Arm)
    engine.finish("recorder", "tracker-1")
    assert ends(engine)[0].error == ""


def test_a_tracker_given_up_while_running_leaves_its_frames_untracked(engine):
    running(engine)
    fail_for_good(engine, "tracker-1")
    assert engine.orders("recorder") == [Untracked(1, "broken")]
    assert ReleaseClaims("tracker-1") in engine.effects
    engine.gone("recorder")
    engine.ready("recorder")
    assert engine.orders("recorder", Untracked) == [Untracked(1, "broken")]
    engine.ask(StopRecording())
    engine.finish("recorder", "tracker-0")
    assert ends(engine)[0].error == ""


def test_a_tracker_given_up_while_beginning_is_not_waited_for(engine):
    started = record(engine)
    engine.arm()
    engine.begin("recorder", "tracker-0")
    fail_for_good(engine, "tracker-1")
    assert engine.reply(started).error == ""
    assert engine.state.recording.participants == {"recorder", "tracker-0"}


def test_a_tracker_given_up_while_finishing_is_not_waited_for(engine):
    running(engine)
    engine.ask(StopRecording())
    engine.finish("tracker-0")
    fail_for_good(engine, "tracker-1")
    assert engine.orders("recorder") == [Untracked(1, "broken")]
    engine.finish("recorder")
    assert ends(engine)


def test_a_tracker_that_cannot_resume_is_given_up_and_the_recording_goes_on(engine):
    running(engine)
    engine.gone("tracker-0")
    engine.ready("tracker-0")
    engine.say("tracker-0", Finished(engine.state.recording.number, error="Z-LUT is gone"))
    assert engine.orders("recorder") == [Untracked(0, "Z-LUT is gone")]
    assert engine.state.recording.phase is RecordingPhase.RUNNING


def test_a_tracker_that_failed_before_is_named_as_untracked_from_the_start(engine):
    fail_for_good(engine, "tracker-0")
    record(engine)
    assert engine.state.recording.participants == {"recorder", "tracker-1"}
    engine.arm()
    orders = engine.orders("recorder")
    assert [type(order) for order in orders] == [Begin, Untracked]
    assert orders[1].tracker == 0


def test_without_any_tracker_left_tracks_cannot_be_recorded(engine):
    fail_for_good(engine, "tracker-0")
    fail_for_good(engine, "tracker-1")
    assert "every tracker" in engine.reply(record(engine)).what
    assert not engine.replies(record(engine, "full"))


def test_a_recorder_given_up_ends_it_with_the_way_to_recover(engine):
    running(engine)
    stopped = engine.ask(StopRecording())
    fail_for_good(engine, "recorder")
    (end,) = ends(engine)
    assert "beadscope recover there" in end.error
    assert engine.reply(stopped).value["error"] == end.error
    assert engine.orders("tracker-0") == [Abort()]
    assert "recorder process failed" in engine.reply(record(engine)).what


def test_a_recorder_given_up_after_it_finished_does_no_harm(engine):
    running(engine)
    engine.ask(StopRecording())
    engine.finish("recorder", frames=3)
    fail_for_good(engine, "recorder")
    engine.finish("tracker-0", "tracker-1")
    assert (ends(engine)[0].frames, ends(engine)[0].error) == (3, "")


@pytest.mark.parametrize("finishing", [False, True])
def test_a_full_disk_ends_it_early_with_what_is_saved(engine, finishing):
    running(engine)
    if finishing:
        engine.ask(StopRecording())
    engine.say("recorder", RecordingFailed("disk full", "make room", 11, 22))
    assert ends(engine) == [
        AcquisitionChanged(False, "there", "track+full", 11, 22, "disk full: make room")
    ]
    assert engine.orders("tracker-1") == [Abort()]
    engine.say("tracker-1", Finished(0))
    assert len(ends(engine)) == 1


def test_a_camera_given_up_ends_it_with_what_is_there(engine):
    running(engine)
    engine.head = 8
    fail_for_good(engine, "camera")
    assert engine.orders("recorder") == [End(engine.state.recording.number, 8)]
    engine.finish()
    assert "camera process failed for good" in ends(engine)[0].error


def test_a_camera_that_comes_back_goes_on_in_the_same_recording(engine):
    running(engine)
    engine.gone("camera")
    engine.ready("camera")
    assert engine.orders("camera")[-1] == RunCamera(True)
    assert engine.state.recording.phase is RecordingPhase.RUNNING


def test_another_format_ends_it_before_the_ring_is_replaced(engine):
    running(engine)
    engine.head = 4
    small = FrameFormat(50, 50, "uint8")
    engine.gone("camera")
    engine.say("camera", Ready(small, 10.0))
    assert not [e for e in engine.effects if isinstance(e, MakeStream)]
    assert engine.reply(record(engine)).error == "StateError"
    engine.finish()
    assert "format" in ends(engine)[0].error
    assert MakeStream(small, 10.0, False) in engine.effects


def test_another_format_that_goes_away_again_is_no_reason_for_another_ring(engine):
    running(engine)
    engine.gone("camera")
    engine.say("camera", Ready(FrameFormat(50, 50, "uint8"), 10.0))
    assert not engine.orders("camera")
    engine.ready("camera")
    assert engine.orders("camera") == [Attach(engine.state.stream), RunCamera(True)]
    engine.finish()
    assert not [e for e in engine.all_effects[-9:] if isinstance(e, MakeStream)]


def test_shutdown_while_another_format_waits_is_answered_once(engine):
    running(engine)
    engine.say("camera", Ready(FrameFormat(50, 50, "uint8"), 10.0))
    number = engine.ask(Shutdown())
    assert engine.orders("camera") == [RunCamera(False)]
    assert not engine.replies(number)
    engine.finish()
    for name in ("camera", *EVERYONE):
        engine.gone(name)
    assert engine.reply(number).error == ""


# patience


@pytest.mark.parametrize("phase", ["arming", "beginning"])
def test_who_cannot_get_ready_to_record_is_killed_and_the_recording_refused(make, phase):
    engine = make(finish_timeout_s=20.0).come_up()
    started = record(engine)
    if phase == "beginning":
        engine.arm()
        engine.begin("recorder", "tracker-0")
    else:
        engine.arm("recorder", "tracker-0")
    engine.tick(20.1)
    assert Kill("tracker-1") in engine.effects
    assert "tracker-1 did not get ready" in engine.reply(started).what
    assert engine.state.recording is None
    engine.gone("tracker-1")
    assert ReleaseClaims("tracker-1") in engine.effects


def test_trackers_that_do_not_finish_are_given_up_first_then_the_recorder(make):
    engine = make(finish_timeout_s=20.0).come_up()
    running(engine)
    stopped = engine.ask(StopRecording())
    engine.finish("tracker-0")
    engine.tick(20.1)
    assert Kill("tracker-1") in engine.effects
    assert Kill("recorder") in engine.effects
    assert engine.state.recording is not None
    engine.gone("tracker-1")
    engine.gone("recorder")
    engine.ready("recorder")
    assert engine.orders("recorder", Untracked)
    engine.tick(20.1)
    assert engine.state.recording is None
    assert "did not finish" in engine.reply(stopped).value["error"]


# shutdown


def test_shutdown_drains_first(engine):
    running(engine)
    engine.head = 12
    engine.ask(Shutdown())
    assert engine.orders("camera") == [RunCamera(False)]
    assert engine.orders("recorder") == [End(engine.state.recording.number, 12)]
    engine.tick(60.0)
    assert not engine.orders("recorder", Stop)
    engine.finish("tracker-0", "tracker-1")
    assert not engine.orders("recorder", Stop)
    engine.finish("recorder")
    for name in ("camera", *EVERYONE):
        assert Stop() in engine.orders(name)
    engine.tick(1.0)  # time to close what is open counts from being told
    assert not [e for e in engine.effects if isinstance(e, Kill)]


def test_shutdown_does_not_wait_for_who_is_down(engine):
    running(engine)
    engine.gone("tracker-0")
    engine.ready("tracker-0")
    engine.gone("tracker-0")
    engine.ask(Shutdown())
    assert engine.orders("recorder")[0] == Untracked(
        0, "the engine stopped before it was restarted"
    )
    engine.finish("recorder", "tracker-1")
    for name in ("camera", "recorder", "tracker-1"):
        engine.gone(name)
    assert engine.effects[-1] == Exit()


def test_a_recorder_that_was_being_restarted_still_drains_before_the_end(engine):
    running(engine)
    engine.gone("recorder")
    engine.ask(Shutdown())
    assert Kill("recorder") not in engine.effects
    engine.ready("recorder")
    assert [type(order) for order in engine.orders("recorder")[-3:]] == [Arm, Begin, End]


def test_a_recorder_that_dies_while_draining_is_told(engine):
    running(engine)
    engine.ask(Shutdown())
    engine.gone("recorder")
    assert "beadscope recover" in ends(engine)[0].error
    assert Stop() in engine.orders("camera")


def test_a_backend_that_falls_back_is_noted_in_the_manifest(engine):
    gpu, cpu = (Tracking(name, name, "precise", "why") for name in ("gpu", "cpu"))
    for name in ("tracker-0", "tracker-1"):
        engine.say(name, gpu)
    running(engine)
    engine.say("tracker-0", cpu)
    (order,) = engine.orders("recorder")
    assert order == Remark("from here on tracked by cpu, precise (why)")
    engine.gone("tracker-0")
    engine.gone("tracker-1")
    assert not engine.orders("recorder", Remark)
