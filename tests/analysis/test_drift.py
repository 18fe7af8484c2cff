"""Drift by reference beads, with noise, gaps and references that misbehave."""

from __future__ import annotations

import numpy as np
import pytest

from napari_beadscope.analysis import drift_of
from napari_beadscope.core.errors import InputError

N = 4000
DRIFT_NM = 40 * np.sin(np.arange(N) / 900) + 0.02 * np.arange(N)


def references(k: int, noise_nm: float = 2.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    offsets = rng.uniform(1000, 90_000, k)
    return offsets + DRIFT_NM[:, np.newaxis] + rng.normal(0, noise_nm, (N, k))


def error_nm(found: np.ndarray) -> np.ndarray:
    difference = found - DRIFT_NM
    return difference - np.nanmedian(difference)


def test_the_median_and_the_mean_of_references() -> None:
    assert error_nm(drift_of(references(5))).std() < 2.0 * 0.6
    assert error_nm(drift_of(references(5), how="mean")).std() < 2.0 / np.sqrt(5) * 1.05
    assert error_nm(drift_of(references(1))).std() == pytest.approx(2.0, rel=0.05)
    assert abs(np.median(drift_of(references(5)))) < 1e-9


def test_a_reference_that_goes_and_comes_back_makes_no_step() -> None:
    values = references(3, noise_nm=0.5)
    values[500:1500, 0] = np.nan
    values[2000:, 1] = np.nan
    values[:300, 2] = np.nan
    wrong = error_nm(drift_of(values))
    assert np.abs(wrong).max() < 2.5
    pieces = [wrong[:300], wrong[500:1500], wrong[1500:2000], wrong[2000:]]
    assert np.ptp([piece.mean() for piece in pieces]) < 0.3


def test_a_reference_that_comes_loose_is_outvoted() -> None:
    values = references(3)
    values[1000:, 2] += 500.0
    assert np.abs(error_nm(drift_of(values))).max() < 12.0
    assert np.abs(error_nm(drift_of(values, how="mean"))).max() > 50.0


def test_frames_without_a_reference_stay_unknown_or_are_bridged() -> None:
    values = references(2, noise_nm=0.0)
    values[100:105] = np.nan
    values[200:400] = np.nan
    values[-3:] = np.nan
    assert np.isnan(drift_of(values)).sum() == 5 + 200 + 3
    bridged = drift_of(values, max_gap=10)
    assert np.isnan(bridged).sum() == 200 + 3
    assert np.abs(error_nm(bridged)[90:110]).max() < 0.05


def test_little_or_nothing() -> None:
    assert np.isnan(drift_of(np.full((5, 2), np.nan))).all()
    assert np.isnan(drift_of(np.empty((5, 0)))).all()
    with pytest.raises(InputError, match="one column per reference"):
        drift_of(np.zeros(5))
    with pytest.raises(InputError, match="median"):
        drift_of(np.zeros((5, 1)), how="mode")
