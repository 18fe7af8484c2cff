"""Brightfield image of a bead out of focus, by the angular spectrum of plane waves.

Owns the physics from bead and optics to one radial contrast table ``c(z, r)``; an image is
``background * (1 + c)``. Must not know cameras, noise or motion.

The bead is an eikonal (anomalous-diffraction) object in its own plane: light that passes at
distance r from the axis is delayed and absorbed over the chord ``2 sqrt(R^2 - r^2)``. What the
bead adds to the plane wave is decomposed into plane waves up to the objective's aperture, each
propagated over the defocus z, and summed; everything is symmetric about the axis, so 2-D Fourier
transforms become Hankel transforms. A source of finite aperture adds the intensities of tilted
plane waves, which shift the pattern by ``z tan(angle)``: a blur by a disc. Neglected:
polarisation, pixel area, the refraction at a cover glass, interference between beads.

Methods: J. W. Goodman, Introduction to Fourier Optics (2005), section 3.10; H. C. van de Hulst,
Light Scattering by Small Particles (1957), chapter 11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_beadscope.devices.simulated.options import SimulatedOptions

#: z step of the table in nm; between planes the renderer interpolates with a cubic.
Z_STEP_NM = 25.0
#: Contrast below which a ring is not worth rendering: half the noise.
FAINT = 0.008


@dataclass(frozen=True, slots=True)
class RadialTable:
    """Contrast of one bead against the background by defocus and distance.

    Attributes
    ----------
    contrast : ndarray (z, r) float32
        Image over background, less 1.
    z_first_nm, z_step_nm : float
        Defocus of the first plane and step between planes.
    r_step_nm : float
        Step between radii; the first is 0.
    support : ndarray (z,) int64
        Radius index from which on the contrast is too faint to matter.
    """

    contrast: np.ndarray
    z_first_nm: float
    z_step_nm: float
    r_step_nm: float
    support: np.ndarray


def bead_amplitude(options: SimulatedOptions, r_nm: np.ndarray) -> np.ndarray:
    """Return the amplitude the bead adds to a unit plane wave at `r_nm`, complex128."""
    chord = 2 * np.sqrt(np.maximum(options.bead_radius_nm**2 - np.square(r_nm), 0.0))
    index = (options.bead_index - options.medium_index) + 1j * options.bead_absorption
    added: np.ndarray = np.exp(2j * np.pi / options.wavelength_nm * index * chord) - 1
    return added


def axial_rate(options: SimulatedOptions, freq_per_nm: np.ndarray) -> np.ndarray:
    """Return the phase per nm of defocus of a plane wave, relative to the axial one, rad/nm."""
    axial = options.medium_index / options.wavelength_nm
    squared = np.maximum(axial**2 - np.square(freq_per_nm), 0.0)
    rate: np.ndarray = 2 * np.pi * (np.sqrt(squared) - axial)
    return rate


def cut_off(options: SimulatedOptions) -> float:
    """Return the largest lateral frequency that reaches the camera, cycles/nm."""
    return min(options.na, 0.999 * options.medium_index) / options.wavelength_nm


def _nodes(cycles: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Return places and weights of an integral from 0 to `end` over that many oscillations.

    Panels of 16 Gauss points, four points to an oscillation, 14 panels at least.
    """
    panels = max(14, int(np.ceil(cycles / 4)))
    x, weight = np.polynomial.legendre.leggauss(16)
    width = end / panels
    places = width * (np.arange(panels)[:, None] + (x + 1) / 2)
    return places.ravel(), np.tile(width * weight / 2, panels)


def scattered_field(options: SimulatedOptions, z_nm: np.ndarray, r_nm: np.ndarray) -> np.ndarray:
    """Return the bead's field beside a unit plane wave, complex64 ``(z, r)``.

    Parameters
    ----------
    options : SimulatedOptions
        Bead and optics.
    z_nm : ndarray (z,)
        Height of the bead above the focal plane.
    r_nm : ndarray (r,)
        Distance from the bead's axis.
    """
    from scipy.special import j0

    edge = cut_off(options)
    # the steepest ray's shift over the defocus, and the distance, each one fringe per 1 / edge
    steep = min(edge / np.sqrt((options.medium_index / options.wavelength_nm) ** 2 - edge**2), 4)
    reach = np.abs(z_nm).max() * steep + r_nm[-1] + options.bead_radius_nm
    freq, freq_weight = _nodes(float(reach * edge), edge)
    # substituting r = R sin(t) removes the chord's square-root end
    angle, angle_weight = _nodes(edge * options.bead_radius_nm, np.pi / 2)
    inside = options.bead_radius_nm * np.sin(angle)
    area = 2 * np.pi * inside * options.bead_radius_nm * np.cos(angle) * angle_weight
    spectrum = j0(2 * np.pi * np.outer(freq, inside)) @ (area * bead_amplitude(options, inside))
    # a bead above the focal plane is seen as its wave propagated back by z
    phase = np.exp(-1j * np.outer(z_nm, axial_rate(options, freq)))
    waves = (phase * (spectrum * 2 * np.pi * freq * freq_weight)).astype(np.complex64)
    rings = j0(2 * np.pi * np.outer(freq, r_nm)).astype(np.float32)
    field = np.empty((len(z_nm), len(r_nm)), np.complex64)
    field.real = waves.real @ rings
    field.imag = waves.imag @ rings
    return field


def _blur(
    options: SimulatedOptions, contrast: np.ndarray, z_nm: np.ndarray, r_nm: np.ndarray
) -> np.ndarray:
    """Average over the tilts of the source: at z a disc of radius ``|z| tan(angle)``."""
    from scipy.special import j0, j1

    edge = 2.2 * cut_off(options)
    freq, weight = _nodes(float(r_nm[-1] * edge), edge)
    bessel = j0(2 * np.pi * np.outer(r_nm, freq)).astype(np.float32)
    ring = (2 * np.pi * r_nm * (r_nm[1] - r_nm[0])).astype(np.float32)
    sine = min(options.illumination_na / options.medium_index, 0.99)
    tilt = sine / np.sqrt(1 - sine**2)
    x = 2 * np.pi * np.outer(np.abs(z_nm) * tilt, freq)
    disc = np.ones_like(x)
    np.divide(2 * j1(x), x, out=disc, where=x > 1e-6)
    spectrum = ((contrast * ring) @ bessel) * (disc * 2 * np.pi * freq * weight).astype(np.float32)
    return np.asarray(spectrum @ bessel.T)


def radial_table(options: SimulatedOptions) -> RadialTable:
    """Return the contrast of a bead for all defoci within the options' range.

    The outer quarter of the pattern's radius fades to nothing, so that no edge shows.

    Examples
    --------
    >>> table = radial_table(SimulatedOptions(z_range_nm=1000))
    >>> table.contrast.shape[0]
    81
    """
    r_step = min(options.nm_per_px / 8, options.wavelength_nm / options.na / 64)
    r_nm = np.arange(int(np.ceil(options.pattern_radius_nm / r_step)) + 1) * r_step
    planes = round(options.z_range_nm / Z_STEP_NM)
    z_nm = np.arange(-planes, planes + 1) * Z_STEP_NM
    field = scattered_field(options, z_nm, r_nm)
    contrast = 2 * field.real + np.square(field.real) + np.square(field.imag)
    fade = np.clip((1 - r_nm / r_nm[-1]) * 4, 0, 1)
    fade = (fade * fade * (3 - 2 * fade)).astype(np.float32)
    contrast *= fade
    if options.illumination_na > 0:
        # the blur needs a smooth end, and carries what is before it beyond
        contrast = _blur(options, contrast, z_nm, r_nm) * fade
    visible = np.abs(contrast) > FAINT
    last = len(r_nm) - 1 - np.argmax(visible[:, ::-1], axis=1)
    support = np.where(visible.any(axis=1), last, 0)
    # a cubic in z touches four planes: the widest of them counts
    padded = np.pad(support, 2, mode="edge")
    support = np.max([padded[i : i + len(support)] for i in range(5)], axis=0) + 1
    return RadialTable(
        contrast=np.ascontiguousarray(contrast, np.float32),
        z_first_nm=float(z_nm[0]),
        z_step_nm=Z_STEP_NM,
        r_step_nm=float(r_step),
        support=np.minimum(support, len(r_nm) - 2).astype(np.int64),
    )
