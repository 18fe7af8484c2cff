"""The picture of a Z-LUT: its planes, and how precise z is. Knows no file format but images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_beadscope.tracking.zlut_report import ZLutReport

ENDINGS = (".png", ".svg", ".pdf")
_USABLE, _BOUND, _OWN, _GAPS = "#2a9d8f", "#264653", "#e07a1f", "#7d5ba6"


def check_ending(path: Path) -> None:
    """Raise `InputError` unless pictures of this kind can be drawn."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            f"a picture cannot be drawn as {path.name}", f"end its name with {' or '.join(ENDINGS)}"
        )


def draw(report: ZLutReport, path: Path) -> None:
    """Draw `report` into `path`.

    Raises
    ------
    InputError
        If the file cannot be written, or is no PNG, SVG or PDF by its name.
    """
    from matplotlib.figure import Figure

    check_ending(path)
    figure = Figure(figsize=(8, 6.4), layout="constrained", dpi=120)
    planes, precision = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    _draw_planes(planes, report)
    _draw_precision(precision, report)
    try:
        with whole_file(path) as part:
            figure.savefig(part)
    except OSError as error:
        raise InputError(f"cannot draw {path}", str(error.strerror or error)) from error


def _draw_planes(axes: Axes, report: ZLutReport) -> None:
    """Each plane with its own brightness and contrast, as the tracker sees them."""
    zlut = report.zlut
    order = np.argsort(zlut.z_nm)
    z_um, profiles = zlut.z_nm[order] / 1000, zlut.profiles[order]
    radius = np.arange(zlut.bins) * zlut.radial_step_px
    middle = np.nanmedian(profiles, axis=1, keepdims=True)
    spread = np.nanstd(profiles, axis=1, keepdims=True)
    shown = (profiles - middle) / np.where(spread > 0, spread, 1.0)
    most = float(np.nanpercentile(np.abs(shown), 90)) or 1.0  # the centre outshines the rings
    axes.pcolormesh(
        z_um,
        radius,
        shown.T,
        cmap="gray",
        vmin=-most,
        vmax=most,
        shading="nearest",
        rasterized=True,
    )
    axes.set(ylabel="radius (px)", ylim=(0, radius[-1]))
    axes.set_title(
        f"{zlut.planes} planes, {zlut.bins} radii in steps of {zlut.radial_step_px:g} px",
        fontsize="medium",
    )
    low_nm, high_nm = report.usable_nm
    for edge in (low_nm, high_nm):
        axes.axvline(edge / 1000, color=_USABLE, linewidth=2)


def _draw_precision(axes: Axes, report: ZLutReport) -> None:
    from matplotlib.ticker import NullFormatter

    order = np.argsort(report.zlut.z_nm)
    z_um = report.zlut.z_nm[order] / 1000
    single = "one frame" if report.noise_known else "one frame with the noise of the planes"
    axes.semilogy(z_um, report.sigma_z_nm[order], color=_BOUND, label=f"{single} (best possible)")
    if np.isfinite(report.error_nm).any():
        axes.semilogy(z_um, report.error_nm[order], color=_OWN, label="error of the Z-LUT itself")
    if np.isfinite(report.between_nm).any():
        axes.semilogy(
            z_um, report.between_nm[order], color=_GAPS, linestyle=":", label="error between planes"
        )
    low_nm, high_nm = report.usable_nm
    if np.isfinite(low_nm):
        axes.axvspan(
            low_nm / 1000,
            high_nm / 1000,
            color=_USABLE,
            alpha=0.15,
            linewidth=0,
            label=f"usable: {low_nm / 1000:.2f} to {high_nm / 1000:.2f} µm",
        )
    axes.set(xlabel="z (µm)", ylabel="error of z (nm)")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, fontsize="small")
