"""A camera whose device does not answer is looked for as long as the engine lives."""

from __future__ import annotations

import pytest

from napari_beadscope.core.commands import (
    GetCamera,
    Shutdown,
    StartLive,
    StartRecording,
    StopLive,
)
from napari_beadscope.core.messages import (
    AcquisitionChanged,
    CameraBack,
    CameraLost,
    LiveChanged,
    Stopping,
    Stream,
    WorkerLost,
)
from napari_beadscope.core.orders import Attach, Crashed, Remark, RunCamera
from napari_beadscope.core.session_state import Phase, Spawn, StreamMade, WorkerState

GONE = Crashed("camera GV01 does not answer", "check its cable", "Tb", True, "DeviceError")


def lose(engine) -> None:
    engine.say("camera", GONE)
    engine.gone("camera", "it ended with status 1")


def look_for(engine, seconds: float) -> int:
    """Let time pass in which every look for the camera is in vain; return how many there were."""
    looks, end = 0, engine.now_s + seconds
    while engine.now_s < end:
        if engine.state.workers["camera"].state is WorkerState.STARTING:
            looks += 1
            lose(engine)
        else:
            engine.tick(0.1)
    return looks


def find(engine) -> None:
    while engine.state.workers["camera"].state is not WorkerState.STARTING:
        engine.tick(0.1)
    engine.ready("camera")


@pytest.mark.parametrize("away_s", [10.0, 120.0, 7200.0])
def test_a_lost_camera_is_looked_for_until_it_is_back(engine, away_s):
    lose(engine)
    looks = look_for(engine, away_s)
    assert away_s / 2.5 < looks < 10 + away_s / 2
    assert engine.state.streaming  # what the user wants has not changed
    find(engine)
    assert engine.orders("camera") == [Attach(engine.state.stream), RunCamera(True)]
    assert engine.state.loss is None
    assert len(engine.state.workers["camera"].losses_s) < 10


def test_a_loss_is_told_once_and_so_is_its_end(engine):
    lose(engine)
    look_for(engine, 30.0)
    assert engine.events(CameraLost) == [
        CameraLost("camera GV01 does not answer", "check its cable")
    ]
    assert engine.state.loss == engine.events(CameraLost)[0]
    assert not engine.events(WorkerLost)
    find(engine)
    (back,) = engine.events(CameraBack)
    assert 30.0 <= back.away_s < 33.0
    assert [event.streaming for event in engine.events(LiveChanged)] == [True]


def test_another_reason_is_told_too(engine):
    lose(engine)
    look_for(engine, 3.0)
    while engine.state.workers["camera"].state is not WorkerState.STARTING:
        engine.tick(0.1)
    since_s = engine.state.loss_since_s
    engine.say("camera", Crashed("GV01 belongs to another program", "", "", True, "DeviceError"))
    engine.gone("camera")
    assert engine.events(CameraLost)[-1].why == "GV01 belongs to another program"
    assert engine.state.loss_since_s == since_s


def test_a_recording_waits_for_the_camera_and_says_what_is_missing(engine):
    engine.ask(StartRecording("f", "track"))
    engine.arm()
    engine.begin()
    lose(engine)
    look_for(engine, 120.0)
    assert engine.state.recording is not None
    assert [event.on for event in engine.events(AcquisitionChanged)] == [True]
    find(engine)
    (remark,) = engine.orders("recorder", Remark)
    assert "lost for 12" in remark.text
    assert "GV01 does not answer" in remark.text


def test_what_needs_the_camera_is_refused_in_its_words_meanwhile(engine):
    lose(engine)
    for command in (GetCamera(), StartRecording("f", "full")):
        reply = engine.reply(engine.ask(command))
        assert reply.error == "DeviceError"
        assert "GV01 does not answer" in reply.what
        assert "check its cable" in reply.remedy


def test_live_can_be_switched_off_and_on_while_it_is_away(engine):
    lose(engine)
    engine.ask(StopLive())
    find(engine)
    assert engine.orders("camera", RunCamera) == []
    lose(engine)
    engine.ask(StartLive())
    find(engine)
    assert engine.orders("camera", RunCamera) == [RunCamera(True)]


def test_a_loss_is_no_fault_of_the_process(make):
    engine = make(max_restarts=1).come_up()
    lose(engine)
    look_for(engine, 5.0)
    find(engine)
    engine.gone("camera")  # a fault, the first one
    assert Spawn("camera") in engine.effects
    engine.ready("camera")
    engine.gone("camera")
    assert engine.state.workers["camera"].state is WorkerState.FAILED


def test_a_camera_that_cannot_be_opened_at_first_ends_the_start_up(make):
    engine = make()
    lose(engine)
    assert engine.state.phase is Phase.STOPPING
    assert engine.events(Stopping)[0].what == "camera GV01 does not answer"


def test_a_file_that_cannot_be_read_is_not_waited_for(engine):
    stream = engine.state.stream
    waiting = Stream("ring2", stream.format, 8, 100.0, can_wait=True)
    engine.feed(StreamMade(waiting))
    lose(engine)
    assert engine.state.workers["camera"].state is WorkerState.FAILED
    assert engine.events(WorkerLost)


def test_the_engine_ends_while_the_camera_is_away(engine):
    lose(engine)
    look_for(engine, 3.0)
    engine.ask(Shutdown())
    for name in ("recorder", "tracker-0", "tracker-1", "camera"):
        engine.gone(name, "it ended")
    assert engine.state.phase is Phase.STOPPED
