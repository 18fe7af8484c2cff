"""The Z-LUT: radial profiles at known heights, as an object and as MagTrack's text file.

Must not know how profiles are measured (backends) or matched (kernels).
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import MAX_RADIAL_BINS, Reason

if TYPE_CHECKING:
    from napari_beadscope.tracking.backend import Backend

_log = logging.getLogger(__name__)

#: Planes that the sub-plane parabola needs around the best match.
MIN_PLANES = 7


@dataclass(frozen=True, slots=True, eq=False)
class ZLut:
    """Radial profiles of one kind of bead at known heights.

    Parameters
    ----------
    z_nm : array, shape (p,)
        Heights of the planes in nm, strictly rising or strictly falling.
    profiles : array, shape (p, r)
        One radial profile per plane; bin ``k`` holds the mean intensity at ``k`` px from the
        centre, ``r = size_px // 2``. The first bin may be NaN (it is never matched).

    Raises
    ------
    InputError
        If the shapes do not belong together, values are not finite, or z is not monotonic.

    Examples
    --------
    >>> lut = ZLut(z_nm=[0.0, 50.0, 100.0], profiles=[[1, 2], [3, 5], [8, 13]])
    >>> lut.planes, lut.bins
    (3, 2)
    >>> lut.size_px
    4
    """

    z_nm: np.ndarray
    profiles: np.ndarray

    def __post_init__(self) -> None:
        z_nm = np.array(self.z_nm, dtype=np.float64)
        profiles = np.array(self.profiles, dtype=np.float64)
        _check(z_nm, profiles)
        z_nm.flags.writeable = False
        profiles.flags.writeable = False
        object.__setattr__(self, "z_nm", z_nm)
        object.__setattr__(self, "profiles", profiles)

    @property
    def planes(self) -> int:
        """How many heights."""
        return int(self.profiles.shape[0])

    @property
    def bins(self) -> int:
        """How many radial bins."""
        return int(self.profiles.shape[1])

    @property
    def size_px(self) -> int:
        """The even ROI size in px that gives this many bins."""
        return 2 * self.bins

    def check_matches(self, size_px: int) -> None:
        """Raise `InputError` unless ROIs of `size_px` can be looked up in this Z-LUT."""
        if self.bins != size_px // 2:
            raise InputError(
                f"the Z-LUT has {self.bins} radial bins, but ROIs of {size_px} px give "
                f"{size_px // 2}",
                f"use ROIs of {self.size_px} px or a Z-LUT made with ROIs of {size_px} px",
            )
        if self.planes < MIN_PLANES:
            raise InputError(
                f"the Z-LUT has {self.planes} planes, finding z between planes needs {MIN_PLANES}",
                "sweep the focus over more heights",
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ZLut:
        """Read MagTrack's text layout: first row z in nm, then one row per radial bin.

        Values are separated by blanks, tabs or commas; lines that start with ``#`` are comments.

        Raises
        ------
        InputError
            If there is no such file, it does not hold a table of numbers, or z is not monotonic.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = "is not a text file" if isinstance(error, ValueError) else "cannot be read"
            if not path.exists():
                why = "does not exist"
            raise InputError(f"the Z-LUT file {path} {why}", "check the path") from error
        try:
            table = np.array(_rows(text), dtype=np.float64)
        except ValueError as error:
            raise InputError(
                f"the Z-LUT file {path} is not a table of numbers ({error})",
                "the first row holds z in nm, then there is one row per radial bin",
            ) from error
        if table.ndim != 2 or table.shape[0] < 3:
            raise InputError(
                f"the Z-LUT file {path} has {table.shape[0]} rows",
                "the first row holds z in nm, then there is one row per radial bin",
            )
        try:
            return cls(z_nm=table[0], profiles=table[1:].T)
        except InputError as error:
            raise InputError(f"in the Z-LUT file {path}: {error.what}", error.remedy) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write MagTrack's text layout; the file appears whole or not at all."""
        path = Path(path)
        part = path.with_name(path.name + ".part")
        try:
            np.savetxt(part, self.table(), fmt="%.17g")
            os.replace(part, path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise InputError(f"cannot write the Z-LUT to {path}", str(error)) from error

    def table(self) -> np.ndarray:
        """Return MagTrack's array, shape ``(1 + r, p)``: z in the first row, then the bins."""
        return np.vstack([self.z_nm, self.profiles.T])


def build_zlut(stack: np.ndarray, z_nm: np.ndarray, backend: Backend | str = "auto") -> ZLut:
    """Make a Z-LUT from a focus sweep of one bead; heights without a visible bead are left out.

    Bins of 1 px depend on where between pixels the centre lies. A sweep in which the bead rests at
    one such place biases z elsewhere (by 80 nm when it rests on a pixel corner, simulated); repeat
    the sweep at several places, all in one stack: frames at the same height are averaged (13 nm).

    Parameters
    ----------
    stack : ndarray, shape (n, y, x)
        Square ROIs, any dtype a backend takes.
    z_nm : array, shape (n,)
        Height of each ROI in nm; frames at the same height are averaged.
    backend : Backend or str
        Measures the profiles, so that they are like those that will be looked up.

    Raises
    ------
    InputError
        If the lengths differ, or the bead is found at too few heights (under 7 or under 80 %).
    """
    from napari_beadscope.tracking.backend import open_backend
    from napari_beadscope.tracking.stack import check_stack

    stack = check_stack(stack)
    heights = np.asarray(z_nm, dtype=np.float64)
    if heights.shape != (len(stack),):
        raise InputError(
            f"{len(stack)} frames in the focus sweep, but heights of shape {heights.shape}",
            "give one height in nm per frame",
        )
    if not np.isfinite(heights).all():
        raise InputError("a height of the focus sweep is not a finite number", "give z in nm")
    opened = open_backend(backend) if isinstance(backend, str) else backend
    result = opened.track(stack, None)
    usable = np.isfinite(result.profiles[:, 1:]).all(axis=1)
    usable &= (result.reason == Reason.OK) | (result.reason == Reason.SATURATED)
    planes, profiles = [], []
    for z in np.unique(heights):
        rows = usable & (heights == z)
        if rows.any():
            planes.append(z)
            profiles.append(_mean_profile(result.profiles[rows]))
        else:
            _log.warning("no bead at z = %g nm: that height is left out of the Z-LUT", z)
    if len(planes) < max(MIN_PLANES, 0.8 * len(np.unique(heights))):
        raise InputError(
            f"the bead is found at {len(planes)} of {len(np.unique(heights))} heights of the sweep",
            f"sweep {MIN_PLANES} heights or more at which the rings of one bead are visible",
        )
    return ZLut(z_nm=np.array(planes), profiles=np.array(profiles))


def _mean_profile(profiles: np.ndarray) -> np.ndarray:
    """Mean over rows; the first bin may lack in some rows and stays NaN if it lacks in all."""
    first = profiles[:, 0][np.isfinite(profiles[:, 0])]
    mean = profiles.mean(axis=0, dtype=np.float64)
    mean[0] = first.mean(dtype=np.float64) if len(first) else np.nan
    return mean


def _rows(text: str) -> list[list[float]]:
    """Split a text table into rows of numbers of equal length."""
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].replace(",", " ").split()
        if not words:
            continue
        try:
            row = [float(word) for word in words]
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if rows and len(row) != len(rows[0]):
            raise ValueError(f"line {number} has {len(row)} values instead of {len(rows[0])}")
        rows.append(row)
    return rows


def _check(z_nm: np.ndarray, profiles: np.ndarray) -> None:
    """Raise `InputError` unless the two arrays make a Z-LUT."""
    if z_nm.ndim != 1 or profiles.ndim != 2 or len(z_nm) != len(profiles):
        raise InputError(
            f"Z-LUT heights of shape {z_nm.shape} and profiles of shape {profiles.shape}",
            "give heights (p,) and profiles (p, r)",
        )
    if len(z_nm) < 2 or profiles.shape[1] < 2:
        raise InputError(
            f"a Z-LUT of {len(z_nm)} planes and {profiles.shape[1]} radial bins is too small",
            "sweep the focus over more heights",
        )
    if profiles.shape[1] > MAX_RADIAL_BINS:
        raise InputError(
            f"the Z-LUT has {profiles.shape[1]} radial bins, at most {MAX_RADIAL_BINS} are carried",
            "use smaller ROIs",
        )
    steps = np.diff(z_nm)
    if not (np.isfinite(z_nm).all() and ((steps > 0).all() or (steps < 0).all())):
        raise InputError(
            "the heights of the Z-LUT (its first row) do not rise or fall steadily",
            "the first row holds z in nm, one value per plane, in order",
        )
    if not np.isfinite(profiles[:, 1:]).all():
        raise InputError("the Z-LUT holds values that are not finite", "make it anew")
