"""The picture that tells the demo's story: what was seen, found, tracked, and how well.

Owns the drawing. Must not know how any of it was measured, but for one bead's profile.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.cli.demo.truth import Comparison
from napari_beadscope.core.types import Bead
from napari_beadscope.storage import Recording
from napari_beadscope.tracking import ZLut, track_stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FOUND, _TRUE, _PULL, _SOFT = "#0072b2", "#e69f00", "#56b4e9", "#5f6b76"
_RATE_OVER_S = 0.25
_AXES = (("x", "#0072b2"), ("y", "#009e73"), ("z", "#d55e00"))
_STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": _SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def draw_story(
    path: Path,
    recording: Recording,
    comparison: Comparison,
    facts: dict[str, Any],
    zlut: ZLut,
) -> None:
    """Draw 1400 by 900 px: frame and beads, one bead's z, its track, all errors, the rate.

    Parameters
    ----------
    path : Path
        PNG to write.
    recording, comparison, facts, zlut
        What the demo has made.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(14, 9), dpi=100)
        FigureCanvasAgg(figure)
        figure.text(
            0.03,
            0.955,
            "A simulated microscope, recorded, tracked and checked",
            size=16,
            weight=700,
        )
        figure.text(0.03, 0.925, _headline(facts), size=10.5, color=_SOFT)
        left = figure.add_gridspec(
            2,
            2,
            left=0.04,
            right=0.40,
            top=0.875,
            bottom=0.07,
            height_ratios=(2.55, 1),
            hspace=0.2,
            wspace=0.3,
        )
        bead = _chosen(recording, comparison)
        _frame(figure.add_subplot(left[0, :]), recording, comparison, bead)
        _errors(figure.add_subplot(left[1, 0]), comparison, (0, 1), "Errors in x and y")
        _errors(figure.add_subplot(left[1, 1]), comparison, (2,), "Errors in z")
        if bead is not None:
            _one_bead(figure, recording, bead, zlut)
            _traces(figure, recording, comparison, bead)
        bottom = figure.add_gridspec(1, 1, left=0.47, right=0.98, top=0.165, bottom=0.07)
        _rate(figure.add_subplot(bottom[0]), recording, facts)
        figure.savefig(path)


def _headline(facts: dict[str, Any]) -> str:
    parts = (
        f"{facts['frames']} frames at {facts['fps']:.1f} frames/s, {facts['dropped']} dropped",
        f"{facts['beads_matched']} of {facts['beads']} beads found, {facts['rows']} track rows",
        f"RMSE against the truth: x {facts['rmse_x_nm']:.1f}, y {facts['rmse_y_nm']:.1f}, "
        f"z {facts['rmse_z_nm']:.1f} nm",
    )
    return "   ·   ".join(parts)


def _chosen(recording: Recording, comparison: Comparison) -> Bead | None:
    """Return the real bead nearest to the middle of the frame."""
    height, width = recording.manifest.frame_format.shape
    real = [bead for bead in recording.beads if bead.bead in comparison.matches]

    def from_middle(bead: Bead) -> float:
        y_px, x_px = bead.roi.centre_px
        return float(np.hypot(y_px - height / 2, x_px - width / 2))

    return min(real, key=from_middle) if real else None


def _frame(axes: Axes, recording: Recording, comparison: Comparison, chosen: Bead | None) -> None:
    from matplotlib.patches import Rectangle

    image = recording.frames[0]
    nm_per_px = recording.manifest.calibration.nm_per_px
    axes.imshow(image, cmap="gray", vmin=np.percentile(image, 0.5), vmax=np.percentile(image, 99.8))
    for bead in recording.beads:
        roi = bead.roi
        colour = _PULL if bead.bead in comparison.matches else "#cc3311"
        strong = chosen is not None and bead.bead == chosen.bead
        axes.add_patch(
            Rectangle(
                (roi.x0 - 0.5, roi.y0 - 0.5),
                roi.size,
                roi.size,
                fill=False,
                edgecolor=_TRUE if strong else colour,
                linewidth=2 if strong else 1,
            )
        )
        axes.text(
            roi.x0 + 3,
            roi.y0 + 3,
            str(bead.bead),
            color="white",
            size=8,
            weight=700,
            va="top",
            bbox={"facecolor": "#0009", "edgecolor": "none", "pad": 1.2},
        )
    length_um = max(1, round(image.shape[1] * nm_per_px / 1000 / 5 / 5) * 5)
    length_px = length_um * 1000 / nm_per_px
    x0, y0 = 0.035 * image.shape[1], 0.965 * image.shape[0]
    axes.plot([x0, x0 + length_px], [y0, y0], color="white", linewidth=4, solid_capstyle="butt")
    axes.text(
        x0 + length_px / 2,
        y0 - 0.015 * image.shape[0],
        f"{length_um} µm",
        color="white",
        size=9,
        weight=700,
        ha="center",
        va="bottom",
    )
    axes.set_title("First frame, beads found and their ROIs")
    axes.set_axis_off()


def _one_bead(figure: Figure, recording: Recording, bead: Bead, zlut: ZLut) -> None:
    """Draw its crop, the Z-LUT with the height found, and the profile beside the nearest plane."""
    crop = np.array(bead.roi.crop(recording.frames[0]))
    found = track_stack(crop[np.newaxis], zlut)
    top = figure.add_gridspec(
        1,
        3,
        left=0.47,
        right=0.98,
        top=0.875,
        bottom=0.665,
        wspace=0.32,
        width_ratios=(0.75, 1, 1.1),
    )
    axes = figure.add_subplot(top[0])
    axes.imshow(crop, cmap="gray")
    axes.plot(found.x_px, found.y_px, "+", color=_TRUE, markersize=16, markeredgewidth=1.8)
    axes.set_title(f"Bead {bead.bead}, {bead.roi.size} px")
    axes.set_axis_off()

    axes = figure.add_subplot(top[1])
    z_um = zlut.z_nm / 1000
    profiles = zlut.at_one_px(found.profiles.shape[1])
    shown = profiles[:, 1:]
    axes.imshow(
        shown,
        cmap="gray",
        aspect="auto",
        origin="lower",
        extent=(0.5, shown.shape[1] + 0.5, z_um[0], z_um[-1]),
    )
    axes.axhline(float(found.z_nm[0]) / 1000, color=_TRUE, linewidth=2)
    axes.set(xlabel="radius (px)", ylabel="z (µm)")
    axes.set_title("Z-LUT and the height found")

    axes = figure.add_subplot(top[2])
    radius = np.arange(found.profiles.shape[1])
    if np.isfinite(found.z_nm[0]):
        plane = int(np.abs(zlut.z_nm - found.z_nm[0]).argmin())
        axes.plot(
            radius[1:],
            _normal(profiles[plane][1:]),
            color=_TRUE,
            linewidth=4,
            alpha=0.6,
            label=f"Z-LUT at {zlut.z_nm[plane] / 1000:.2f} µm",
        )
    axes.plot(radius[1:], _normal(found.profiles[0][1:]), color=_FOUND, label="bead")
    axes.set(xlabel="radius (px)", ylabel="intensity (norm.)")
    axes.set_title("Radial profile")
    axes.legend(loc="upper right", handlelength=1.5)


def _normal(profile: np.ndarray) -> np.ndarray:
    return (profile - np.nanmean(profile)) / np.nanstd(profile)


def _traces(figure: Figure, recording: Recording, comparison: Comparison, bead: Bead) -> None:
    grid = figure.add_gridspec(3, 1, left=0.47, right=0.98, top=0.58, bottom=0.275, hspace=0.14)
    of_bead = comparison.bead == bead.bead
    time_s = comparison.time_s[of_bead]
    first: Axes | None = None
    for axis, (name, _) in enumerate(_AXES):
        axes = figure.add_subplot(grid[axis], sharex=first)
        first = first or axes
        true, found = comparison.true[of_bead, axis], comparison.found[of_bead, axis]
        zero = float(np.nanmean(true)) if axis < 2 and np.isfinite(true).any() else 0.0
        _shade_pull(axes, recording, comparison, label=axis == 0)
        axes.plot(time_s, true - zero, color=_TRUE, linewidth=3, alpha=0.65, label="truth")
        axes.plot(time_s, found - zero, color=_FOUND, linewidth=0.8, label="tracked")
        axes.set_ylabel(f"{name} (nm)")
        axes.margins(x=0.01)
        if axis == 0:
            axes.set_title(f"Bead {bead.bead}: tracked, beside the truth")
            axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=3, borderaxespad=0)
        axes.tick_params(labelbottom=axis == 2)
    axes.set_xlabel("time (s)")


def _shade_pull(
    axes: Axes, recording: Recording, comparison: Comparison, *, label: bool = False
) -> None:
    near = np.flatnonzero(np.nan_to_num(comparison.magnet_mm) > 0)
    if not len(near):
        return
    times = recording.times_s
    axes.axvspan(
        times[near[0]],
        times[near[-1]],
        color=_PULL,
        alpha=0.16,
        linewidth=0,
        label="magnet near" if label else None,
    )


def _errors(axes: Axes, comparison: Comparison, which: tuple[int, ...], title: str) -> None:
    error = comparison.error[:, list(which)]
    error = error[np.isfinite(error).all(axis=1)]
    if len(error):
        reach = max(1e-3, float(np.percentile(np.abs(error), 99.7)) * 1.15)
        for column, axis in enumerate(which):
            name, colour = _AXES[axis]
            axes.hist(
                error[:, column],
                bins=np.linspace(-reach, reach, 61).tolist(),
                density=True,
                histtype="stepfilled",
                alpha=0.45,
                color=colour,
                edgecolor=colour,
                label=f"{name}: RMSE {comparison.rmse_nm[axis]:.1f} nm",
            )
        axes.legend(loc="upper left", borderaxespad=0, handlelength=1.2)
        axes.set_ylim(0, axes.get_ylim()[1] * 1.35)
    axes.axvline(0, ymax=0.76, color=_SOFT, linewidth=0.8)
    axes.set(xlabel="tracked − true (nm)", yticks=[], title=title)
    axes.spines["left"].set_visible(False)


def _rate(axes: Axes, recording: Recording, facts: dict[str, Any]) -> None:
    """Draw frames/s over time, and every frame that is missing."""
    times = recording.times_s
    some = max(1, round(facts["fps"] * _RATE_OVER_S))
    if len(times) > some:
        ends = times[::some]
        axes.stairs(some / np.diff(ends), ends, baseline=None, color=_FOUND, linewidth=2)
        for gap in recording.gaps:
            at = np.interp([gap.first - 0.5, gap.last + 0.5], recording.frame_numbers, times)
            axes.axvspan(at[0], at[1], color="#cc3311", alpha=0.6, linewidth=0)
    axes.set_ylim(0, max(1.0, facts["fps"] * 1.35))
    axes.set(xlabel="time (s)", ylabel="frames/s")
    axes.margins(x=0.01)
    dropped = facts["dropped"]
    word = "no frame missing" if not dropped else f"{dropped} frames missing (red)"
    axes.set_title(f"Rate on disk: {word}")
