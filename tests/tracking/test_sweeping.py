"""The pure parts of a live focus sweep."""

from __future__ import annotations

import numpy as np
import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Bead, Reason, Roi
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.sweeping import (
    Drift,
    SweepTimes,
    measure_drift,
    plan_sweep,
    standing_alone,
    typical_profile,
    without_drift,
)
from napari_beadscope.tracking.zlut import ZLut
from napari_beadscope.tracking.zlut_build import Sweep


def result(z_nm: np.ndarray, reason: Reason = Reason.OK, profile: float = 1.0) -> TrackResult:
    n = len(z_nm)
    zeros, profiles = np.zeros(n), np.full((n, 5), profile, np.float32)
    ones = np.ones(n, np.float32)
    return TrackResult(
        x_px=zeros,
        y_px=zeros,
        z_nm=z_nm,
        profiles=profiles,
        quality=ones,
        reason=np.full(n, reason, np.uint32),
        sigma_x_px=ones,
        sigma_y_px=ones,
        sigma_z_nm=ones,
    )


def test_a_plan_rises_comes_from_below_and_counts_heights_from_the_start() -> None:
    plan = plan_sweep(3.0, -1.0, 2.0, 100.0, (-50.0, 50.0))
    assert len(plan.positions_um) == 31
    assert np.diff(plan.positions_um) == pytest.approx(np.full(30, 0.1))
    assert (plan.positions_um[0], plan.positions_um[-1]) == pytest.approx((2.0, 5.0))
    assert (plan.heights_nm[0], plan.heights_nm[-1]) == pytest.approx((1000.0, -2000.0))
    assert plan.run_up_um == pytest.approx(1.5)
    assert plan.positions_um.min() <= plan.middle_um <= plan.positions_um.max()
    assert plan_sweep(0.0, 0.0, 1.0, 100.0, (0.0, 50.0)).run_up_um == 0.0
    assert len(plan_sweep(0.0, 0.0, 1.04, 100.0, (0.0, 50.0)).positions_um) == 11


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ((1.0, -1.0, 50.0), "no length"),
        ((-1.0, 1.0, 0.0), "a step of 0 nm"),
        ((-1.0, 1.0, -50.0), "a step of -50 nm"),
        ((-1.0, 1.0, 500.0), "make 5 planes"),
        ((-1.0, 1.0, 0.1), "make 20001 planes"),
        ((float("nan"), 1.0, 50.0), "low_um is nan"),
        ((-1.0, float("inf"), 50.0), "high_um is inf"),
        ((-9.0, 1.0, 50.0), r"from -6 to 4 µm leaves the motor's limits, -5 to 5 µm"),
        ((-1.0, 3.0, 50.0), r"from 2 to 6 µm leaves"),
    ],
)
def test_a_plan_that_cannot_be_gone_is_refused(way: tuple, words: str) -> None:
    with pytest.raises(InputError, match=words):
        plan_sweep(3.0, *way, (-5.0, 5.0))


def test_beads_that_touch_do_not_stand_alone() -> None:
    places = [(0, 0), (0, 39), (0, 79), (60, 0), (200, 200), (239, 239)]
    beads = [Bead(7 + k, Roi(y, x, 40)) for k, (y, x) in enumerate(places)]
    assert [bead.bead for bead in standing_alone(beads)] == [9, 10]
    assert standing_alone(()) == ()
    assert standing_alone(beads[:1]) == (beads[0],)


def test_frames_without_the_bead_do_not_count_for_a_plane() -> None:
    seen = result(np.zeros(3), profile=2.0)
    seen.reason[1] = Reason.EMPTY
    seen.profiles[1] = 900.0
    profile, frames = typical_profile(seen)
    assert frames == 2
    assert profile.tolist() == [2.0] * 5
    profile, frames = typical_profile(result(np.zeros(3), Reason.EMPTY))
    assert frames == 0
    assert np.isnan(profile).all()


def times(seconds: float = 10.0) -> SweepTimes:
    """Planes from 500 down to -500 nm, with looks 1 s before and 3 s after."""
    heights, planes_s = np.linspace(500.0, -500.0, 11), np.linspace(7.0, 7.0 + seconds, 11)
    return SweepTimes(heights, planes_s, 6.0, 10.0 + seconds)


def test_drift_is_what_all_beads_do_and_sure_only_beyond_chance() -> None:
    draw = np.random.default_rng(1)
    when = times(1e-3)
    before = [result(draw.normal(100 * k, 25.0, 40)) for k in range(4)]
    after = [result(draw.normal(100 * k + 30.0, 25.0, 40)) for k in range(4)]
    after[2].z_nm[:5] = 5000.0  # frames that went wrong
    drift = measure_drift(before, after, when)
    assert drift is not None
    assert drift.error_nm_per_s * when.duration_s == pytest.approx(3.5, rel=0.4)
    assert drift.nm_per_s == pytest.approx(30.0 / when.duration_s, abs=3 * drift.error_nm_per_s)
    assert drift.is_sure
    same = [result(draw.normal(100 * k, 25.0, 40)) for k in range(4)]
    still = measure_drift(before, same, when)
    assert still is not None
    assert not still.is_sure
    lost = [result(np.full(40, np.nan), Reason.EMPTY)] * 4
    assert measure_drift(before, lost, when) is None
    assert measure_drift([], [], when) is None


def test_a_bead_that_rises_is_higher_in_the_planes_that_come_late() -> None:
    z = np.arange(-500.0, 501.0, 100.0)  # the focus rose, so the heights fell with time
    profiles = np.random.default_rng(0).normal(size=(11, 9))
    ones = np.ones(11)
    sweep = Sweep(ZLut(z, profiles), ones, ones.astype(int), ones, 0.0, ones, ones, {}, ())
    moved = without_drift(sweep, Drift(2.0, 0.1), times()).zlut
    np.testing.assert_array_equal(moved.profiles, profiles)
    assert moved.z_nm - z == pytest.approx(np.linspace(22.0, 2.0, 11))


@pytest.mark.parametrize("nm_per_s", [-30.0, 5.0, 20.0])
def test_planes_that_drift_themselves_do_not_mislead(nm_per_s: float) -> None:
    when = times()

    def read(height_nm: float) -> TrackResult:  # off planes that are not where they should be
        planes_nm = when.heights_nm + nm_per_s * (when.planes_s - when.before_s)
        return result(np.full(40, np.interp(height_nm, planes_nm[::-1], when.heights_nm[::-1])))

    before, after = read(20.0), read(20.0 + nm_per_s * when.duration_s)
    drift = measure_drift([before], [after], when)
    assert drift is not None
    assert drift.nm_per_s == pytest.approx(nm_per_s)
