"""Forces from jitter: those that were put in come out, whatever exposure and frame rate hide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_beadscope.analysis import force_from_spectrum, force_from_variance, stokes_drag
from napari_beadscope.analysis.forces import ou_spectrum
from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.simulated import SimulatedOptions
from napari_beadscope.devices.simulated.brownian import Brownian

LENGTH_NM = 900.0
BEADS, FRAMES = 8, 6000
TEMPERATURE_K = 298.0


def jitter(force_pn: float, fps: float, exposure_ms: float, noise_nm: float = 0.0) -> np.ndarray:
    """Return x of beads on pendulums that this force pulls, ``(frames, beads)``."""
    options = SimulatedOptions(
        beads=BEADS, fps=fps, exposure_ms=exposure_ms, temperature_k=TEMPERATURE_K
    )
    springs = np.full(3, force_pn / LENGTH_NM)
    motion = Brownian(options, springs)
    x = np.stack([motion.offsets_nm(frame, springs)[:, 0] for frame in range(FRAMES)])
    return np.asarray(x + np.random.default_rng(3).normal(0, noise_nm, x.shape))


@pytest.mark.parametrize(
    ("force_pn", "fps", "exposure_ms"),
    [(0.5, 100.0, 0.2), (0.5, 100.0, 10.0), (5.0, 500.0, 2.0), (10.0, 100.0, 0.2)],
)
def test_both_methods_find_the_force(force_pn: float, fps: float, exposure_ms: float) -> None:
    drag = stokes_drag(500.0)
    how = {"exposure_s": exposure_ms * 1e-3, "drag_pn_s_per_nm": drag, "temperature_k": 298.0}
    x = jitter(force_pn, fps, exposure_ms).T
    for fits in (
        [force_from_variance(one, LENGTH_NM, **how) for one in x],
        [force_from_spectrum(one, fps, LENGTH_NM, **how) for one in x],
    ):
        found = np.array([fit.force_pn for fit in fits])
        error = float(np.mean([fit.error_pn for fit in fits]))
        assert error < 0.07 * force_pn
        assert found.mean() == pytest.approx(force_pn, abs=5 * error / math.sqrt(BEADS))
        assert 0.4 * error < found.std(ddof=1) < 2 * error  # it says how well it knows
        assert fits[0].corner_hz == pytest.approx(force_pn / LENGTH_NM / drag / math.tau, rel=0.3)


def test_without_correction_a_long_exposure_makes_forces_far_too_large() -> None:
    x = jitter(5.0, 100.0, 10.0)[:, 0]
    assert force_from_variance(x, LENGTH_NM).force_pn > 15
    corrected = force_from_variance(
        x, LENGTH_NM, exposure_s=0.01, drag_pn_s_per_nm=stokes_drag(500.0)
    )
    assert corrected.force_pn == pytest.approx(5.0, rel=0.1)


def test_the_spectrum_tells_drag_and_noise_too() -> None:
    x = jitter(0.5, 500.0, 2.0, noise_nm=12.0).T
    fits = [
        force_from_spectrum(
            one, 500.0, LENGTH_NM, exposure_s=2e-3, noise_nm=None, temperature_k=TEMPERATURE_K
        )
        for one in x
    ]
    force, drag, noise = np.mean(
        [(fit.force_pn, fit.drag_pn_s_per_nm, fit.noise_nm) for fit in fits], axis=0
    )
    assert force == pytest.approx(0.5, rel=0.1)
    assert drag == pytest.approx(stokes_drag(500.0), rel=0.1)
    assert noise == pytest.approx(12.0, rel=0.1)


def test_noise_that_is_known_is_taken_off_the_variance() -> None:
    x = jitter(5.0, 100.0, 0.2, noise_nm=20.0)[:, 0]
    raw = force_from_variance(x, LENGTH_NM).force_pn
    better = force_from_variance(
        x, LENGTH_NM, noise_nm=20.0, exposure_s=2e-4, drag_pn_s_per_nm=stokes_drag(500.0)
    ).force_pn
    assert raw < 0.75 * better
    assert better == pytest.approx(5.0, rel=0.1)


def test_slow_drift_spoils_the_variance_and_not_the_spectrum() -> None:
    x = jitter(2.0, 100.0, 0.2)[:, 0] + np.linspace(0, 300, FRAMES)
    how = {"exposure_s": 2e-4, "drag_pn_s_per_nm": stokes_drag(500.0)}
    assert force_from_variance(x, LENGTH_NM, **how).force_pn < 1.0
    assert force_from_spectrum(x, 100.0, LENGTH_NM, **how).force_pn == pytest.approx(2.0, rel=0.1)


def test_missing_positions_are_left_out() -> None:
    x = jitter(0.5, 100.0, 0.2)[:, 0]
    whole = force_from_variance(x, LENGTH_NM)
    x[1000:1010] = np.nan
    assert force_from_variance(x, LENGTH_NM).frames == FRAMES - 10
    assert force_from_variance(x, LENGTH_NM).force_pn == pytest.approx(whole.force_pn, rel=0.02)
    assert force_from_spectrum(x, 100.0, LENGTH_NM).frames == FRAMES - 1010


@pytest.mark.parametrize("exposure_s", [0.0, 1e-3, 1e-2])
@pytest.mark.parametrize("relaxation_hz", [0.3, 70.0, 3000.0])
def test_the_spectrum_holds_all_of_the_blurred_variance(
    exposure_s: float, relaxation_hz: float
) -> None:
    frequency = (np.arange(200_000) + 0.5) / 200_000 * 50
    density = ou_spectrum(frequency, 100.0, 9.0, relaxation_hz, exposure_s)
    part = relaxation_hz * exposure_s
    blur = 2 * (part - 1 + math.exp(-part)) / part**2 if part else 1.0
    assert (density > 0).all()
    assert density.mean() * 50 == pytest.approx(9.0 * blur, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: force_from_variance(x[:9], 900.0), "9 positions are too few"),
        (lambda x: force_from_variance(x, -1.0), "length_nm cannot be -1: give a number above 0"),
        (lambda x: force_from_variance(x, 900.0, exposure_s=0.01), "drag, which is not given"),
        (lambda x: force_from_variance(x, 900.0, noise_nm=999.0), "no more than the noise"),
        (lambda x: force_from_variance(x[:, None], 900.0), "are not one series"),
        (lambda x: force_from_variance(x, 900.0, temperature_k=0), "temperature_k cannot be 0"),
        (lambda x: force_from_spectrum(x, 0.0, 900.0), "a rate of 0.0 Hz is impossible"),
        (lambda x: force_from_spectrum(x, 100.0, 900.0, exposure_s=1), "longer than a frame"),
        (lambda x: force_from_spectrum(0 * x, 100.0, 900.0), "does not jitter at all"),
        (lambda x: force_from_spectrum(x * np.nan, 100.0, 900.0), "0 positions are too few"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call: object, words: str) -> None:
    x = np.random.default_rng(0).normal(0, 80.0, 500)
    with pytest.raises(InputError, match=words):
        call(x)  # type: ignore[operator]
