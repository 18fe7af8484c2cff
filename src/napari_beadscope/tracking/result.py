"""What a tracking backend hands back: one row per ROI. Knows nothing of how it was made."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from napari_beadscope.core.types import Reason


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrackResult:
    """Positions, profiles and trust of `n` ROIs, row `i` belonging to ``stack[i]``.

    Attributes
    ----------
    x_px, y_px : ndarray, shape (n,), float64
        Centre in ROI pixels; pixel centres are at integers, 0 is the first pixel. NaN where
        no centre was found.
    z_nm : ndarray, shape (n,), float64
        Height on the Z-LUT's axis; NaN without a Z-LUT or where there is no match.
    profiles : ndarray, shape (n, r), float32
        Mean intensity per 1 px wide radial bin, ``r = size_px // 2``; NaN in rows without a centre.
    quality : ndarray, shape (n,), float32
        0 (nothing to see) to 1 (perfect rings, perfect match); see `tracking.verdict`.
    reason : ndarray, shape (n,), uint32
        `core.types.Reason`; 0 means the row can be trusted.
    sigma_x_px, sigma_y_px, sigma_z_nm : ndarray, shape (n,), float32
        Standard error of the position as the fit estimates it from the row's own pixels; NaN
        where unknown (always, with the method "magtrack-compatible").
    """

    x_px: np.ndarray
    y_px: np.ndarray
    z_nm: np.ndarray
    profiles: np.ndarray
    quality: np.ndarray
    reason: np.ndarray
    sigma_x_px: np.ndarray
    sigma_y_px: np.ndarray
    sigma_z_nm: np.ndarray

    def __len__(self) -> int:
        return len(self.x_px)

    def __repr__(self) -> str:
        trusted = int(((self.reason == Reason.OK) & np.isfinite(self.x_px)).sum())
        heights = int(np.isfinite(self.z_nm).sum())
        return f"TrackResult: {len(self)} ROIs, {trusted} trusted, {heights} with z"

    def part(self, rows: slice) -> TrackResult:
        """Return the chosen rows; they share memory with this result."""
        return TrackResult(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def empty(cls, n: int, size_px: int) -> TrackResult:
        """Return `n` rows that say nothing yet: NaN everywhere, quality 0, reason 0.

        Examples
        --------
        >>> TrackResult.empty(2, 64).profiles.shape
        (2, 32)
        >>> TrackResult.empty(2, 64)
        TrackResult: 2 ROIs, 0 trusted, 0 with z
        """
        return cls(
            x_px=np.full(n, np.nan),
            y_px=np.full(n, np.nan),
            z_nm=np.full(n, np.nan),
            profiles=np.full((n, size_px // 2), np.nan, dtype=np.float32),
            quality=np.zeros(n, dtype=np.float32),
            reason=np.zeros(n, dtype=np.uint32),
            sigma_x_px=np.full(n, np.nan, dtype=np.float32),
            sigma_y_px=np.full(n, np.nan, dtype=np.float32),
            sigma_z_nm=np.full(n, np.nan, dtype=np.float32),
        )
