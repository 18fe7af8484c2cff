"""Colours for values of which some are missing.

Owns one colormap. Must not know what the values mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap

MISSING = (0.5, 0.5, 0.5, 1.0)


class GappyColormap(Colormap):
    """Paints values between `low` and `high`, and what is NaN grey.

    A napari Tracks layer scales a feature to its range, which one NaN makes NaN: all tracks would
    vanish. For features named in ``colormaps_dict`` it leaves the scaling to the colormap.

    Examples
    --------
    >>> GappyColormap.spanning(np.array([np.nan, 2.0, 4.0])).map(np.array([np.nan])).tolist()
    [[0.5, 0.5, 0.5, 1.0]]
    """

    low: float = 0.0
    high: float = 1.0

    @classmethod
    def spanning(cls, values: np.ndarray, like: str = "viridis") -> GappyColormap:
        """Return the colours of `like` spread over the finite values."""
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        colours = AVAILABLE_COLORMAPS[like]
        return cls(
            colors=colours.colors,
            controls=colours.controls,
            nan_color=np.array(MISSING),
            low=low,
            high=high,
        )

    def map(self, values: Any) -> Any:
        """Return the RGBA colours of `values`."""
        scaled = (np.asarray(values, float) - self.low) / max(self.high - self.low, 1e-10)
        return super().map(scaled)
