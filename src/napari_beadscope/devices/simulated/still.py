"""One bead at exactly known places: ground truth for measuring trackers.

Owns noise-free images without the live renderer's shortcuts, which interpolates rings linearly
and keeps contrasts in 32 bits: here both radius and height are interpolated by splines through
the same optics, so that where the bead is shown is where it is, to better than 1e-4 px and
0.1 nm (see the tests). Must not know cameras, noise or trackers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_beadscope.devices.simulated.optics import radial_table
from napari_beadscope.devices.simulated.options import SimulatedOptions, simulated_options

#: Degree of the splines, and how many radii are mirrored so that they are even about 0.
_DEGREE = 5
_MIRRORED = 12


class StillBead:
    """A bead whose image is a smooth function of its place.

    Parameters
    ----------
    options : SimulatedOptions or dict, optional
        Bead and optics; what concerns cameras, fields and motion is ignored.

    Examples
    --------
    >>> bead = StillBead({"z_range_nm": 1000, "pattern_radius_nm": 2000})
    >>> images = bead.images(np.array([[15.5, 15.5, 300.0]]), 32)
    >>> images.shape, bool(np.allclose(images[0], images[0].T))
    ((1, 32, 32), True)
    """

    def __init__(self, options: SimulatedOptions | dict[str, Any] | None = None) -> None:
        from scipy.interpolate import make_interp_spline

        self.options = simulated_options(options)
        table = radial_table(self.options)
        self._step_px = table.r_step_nm / self.options.nm_per_px
        heights = table.z_first_nm + table.z_step_nm * np.arange(len(table.contrast))
        self._limit_nm = float(heights[-1])
        self._by_height = make_interp_spline(heights, table.contrast.astype(np.float64), k=_DEGREE)
        radii = np.arange(-_MIRRORED, table.contrast.shape[1]) * self._step_px
        self._radii_px = radii

    def profile(self, z_nm: float) -> Any:
        """Return the contrast at a height as a spline over the radius in px."""
        from scipy.interpolate import make_interp_spline

        values = self._by_height(np.clip(z_nm, -self._limit_nm, self._limit_nm))
        even = np.concatenate([values[_MIRRORED:0:-1], values])
        return make_interp_spline(self._radii_px, even, k=_DEGREE)

    def images(self, places: np.ndarray, size_px: int) -> np.ndarray:
        """Return noise-free images of the bead on a background of 1.

        Parameters
        ----------
        places : ndarray, shape (n, 3)
            x_px and y_px in image pixels, pixel centres at integers; z_nm above the focus.
        size_px : int
            Edge of the images.

        Returns
        -------
        ndarray, shape (n, y, x), float64
        """
        grid = np.arange(size_px)
        images = np.empty((len(places), size_px, size_px))
        end = self._radii_px[-1]
        for image, (x, y, z) in zip(images, np.asarray(places, float), strict=True):
            r = np.hypot(grid - x, grid[:, np.newaxis] - y)
            image[...] = 1 + np.where(r < end, self.profile(z)(np.minimum(r, end)), 0.0)
        return images
