"""The simulated microscope's options: every field with unit, range and default.

Owns validation and its one-sentence errors. Must not know how any of it is rendered.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.window import Window

BOLTZMANN_PN_NM_PER_K = 1.380649e-2
#: Smallest height and width of a window of the sensor, px.
MIN_ROI_PX = 32


class SimulatedOptions(BaseModel):
    """What is under the simulated microscope and how it looks at it.

    Examples
    --------
    >>> SimulatedOptions(beads=5).beads
    5
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # camera
    height_px: int = Field(512, ge=32, le=8192, description="height of the sensor, px")
    width_px: int = Field(512, ge=32, le=8192, description="width of the sensor, px")
    dtype: Literal["uint8", "uint16"] = Field("uint8", description="pixel type")
    bit_depth: int = Field(12, ge=9, le=16, description="bits used by uint16 pixels")
    fps: float = Field(100.0, ge=0.1, le=5000.0, description="frame rate, 1/s")
    exposure_ms: float = Field(0.2, ge=0.001, le=10000.0, description="exposure, ms")
    gain: float = Field(1.0, ge=0.1, le=16.0, description="gain on the electrons, factor")
    full_well_e: float = Field(10000.0, ge=100.0, le=1e6, description="full scale at gain 1, e-")
    read_noise_e: float = Field(6.0, ge=0.0, le=1000.0, description="read noise, e- rms")
    light_e_per_ms: float = Field(25000.0, ge=0.0, le=1e8, description="background, e-/px/ms")
    noise: bool = Field(True, description="shot and read noise on or off")
    roi: str = Field("", description="window of the sensor as y0,x0,height,width, px; '' for all")
    binning: Literal[1, 2, 4] = Field(1, description="edge of what is averaged into a pixel, px")
    buffer_frames: int = Field(64, ge=1, le=100000, description="unread frames kept, frames")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="seed of everything random")

    # optics
    nm_per_px: float = Field(100.0, ge=20.0, le=1000.0, description="object-side pixel size, nm")
    wavelength_nm: float = Field(625.0, ge=300.0, le=1200.0, description="wavelength in vacuum, nm")
    na: float = Field(1.2, ge=0.1, le=1.5, description="numerical aperture of the objective")
    medium_index: float = Field(1.333, ge=1.0, le=1.6, description="refractive index around beads")
    illumination_na: float = Field(0.15, ge=0.0, le=1.0, description="aperture of the light source")
    bead_radius_nm: float = Field(500.0, ge=100.0, le=5000.0, description="bead radius, nm")
    bead_index: float = Field(1.57, ge=1.0, le=2.5, description="refractive index of the beads")
    bead_absorption: float = Field(0.03, ge=0.0, le=1.0, description="imaginary index of the beads")
    pattern_radius_nm: float = Field(4000.0, ge=1000.0, le=20000.0, description="ring extent, nm")
    z_range_nm: float = Field(8000.0, ge=1000.0, le=20000.0, description="z modelled, +- nm")
    unevenness: float = Field(0.06, ge=0.0, le=0.5, description="rms of uneven light, fraction")
    debris_per_mpx: float = Field(60.0, ge=0.0, le=2000.0, description="specks of dirt, 1/Mpx")

    # beads
    beads: int = Field(20, ge=0, le=5000, description="number of beads")
    touching_pairs: int = Field(0, ge=0, le=2500, description="pairs of beads that touch")
    stuck_beads: int = Field(0, ge=0, le=5000, description="first beads that stick to the surface")
    spacing_px: float = Field(64.0, ge=1.0, le=2000.0, description="aim for bead distance, px")
    margin_px: float = Field(40.0, ge=0.0, le=2000.0, description="no bead nearer to an edge, px")
    height_spread_nm: float = Field(150.0, ge=0.0, le=5000.0, description="bead heights, rms nm")
    focus_height_nm: float = Field(
        -2500.0, ge=-20000.0, le=20000.0, description="focus at rest, nm"
    )

    # motion
    brownian: bool = Field(True, description="Brownian motion on or off")
    temperature_k: float = Field(298.0, ge=1.0, le=400.0, description="temperature, K")
    viscosity_mpa_s: float = Field(0.89, ge=0.01, le=1000.0, description="viscosity, mPa s")
    kx_pn_per_nm: float | None = Field(
        None, ge=1e-6, le=10.0, description="spring in x at rest, pN/nm; none: the tether's"
    )
    ky_pn_per_nm: float | None = Field(
        None, ge=1e-6, le=10.0, description="spring in y at rest, pN/nm; none: the tether's"
    )
    kz_pn_per_nm: float | None = Field(
        None, ge=1e-6, le=10.0, description="spring in z at rest, pN/nm; none: the tether's"
    )
    drift_nm: float = Field(80.0, ge=0.0, le=100000.0, description="stage drift in x, y, rms nm")
    drift_z_nm: float = Field(40.0, ge=0.0, le=100000.0, description="stage drift in z, rms nm")
    drift_rate_x_nm_per_s: float = Field(
        0.0, ge=-1e5, le=1e5, description="steady stage drift in x from frame 0 on, nm/s"
    )
    drift_rate_y_nm_per_s: float = Field(
        0.0, ge=-1e5, le=1e5, description="steady stage drift in y from frame 0 on, nm/s"
    )
    drift_rate_z_nm_per_s: float = Field(
        0.0, ge=-1e5, le=1e5, description="steady stage drift in z from frame 0 on, nm/s"
    )
    force_pn: float = Field(0.5, ge=0.05, le=100.0, description="force with the magnet at 0, pN")
    magnet_decay_mm: float = Field(2.5, ge=0.1, le=100.0, description="travel for e-fold force, mm")
    contour_nm: float = Field(1000.0, ge=0.0, le=50000.0, description="tether contour length, nm")
    persistence_nm: float = Field(50.0, ge=1.0, le=1000.0, description="persistence length, nm")
    orbit_nm: float = Field(
        150.0, ge=0.0, le=5000.0, description="radius of a bead's circle as the magnet turns, nm"
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        longest = 1000.0 / self.fps
        if self.exposure_ms > longest * (1 + 1e-9):
            raise ValueError(
                f"exposure_ms {self.exposure_ms:g} is longer than a frame of {longest:g} ms"
            )
        if self.roi:
            try:
                window = Window.parse(self.roi)
            except InputError as error:
                raise ValueError(str(error)) from error
            size = f"{self.width_px} x {self.height_px} px"
            if not window.inside(self.sensor) or min(window.height, window.width) < MIN_ROI_PX:
                raise ValueError(
                    f"the ROI {self.roi} is not a box of at least {MIN_ROI_PX} px inside {size}"
                )
        if self.na >= 1.99 * self.medium_index or self.illumination_na > self.na:
            raise ValueError("illumination_na must not exceed na")
        if self.stuck_beads > self.beads:
            raise ValueError(f"{self.stuck_beads} stuck beads of {self.beads} beads are too many")
        if 2 * self.touching_pairs > self.beads:
            raise ValueError(f"{self.touching_pairs} touching pairs need that many beads twice")
        return self

    @property
    def sensor(self) -> Window:
        """The whole sensor, without binning."""
        return Window(0, 0, self.height_px, self.width_px)

    @property
    def window(self) -> Window:
        """What of the sensor the frames show."""
        return Window.parse(self.roi or self.sensor.text, self.binning)

    @property
    def thermal_pn_nm(self) -> float:
        """Thermal energy kT, pN nm."""
        return BOLTZMANN_PN_NM_PER_K * self.temperature_k

    @property
    def drag_pn_s_per_nm(self) -> float:
        """Stokes drag ``6 pi eta R``, pN s/nm, without the wall's correction."""
        return 6 * math.pi * self.viscosity_mpa_s * 1e-9 * self.bead_radius_nm

    @property
    def full_scale(self) -> int:
        """Largest pixel value."""
        return 255 if self.dtype == "uint8" else 2**self.bit_depth - 1

    @property
    def counts_per_e(self) -> float:
        """Pixel value per electron."""
        return self.full_scale / self.full_well_e * self.gain

    def changed(self, **changes: Any) -> SimulatedOptions:
        """Return a validated copy with some fields changed.

        Examples
        --------
        >>> SimulatedOptions().changed(seed=4).seed
        4
        """
        return simulated_options({**self.model_dump(), **changes})


def simulated_options(options: dict[str, Any] | SimulatedOptions | None) -> SimulatedOptions:
    """Return validated options.

    Raises
    ------
    InputError
        One sentence that names the field, what was given and what is allowed.

    Examples
    --------
    >>> simulated_options({"beads": -1})
    Traceback (most recent call last):
    ...
    napari_beadscope.core.errors.InputError: option beads of the simulated camera is -1: \
Input should be greater than or equal to 0
    """
    if isinstance(options, SimulatedOptions):
        return options
    try:
        return SimulatedOptions.model_validate(options or {})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            known = ", ".join(SimulatedOptions.model_fields)
            raise InputError(
                f"the simulated camera has no option {name!r}", f"choose from {known}"
            ) from error
        what = f"option {name} of the simulated camera is {first['input']!r}"
        raise InputError(what if name else "the simulated camera's options clash", message) from (
            error
        )
