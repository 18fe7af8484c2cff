"""The exact renderer: the optics and nothing else, wherever the bead is between pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_beadscope.devices.simulated.microscope import SimulatedMicroscope
from napari_beadscope.devices.simulated.optics import scattered_field
from napari_beadscope.devices.simulated.still import StillBead

OPTIONS = {"z_range_nm": 4500, "pattern_radius_nm": 6000}
NM_PER_PX = 100.0


@pytest.fixture(scope="module")
def coherent() -> StillBead:
    return StillBead({**OPTIONS, "illumination_na": 0.0})


@pytest.mark.parametrize("z_nm", [-2987.3, -1012.6, 13.1, 512.5, 2512.4])
def test_rings_are_those_of_the_optics_between_planes_and_radii(
    coherent: StillBead, z_nm: float
) -> None:
    r_nm = np.linspace(0, 4000, 301)
    field = scattered_field(coherent.options, np.array([z_nm]), r_nm)[0]
    exact = 2 * field.real + np.abs(field) ** 2
    np.testing.assert_allclose(coherent.profile(z_nm)(r_nm / NM_PER_PX), exact, rtol=0, atol=2e-5)


def test_a_shift_by_pixels_is_a_shift_of_pixels(coherent: StillBead) -> None:
    one, other = coherent.images(np.array([[20.3, 25.8, 900.0], [23.3, 23.8, 900.0]]), 48)
    np.testing.assert_allclose(one[2:, :-3], other[:-2, 3:], rtol=0, atol=1e-12)


def test_the_live_renderer_shows_beads_where_they_are() -> None:
    """Its linear interpolation moves no bead by 1e-3 px or 0.5 nm, against the exact one."""
    camera = {"dtype": "uint16", "bit_depth": 16, "full_well_e": 50_000}  # nothing saturates
    microscope = SimulatedMicroscope({**OPTIONS, **camera, "beads": 1})
    exact = StillBead(OPTIONS)
    steps = np.array([1e-3, 1e-3, 0.1])
    for z_nm in (-2511.0, -700.0, 1333.0, 2912.0):
        for offset in ((0.0, 0.0), (0.31, -0.17), (0.5, 0.5)):
            place = np.array([23.5 + offset[0], 23.5 + offset[1], z_nm])
            images = exact.images(np.vstack([place, place + np.diag(steps)]), 48)
            slopes = (images[1:] - images[0]) / steps.reshape(3, 1, 1)
            live = microscope.focus_sweep([z_nm], size_px=48, offset_px=offset)[0].astype(float)
            design = np.stack([*slopes, images[0], np.ones((48, 48))]).reshape(5, -1).T
            fit = np.linalg.lstsq(design, live.ravel(), rcond=None)[0]
            assert (np.abs(fit[:2] / fit[3]) < 1e-3).all()
            assert abs(fit[2] / fit[3]) < 0.5
