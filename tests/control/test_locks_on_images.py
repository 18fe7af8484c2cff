"""Both laws over the simulated microscope's images for minutes of frames, in virtual time.

Each frame is rendered where the stage, the focus and the ROIs are by then, and tracked; no process
runs, so that nothing depends on how fast the machine is.
"""

from __future__ import annotations

import numpy as np
import pytest

from napari_beadscope.control import FocusReading, ZLoop, follow_beads, hold_height
from napari_beadscope.core.locks import XYLock, ZLock
from napari_beadscope.core.types import Bead, FrameStamp, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script.simulated_zlut import simulated_zlut
from napari_beadscope.tracking import Backend, ZLut
from napari_beadscope.tracking.backend import open_backend
from napari_beadscope.tracking.rows import to_rows

TEN_MINUTES_S = 600
ROI_PX = 60
CALM = {"seed": 5, "drift_nm": 0.0, "drift_z_nm": 0.0, "debris_per_mpx": 0.0}
RISING = {"height_px": 192, "width_px": 192, "beads": 1, "fps": 25, "drift_rate_z_nm_per_s": 20.0}


@pytest.fixture(scope="module")
def backend() -> Backend:
    """What the engine tracks with."""
    return open_backend("cpu", method="precise")


class Session:
    """A microscope in virtual time, with beads, a focus motor, and what tracks."""

    def __init__(self, options: dict, backend: Backend, zlut: ZLut | None = None) -> None:
        self.microscope = SimulatedMicroscope({**CALM, **options})
        self.fps = self.microscope.options.fps
        places = self.microscope.bead_positions_px()
        self.beads = [Bead(k, Roi.around(y, x, ROI_PX)) for k, (x, y) in enumerate(places)]
        self._backend, self._zlut = backend, zlut
        self.focus_um = 0.0

    def rows(self, frame: int) -> np.ndarray:
        """Take one frame; return its track rows."""
        image = self.microscope.render(frame, self.focus_um)
        crops = np.stack([bead.roi.crop(image) for bead in self.beads])
        stamp = FrameStamp(frame, self.time_ns(frame))
        return to_rows(self._backend.track(crops, self._zlut), self.beads, [frame], [stamp])

    def time_ns(self, frame: int) -> int:
        """When a frame is exposed."""
        return round(frame / self.fps * 1e9)

    def truth(self, frame: int) -> np.ndarray:
        """Where the beads are, ``(beads, 3)``."""
        return self.microscope.truth([frame], self.focus_um)[0, [one.bead for one in self.beads]]


def test_rois_follow_50_nm_per_s_for_ten_minutes(backend: Backend) -> None:
    options = {"height_px": 640, "width_px": 640, "beads": 12, "spacing_px": 75.0, "fps": 100}
    rates = {"drift_rate_x_nm_per_s": 30.0, "drift_rate_y_nm_per_s": 40.0}
    session = Session({**options, **rates}, backend)
    stay = [bead for bead in session.beads if max(bead.roi.x0 + 250, bead.roi.y0 + 310) < 640]
    session.beads = stay
    assert len(session.beads) > 3
    begun, lock = stay, XYLock()  # as it is without being told: a look every 10 s
    for last in range(lock.window, TEN_MINUTES_S * 100, round(lock.interval_s * 100)):
        frames = range(last - lock.window, last)
        rows = np.concatenate([session.rows(frame) for frame in frames])
        assert not rows["reason"].any(), f"lost at {last / 100} s"
        true = np.concatenate([session.truth(frame) for frame in frames])
        assert np.hypot(rows["x_px"] - true[:, 0], rows["y_px"] - true[:, 1]).max() < 0.3
        step = follow_beads(rows, session.beads, session.microscope.format.shape, lock)
        assert step.held == ()
        moved = {bead.bead: bead for bead in step.moves}
        session.beads = [moved.get(bead.bead, bead) for bead in session.beads]
    for before, after in zip(begun, session.beads, strict=True):
        assert after.roi.x0 - before.roi.x0 == pytest.approx(180, abs=6)
        assert after.roi.y0 - before.roi.y0 == pytest.approx(240, abs=6)


@pytest.fixture(scope="module")
def zlut() -> ZLut:
    """A Z-LUT of the drifting bead."""
    return simulated_zlut(SimulatedMicroscope({**CALM, **RISING}), ROI_PX)


def drift_held(session: Session, lock: ZLock, seconds: int) -> tuple[ZLoop, np.ndarray]:
    """Hold bead 0; return the loop and by how much stage and focus are apart in each frame, nm."""
    loop, apart_nm = ZLoop(), []
    target_um, due_ns = 0.0, 0  # the motor takes 20 ms to get anywhere
    for frame in range(round(seconds * session.fps)):
        now_ns = session.time_ns(frame)
        if now_ns >= due_ns:
            session.focus_um = target_um
        focus = FocusReading(target_um, now_ns < due_ns, due_ns, (-50.0, 50.0))
        seen_ns = now_ns + 10_000_000
        loop, told_um = hold_height(loop, session.rows(frame), focus, lock, [0], seen_ns)
        if told_um is not None:
            target_um, due_ns = told_um, seen_ns + 20_000_000
        apart_nm.append(20.0 * frame / session.fps - 1000 * session.focus_um)
    return loop, np.array(apart_nm)


def test_focus_stays_within_15_nm_of_a_stuck_bead_against_20_nm_per_s(
    backend: Backend, zlut: ZLut
) -> None:
    session = Session({**RISING, "stuck_beads": 1}, backend, zlut)
    begun_nm = session.truth(0)[0, 2]
    loop, apart_nm = drift_held(session, ZLock(bead=0, window=5, target_nm=begun_nm), 300)
    assert (loop.state.phase, loop.state.why) == ("locked", "")
    assert session.focus_um == pytest.approx(6, abs=0.05)
    assert np.sqrt(np.mean(apart_nm**2)) < 15


def test_a_bead_that_jitters_on_its_tether_holds_the_focus_as_well(
    backend: Backend, zlut: ZLut
) -> None:
    loop, apart_nm = drift_held(Session(RISING, backend, zlut), ZLock(bead=0), 120)
    assert (loop.state.phase, loop.state.why) == ("locked", "")
    settled = apart_nm[250:]  # around the height that it happened to have at the beginning
    assert settled.std() < 15
