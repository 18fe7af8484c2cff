"""Z-LUTs of QTrk: ``.radialzlut`` files, read and written.

A header of three 32-bit integers (beads, planes, radial steps), then 32-bit floats in that order,
little-endian; every plane has mean 0 and standard deviation 1. Heights and radii are not in the
file: sample ``k`` lies ``first_radius_px + k * radial_step_px`` from the centre, and QTrk begins
at 1 px with a third of a pixel between samples unless configured otherwise.
MagTrack's and MagScope's text is `ZLut.load`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.whole_file import whole_file
from napari_beadscope.tracking.zlut import ZLut

ENDING = ".radialzlut"
#: QTrk's defaults.
FIRST_RADIUS_PX, RADIAL_STEP_PX = 1.0, 1.0 / 3.0
_HEADER_BYTES = 12
_MOST = 100_000  # of anything: more is no such file


def read_radialzlut(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the planes of every bead of a QTrk file, ``(beads, planes, steps)`` float32.

    Raises
    ------
    InputError
        If it cannot be read, is cut short, or is no such file.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        why = "cannot be read" if path.exists() else "does not exist"
        raise InputError(f"the Z-LUT file {path} {why}", "check the path") from error
    remedy = "give a .radialzlut file as QTrk writes it"
    if len(data) < _HEADER_BYTES:
        raise InputError(f"{path} is too short for a Z-LUT of QTrk ({len(data)} bytes)", remedy)
    shape = tuple(int(n) for n in np.frombuffer(data, "<i4", 3))
    beads, planes, steps = shape
    if not all(0 < n <= _MOST for n in shape):
        raise InputError(
            f"{path} is no Z-LUT of QTrk (its header says {beads} beads, {planes} planes, "
            f"{steps} radial steps)",
            remedy,
        )
    expected = _HEADER_BYTES + 4 * beads * planes * steps
    if len(data) != expected:
        raise InputError(
            f"{path} holds {len(data)} bytes, but {beads} beads of {planes} planes and {steps} "
            f"radial steps take {expected}",
            "copy the file again" if len(data) < expected else remedy,
        )
    values = np.frombuffer(data, "<f4", offset=_HEADER_BYTES).reshape(shape)
    if not np.isfinite(values).all():
        raise InputError(f"{path} holds values that are not finite", remedy)
    return np.array(values)


def from_samples(
    samples: np.ndarray,
    z_nm: np.ndarray,
    radial_step_px: float,
    first_radius_px: float = FIRST_RADIUS_PX,
) -> ZLut:
    """Turn samples that begin at some radius into a Z-LUT, which begins at the centre.

    Parameters
    ----------
    samples : ndarray, shape (p, s)
        Sample ``k`` at ``first_radius_px + k * radial_step_px``.
    z_nm : ndarray, shape (p,)

    Raises
    ------
    InputError
        If the heights are not as many as planes, or a radius makes no sense.
    """
    if not (0 <= first_radius_px < 100 and 0.01 <= radial_step_px <= 10):
        raise InputError(
            f"samples every {radial_step_px:g} px from {first_radius_px:g} px make no Z-LUT",
            "give the radial step and first radius of the tracker that made it",
        )
    samples = np.asarray(samples, dtype=np.float64)
    if len(z_nm) != len(samples):
        raise InputError(
            f"the Z-LUT has {len(samples)} planes, but {len(z_nm)} heights are given",
            "give one height per plane",
        )
    if samples.shape[1] < 4:
        raise InputError(
            f"a Z-LUT of {samples.shape[1]} radial steps is too small", "use larger ROIs"
        )
    from scipy.interpolate import CubicSpline

    radius = first_radius_px + radial_step_px * np.arange(samples.shape[1])
    wanted = np.arange(int(radius[-1] / radial_step_px + 1e-6) + 1) * radial_step_px
    profiles = CubicSpline(radius, samples, axis=1)(np.clip(wanted, radius[0], radius[-1]))
    inside = wanted < radius[0] - 1e-9
    near = np.column_stack([np.ones(4), radius[:4] ** 2])  # even about the centre
    even = np.linalg.lstsq(near, samples[:, :4].T, rcond=None)[0]
    profiles[:, inside] = (np.column_stack([np.ones(inside.sum()), wanted[inside] ** 2]) @ even).T
    return ZLut(z_nm, profiles, radial_step_px)


def write_radialzlut(
    path: str | os.PathLike[str],
    zluts: Sequence[ZLut],
    radial_step_px: float = RADIAL_STEP_PX,
    first_radius_px: float = FIRST_RADIUS_PX,
) -> None:
    """Write Z-LUTs of the same heights and reach for QTrk; the file appears whole or not at all.

    Raises
    ------
    InputError
        If they differ in shape, or the file cannot be written.
    """
    first = zluts[0]
    if any(len(one.z_nm) != len(first.z_nm) or one.reach_px != first.reach_px for one in zluts):
        raise InputError(
            "Z-LUTs of different sizes cannot be in one file of QTrk", "write one file for each"
        )
    from scipy.interpolate import CubicSpline

    steps = int((first.reach_px - first_radius_px) / radial_step_px + 1e-6) + 1
    wanted = first_radius_px + radial_step_px * np.arange(steps)
    planes = []
    for zlut in zluts:
        profiles = zlut.profiles.copy()
        profiles[:, 0] = np.where(np.isfinite(profiles[:, 0]), profiles[:, 0], profiles[:, 1])
        radius = np.arange(zlut.bins) * zlut.radial_step_px
        values = CubicSpline(radius, profiles, axis=1)(wanted)
        values -= values.mean(axis=1, keepdims=True)
        spread = values.std(axis=1, keepdims=True)
        planes.append(values / np.where(spread > 0, spread, 1.0))
    path = Path(path)
    header = np.array([len(zluts), first.planes, steps], dtype="<i4")
    try:
        with whole_file(path) as part:
            part.write_bytes(header.tobytes() + np.array(planes, dtype="<f4").tobytes())
    except OSError as error:
        raise InputError(f"cannot write the Z-LUT to {path}", str(error)) from error
