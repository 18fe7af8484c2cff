"""Z-lock's law on a simulated stage: drift, noise, steps, hysteresis, and all that goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from napari_beadscope.control import FocusReading, ZLoop, hold_height
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.locks import ZLock, ZState, check_lock
from napari_beadscope.core.types import TRACK_ROW, Reason

FRAME_S = 0.01
LOCK = ZLock(bead=0, target_nm=1500.0)


@dataclass
class Stage:
    """A stage that drifts under a motor with speed and backlash; ``z = z0 + drift - focus``."""

    drift_nm: Callable[[float], float] = lambda time_s: 0.0
    noise_nm: float = 9.0
    nm_per_um: float = 1000.0
    speed_um_s: float = 20.0
    backlash_um: float = 0.0
    limits_um: tuple[float, float] = (-50.0, 50.0)
    heights_nm: tuple[float, ...] = (1500.0,)
    target_um: float = 0.0
    travelled_um: float = 0.0
    focus_um: float = 0.0
    reason: Reason = Reason.OK
    lost: tuple[int, ...] = ()
    frame: int = 0
    focus_error_nm: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = np.random.default_rng(11)

    def step(self) -> tuple[np.ndarray, FocusReading]:
        """Let one frame pass; return its rows and what the motor says."""
        self.frame += 1
        way = self.target_um - self.travelled_um
        self.travelled_um += float(np.sign(way) * min(abs(way), self.speed_um_s * FRAME_S))
        play = self.backlash_um / 2
        self.focus_um = float(
            np.clip(self.focus_um, self.travelled_um - play, self.travelled_um + play)
        )
        moved = self.drift_nm(self.frame * FRAME_S) - self.focus_um * self.nm_per_um
        self.focus_error_nm.append(moved)
        rows = np.zeros(len(self.heights_nm), TRACK_ROW)
        rows["seq"], rows["time_ns"] = self.frame, int(self.frame * FRAME_S * 1e9)
        rows["bead"], rows["quality"], rows["reason"] = range(len(rows)), 1.0, self.reason
        rows["z_nm"] = np.array(self.heights_nm) + moved
        rows["z_nm"] += self.draw.normal(0, self.noise_nm, len(rows))
        bad = np.isin(rows["bead"], self.lost) | (rows["reason"] > 0)
        rows["reason"][bad] = rows["reason"][bad] | int(Reason.POOR_MATCH)
        rows["z_nm"][bad] = np.nan
        moving = abs(self.target_um - self.travelled_um) > 1e-12
        time_ns = int(self.frame * FRAME_S * 1e9)
        return rows, FocusReading(self.target_um, moving, time_ns, self.limits_um)


def run(
    stage: Stage, lock: ZLock, seconds: float, loop: ZLoop | None = None, beads: tuple = (0,)
) -> ZLoop:
    loop = ZLoop() if loop is None else loop
    for _ in range(round(seconds / FRAME_S)):
        rows, focus = stage.step()
        loop, target = hold_height(loop, rows, focus, lock, beads, focus.time_ns)
        if target is not None:
            stage.target_um = target
    return loop


def rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def test_twenty_nm_per_second_of_drift_are_held() -> None:
    stage = Stage(lambda t: 20 * t)
    loop = run(stage, LOCK, 30)
    assert rms(stage.focus_error_nm[500:]) < 15
    assert loop.state.phase == "locked"
    assert loop.state.corrections > 50
    free = Stage(lambda t: 20 * t)
    run(free, ZLock(bead=0, gain=0.01, max_step_nm=0.1), 30)
    assert rms(free.focus_error_nm[500:]) > 200


def test_the_error_is_what_the_law_says() -> None:
    """``v * interval / gain``, and noise times ``sqrt(gain / (2 - gain))``."""
    ramp = Stage(lambda t: 40 * t, noise_nm=0.0, speed_um_s=1e4)
    run(ramp, LOCK, 20)
    period = 0.2 + FRAME_S  # the frame in which a correction falls due
    assert np.mean(ramp.focus_error_nm[1000:]) == pytest.approx(40 * period / 0.5, rel=0.2)
    still = Stage(noise_nm=9.0)
    run(still, LOCK, 60)
    of_mean = 9.0 / np.sqrt(10)
    assert np.std(still.focus_error_nm[500:]) == pytest.approx(
        of_mean * np.sqrt(0.5 / 1.5), rel=0.3
    )


def test_without_a_target_it_holds_what_it_finds() -> None:
    stage = Stage(heights_nm=(1733.0,))
    loop = run(stage, ZLock(bead=0), 2)
    assert loop.state.target_nm == pytest.approx(1733, abs=10)
    assert abs(loop.state.error_nm or 0.0) < 15


def test_a_step_is_taken_away_in_pieces() -> None:
    stage = Stage(lambda t: 600.0 * (t > 2), noise_nm=3.0)
    run(stage, LOCK, 2.25)
    assert abs(stage.target_um) < 0.12
    run_on = Stage(lambda t: 600.0 * (t > 2), noise_nm=3.0)
    loop = run(run_on, LOCK, 5)
    assert abs(np.mean(run_on.focus_error_nm[-50:])) < 10
    assert loop.state.phase == "locked"


@pytest.mark.parametrize("backlash_um", [0.05, 0.3])
def test_backlash_is_overcome_without_oscillation(backlash_um: float) -> None:
    stage = Stage(lambda t: 60 * np.sin(t / 3), backlash_um=backlash_um, noise_nm=5.0)
    loop = run(stage, LOCK, 60)
    assert loop.state.phase == "locked", loop.state.why
    assert rms(stage.focus_error_nm[1000:]) < 45


def test_frames_exposed_on_the_way_do_not_count() -> None:
    slow = Stage(lambda t: 300.0 * (t > 1), noise_nm=1.0, speed_um_s=0.5)
    loop = run(slow, ZLock(bead=0, target_nm=1500.0, gain=1.0, max_step_nm=1000, interval_s=0), 6)
    assert min(slow.focus_error_nm) > -20  # no overshoot from looking too early
    assert abs(np.mean(slow.focus_error_nm[-50:])) < 3
    assert loop.state.phase == "locked"


def test_the_median_of_references_survives_the_loss_of_one() -> None:
    stage = Stage(lambda t: 10 * t, heights_nm=(1200.0, 1500.0, 2600.0), noise_nm=4.0)
    beads = (0, 1, 2)
    loop = run(stage, ZLock(), 10, beads=beads)
    assert loop.state.target_nm == pytest.approx(1500, abs=5)
    before = np.mean(stage.focus_error_nm[-300:])
    stage.lost = (2,)
    loop = run(stage, ZLock(), 10, loop, beads)
    assert loop.state.phase == "locked"
    assert np.mean(stage.focus_error_nm[-300:]) == pytest.approx(before, abs=6)
    loop = run(stage, ZLock(), 5, loop, (0, 1))  # taken off the list of references
    assert np.mean(stage.focus_error_nm[-300:]) == pytest.approx(before, abs=6)


def test_it_goes_on_where_a_predecessor_died() -> None:
    stage = Stage(lambda t: 20 * t, heights_nm=(1400.0, 1600.0), noise_nm=4.0)
    loop = run(stage, ZLock(), 5, beads=(0, 1))
    state = loop.state
    heir = run(
        stage,
        ZLock(),
        5,
        ZLoop(ZState("starting", "", state.target_nm, offsets_nm=state.offsets_nm)),
        (0, 1),
    )
    assert heir.state.target_nm == state.target_nm
    assert rms(stage.focus_error_nm[-200:]) < 20


# --- what ends it -------------------------------------------------------------------------


def test_a_lost_bead_holds_the_focus_and_then_ends_the_lock() -> None:
    stage = Stage(lambda t: 20 * t)
    loop = run(stage, LOCK, 3)
    stage.reason = Reason.POOR_MATCH
    loop = run(stage, LOCK, 1, loop)
    assert loop.state.phase == "held"
    assert loop.state.why == "bead 0 cannot be measured: it does not look like the Z-LUT"
    there = stage.target_um
    stage.reason = Reason.OK
    loop = run(stage, LOCK, 2, loop)
    assert loop.state.phase == "locked"
    stage.reason = Reason.POOR_MATCH
    there = stage.target_um
    loop = run(stage, LOCK, 7, loop)
    assert loop.state.phase == "stopped"
    assert loop.state.why.endswith("it does not look like the Z-LUT, for 5 s")
    assert stage.target_um == pytest.approx(there, abs=0.05)
    assert run(stage, LOCK, 1, loop) is loop  # it does not come back by itself


def test_low_quality_counts_as_lost() -> None:
    loop = run(Stage(), ZLock(bead=0, min_quality=1.0), 1)
    assert loop.state.phase == "locked"
    stage = Stage()
    loop = ZLoop()
    for _ in range(20):
        rows, focus = stage.step()
        rows["quality"] = 0.05
        loop, target = hold_height(loop, rows, focus, LOCK, (0,), focus.time_ns)
        assert target is None
    assert loop.state.why == "bead 0 cannot be measured: its quality is low"


def test_the_limit_of_the_motor_ends_it() -> None:
    stage = Stage(lambda t: 200 * t, limits_um=(-1.0, 0.5))
    loop = run(stage, LOCK, 10)
    assert loop.state.phase == "stopped"
    assert "limit" in loop.state.why
    assert "-1 to 0.5 um" in loop.state.why
    assert stage.target_um <= 0.5


@pytest.mark.parametrize(("wrong", "window"), [(2.4, 10), (3.0, 10), (5.0, 10), (3.0, 1)])
def test_oscillation_ends_it(wrong: float, window: int) -> None:
    lock = ZLock(
        bead=0, target_nm=1500.0, gain=1.0, nm_per_um=1000.0 / wrong, window=window, interval_s=0.1
    )
    stage = Stage(lambda t: 50.0 * (t > 1))
    loop = run(stage, lock, 30)
    assert loop.state.phase == "stopped"
    assert "oscillates" in loop.state.why
    assert max(map(abs, stage.focus_error_nm)) < 1000


@pytest.mark.parametrize("away_nm", [0.0, 30.0, 2000.0])
@pytest.mark.parametrize(
    ("gain", "max_step_nm", "noise_nm"), [(0.5, 100.0, 9.0), (0.1, 20.0, 1.0), (1.4, 1e4, 30.0)]
)
def test_the_wrong_sign_ends_it_before_it_gets_far(
    away_nm: float, gain: float, max_step_nm: float, noise_nm: float
) -> None:
    """Also when the height is to go a long way, and when large steps are allowed."""
    stage = Stage(lambda t: 5 * t, noise_nm=noise_nm)
    lock = ZLock(
        bead=0,
        target_nm=1500.0 - away_nm,
        nm_per_um=-1000.0,
        gain=gain,
        max_step_nm=max_step_nm,
    )
    loop = run(stage, lock, 60)
    assert loop.state.phase == "stopped"
    assert "wrong sign" in loop.state.why
    assert abs(stage.target_um) < 0.3


@pytest.mark.parametrize("gain", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("rate_nm_s", [0.0, 20.0])
def test_drift_and_jumps_are_not_taken_for_a_wrong_sign(gain: float, rate_nm_s: float) -> None:
    def moved(t: float) -> float:
        return rate_nm_s * t + 300.0 * (t > 3) - 800.0 * (t > 12)

    stage = Stage(moved, noise_nm=5.0)
    loop = run(stage, ZLock(bead=0, gain=gain), 40)
    assert loop.state.phase == "locked", loop.state.why


def test_far_ways_are_gone_in_large_steps_once_the_height_follows() -> None:
    stage = Stage()
    lock = ZLock(bead=0, target_nm=-8500.0, max_step_nm=1000.0, gain=1.0)
    loop = run(stage, lock, 10)
    assert loop.state.phase == "locked"
    assert abs(loop.state.error_nm or 99.0) < 20.0  # 10 um in less than 50 corrections


@pytest.mark.parametrize("gain", [0.1, 0.5, 1.0, 1.4])
@pytest.mark.parametrize("noise_nm", [0.5, 60.0])
def test_noise_alone_never_ends_it(gain: float, noise_nm: float) -> None:
    stage = Stage(lambda t: 30 * np.sin(t / 5), noise_nm=noise_nm)
    loop = run(stage, ZLock(bead=0, target_nm=1500.0, gain=gain, interval_s=0.05), 40)
    assert loop.state.phase == "locked", loop.state.why


@pytest.mark.parametrize("gain", [0.2, 0.5, 1.0])
def test_noise_alone_never_ends_it_frame_by_frame(gain: float) -> None:
    stage = Stage(noise_nm=30.0, speed_um_s=1e4)
    lock = ZLock(bead=0, target_nm=1500.0, gain=gain, interval_s=0, window=1, max_step_nm=1e4)
    loop = run(stage, lock, 60)
    assert loop.state.phase == "locked", loop.state.why
    assert loop.state.corrections > 2000


def test_a_motor_that_does_not_arrive_ends_it() -> None:
    stage = Stage(lambda t: 100.0, speed_um_s=1e-6)
    loop = run(stage, LOCK, 15)
    assert loop.state.phase == "stopped"
    assert "did not arrive" in loop.state.why


def test_no_frames_is_no_reason_to_move_or_to_end() -> None:
    stage = Stage(lambda t: 20 * t)
    loop = run(stage, LOCK, 3)
    nothing = np.zeros(0, TRACK_ROW)
    focus = FocusReading(stage.target_um, False, int(5e9))
    for second in range(60):
        loop, target = hold_height(loop, nothing, focus, LOCK, (0,), int((5 + second) * 1e9))
        assert target is None
    assert loop.state.phase == "locked"


def test_a_sign_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="nm_per_um"):
        check_lock(ZLock(nm_per_um=0))
