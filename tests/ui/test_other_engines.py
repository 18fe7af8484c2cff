"""Engines beside this viewer's, and one that ends while it records."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import EngineError
from napari_beadscope.ui.model import Message, Phase
from napari_beadscope.ui.presenters.acquisition import AcquisitionPresenter
from napari_beadscope.ui.presenters.camera import CameraPresenter
from napari_beadscope.ui.session import Session


def test_no_second_engine_beside_one_that_records(
    scopes: Any, session: Session, said: list[Message]
) -> None:
    from fake_scope import FakeEngine

    from napari_beadscope.ui.presenters.status import StatusPresenter

    other = FakeEngine("e7", recording="/data/night", recording_since_unix_s=time.time())
    scopes.engines = (other, FakeEngine("e8"))
    since = time.strftime("%H:%M", time.localtime(other.recording_since_unix_s))
    camera, status = CameraPresenter(session), StatusPresenter(session)
    camera.set_live(True)
    assert scopes.made == []
    sentence = f"A microscope runs and records (since {since}): press Attach in Camera"
    assert said[-1].text == sentence
    assert status.headline() == (sentence, "warn")
    assert camera.offer() == f"Runs and records (since {since}): simulated"
    session.model.camera_id = "simulated:other"
    camera.set_live(True)
    assert session.model.live
    assert "records" in camera.offer()
    assert status.headline()[0] == f"Live; another one records (since {since})"
    scopes.engines = ()
    session.look_for_engines()
    assert camera.offer() == ""
    assert status.headline() == ("Live", "ok")


def test_an_engine_that_is_gone_names_the_recording_it_has_cut_off(
    session: Session, scopes: Any, said: list[Message], tmp_path: Path
) -> None:
    record = AcquisitionPresenter(session)
    record.set_root(str(tmp_path))
    record.start()
    folder = session.model.recording
    scopes.last.fail_with["status"] = EngineError("the engine does not answer", "start it again")
    end_s = time.monotonic() + 5
    while session.model.phase is not Phase.LOST:
        assert time.monotonic() < end_s
        session.tick()
        time.sleep(0.01)
    assert said[-1].text == (
        "The engine does not answer and the recording was cut off: "
        f"run `beadscope recover {folder}`, then press Live"
    )
