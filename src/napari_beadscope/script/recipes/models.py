"""What a recipe can say: four kinds of experiment and what they have in common.

Owns names, ranges and meanings. Must not know files or the microscope.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_beadscope.core.settings import MotorSettings
from napari_beadscope.core.types import AcquisitionMode

Option = bool | int | float | str | None
Seconds = Annotated[float, Field(gt=0, le=1e7)]


class Part(BaseModel):
    """Fields that belong together; nothing else may be given."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Microscope(Part):
    """The microscope that is started when no engine runs; its motors are added where missing."""

    camera: str = Field("simulated", min_length=1, description="one of `beadscope cameras`")
    options: dict[str, Option] = Field({}, description="options of the camera, 'name: value'")
    motors: dict[str, MotorSettings] = Field(
        {}, description="motors, 'name: {id: MOTOR, options: {name: value}}'"
    )


class Recipe(Part):
    """What all recipes have."""

    recipe: str = Field(description="the kind of recipe")
    name: str = Field("", max_length=100, description="name of the recording; default the kind")
    folder: str = Field("", description="folder of the recordings; default that of the settings")
    mode: AcquisitionMode = Field(
        AcquisitionMode.TRACK, description="track, track+rois, track+full, rois or full"
    )
    note: str = Field("", max_length=10_000, description="kept in the recording")
    beads: Literal["keep", "find"] = Field(
        "keep", description="'keep' those that are tracked (or find some), or 'find' them anew"
    )
    xy_lock: bool = Field(False, description="whether ROIs follow their beads, true or false")
    z_lock: bool | int | Literal["reference"] = Field(
        False, description="false, or the bead whose height is held, or 'reference'"
    )
    microscope: Microscope | None = Field(
        None, description="what is started when no engine runs: camera, options, motors"
    )


class MagnetRecipe(Recipe):
    """A recipe that moves a motor, by default the magnet."""

    motor: str = Field("magnet", min_length=1, description="name of the motor that pulls")
    settle_s: float = Field(0.5, ge=0, le=3600, description="wait after each move, 0 to 3600 s")
    back: bool = Field(True, description="whether the motor goes back in the end, true or false")

    @property
    def targets(self) -> list[float]:
        """Where the motor goes, in order, as far as the recipe alone says so."""
        return []


class Steps(Part):
    """Positions at equal distances, both ends included."""

    start: float = Field(description="first position, in the motor's unit")
    stop: float = Field(description="last position, in the motor's unit")
    steps: int = Field(ge=2, le=10_000, description="how many positions, 2 to 10000")

    @property
    def positions(self) -> list[float]:
        """The positions, in order.

        Examples
        --------
        >>> Steps(start=0, stop=2, steps=3).positions
        [0.0, 1.0, 2.0]
        """
        gap = (self.stop - self.start) / (self.steps - 1)
        return [self.start + k * gap for k in range(self.steps)]


Positions = Annotated[list[float], Field(min_length=1, max_length=10_000)]


class ForceRamp(MagnetRecipe):
    """The motor goes from position to position while everything is recorded."""

    recipe: Literal["force-ramp"] = Field(description="the kind of recipe")
    positions: Positions | Steps = Field(
        description="a list in the motor's unit, or {start: A, stop: B, steps: N}"
    )
    seconds_each: Seconds = Field(description="how long it rests at each position, more than 0 s")
    there_and_back: bool = Field(False, description="whether it visits them in reverse as well")

    @property
    def targets(self) -> list[float]:
        """Where the motor goes, in order."""
        given = self.positions
        way = given.positions if isinstance(given, Steps) else list(given)
        return way + way[-2::-1] if self.there_and_back else way


class ForceSeries(MagnetRecipe):
    """One recording at each of several forces, by a table of force against position."""

    recipe: Literal["constant-force"] = Field(description="the kind of recipe")
    forces_pn: list[Annotated[float, Field(gt=0, le=1e4)]] = Field(
        min_length=1, max_length=1000, description="the forces, a list in pN"
    )
    seconds_each: Seconds = Field(description="how long each recording is, more than 0 s")
    calibration: dict[float, Annotated[float, Field(gt=0)]] = Field(
        description="'position: force in pN' lines, two or more, measured with this magnet"
    )

    @model_validator(mode="after")
    def _in_the_table(self) -> Self:
        table = sorted(self.calibration.items())
        forces = [force for _, force in table]
        rises = all(a < b for a, b in pairwise(forces))
        if len(table) < 2 or not (rises or all(a > b for a, b in pairwise(forces))):
            raise ValueError("calibration|needs two or more lines, with a force that only rises")
        low, high = min(forces), max(forces)
        for force in self.forces_pn:
            if not low <= force <= high:
                raise ValueError(
                    f"forces_pn|{force:g} pN is not within the calibration, {low:g} to {high:g} pN"
                )
        return self

    @property
    def targets(self) -> list[float]:
        """Where the motor goes, in order."""
        return [self.position_of(force) for force in self.forces_pn]

    def position_of(self, force_pn: float) -> float:
        """Return where the motor exerts a force: the logarithm is interpolated.

        Examples
        --------
        >>> series = ForceSeries(recipe="constant-force", forces_pn=[2], seconds_each=1,
        ...                      calibration={0: 1.0, 4: 4.0})
        >>> series.position_of(2.0)
        2.0
        """
        table = sorted(self.calibration.items())
        wanted = math.log(force_pn)
        for (a, low), (b, high) in pairwise(table):
            if min(low, high) <= force_pn <= max(low, high):
                share = (wanted - math.log(low)) / (math.log(high) - math.log(low))
                return a + share * (b - a)
        raise AssertionError("checked before")


class ForceClamp(MagnetRecipe):
    """The motor holds the force that the beads' motion shows."""

    recipe: Literal["force-clamp"] = Field(description="the kind of recipe")
    force_pn: float = Field(gt=0, le=1e4, description="the force to hold, more than 0 pN")
    seconds: Seconds = Field(description="how long it is held, more than 0 s")
    length_nm: float = Field(
        gt=0, le=1e6, description="length of the tethers at that force, nm: F = kT length / <x²>"
    )
    axis: Literal["x", "y"] = Field("x", description="the direction of the field, x or y")
    measure: list[int] = Field([], description="beads whose median force is held; default all")
    window_s: float = Field(
        10.0, ge=0.5, le=3600, description="motion that one look takes in, 0.5 to 3600 s"
    )
    units_per_e: float = Field(
        description="by how much the motor moves for a force e = 2.718 times as strong; its sign "
        "is the direction"
    )
    gain: float = Field(0.5, gt=0, le=1, description="share of the error that a step takes away")
    max_step: float = Field(gt=0, description="the motor moves by at most this at a time")
    temperature_k: float = Field(298.0, ge=200, le=400, description="200 to 400 K")
    exposure_ms: float = Field(
        0.0, ge=0, le=1000, description="exposure that hides jitter, ms; 0: too short to matter"
    )
    radius_nm: float = Field(
        500.0, gt=0, le=1e5, description="radius of the beads in water, nm; used with exposure_ms"
    )

    @model_validator(mode="after")
    def _has_a_direction(self) -> Self:
        if self.units_per_e == 0:
            raise ValueError("units_per_e|0 moves nothing")
        return self


class TimeLapse(Recipe):
    """A short recording every now and then."""

    recipe: Literal["time-lapse"] = Field(description="the kind of recipe")
    recordings: int = Field(ge=1, le=100_000, description="how many, 1 to 100000")
    every_s: Seconds = Field(description="from the start of one to the start of the next, s")
    seconds_each: Seconds = Field(description="how long each recording is, more than 0 s")

    @model_validator(mode="after")
    def _has_time(self) -> Self:
        if self.recordings > 1 and self.seconds_each >= self.every_s:
            raise ValueError(f"seconds_each|has to be less than every_s, {self.every_s:g} s")
        return self


KINDS: dict[str, type[Recipe]] = {
    "force-ramp": ForceRamp,
    "force-clamp": ForceClamp,
    "constant-force": ForceSeries,
    "time-lapse": TimeLapse,
}
