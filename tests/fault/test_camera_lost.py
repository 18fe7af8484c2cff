"""A camera is unplugged while it streams and is recorded, and plugged in again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.messages import CameraBack, CameraLost, WorkerLost
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.aravis import FakeGigeCamera
from napari_beadscope.testing.audit import audit

pytestmark = pytest.mark.timeout(180)
_PATIENCE_S = 60.0
ROI = "64,32,240,320"


@pytest.fixture
def fake() -> Iterator[FakeGigeCamera]:
    with FakeGigeCamera() as fake:
        yield fake


def test_stream_and_recording_go_on_by_themselves_when_the_camera_is_back(
    fake: FakeGigeCamera, tmp_path: Path
) -> None:
    told: list[object] = []
    kinds = (CameraLost, CameraBack, WorkerLost)
    with Scope(fake.id, settings={"engine.ring_mb": 64}) as scope:
        scope.on_event(lambda event: told.append(event) if isinstance(event, kinds) else None)
        scope.set_camera(roi=ROI, exposure_ms=2, fps=40)
        scope.start_recording(tmp_path / "r", "full")
        scope.wait_for(lambda s: s.status().recorded_frames > 10, _PATIENCE_S)
        fake.unplug()
        scope.wait_for(lambda s: s.status().camera_lost, _PATIENCE_S)
        status = scope.status()
        assert "aravis:127.0.0.1 does not answer" in status.camera_lost
        assert status.streaming
        assert status.recording
        with pytest.raises(DeviceError, match=r"the camera is lost .*: check its"):
            scope.camera_properties()
        scope.wait_for(lambda s: s.status().camera_lost_s > 6, _PATIENCE_S)  # looked for in vain
        before = scope.status().recorded_frames
        fake.plug_in()
        scope.wait_for(lambda s: s.status().recorded_frames > before + 10, _PATIENCE_S)
        assert not scope.status().camera_lost
        known = {item["name"]: item["value"] for item in scope.camera_properties()}
        assert (known["roi"], known["exposure_ms"], known["fps"]) == (ROI, 2.0, 40.0)
        scope.stop_recording()
    assert [type(event) for event in told][-1] is CameraBack
    assert not any(isinstance(event, WorkerLost) for event in told)
    recording = open_recording(tmp_path / "r")
    assert audit(tmp_path / "r") == []
    (gap,) = [gap for gap in recording.gaps if gap.last - gap.first > 100]
    assert gap.cause == "dropped"
    note = " ".join(recording.manifest.notes)
    assert "the camera was lost for" in note
    assert "does not answer" in note
    times = np.asarray(recording.times_s)
    assert (np.diff(times) > 0).all()
    assert np.diff(times).max() > 6


def test_a_camera_that_is_not_there_ends_the_start_with_its_sentence(
    fake: FakeGigeCamera,
) -> None:
    fake.unplug()
    with pytest.raises(DeviceError, match=r"aravis:127.0.0.1 does not answer .*check its power"):
        Scope(fake.id).start()


def test_the_engine_can_be_left_while_the_camera_is_away(fake: FakeGigeCamera) -> None:
    with Scope(fake.id, settings={"engine.ring_mb": 64}) as scope:
        scope.start_live()
        scope.wait_for(lambda s: s.status().frames > 3, _PATIENCE_S)
        fake.unplug()
        scope.wait_for(lambda s: s.status().camera_lost, _PATIENCE_S)
        scope.stop_live()
        assert not scope.status().streaming
