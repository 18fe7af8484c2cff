"""Plots of the newest frame: intensities, and a bead's rings over its Z-LUT.

Must not know Qt; frames come through `Frames`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_beadscope.analysis import Intensities, intensities
from napari_beadscope.core.types import Bead, Reason
from napari_beadscope.tracking import ZLut
from napari_beadscope.ui.plots.figure import Curve, Figure, Mark, Panel, Picture, Request, Table
from napari_beadscope.ui.plots.figure import empty as nothing

_COUNTS = "intensity (counts)"
_RADIUS = "radius (px)"
NO_FRAME = "No frames: press Live"
#: More saturated pixels than this and rings are cut off.
_MANY = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The newest row of a bead: its profile ``(r,)`` in counts, z, and whether to trust them."""

    profile: np.ndarray
    z_nm: float
    reason: int


@dataclass(frozen=True, slots=True)
class Frames:
    """Where frames, rows and the Z-LUT come from.

    Attributes
    ----------
    newest : callable
        Returns the newest frame ``(y, x)``, None without one.
    measured : callable
        Returns a bead's newest row, None without one.
    beads : tuple of Bead
    zlut : callable
        Returns the Z-LUT in use, None for none.
    """

    newest: Callable[[], np.ndarray | None]
    measured: Callable[[int], Measured | None]
    beads: tuple[Bead, ...] = ()
    zlut: Callable[[], ZLut | None] = lambda: None


def histogram_figure(frames: Frames, request: Request) -> Figure:
    """Return how many pixels have which intensity, and in words whether some are saturated."""
    found = _counted(frames, request)
    if found is None:
        return nothing(NO_FRAME, _COUNTS, "pixels")
    steps = Curve(found.edges, np.maximum(found.pixels, 0.5), style="steps")
    top = Mark(float(found.full_scale), "full scale")
    near = found.brightest > 0.7 * found.full_scale
    words, tone = saturation_sentence(found)
    return Figure(
        (Panel("pixels", (steps,), marks=(top,) if near else (), log_up=True),),
        _COUNTS,
        words=words,
        tone=tone,
    )


def saturation_sentence(found: Intensities) -> tuple[str, str]:
    """Return how near to saturation a frame is, and the tone.

    Examples
    --------
    >>> saturation_sentence(intensities(np.full((10, 10), 255, np.uint8)))[0]
    'Saturated: 100 % of the pixels are at 255. Shorten the exposure or dim the light'
    """
    if found.saturated:
        share = 100 * found.share
        how_many = f"{share:.2g} %" if share < 99.5 else "100 %"
        words = f"Saturated: {how_many} of the pixels are at {found.full_scale}"
        if found.share > _MANY:
            return f"{words}. Shorten the exposure or dim the light", "bad"
        return f"{words} (a few may be hot pixels)", "warn"
    full = 100 * found.brightest / found.full_scale
    words = f"None saturated; median {found.median:.0f}, brightest {found.brightest:.0f}"
    return f"{words} = {full:.0f} % of full scale", "ok"


def histogram_table(frames: Frames, request: Request) -> Table:
    """Return the histogram."""
    found = _counted(frames, request)
    if found is None:
        return Table()
    return Table(
        {
            "from_counts": found.edges[:-1] + 0.5,
            "to_counts": found.edges[1:] - 0.5,
            "pixels": found.pixels,
        }
    )


def profile_figure(frames: Frames, request: Request) -> Figure:
    """Return a bead's profile over the nearest plane of the Z-LUT, and the Z-LUT with z marked."""
    bead = request.beads[0] if request.beads else -1
    row = frames.measured(bead)
    if row is None:
        return nothing("No bead is tracked: find or add some", _RADIUS, "counts")
    if not len(row.profile) or np.isnan(row.profile).all():
        why = "has no profile: it is lost" if len(row.profile) else "comes without its profile"
        remedy = "" if len(row.profile) else "; set tracking.profiles"
        return nothing(f"Bead {bead} {why}{remedy}", _RADIUS, "counts")
    radius = np.arange(len(row.profile))
    curves = [Curve(radius, row.profile.astype(np.float64), bead, "bold")]
    panels: list[Panel] = []
    words = f"Bead {bead}"
    zlut = frames.zlut()
    if zlut is not None:
        plane = _plane(zlut, row)
        if plane is not None:
            curves.append(Curve(radius[: len(plane)], plane, style="dashed"))
        panels.append(_zlut_panel(zlut, row, bead))
        known = np.isfinite(row.z_nm)
        words += f": z = {row.z_nm:.1f} nm; dashed: the Z-LUT there" if known else ": z unknown"
    else:
        words += ": no Z-LUT to compare with"
    doubt = "" if row.reason == Reason.OK else f" · doubtful ({Reason(row.reason).name.lower()})"
    panels.insert(0, Panel("counts", tuple(curves)))
    span = (0.0, float(radius[-1]))
    return Figure(
        tuple(panels),
        _RADIUS,
        span=span,
        beads=(bead,),
        words=words + doubt,
        tone="warn" if doubt else "ok",
    )


def profile_table(frames: Frames, request: Request) -> Table:
    """Return the profile and the Z-LUT's plane at the same height."""
    figure = profile_figure(frames, request)
    curves = figure.panels[0].curves
    if not curves:
        return Table()
    columns = {"radius_px": curves[0].x, "profile_counts": curves[0].y}
    if len(curves) > 1:
        plane = np.full(len(curves[0].x), np.nan)
        plane[: len(curves[1].y)] = curves[1].y
        columns["zlut_plane_counts"] = plane
    return Table(columns)


def _counted(frames: Frames, request: Request) -> Intensities | None:
    image = frames.newest()
    if image is None:
        return None
    if request.region == "beads":
        crops = [
            bead.roi.crop(image).ravel()
            for bead in frames.beads
            if bead.bead in request.beads and bead.roi.inside(image.shape)
        ]
        if not crops:
            return None
        image = np.concatenate(crops)
    return intensities(image)


def _plane(zlut: ZLut, row: Measured) -> np.ndarray | None:
    """Return the Z-LUT at the row's height with the gain and offset that suit the profile."""
    if not np.isfinite(row.z_nm):
        return None
    bins = min(len(row.profile), int(zlut.reach_px) + 1)
    planes = zlut.at_one_px(bins)
    order = np.argsort(zlut.z_nm)
    at = np.interp(row.z_nm, zlut.z_nm[order], np.arange(len(order)))
    below = min(int(at), len(order) - 2)
    part = at - below
    plane = (1 - part) * planes[order[below]] + part * planes[order[below + 1]]
    good = np.isfinite(plane) & np.isfinite(row.profile[:bins])
    if good.sum() < 3:
        return None
    gain, offset = np.polyfit(plane[good], row.profile[:bins][good].astype(np.float64), 1)
    return np.asarray(gain * plane + offset)


def _zlut_panel(zlut: ZLut, row: Measured, bead: int) -> Panel:
    """Return the planes, each with its own brightness and contrast, and the height."""
    order = np.argsort(zlut.z_nm)
    profiles = zlut.profiles[order]
    middle = np.nanmedian(profiles, axis=1, keepdims=True)
    spread = np.nanstd(profiles, axis=1, keepdims=True)
    z_um = zlut.z_nm[order] / 1000
    step_um = float(np.median(np.diff(z_um)))
    picture = Picture(
        np.nan_to_num((profiles - middle) / np.where(spread > 0, spread, 1.0)),
        left=-zlut.radial_step_px / 2,
        right=zlut.reach_px + zlut.radial_step_px / 2,
        bottom=float(z_um[0]) - step_um / 2,
        top=float(z_um[-1]) + step_um / 2,
    )
    marks: tuple[Mark, ...] = ()
    if np.isfinite(row.z_nm):
        marks = (Mark(row.z_nm / 1000, f"{row.z_nm / 1000:.3f} µm", upright=False, colour=bead),)
    return Panel("z (µm)", picture=picture, marks=marks, height=2)


class ZLutFile:
    """A Z-LUT file, read once as long as it stays the same."""

    def __init__(self) -> None:
        self._known: tuple[str, float, ZLut] | None = None

    def load(self, path: str) -> ZLut | None:
        """Return the Z-LUT in a file, None for ''; raise `InputError` if it cannot be read."""
        if not path:
            return None
        place = Path(path)
        changed = place.stat().st_mtime if place.is_file() else 0.0
        if self._known is None or self._known[:2] != (path, changed):
            self._known = (path, changed, ZLut.load(path))
        return self._known[2]
