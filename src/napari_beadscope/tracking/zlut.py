"""The Z-LUT: radial profiles at known heights, as an object and as MagTrack's text file.

Must not know how profiles are measured (`zlut_build`) or matched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.whole_file import whole_file

#: Planes that finding z between planes needs.
MIN_PLANES = 7
#: Radial bins a Z-LUT may have: a 256 px ROI to its corners, in steps of 0.25 px.
MAX_BINS = 1024
_NOTE = re.compile(r"^#\s*(\w+)\s*[:=]\s*(\S.*?)\s*$", re.MULTILINE)
_CLOSE = 1e-6  # px: rounding of radial steps
_NODES = 32  # points per 1 px bin at which a finer profile is integrated


@dataclass(frozen=True, slots=True, eq=False)
class ZLut:
    """Radial profiles of one kind of bead at known heights.

    Parameters
    ----------
    z_nm : array, shape (p,)
        Heights of the planes in nm, strictly rising or strictly falling.
    profiles : array, shape (p, r)
        One radial profile per plane; bin ``k`` is the intensity at ``k * radial_step_px`` from the
        centre. With the step of 1.0 of MagTrack's files it is the mean over the pixels whose
        distance rounds to ``k``. The first bin may be NaN (it is never matched).
    radial_step_px : float
        Distance between two bins.

    Raises
    ------
    InputError
        If the shapes do not belong together, values are not finite, or z is not monotonic.

    Examples
    --------
    >>> lut = ZLut(z_nm=[0.0, 50.0, 100.0], profiles=[[1, 2], [3, 5], [8, 13]])
    >>> lut.planes, lut.bins
    (3, 2)
    >>> lut.reach_px, lut.size_px
    (1.0, 4)
    """

    z_nm: np.ndarray
    profiles: np.ndarray
    radial_step_px: float = 1.0

    def __post_init__(self) -> None:
        z_nm = np.array(self.z_nm, dtype=np.float64)
        profiles = np.array(self.profiles, dtype=np.float64)
        _check(z_nm, profiles, self.radial_step_px)
        z_nm.flags.writeable = False
        profiles.flags.writeable = False
        object.__setattr__(self, "z_nm", z_nm)
        object.__setattr__(self, "profiles", profiles)
        object.__setattr__(self, "radial_step_px", float(self.radial_step_px))

    @property
    def planes(self) -> int:
        """How many heights."""
        return int(self.profiles.shape[0])

    @property
    def bins(self) -> int:
        """How many radial bins."""
        return int(self.profiles.shape[1])

    @property
    def reach_px(self) -> float:
        """Distance of the outermost bin from the centre, px."""
        return (self.bins - 1) * self.radial_step_px

    @property
    def size_px(self) -> int:
        """The largest even ROI size in px that this Z-LUT suits."""
        return 2 * (int(self.reach_px + _CLOSE) + 1)

    def check_matches(self, size_px: int) -> None:
        """Raise `InputError` unless ROIs of `size_px` can be looked up in this Z-LUT.

        It must reach as far as their radial profiles: ``size_px // 2 - 1`` px.
        """
        if self.reach_px + _CLOSE < size_px // 2 - 1:
            raise InputError(
                f"the Z-LUT reaches {self.reach_px:g} px from the centre, but ROIs of {size_px} px "
                f"need {size_px // 2 - 1} px",
                f"use ROIs of {self.size_px} px or less, or a Z-LUT made with ROIs of {size_px} px",
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
        The comment ``# radial_step_px: 0.25`` says how far apart bins are; without it, 1 px.

        Raises
        ------
        InputError
            If there is no such file, it does not hold a table of numbers, or z is not monotonic.
        """
        path = Path(path)
        if path.suffix.lower() == ".radialzlut" and path.is_file():
            raise InputError(
                f"{path} is a Z-LUT of QTrk, without heights and radial step",
                f"run `beadscope zlut convert {path} zlut.txt --z-nm START:STOP:STEP "
                "--radial-step-px PX` and use zlut.txt",
            )
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
            return cls(table[0], table[1:].T, _step_of(text))
        except InputError as error:
            raise InputError(f"in the Z-LUT file {path}: {error.what}", error.remedy) from error

    def save(self, path: str | os.PathLike[str], notes: Mapping[str, object] | None = None) -> None:
        """Write MagTrack's text layout; the file appears whole or not at all.

        Radial steps other than MagTrack's 1 px are stated in a comment before the table, and so
        are `notes`, which `load_notes` reads back.
        """
        path = Path(path)
        try:
            comments: dict[str, object] = (
                {} if self.radial_step_px == 1.0 else {"radial_step_px": self.radial_step_px}
            )
            comments.update(notes or {})
            header = "\n".join(f"{name}: {value}" for name, value in comments.items())
            with whole_file(path) as part:
                np.savetxt(part, self.table(), fmt="%.17g", header=header)
        except OSError as error:
            raise InputError(f"cannot write the Z-LUT to {path}", str(error)) from error

    def table(self) -> np.ndarray:
        """Return MagTrack's array, shape ``(1 + r, p)``: z in the first row, then the bins."""
        return np.vstack([self.z_nm, self.profiles.T])

    def at_one_px(self, bins: int) -> np.ndarray:
        """Return profiles of 1 px wide bins, shape ``(p, bins)``.

        Bin ``k`` is the mean over the ring from ``k - 0.5`` to ``k + 0.5`` px, by area; of a
        Z-LUT that has such bins it is the bin itself.

        Raises
        ------
        InputError
            If the Z-LUT does not reach that far.

        Examples
        --------
        >>> lut = ZLut([0.0, 50.0], [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]], radial_step_px=0.5)
        >>> lut.at_one_px(3).round(1).tolist()[0]
        [0.7, 2.2, 3.5]
        """
        if bins - 1 > self.reach_px + _CLOSE:
            self.check_matches(2 * bins)
        if self.radial_step_px == 1.0:
            return self.profiles[:, :bins].copy()
        from scipy.interpolate import CubicSpline

        profiles = self.profiles.copy()
        lacking = ~np.isfinite(profiles[:, 0])
        profiles[lacking, 0] = profiles[lacking, 1]
        spline = CubicSpline(np.arange(self.bins) * self.radial_step_px, profiles, axis=1)
        low = np.maximum(np.arange(bins) - 0.5, 0.0)[:, np.newaxis]
        high = np.minimum(np.arange(bins) + 0.5, self.reach_px)[:, np.newaxis]
        r = low + (high - low) * (np.arange(_NODES) + 0.5) / _NODES
        return np.asarray((spline(r) * r).sum(axis=2) / r.sum(axis=1))


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
            wrong = next(word for word in words if not _is_number(word))
            raise ValueError(f"line {number} holds '{wrong}' in place of a number") from error
        if rows and len(row) != len(rows[0]):
            raise ValueError(f"line {number} has {len(row)} values instead of {len(rows[0])}")
        rows.append(row)
    return rows


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def load_notes(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return what the comments of a Z-LUT file say, such as ``# pixel_noise: 1.4``."""
    return dict(_NOTE.findall(Path(path).read_text(encoding="utf-8")))


def _step_of(text: str) -> float:
    """Return the radial step that a comment states, or 1.0."""
    step = dict(_NOTE.findall(text)).get("radial_step_px", "1.0")
    try:
        return float(step)
    except ValueError:
        raise InputError(
            f"the radial step '{step}' is not a number", "write # radial_step_px: 0.25"
        ) from None


def _check(z_nm: np.ndarray, profiles: np.ndarray, step_px: float) -> None:
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
    if profiles.shape[1] > MAX_BINS:
        raise InputError(
            f"the Z-LUT has {profiles.shape[1]} radial bins, at most {MAX_BINS} can be used",
            "use smaller ROIs or a coarser radial step",
        )
    if not 0.01 <= step_px <= 10.0:
        raise InputError(
            f"a radial step of {step_px} px cannot be used", "use 0.01 to 10 px, such as 0.25"
        )
    steps = np.diff(z_nm)
    if not (np.isfinite(z_nm).all() and ((steps > 0).all() or (steps < 0).all())):
        raise InputError(
            "the heights of the Z-LUT (its first row) do not rise or fall steadily",
            "the first row holds z in nm, one value per plane, in order",
        )
    if not np.isfinite(profiles[:, 1:]).all():
        raise InputError("the Z-LUT holds values that are not finite", "make it anew")
    flat = np.flatnonzero(np.ptp(profiles[:, 1:], axis=1) == 0)
    if profiles.shape[1] > 2 and len(flat):
        raise InputError(
            f"the Z-LUT has no rings at {len(flat)} heights, such as {z_nm[flat[0]]:g} nm",
            "take these planes out, or sweep anew",
        )
