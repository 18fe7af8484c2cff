"""Smoothing of curves sampled at the same places, by natural cubic smoothing splines.

How much is chosen from the data. Must not know what the curves are.
Method: C. H. Reinsch, Numerische Mathematik 10 (1967); choice by Mallows' Cp (noise known) or
generalised cross-validation (noise unknown): P. Craven and G. Wahba, Numerische Mathematik 31
(1979).
"""

from __future__ import annotations

import numpy as np

_LEVELS = np.logspace(-12, 6, 181)  # of the penalty, relative to its largest eigenvalue


def smooth(
    at: np.ndarray, curves: np.ndarray, variance: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smoothed curves, and how much of each sample's own noise is left in it.

    Parameters
    ----------
    at : ndarray, shape (p,)
        Rising.
    curves : ndarray, shape (p, m)
        Samples of `m` curves.
    variance : ndarray, shape (p, m), optional
        Of the noise in each sample, a product of one factor per row and one per column; without
        it every sample counts the same and its noise is unknown.

    Returns
    -------
    smoothed : ndarray, shape (p, m)
    leverage : ndarray, shape (p,)
        1 where nothing was smoothed; the noise's variance is that many times the sample's.

    Examples
    --------
    >>> x = np.arange(60.0)
    >>> noisy = np.sin(x / 9) + np.random.default_rng(0).normal(0, 0.1, 60)
    >>> better, leverage = smooth(x, noisy[:, np.newaxis], np.full((60, 1), 0.01))
    >>> bool(np.std(better[:, 0] - np.sin(x / 9)) < 0.06), bool(leverage.mean() < 0.3)
    (True, True)
    """
    p, m = curves.shape
    known = variance is not None
    row = np.ones(p) if variance is None else variance.mean(axis=1)
    column = np.ones(m) if variance is None else (variance / row[:, np.newaxis]).mean(axis=0)
    root = np.sqrt(row)
    penalty = _roughness(at) * np.outer(root, root)
    values, vectors = np.linalg.eigh((penalty + penalty.T) / 2)
    values = np.clip(values, 0.0, None) / values[-1]
    scaled = vectors.T @ (curves / root[:, np.newaxis] / np.sqrt(column))
    energy = (scaled**2).sum(axis=1)
    best, lowest = 0.0, np.inf
    for level in (0.0, *_LEVELS) if known else _LEVELS:
        lost = level * values / (1.0 + level * values)
        missed = float((energy * lost**2).sum())
        fixed = float(lost.sum())
        risk = missed - 2.0 * m * fixed if known else missed / fixed**2
        if risk < lowest:
            best, lowest = level, risk
    kept = 1.0 / (1.0 + best * values)
    smoothed = root[:, np.newaxis] * (vectors @ (kept[:, np.newaxis] * scaled)) * np.sqrt(column)
    return smoothed, np.asarray((vectors**2 * kept**2).sum(axis=1))


def _roughness(at: np.ndarray) -> np.ndarray:
    """Return the matrix of the integrated squared second derivative of the natural spline."""
    step = np.diff(at)
    p = len(at)
    second = np.zeros((p, p - 2))
    band = np.zeros((p - 2, p - 2))
    for k in range(p - 2):
        second[k, k] = 1 / step[k]
        second[k + 1, k] = -1 / step[k] - 1 / step[k + 1]
        second[k + 2, k] = 1 / step[k + 1]
        band[k, k] = (step[k] + step[k + 1]) / 3
        if k + 1 < p - 2:
            band[k, k + 1] = band[k + 1, k] = step[k + 1] / 6
    return np.asarray(second @ np.linalg.solve(band, second.T))
