"""What the report of a Z-LUT says, as numbers and as words for people. Knows no files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_beadscope.tracking.zlut import ZLut
    from napari_beadscope.tracking.zlut_report import ZLutReport


def report_data(report: ZLutReport) -> dict[str, Any]:
    """Return a report as plain numbers and lists."""
    zlut, sweep = report.zlut, report.sweep
    low, high = report.usable_nm
    best, worst = report.usable_sigma_nm
    inside = slice(report.first, report.last + 1)
    data: dict[str, Any] = {
        "planes": zlut.planes,
        "z_first_nm": float(zlut.z_nm[0]),
        "z_last_nm": float(zlut.z_nm[-1]),
        "z_step_nm": float(np.diff(zlut.z_nm).mean()),
        "radial_step_px": zlut.radial_step_px,
        "reach_px": zlut.reach_px,
        "roi_size_px": zlut.size_px,
        "usable_low_nm": low,
        "usable_high_nm": high,
        "sigma_z_best_nm": best,
        "sigma_z_worst_nm": worst,
        "pixel_noise": float(np.median(report.noise)),
        "noise_known": report.noise_known,
        "zlut_error_nm": _largest(report.error_nm[inside]),
        "between_planes_nm": _largest(report.between_nm[inside]),
    }
    if sweep is not None:
        data["frames"] = len(sweep.x_px)
        data["jitter_nm"] = sweep.jitter_nm
        data["left_out"] = {why: list(rows) for why, rows in sweep.left_out.items()}
        data["missing_nm"] = list(sweep.missing_nm)
    return data


def report_rows(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what `report_data` says in words: a name and a phrase each."""
    single = "in one frame" if data["noise_known"] else "in one frame with the noise of the planes"
    usable = "none: z is nowhere unique and precise"
    if math.isfinite(data["usable_low_nm"]):
        usable = f"{data['usable_low_nm']:g} to {data['usable_high_nm']:g} nm"
    rows = [
        (
            "planes",
            f"{data['planes']} from {data['z_first_nm']:g} to {data['z_last_nm']:g} nm, "
            f"{data['z_step_nm']:g} nm apart",
        ),
        (
            "reach",
            f"{data['reach_px']:g} px in steps of {data['radial_step_px']:g} px: ROIs up to "
            f"{data['roi_size_px']} px",
        ),
        ("usable", usable),
    ]
    if math.isfinite(data["sigma_z_best_nm"]):
        rows.append(
            (
                "precision",
                f"{_short(data['sigma_z_best_nm'])} to {_short(data['sigma_z_worst_nm'])} nm "
                f"{single} (noise of a pixel {_short(data['pixel_noise'])})",
            )
        )
    if math.isfinite(data["zlut_error_nm"]):
        own = _short(data["zlut_error_nm"])
        rows.append(("own error", f"up to {own} nm, from the sweep's noise"))
    if math.isfinite(data["between_planes_nm"]):
        rows.append(("between planes", f"up to about {_short(data['between_planes_nm'])} nm off"))
    if "beads" in data:
        rows.append(("beads", ", ".join(map(str, data["beads"]))))
    if data.get("jitter_nm"):
        rows.append(("trembling", f"{_short(data['jitter_nm'])} nm, taken into account"))
    if "frames" in data:
        rows.append(("frames", _frames(data)))
    return rows


def report_notes(report: ZLutReport) -> dict[str, str]:
    """Return what a Z-LUT's file keeps of its report: noise of a pixel, and its own error."""
    notes = {"pixel_noise": f"{float(np.median(report.noise)):.4g}"}
    if np.isfinite(report.error_nm).all():
        notes["own_error_nm"] = " ".join(f"{error:.3g}" for error in report.error_nm)
    return notes


def report_from_notes(
    zlut: ZLut, notes: Mapping[str, str], noise: float | None = None
) -> ZLutReport:
    """Return the report of a Z-LUT from its file, with what the file's notes say.

    Parameters
    ----------
    zlut : ZLut
    notes : mapping
        See `napari_beadscope.tracking.zlut.load_notes`.
    noise : float, optional
        Of a pixel, instead of the one noted.
    """
    from napari_beadscope.tracking.zlut_report import report_zlut

    if noise is None:
        noise = _number(notes.get("pixel_noise", ""))
    words = notes.get("own_error_nm", "").split()
    known = [error for error in map(_number, words) if error is not None]
    own = np.array(known) if len(known) == len(words) == zlut.planes else None
    return report_zlut(zlut, noise, own)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _short(value: float) -> str:
    """Return two digits as people write them.

    Examples
    --------
    >>> _short(512.0), _short(1.44), _short(0.0113)
    ('510', '1.4', '0.011')
    """
    rounded = float(f"{value:.2g}")
    return f"{rounded:.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def _frames(data: dict[str, Any]) -> str:
    left_out = data["left_out"]
    text = f"{data['frames'] - sum(map(len, left_out.values()))} of {data['frames']} used"
    for why, frames in left_out.items():
        some = ", ".join(map(str, frames[:8])) + (", …" if len(frames) > 8 else "")
        text += f"; {why}: {some}"
    if data["missing_nm"]:
        text += f"; no plane at {', '.join(f'{z:g}' for z in data['missing_nm'][:8])} nm"
    return text


def _largest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) else math.nan
