"""The Allan deviation against theory, published values and another library's."""

from __future__ import annotations

import numpy as np
import pytest

from napari_beadscope.analysis import allan_deviation, on_grid
from napari_beadscope.core.errors import InputError


def published_series(n: int = 1000) -> np.ndarray:
    """The test series of NIST SP 1065 (Riley 2008), section 12.4."""
    number, values = 1234567890, []
    for _ in range(n):
        values.append(number / 2147483647)
        number = 16807 * number % 2147483647
    return np.array(values)


def test_the_published_values() -> None:
    """NIST SP 1065, table 31: overlapping Allan deviation at averaging factors 1, 10, 100."""
    found = allan_deviation(published_series(), 1.0, averages=np.array([1, 10, 100]))
    assert found.deviation == pytest.approx([2.922319e-1, 9.159953e-2, 3.241343e-2], rel=1e-6)
    assert found.terms.tolist() == [999, 981, 801]


def test_values_of_another_library() -> None:
    """`allantools` 2024.6: oadev(..., data_type="freq"), edf_simple for white noise and walk."""
    averages = np.array([1, 3, 10, 30, 100, 300])
    found = allan_deviation(published_series(), 1.0, averages=averages)
    theirs = [0.29223188, 0.16444561, 0.09159953, 0.04887241, 0.03241343, 0.00877048]
    assert found.deviation == pytest.approx(theirs, abs=5e-9)
    walk = np.cumsum(published_series() - published_series().mean())
    found = allan_deviation(walk, 100.0, averages=averages)
    theirs = [0.20396763, 0.29317777, 0.49075861, 0.87773857, 1.46016207, 0.49895685]
    assert found.deviation == pytest.approx(theirs, abs=5e-9)
    assert found.tau_s == pytest.approx(averages / 100.0)
    from napari_beadscope.analysis.allan import degrees_of_freedom

    freedom = [degrees_of_freedom(1000, m) for m in (1, 10, 100)]
    assert freedom == pytest.approx([665.7795538, 97.3318983, 7.4222593])


def test_white_noise_averages_out() -> None:
    values = np.random.default_rng(1).normal(500.0, 3.0, 200_000)
    found = allan_deviation(values, 100.0)
    short = found.tau_s < 10
    assert found.deviation[short] == pytest.approx(3 / np.sqrt(100 * found.tau_s[short]), rel=0.1)


def test_a_random_walk_grows() -> None:
    values = np.cumsum(np.random.default_rng(2).normal(0, 2.0, 200_000))
    found = allan_deviation(values, 100.0)
    m = 100 * found.tau_s
    short = found.tau_s < 5
    theory = 2 * np.sqrt((2 * m**2 + 1) / (6 * m))
    assert found.deviation[short] == pytest.approx(theory[short], rel=0.1)


@pytest.mark.parametrize("walk", [False, True])
def test_the_interval_holds_the_truth_as_often_as_it_says(walk: bool) -> None:
    rng = np.random.default_rng(3)
    inside = np.zeros(2)
    for _ in range(300):
        values = rng.normal(0, 1, 300)
        found = allan_deviation(
            values.cumsum() if walk else values, 1.0, averages=np.array([3, 30])
        )
        m = found.tau_s
        truth = np.sqrt((2 * m**2 + 1) / (6 * m)) if walk else m**-0.5
        inside += (found.lower < truth) & (truth < found.upper)
    assert (inside / 300 > 0.62).all()
    assert (inside / 300 < 0.95).all()


def test_gaps_are_left_out_not_bridged() -> None:
    values = np.random.default_rng(4).normal(0, 1, 20_000)
    frame = np.flatnonzero(np.random.default_rng(5).random(20_000) > 0.02)
    found = allan_deviation(on_grid(frame, values[frame]), 1.0, averages=np.array([1, 10]))
    assert found.deviation == pytest.approx([1.0, 10**-0.5], rel=0.05)
    assert found.terms[1] < found.terms[0] < 20_000
    step = np.concatenate([values, np.full(50, np.nan), values + 1000.0])
    found = allan_deviation(step, 1.0, averages=np.array([1, 10, 25]))
    assert found.deviation == pytest.approx([1.0, 10**-0.5, 0.2], rel=0.1)


def test_little_or_nothing() -> None:
    assert not len(allan_deviation(np.full(100, np.nan), 10.0).tau_s)
    assert not len(allan_deviation(np.arange(3.0), 10.0).tau_s)
    with pytest.raises(InputError, match="rate"):
        allan_deviation(np.arange(30.0), 0.0)
    with pytest.raises(InputError, match="confidence"):
        allan_deviation(np.arange(30.0), 1.0, confidence=68.0)
    with pytest.raises(InputError, match="rise"):
        on_grid(np.array([3, 3]), np.zeros(2))
