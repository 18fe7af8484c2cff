"""The pictures of `accuracy.py`. Must not know how anything was measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {"precise": "#0072b2", "magtrack": "#d55e00", "bound": "#555555"}
mpl.rcParams.update(
    {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "legend.frameon": False,
        "figure.dpi": 110,
    }
)


def _save(figure: Any, folder: Path, name: str) -> None:
    figure.tight_layout()
    figure.savefig(folder / f"accuracy-{name}.png", metadata={"Software": None})
    plt.close(figure)


def _look(name: str) -> dict[str, Any]:
    return {"ms": 3, "color": COLOURS[name], "label": name}


def bias(data: dict[str, Any], folder: Path) -> None:
    """Maps of the x error over places between pixels, one height; log-scale profile."""
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 2.9))
    at = 1
    for axis, name in zip(axes, ("magtrack", "precise"), strict=False):
        shown = 1e3 * data[name]["maps"][at, :, :, 0]
        limit = max(float(np.abs(shown).max()), 1e-3)
        image = axis.imshow(
            shown, extent=(-0.55, 0.55, 0.55, -0.55), cmap="RdBu_r", vmin=-limit, vmax=limit
        )
        axis.set_title(f"{name}: worst {limit:.2g} mpx")
        axis.set_xlabel("x between pixels")
        axis.set_ylabel("y between pixels")
        axis.grid(False)
        figure.colorbar(image, ax=axis, label="error of x, mpx", shrink=0.9)
    for name in ("magtrack", "precise"):
        worst = np.abs(data[name]["maps"][..., 0]).max(axis=(0, 1))
        axes[2].semilogy(
            data["phase_px"],
            1e3 * np.maximum(worst, 1e-7),
            "o-",
            ms=3,
            color=COLOURS[name],
            label=name,
        )
    axes[2].axhline(3, color="k", lw=0.8, ls=":")
    axes[2].set_xlabel("x between pixels")
    axes[2].set_ylabel("worst error of x, mpx")
    axes[2].legend()
    _save(figure, folder, "bias")


def planes(data: dict[str, Any], folder: Path) -> None:
    """The z error of noise-free beads along z, and a part of it between planes."""
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 2.8))
    z = data["z_nm"]
    for axis, window in zip(axes, ((-3000, 3000), (1500, 1800)), strict=True):
        part = (z >= window[0]) & (z <= window[1])
        for name in ("magtrack", "precise"):
            axis.plot(
                z[part] / 1000, data[name]["off_nm"][part], "-" if window[0] < 0 else ".-",
                lw=1, color=COLOURS[name], label=name,
            )  # fmt: skip
        axis.set_xlabel("z, µm")
        axis.set_ylabel("error of z, nm")
    for plane in np.arange(1500, 1801, 50):
        axes[1].axvline(plane / 1000, color="k", lw=0.5, ls=":")
    axes[0].legend()
    axes[1].set_title("dotted: planes of the Z-LUT")
    _save(figure, folder, "planes")


def height(data: dict[str, Any], folder: Path) -> None:
    """RMSE by height beside the bound."""
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 2.9), sharex=True)
    z = data["z_nm"] / 1000
    for axis, coordinate, factor, unit in ((axes[0], 0, 1e3, "x, mpx"), (axes[1], 2, 1, "z, nm")):
        for name in ("magtrack", "precise"):
            axis.semilogy(
                z, factor * data[name][:, coordinate], "o-", ms=3, color=COLOURS[name], label=name
            )
        bound = factor * data["bound"][:, coordinate]
        axis.semilogy(z, bound, "--", color=COLOURS["bound"], label="Cramér-Rao bound")
        axis.set_xlabel("z, µm")
        axis.set_ylabel(f"RMSE of {unit}")
    axes[0].legend()
    _save(figure, folder, "height")


def light(data: dict[str, Any], folder: Path) -> None:
    """RMSE by light beside the bound; standard deviation of error over its estimate."""
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 2.9))
    electrons = data["background_e"]
    for axis, coordinate, factor, unit in ((axes[0], 0, 1e3, "x, mpx"), (axes[1], 2, 1, "z, nm")):
        for name in ("magtrack", "precise"):
            axis.loglog(
                electrons,
                factor * data[name][:, coordinate],
                "o-",
                ms=3,
                color=COLOURS[name],
                label=name,
            )
        bound = factor * data["bound"][:, coordinate]
        axis.loglog(electrons, bound, "--", color=COLOURS["bound"], label="Cramér-Rao bound")
        axis.set_ylabel(f"RMSE of {unit}")
    for coordinate, label in enumerate("xyz"):
        axes[2].semilogx(electrons, data["honest"][:, coordinate], "o-", ms=3, label=label)
    axes[2].axhline(1, color="k", lw=0.8, ls=":")
    axes[2].set_ylim(0, 2)
    axes[2].set_ylabel("std of error / its σ")
    for axis in axes:
        axis.set_xlabel("electrons per pixel, background")
    axes[0].legend()
    axes[2].legend(ncols=3)
    _save(figure, folder, "light")


def centres(data: dict[str, Any], folder: Path) -> None:
    """Capture range of the ways to find a centre."""
    figure, axis = plt.subplots(figsize=(6.4, 3.2))
    for name, values in data.items():
        if not isinstance(values, dict):
            continue
        style = {"lw": 2.2} if name.startswith("precise") else {"lw": 1.1}
        dash = "--" if name.endswith("without Z-LUT") else "-"
        axis.plot(data["offset_share"], 100 * values["captured"], dash, label=name, **style)
    axis.axvline(1 / 3, color="k", lw=0.8, ls=":")
    axis.set_xlabel("distance of the bead from the ROI's centre, in ROI edges (64 px)")
    axis.set_ylabel("within 0.5 px, %")
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, folder, "capture")


PLOTS: dict[str, Callable[[dict[str, Any], Path], None]] = {
    "bias": bias,
    "planes": planes,
    "height": height,
    "light": light,
    "centres": centres,
}
