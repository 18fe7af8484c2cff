"""Scenes with ground truth: beads at known places through known optics onto a known camera.

Owns images, their truth and the Cramér–Rao bound of each. Must not know trackers, except that
Z-LUTs are made of these images as a user would make them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_beadscope.core.errors import InputError

#: Size of a pixel in the sample, nm: that of both optics.
NM_PER_PX = 100.0
#: Of the numerical derivatives: px, px, nm.
_STEPS = (1e-3, 1e-3, 1e-1)


class Optics(Protocol):
    """Noise-free images of a bead on a background of 1."""

    name: str
    brightest: float  # nothing is brighter, in units of the background

    def images(self, places: np.ndarray, size_px: int) -> np.ndarray:
        """Return ``(n, y, x)`` for places ``(n, 3)``: x_px, y_px in the image, z_nm."""


class WaveOptics:
    """A 1 µm bead through our own wave optics: exactly round, exact between pixels."""

    name = "waves"
    brightest = np.inf

    def __init__(self) -> None:
        from napari_beadscope.devices.simulated.still import StillBead

        self._bead = StillBead(
            {"nm_per_px": NM_PER_PX, "z_range_nm": 5000, "pattern_radius_nm": 8000}
        )

    def images(self, places: np.ndarray, size_px: int) -> np.ndarray:
        """See `Optics.images`."""
        return self._bead.images(places, size_px)


class MagtrackOptics:
    """A 3 µm bead by magtrack's own simulator, on a field so wide that its sides hardly meet.

    The simulator's field is periodic: at twice the ROI's edge, where it would be by default, the
    neighbours' rings make a bead at -3.5 um square by 9 % of its contrast; on the field used
    here it is under 1 %. It clips what is brighter than 2.5 times the background.
    """

    name = "magtrack"
    brightest = 2.5
    _BACKGROUND = 0.4

    def images(self, places: np.ndarray, size_px: int) -> np.ndarray:
        """See `Optics.images`."""
        with warnings.catch_warnings(), np.errstate():
            warnings.simplefilter("ignore")
            from magtrack.simulation import simulate_beads
        wide = max(128, 2 * size_px)
        low = wide // 2 - size_px // 2
        places = np.asarray(places, float)
        xyz = np.column_stack([(places[:, :2] - size_px // 2) * NM_PER_PX, places[:, 2]])
        images = np.empty((len(places), size_px, size_px))
        for first in range(0, len(places), 64):
            part = simulate_beads(xyz[first : first + 64], nm_per_px=NM_PER_PX, size_px=wide)
            crop = part[low : low + size_px, low : low + size_px]
            images[first : first + 64] = crop.transpose(2, 0, 1)
        return images / self._BACKGROUND


OPTICS: dict[str, Callable[[], Optics]] = {"waves": WaveOptics, "magtrack": MagtrackOptics}


def open_optics(name: str) -> Optics:
    """Return the optics called `name`; InputError if there are none."""
    if name not in OPTICS:
        raise InputError(f"there is no scene {name!r}", f"choose {' or '.join(OPTICS)}")
    return OPTICS[name]()


@dataclass(frozen=True, slots=True)
class Exposure:
    """A camera and how much light it gets.

    Attributes
    ----------
    background_e : float
        Electrons per pixel at the background: shot noise is that of these.
    grey : float
        Counts of the background; what is above full scale is clipped.
    bits : int
        8 or 16.
    read_noise_e : float
        Electrons rms.
    """

    background_e: float = 10_000.0
    grey: float = 88.0
    bits: int = 8
    read_noise_e: float = 0.0

    @property
    def top(self) -> int:
        """Full scale, counts."""
        return int(2**self.bits - 1)

    @property
    def e_per_count(self) -> float:
        """Electrons per count."""
        return self.background_e / self.grey

    @property
    def extra_variance(self) -> float:
        """Variance of all but shot noise, electrons squared: reading and rounding."""
        return float(self.read_noise_e**2 + self.e_per_count**2 / 12)

    def shoot(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return what the camera makes of noise-free images of background 1."""
        light = rng.poisson(images * self.background_e).astype(np.float64)
        if self.read_noise_e:
            light += rng.normal(0, self.read_noise_e, light.shape)
        counts = np.rint(light / self.e_per_count)
        return np.clip(counts, 0, self.top).astype(np.uint8 if self.bits == 8 else np.uint16)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Images of beads and what is true about them; arrays have one entry per bead.

    Attributes
    ----------
    stack : ndarray, shape (n, y, x)
        As the camera saw them.
    truth : ndarray, shape (n, 3)
        x_px, y_px in ROI pixels; z_nm.
    bound : ndarray, shape (n, 3)
        Least standard deviation of each, gain and offset unknown.
    bound_known_light : ndarray, shape (n, 3)
        The same for a tracker that knows gain and offset.
    """

    stack: np.ndarray
    truth: np.ndarray
    bound: np.ndarray
    bound_known_light: np.ndarray

    def __len__(self) -> int:
        return len(self.stack)


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """Noise-free beads of background 1 at known places, and how their images change with these.

    Attributes
    ----------
    places : ndarray, shape (n, 3)
        x_px, y_px in ROI pixels; z_nm.
    clean : ndarray, shape (n, y, x), float64
    slopes : ndarray, shape (n, 3, y, x), float32
        Derivatives by x, y, z.
    """

    places: np.ndarray
    clean: np.ndarray
    slopes: np.ndarray

    def seen_by(self, exposure: Exposure, seed: int = 0) -> Scene:
        """Return what a camera makes of them, and what can be known from that at best."""
        from napari_beadscope.tracking.bound import position_bound

        stack = exposure.shoot(self.clean, np.random.default_rng([seed, 1]))
        top_e = exposure.top * exposure.e_per_count
        least = np.empty((2, len(self.places), 3))
        for row, (image, slope) in enumerate(zip(self.clean, self.slopes, strict=True)):
            mean = image * exposure.background_e
            # a pixel at full scale tells nothing
            change = np.where(mean < top_e, slope * exposure.background_e, 0.0)
            for which, known_light in enumerate((False, True)):
                least[which, row] = position_bound(
                    np.minimum(mean, top_e)[np.newaxis],
                    change[np.newaxis],
                    extra_variance=exposure.extra_variance,
                    known_light=known_light,
                )[0]
        return Scene(stack, self.places, least[0], least[1])


def render(optics: Optics, places: np.ndarray, size_px: int) -> Rendered:
    """Return beads at `places` ``(n, 3)`` and their derivatives, by differences."""
    places = np.asarray(places, float)
    clean = optics.images(places, size_px)
    slopes = np.empty((len(places), 3, size_px, size_px), np.float32)
    for axis, step in enumerate(_STEPS):
        moved = places.copy()
        moved[:, axis] += step
        slopes[:, axis] = (optics.images(moved, size_px) - clean) / step
    return Rendered(places, clean, slopes)


def scatter(
    n: int, size_px: int, *, reach_px: float = 3.0, z_nm: float = 3000.0, seed: int = 0
) -> np.ndarray:
    """Return `n` random places ``(n, 3)`` within ± `reach_px` of the ROI's centre and ± `z_nm`."""
    rng = np.random.default_rng([seed, size_px])
    xy = rng.uniform(-reach_px, reach_px, (n, 2)) + (size_px - 1) / 2
    return np.column_stack([xy, rng.uniform(-z_nm, z_nm, n)])


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """A focus sweep: images, shape (n, y, x), and the height of each in nm."""

    stack: np.ndarray
    z_nm: np.ndarray

    def cropped(self, size_px: int) -> Sweep:
        """Return the middle of each image."""
        low = (self.stack.shape[1] - size_px) // 2
        return Sweep(self.stack[:, low : low + size_px, low : low + size_px], self.z_nm)

    def seen_by(self, exposure: Exposure, seed: int = 0) -> Sweep:
        """Return a noise-free sweep as a camera records it."""
        return Sweep(exposure.shoot(self.stack, np.random.default_rng([seed, 2])), self.z_nm)


def sweep(
    optics: Optics,
    size_px: int,
    *,
    pitch_nm: float = 50.0,
    reach_nm: float = 3500.0,
    places: int = 16,
    seed: int = 0,
) -> Sweep:
    """Return a noise-free sweep of a bead that jitters.

    At each height it is seen at `places` places within half a pixel of the ROI's centre.
    """
    rng = np.random.default_rng([seed, 3])
    count = round(2 * reach_nm / pitch_nm) + 1
    heights = np.repeat(np.linspace(-reach_nm, reach_nm, count), places)
    xy = rng.uniform(-0.5, 0.5, (len(heights), 2)) + (size_px - 1) / 2
    return Sweep(optics.images(np.column_stack([xy, heights]), size_px), heights)
