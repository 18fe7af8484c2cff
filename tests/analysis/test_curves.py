"""Spectra, envelopes and histograms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_beadscope.analysis import envelope, intensities, power_spectrum
from napari_beadscope.core.errors import InputError


def test_the_spectrum_sums_to_the_variance_and_is_flat_for_white_noise() -> None:
    values = np.random.default_rng(0).normal(1e4, 5.0, 40_000)
    frequency_hz, density = power_spectrum(values, 200.0)
    assert density.sum() * frequency_hz[0] == pytest.approx(25.0, rel=0.03)
    assert frequency_hz[-1] == 100.0
    halves = [half.mean() for half in np.array_split(density, 2)]
    assert halves[0] == pytest.approx(halves[1], rel=0.05)


def test_a_trapped_beads_corner_is_where_it_should_be() -> None:
    """An Ornstein-Uhlenbeck process, sampled: the density of an autoregression."""
    rate_hz, corner_hz = 1000.0, 20.0
    decay = np.exp(-2 * np.pi * corner_hz / rate_hz)
    kicks = np.random.default_rng(1).normal(0, 1, 100_000)
    values = np.empty_like(kicks)
    values[0] = 0.0
    for i in range(1, len(values)):
        values[i] = decay * values[i - 1] + kicks[i]
    frequency_hz, density = power_spectrum(values, rate_hz, segments=100)
    turn = np.exp(-2j * np.pi * frequency_hz / rate_hz)
    theory = 2 / rate_hz / np.abs(1 - decay * turn) ** 2
    for part in (frequency_hz < 5, abs(frequency_hz - corner_hz) < 5, frequency_hz > 100):
        assert density[part].mean() == pytest.approx(theory[part].mean(), rel=0.1)


def test_the_spectrum_takes_the_longest_stretch() -> None:
    values = np.full(5000, np.nan)
    values[100:200] = 1e6
    values[1000:3000] = np.sin(np.arange(2000) * 2 * np.pi / 20)
    frequency_hz, density = power_spectrum(values, 100.0)
    assert frequency_hz[density.argmax()] == pytest.approx(5.0, abs=0.3)
    assert not len(power_spectrum(np.full(50, np.nan), 100.0)[0])
    with pytest.raises(InputError, match="rate"):
        power_spectrum(values, -1.0)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=400),
    st.integers(1, 60),
    st.floats(0, 400),
    st.floats(0, 400),
)
def test_an_envelope_keeps_every_extreme(
    values: list[float], columns: int, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    x, y = np.arange(float(len(values))), np.array(values, float)
    seen_x, seen_y = envelope(x, y, low, high, columns)
    inside = y[(x >= low) & (x <= high)]
    assert len(seen_x) == len(seen_y) <= 2 * columns + 4
    assert (np.diff(seen_x) > 0).all()
    if len(inside):
        assert seen_y.min() <= inside.min()
        assert seen_y.max() >= inside.max()
        assert set(seen_y) <= set(y)


def test_an_envelope_keeps_gaps_and_spikes_beside_missing_values() -> None:
    y = np.zeros(10_000)
    y[3000:4000] = np.nan
    y[5001] = np.nan
    y[5002] = 7.0
    x, seen = envelope(np.arange(10_000.0), y, 0, 10_000, 100)
    assert np.isnan(seen[(x > 3000) & (x < 4000)]).all()
    assert np.nanmax(seen) == 7.0
    assert np.isnan(seen).sum() == np.isnan(seen[(x > 3000) & (x < 4000)]).sum()


def test_saturated_pixels_are_counted() -> None:
    image = np.random.default_rng(0).integers(20, 200, (100, 200)).astype(np.uint8)
    found = intensities(image)
    assert (found.saturated, found.full_scale, found.brightest) == (0, 255, 199)
    assert found.pixels.sum() == image.size
    assert found.median == pytest.approx(np.median(image), abs=1)
    image[:10, :20] = 255
    found = intensities(image)
    assert found.share == 0.01


def test_twelve_bits_in_sixteen_are_recognised() -> None:
    image = np.random.default_rng(0).integers(100, 3000, (100, 100)).astype(np.uint16)
    assert intensities(image).full_scale == 65535
    image[0, :4] = 4095
    found = intensities(image)
    assert (found.full_scale, found.saturated) == (4095, 4)
    assert found.pixels.sum() == image.size
    assert found.edges[0] == -0.5
    assert found.edges[-1] >= 4095.5
    counts, _ = np.histogram(image, found.edges)
    assert (counts == found.pixels).all()
    image[0, 4] = 5000
    assert intensities(image).full_scale == 65535
    assert intensities(np.zeros((0, 4), np.uint16)).share == 0.0
