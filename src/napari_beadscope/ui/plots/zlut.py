"""Figures of a Z-LUT: its planes as the tracker sees them, and how precise z is.

Must not know Qt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.ui.plots.figure import Curve, Figure, Mark, Panel, Picture

if TYPE_CHECKING:
    from napari_beadscope.script.swept import SweptPlane
    from napari_beadscope.tracking.zlut_report import ZLutReport

_ACROSS, _RADIUS, _ERROR = "z (µm)", "radius (px)", "error of z (nm)"
#: Colours, as those of beads: error of one frame, of the Z-LUT itself, and the usable range.
_FRAME, _OWN, _USABLE = 0, 1, 6
LEGEND = {_FRAME: "one frame", _OWN: "the Z-LUT itself", _USABLE: "usable from, to"}


def zlut_figure(report: ZLutReport) -> Figure:
    """Return the planes over z, and under them the error of z, with the usable range marked."""
    zlut = report.zlut
    order = np.argsort(zlut.z_nm)
    z_um = zlut.z_nm[order] / 1000
    marks = tuple(
        Mark(edge / 1000, colour=_USABLE) for edge in report.usable_nm if np.isfinite(edge)
    )
    curves = [Curve(z_um, report.sigma_z_nm[order], _FRAME)]
    shown = [_FRAME]
    if np.isfinite(report.error_nm).any():
        curves.append(Curve(z_um, report.error_nm[order], _OWN, "dashed"))
        shown.append(_OWN)
    shown += [_USABLE] * bool(marks)
    picture = _picture(z_um, zlut.profiles[order], zlut.radial_step_px)
    return Figure(
        (
            Panel(_RADIUS, picture=picture, marks=marks, height=3),
            Panel(_ERROR, tuple(curves), marks=marks, log_up=True, height=2),
        ),
        _ACROSS,
        span=(float(z_um[0]), float(z_um[-1])),
        beads=tuple(shown),
    )


def sweep_figure(planes: Sequence[SweptPlane], bead: int) -> Figure:
    """Return the planes of a bead that have come so far; those to come are blank.

    Parameters
    ----------
    planes : sequence of SweptPlane
        One or more, in the order in which they came: with falling z.
    bead : int
        Whose.
    """
    first = planes[0]
    step = planes[1].z_nm - first.z_nm if len(planes) > 1 else -50.0
    count = first.planes
    z_nm = first.z_nm + step * np.arange(count)
    profiles = np.full((count, len(first.profiles[bead])), np.nan)
    for plane in planes:
        profiles[plane.number - 1] = plane.profiles[bead]
    z_um = z_nm[::-1] / 1000
    return Figure(
        (Panel(_RADIUS, picture=_picture(z_um, profiles[::-1], 1.0), height=3),),
        _ACROSS,
        span=(float(z_um[0]), float(z_um[-1])),
    )


def no_zlut_figure() -> Figure:
    """Return empty axes."""
    return Figure((Panel(_RADIUS, height=3),), _ACROSS, span=(-1.5, 1.5))


def _picture(z_um: np.ndarray, profiles: np.ndarray, step_px: float) -> Picture:
    """Return each plane with its own brightness and contrast; grey where nothing is known."""
    profiles = profiles.copy()
    profiles[:, 0] = np.where(np.isfinite(profiles[:, 0]), profiles[:, 0], profiles[:, 1])
    known = np.isfinite(profiles)
    middle = np.median(np.where(known, profiles, 0.0), axis=1, keepdims=True)
    spread = np.std(np.where(known, profiles, middle), axis=1, keepdims=True)
    shown = np.where(known, (profiles - middle) / np.where(spread > 0, spread, 1.0), 0.0)
    half = abs(float(z_um[-1] - z_um[0])) / max(1, len(z_um) - 1) / 2
    return Picture(
        shown.T,
        float(z_um[0]) - half,
        float(z_um[-1]) + half,
        -step_px / 2,
        (profiles.shape[1] - 0.5) * step_px,
    )
