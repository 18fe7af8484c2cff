"""One viewer's session on a fake engine, without Qt."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_beadscope.core import messages
from napari_beadscope.core.errors import (
    DeviceError,
    EngineBusyError,
    EngineError,
    InputError,
    StateError,
)
from napari_beadscope.core.types import AcquisitionMode, Bead, Roi
from napari_beadscope.ui.jobs import launch_inline
from napari_beadscope.ui.model import Message, Phase
from napari_beadscope.ui.presenters.acquisition import AcquisitionPresenter
from napari_beadscope.ui.presenters.beads import BeadsPresenter
from napari_beadscope.ui.presenters.camera import CameraPresenter
from napari_beadscope.ui.presenters.status import StatusPresenter
from napari_beadscope.ui.session import Session


def tick_until(session: Session, what: Callable[[], Any], timeout_s: float = 5.0) -> None:
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, "timed out"
        session.tick()
        time.sleep(0.01)


def test_live_starts_an_engine_and_a_second_time_reuses_it(session: Session, scopes: Any) -> None:
    camera = CameraPresenter(session)
    camera.set_live(True)
    assert session.model.phase is Phase.READY
    assert session.model.live
    camera.set_live(False)
    assert not session.model.live
    camera.set_live(True)
    assert len(scopes.made) == 1
    assert scopes.last.calls.count("start_live") == 2


def test_other_options_mean_another_engine(session: Session, scopes: Any) -> None:
    camera = CameraPresenter(session)
    camera.set_live(True)
    session.set_beads((Bead(3, Roi(200, 200, 40)),))
    camera.set_live(False)
    camera.set_option("width_px", 128)
    camera.set_option("height_px", 128)
    camera.set_live(True)
    assert len(scopes.made) == 2
    assert "stop" in scopes.made[0].calls
    assert scopes.last.shape == (128, 128)
    assert session.model.beads == ()  # the old ones do not fit into the smaller frame


def test_the_camera_cannot_change_while_recording(
    session: Session, scopes: Any, said: list[Message], tmp_path: Path
) -> None:
    camera, record = CameraPresenter(session), AcquisitionPresenter(session)
    record.set_root(str(tmp_path))
    camera.set_live(True)
    record.start()
    camera.set_option("beads", 3)
    camera.set_live(True)
    assert "stop the recording first" in said[-1].text
    assert len(scopes.made) == 1


def test_live_off_while_recording_leaves_the_camera_on(
    session: Session, scopes: Any, tmp_path: Path
) -> None:
    camera, record = CameraPresenter(session), AcquisitionPresenter(session)
    record.set_root(str(tmp_path))
    camera.set_live(True)
    record.start()
    camera.set_live(False)
    assert scopes.last.streaming
    assert not session.model.live


def test_a_busy_camera_is_told_with_its_remedy(
    session: Session, scopes: Any, said: list[Message]
) -> None:
    scopes.fail_with["start"] = EngineBusyError("engine 7 has the camera", "attach to it")
    CameraPresenter(session).set_live(True)
    assert said[-1].text == "Engine 7 has the camera: attach to it"
    assert said[-1].severity == "error"
    assert session.model.phase is Phase.NONE
    assert session.scope is None


def test_a_failed_set_up_leaves_no_engine_behind(
    session: Session, scopes: Any, said: list[Message]
) -> None:
    scopes.fail_with["start_live"] = DeviceError("no light", "switch it on")
    CameraPresenter(session).set_live(True)
    assert scopes.last.calls[-1] == "stop"
    assert session.scope is None
    assert not session.model.live


def test_replay_without_a_file_says_so(session: Session, said: list[Message]) -> None:
    camera = CameraPresenter(session)
    camera.choose("replay")
    camera.set_live(True)
    assert said[-1].text.startswith("No file to replay")
    camera.set_option("path", "/data/x.tif")
    assert session.model.camera_id == "replay:/data/x.tif"
    assert camera.summary() == "x.tif"


def test_find_then_resize_then_remove(session: Session, scopes: Any) -> None:
    CameraPresenter(session).set_live(True)
    beads = BeadsPresenter(session)
    beads.find(4)
    assert len(session.model.beads) == 4
    beads.set_roi_size(32)
    assert {bead.roi.size for bead in scopes.last.beads} == {32}
    beads.select(frozenset({1, 2}))
    beads.remove_selected()
    assert [bead.bead for bead in scopes.last.beads] == [0, 3]
    assert session.model.selected == frozenset()
    beads.clear()
    assert scopes.last.beads == ()


def test_beads_that_leave_the_frame_are_refused_and_the_model_stays(
    session: Session, scopes: Any, said: list[Message]
) -> None:
    CameraPresenter(session).set_live(True)
    beads = BeadsPresenter(session)
    beads.find(2)
    before = session.model.beads
    shown: list[Any] = []
    session.model.events.beads.connect(shown.append)
    beads.edit((*before, Bead(9, Roi(-5, 0, before[0].roi.size))))
    assert "leaves the frame" in said[-1].text
    assert session.model.beads == before
    assert shown == [before]  # sent again, so that the view falls back to it


def test_find_without_a_camera(session: Session, said: list[Message]) -> None:
    BeadsPresenter(session).find()
    assert said[-1].text == "The camera is not running: press Live first"


def test_a_wrong_zlut_is_refused(session: Session, said: list[Message]) -> None:
    CameraPresenter(session).set_live(True)
    beads = BeadsPresenter(session)
    beads.set_zlut("/nowhere.txt")
    assert "No Z-LUT" in said[-1].text
    assert session.model.calibration.zlut == ""
    beads.set_nm_per_px(55.0)
    assert session.model.calibration.nm_per_px == 55.0


def test_the_method_is_kept_for_the_next_engine_and_taken_from_a_running_one(
    session: Session, scopes: Any, said: list[Message]
) -> None:
    beads = BeadsPresenter(session)
    assert session.model.method == ""
    beads.set_method("magtrack-compatible")
    CameraPresenter(session).set_live(True)
    assert scopes.last.method == "magtrack-compatible"
    beads.set_method("precise")
    assert (scopes.last.method, session.model.method) == ("precise", "precise")
    scopes.last.fail_with["set_method"] = StateError("cannot change it while recording", "wait")
    beads.set_method("magtrack-compatible")
    assert "while recording" in said[-1].text
    assert session.model.method == "precise"
    scopes.last.method = "magtrack-compatible"  # by another front end
    changed = messages.Tracking("cpu", "cpu", "magtrack-compatible")
    scopes.last.emit(messages.TrackingChanged(changed))
    tick_until(session, lambda: session.model.method == "magtrack-compatible")
    status = StatusPresenter(session)
    tick_until(session, lambda: "magtrack" in status.tracking())
    assert status.tracking() == "cpu, magtrack-compatible (no CUDA device found; 2 cores)"
    scopes.last.step = "compiling kernels"
    tick_until(session, lambda: status.headline()[0].startswith("Compiling kernels"))


def test_the_table_follows_the_tracks(session: Session) -> None:
    CameraPresenter(session).set_live(True)
    beads = BeadsPresenter(session)
    beads.find(3)
    tick_until(session, lambda: all(row.good for row in beads.rows()))
    assert beads.summary(beads.rows()) == "3 beads, 3 tracked"
    assert beads.rows()[0].z_nm == "–"


def test_record_starts_the_camera_and_names_the_folder(
    session: Session, scopes: Any, said: list[Message], tmp_path: Path
) -> None:
    record = AcquisitionPresenter(session)
    record.set_root(str(tmp_path))
    record.set_name(" pull 1 ")
    record.set_mode(AcquisitionMode.TRACK_ROIS)
    record.toggle()
    assert session.model.recording == tmp_path / "20261121_pull 1"
    tick_until(session, lambda: "0:01" in record.progress())
    assert "frames" in record.progress()
    assert record.disk().startswith("Disk: ")
    record.toggle()
    assert session.model.recording is None
    assert record.progress() == "Saved: 20261121_pull 1"
    assert "Recording saved" in said[-1].text


def test_a_recording_that_ends_by_itself_is_seen(
    session: Session, scopes: Any, tmp_path: Path
) -> None:
    record = AcquisitionPresenter(session)
    record.set_root(str(tmp_path))
    record.start()
    time.sleep(0.5)
    session.tick()
    scopes.last.recording = ""
    tick_until(session, lambda: session.model.recording is None)
    assert session.model.last_recording is not None


def test_events_become_messages(session: Session, scopes: Any, said: list[Message]) -> None:
    CameraPresenter(session).set_live(True)
    scope = scopes.last
    scope.emit(messages.WorkerLost("tracker-0", "killed by signal 9", "Traceback: x", True))
    scope.emit(messages.FramesDropped(3, 3))
    scope.emit(messages.Log(30, "camera", "hot sensor"))
    scope.emit(messages.Log(20, "camera", "fine"))
    scope.emit(messages.LiveChanged(False, "the file has ended"))
    scope.dropped = 3
    tick_until(session, lambda: session.model.status is not None and session.model.status.dropped)
    texts = [message.text for message in said]
    assert texts == [
        "Tracker-0 ended: killed by signal 9; it was restarted",
        "Frames are being dropped, because disk or trackers are too slow: track fewer beads, "
        "lower the frame rate, or record without video",
        "Hot sensor",
        "The camera stopped: the file has ended",
    ]
    assert said[0].traceback == "Traceback: x"
    assert not session.model.live
    status = StatusPresenter(session)
    dropped = {m.name: m.reading for m in status.metrics()}["dropped"]
    assert (dropped.value, dropped.tone) == ("3", "bad")
    assert status.notice() == (
        "3 frames dropped: ring full: disk or trackers too slow.",
        "bad",
    )


def test_status_in_words(session: Session, scopes: Any) -> None:
    status = StatusPresenter(session)
    assert status.headline()[0] == "No engine: press Live to start one"
    assert {m.reading.value for m in status.metrics() if m.name != "disk"} == {"–"}
    CameraPresenter(session).set_live(True)
    tick_until(session, lambda: session.model.status is not None)
    assert status.headline() == ("Live", "ok")
    rows = {row.name: row for row in status.workers()}
    assert rows["tracker-0"].tone == "warn"
    assert rows["recorder"].state == "silent"
    assert rows["recorder"].tone == "bad"


def test_an_engine_that_is_gone_is_let_go(
    session: Session, scopes: Any, said: list[Message]
) -> None:
    CameraPresenter(session).set_live(True)
    scopes.last.fail_with["status"] = EngineError("the engine does not answer", "start it again")
    tick_until(session, lambda: session.model.phase is Phase.LOST)
    assert session.scope is None
    assert not session.model.live
    assert "does not answer" in said[-1].text
    CameraPresenter(session).set_live(True)
    assert session.model.phase is Phase.READY


def test_attach_takes_over_beads_and_recording(scopes: Any, session: Session) -> None:
    from fake_scope import FakeEngine

    scopes.engines = (FakeEngine(),)
    scopes.recording = "/data/20261121_run"
    session.look_for_engines()
    camera = CameraPresenter(session)
    assert camera.offer().endswith(": simulated")
    camera.attach()
    assert len(session.model.beads) == 4
    assert session.model.live
    assert session.model.recording == Path("/data/20261121_run")
    assert camera.offer() == ""


def test_close_lets_the_engine_go_on(session: Session, scopes: Any, tmp_path: Path) -> None:
    record = AcquisitionPresenter(session)
    record.set_root(str(tmp_path))
    record.start()
    session.close()
    session.close()
    assert scopes.last.calls[-1] == "detach"
    assert "stop" not in scopes.last.calls
    assert "stop_recording" not in scopes.last.calls
    assert scopes.last.streaming


def test_properties_are_set_and_read_back(session: Session, scopes: Any) -> None:
    camera = CameraPresenter(session)
    assert camera.properties() == ()
    camera.set_live(True)
    camera.set_property("exposure_ms", 4.0)
    assert scopes.last.exposure_ms == 4.0
    values = {field.name: field.value for field in camera.properties()}
    assert values == {"exposure_ms": 4.0, "fps": 100.0, "binning": "1"}


@pytest.mark.parametrize("error", [InputError("bad", "good"), ValueError("odd")])
def test_every_error_of_a_job_is_kept(
    session: Session, scopes: Any, said: list[Message], error: Exception
) -> None:
    CameraPresenter(session).set_live(True)
    scopes.last.fail_with["set_beads"] = error
    BeadsPresenter(session).find()
    assert session.model.messages[-1] is said[-1]
    assert "Traceback" in said[-1].traceback
    assert session.model.busy == ""


def test_an_offer_that_is_void_is_taken_back(
    scopes: Any, session: Session, said: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fake_scope import FakeEngine

    scopes.engines = (FakeEngine(),)
    session.look_for_engines()
    camera = CameraPresenter(session)
    assert camera.offer()

    def gone(engine_id: str) -> None:
        scopes.engines = ()
        raise EngineError("no engine e1 is running", "start one")

    monkeypatch.setattr(scopes, "attach", gone)
    camera.attach()
    assert said[-1].text == "No engine e1 is running: start one"
    assert camera.offer() == ""


def test_a_session_closed_while_the_engine_starts_lets_go_of_it(
    scopes: Any, said: list[Message]
) -> None:
    waiting: list[Any] = []
    session = Session(scopes, waiting.append, said.append)
    session.start_live()
    session.close()
    launch_inline(waiting.pop())
    assert scopes.last.calls == ["start", "detach"]
    assert session.scope is None


def test_the_camera_follows_what_the_settings_choose(session: Session) -> None:
    camera = CameraPresenter(session)
    session.model.camera_id = "replay:/data/a.tif"
    assert camera.kind == "replay"
    assert {field.name: field.value for field in camera.fields()}["path"] == "/data/a.tif"
    session.model.camera_id = "simulated:left"
    camera.set_option("beads", 3)
    assert session.model.camera_id == "simulated:left"
    camera.choose("simulated")
    assert session.model.camera_id == "simulated"
