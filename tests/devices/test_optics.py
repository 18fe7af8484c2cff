"""The radial table against wave optics done another way, and the properties it must have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_beadscope.devices.simulated import SimulatedMicroscope, SimulatedOptions, optics
from napari_beadscope.devices.simulated.optics import (
    axial_rate,
    bead_amplitude,
    cut_off,
    radial_table,
    scattered_field,
)


def _fft_field(options: SimulatedOptions, z_nm: float, tilt: tuple[float, float]) -> np.ndarray:
    """Intensity on a grid by a 2-D FFT, for a plane wave of lateral frequency `tilt`."""
    size, step = 768, 30.0
    axis = (np.arange(size) - size // 2) * step
    y, x = np.meshgrid(axis, axis, indexing="ij")
    wave = np.exp(2j * np.pi * (tilt[0] * x + tilt[1] * y))
    # average over each pixel: the bead's edge is a kink
    fine = (np.arange(3) - 1) * step / 3
    bead = np.mean(
        [bead_amplitude(options, np.hypot(y + dy, x + dx)) for dy in fine for dx in fine], axis=0
    )
    freq = np.fft.fftfreq(size, step)
    rho = np.hypot(*np.meshgrid(freq, freq, indexing="ij"))
    spectrum = np.fft.fft2(bead * wave) * (rho <= cut_off(options))
    added = np.fft.ifft2(spectrum * np.exp(-1j * axial_rate(options, rho) * z_nm))
    rate = axial_rate(options, np.array(np.hypot(*tilt)))
    return np.asarray(np.abs(wave * np.exp(-1j * rate * z_nm) + added) ** 2)


def _radial(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = image.shape[0] // 2
    return np.arange(100) * 30.0, image[half, half : half + 100] - 1


@pytest.mark.parametrize("z_nm", [-3000.0, -700.0, 0.0, 1500.0])
def test_coherent_image_is_that_of_a_2d_fourier_transform(z_nm: float) -> None:
    options = SimulatedOptions(illumination_na=0.0)
    r_nm, expected = _radial(_fft_field(options, z_nm, (0.0, 0.0)))
    field = scattered_field(options, np.array([z_nm]), r_nm)[0]
    contrast = 2 * field.real + np.abs(field) ** 2
    assert np.abs(contrast - expected).max() < 0.02 * np.abs(expected).max()


def test_finite_source_is_a_mean_over_tilted_plane_waves() -> None:
    options = SimulatedOptions(illumination_na=0.15)
    z_nm, edge = 2500.0, options.illumination_na / options.wavelength_nm
    tilts = [
        (radius * np.cos(angle), radius * np.sin(angle))
        for ring, radius in enumerate(edge * np.sqrt((np.arange(3) + 0.5) / 3))
        for angle in np.linspace(0, 2 * np.pi, 6, endpoint=False) + ring / 2
    ]
    images = [_fft_field(options, z_nm, tilt) for tilt in tilts]
    r_nm, expected = _radial(np.mean(images, axis=0))
    table = radial_table(options)
    plane = table.contrast[round((z_nm - table.z_first_nm) / table.z_step_nm)]
    found = np.interp(r_nm, np.arange(len(plane)) * table.r_step_nm, plane)
    # the table blurs by a shift that is the same for all waves (paraxial): 3 % of the contrast
    assert np.abs(found - expected).max() < 0.08 * np.abs(expected).max()
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.03 * np.abs(expected).max()


def test_energy_is_that_of_the_plane_wave_in_every_plane() -> None:
    """Propagation only moves light: the sum over the image does not depend on z."""
    options = SimulatedOptions(illumination_na=0.0, bead_absorption=0.0)
    r_nm = np.arange(0, 40000, 20.0)
    z_nm = np.array([-1000.0, 0.0, 1000.0])
    field = scattered_field(options, z_nm, r_nm)
    scattered = np.sum(np.abs(field) ** 2 * 2 * np.pi * r_nm * 20.0, axis=1)
    assert scattered == pytest.approx(np.full(3, scattered[1]), rel=0.02)


def test_images_decorrelate_with_distance_and_differ_above_and_below() -> None:
    microscope = SimulatedMicroscope({"beads": 1, "height_px": 128, "width_px": 128})
    z_nm = np.arange(1500, 3501, 50)
    stack = microscope.focus_sweep(z_nm, size_px=64).reshape(len(z_nm), -1).astype(float)
    match = np.corrcoef(stack)[0]
    assert (np.diff(match[:20]) < 0).all()
    assert match[1] < 0.9999
    above, below = microscope.focus_sweep([2000, -2000], size_px=64).astype(float)
    assert np.corrcoef(above.ravel(), below.ravel())[0, 1] < 0.3


def test_every_height_has_its_own_profile() -> None:
    """No two heights more than 300 nm apart look alike within the range people work in."""
    table = radial_table(SimulatedOptions())
    planes = table.contrast[np.arange(-5000, 5001, 100) // 25 + len(table.contrast) // 2]
    distance = np.sqrt(np.mean((planes[:, None] - planes[None]) ** 2, axis=2))
    apart = np.abs(np.subtract.outer(np.arange(len(planes)), np.arange(len(planes)))) > 3
    assert distance[apart].min() > 0.004


def test_rings_fade_towards_the_edge_of_the_table() -> None:
    table = radial_table(SimulatedOptions())
    assert np.abs(table.contrast[:, -1]).max() == 0
    assert np.abs(table.contrast[:, -20:]).max() < 0.01
    assert table.contrast.min() >= -1.001


def test_image_is_symmetric() -> None:
    microscope = SimulatedMicroscope({"beads": 1, "height_px": 128, "width_px": 128})
    for size in (63, 64):
        image = microscope.focus_sweep([1700], size_px=size)[0].astype(int)
        for other in (image[::-1], image[:, ::-1], image.T):
            assert np.abs(image - other).max() <= 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"z_range_nm": 16000, "pattern_radius_nm": 12000},
        {"bead_radius_nm": 4000, "pattern_radius_nm": 12000, "na": 1.33, "wavelength_nm": 400},
    ],
)
def test_integrals_have_converged(
    options: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = radial_table(SimulatedOptions.model_validate(options))
    nodes = optics._nodes
    monkeypatch.setattr(optics, "_nodes", lambda cycles, end: nodes(2 * cycles + 100, end))
    finer = radial_table(SimulatedOptions.model_validate(options))
    assert np.abs(table.contrast - finer.contrast).max() < 1e-4


@settings(max_examples=15, deadline=None)
@given(
    radius=st.floats(100, 3000),
    na=st.floats(0.2, 1.3),
    fraction=st.floats(0, 0.9),
    index=st.floats(1.34, 2.0),
    nm_per_px=st.floats(30, 400),
)
def test_any_optics_give_a_finite_table(
    radius: float, na: float, fraction: float, index: float, nm_per_px: float
) -> None:
    options = SimulatedOptions(
        bead_radius_nm=radius, na=na, illumination_na=fraction * na, bead_index=index,
        nm_per_px=nm_per_px, z_range_nm=2000,
    )  # fmt: skip
    table = radial_table(options)
    assert np.isfinite(table.contrast).all()
    assert table.r_step_nm <= nm_per_px / 8
    assert table.contrast.shape == (161, table.contrast.shape[1])
    assert table.support.max() < table.contrast.shape[1] - 1
