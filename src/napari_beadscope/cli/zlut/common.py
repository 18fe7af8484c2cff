"""What the Z-LUT commands have in common: heights, names, the report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.cli.output import table
from napari_beadscope.core.errors import InputError

if TYPE_CHECKING:
    from napari_beadscope.tracking.zlut_report import ZLutReport

_MOST_HEIGHTS = 100_000


def read_heights(text: str) -> tuple[np.ndarray, bool]:
    """Return heights in nm from a file or a range, and whether it was a range.

    Raises
    ------
    InputError
        It is neither, or holds what is not a number.

    Examples
    --------
    >>> read_heights("0:200:50")
    (array([  0.,  50., 100., 150., 200.]), True)
    >>> read_heights("300:-100:-200")[0].tolist()
    [300.0, 100.0, -100.0]
    """
    parts = text.split(":")
    if len(parts) == 3 and not Path(text).exists():
        return _range(text, parts), True
    return _file(Path(text).expanduser()), False


def _range(text: str, parts: list[str]) -> np.ndarray:
    remedy = "give START:STOP:STEP in nm, such as 0:4000:50"
    try:
        start, stop, step = (float(part) for part in parts)
    except ValueError:
        raise InputError(f"--z-nm {text} is no range of numbers", remedy) from None
    if not all(math.isfinite(value) for value in (start, stop, step)) or step == 0:
        raise InputError(f"--z-nm {text} has no end", remedy)
    count = math.floor((stop - start) / step + 1e-6) + 1
    if not 1 <= count <= _MOST_HEIGHTS:
        raise InputError(
            f"--z-nm {text} makes {max(0, count)} heights", "check the direction and the step"
        )
    return start + step * np.arange(count)


def _file(path: Path) -> np.ndarray:
    """Read one height a line, or the column z_nm of a CSV file."""
    remedy = "give a file with one height in nm per line, or START:STOP:STEP"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"there is no file of heights {path}", remedy) from None
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} cannot be read as a text file of heights", remedy) from None
    column = 0
    heights: list[float] = []
    for number, line in enumerate(lines, start=1):
        words = line.split("#", 1)[0].replace(",", " ").replace(";", " ").split()
        if not words:
            continue
        if not heights and "z_nm" in words:
            column = words.index("z_nm")
            continue
        try:
            heights.append(float(words[column]))
        except (ValueError, IndexError):
            raise InputError(f"{path} line {number} holds no height: '{line}'", remedy) from None
    if not heights:
        raise InputError(f"{path} holds no height", remedy)
    return np.array(heights)


def numbered(path: Path, bead: int) -> Path:
    """Return the name of one bead's file.

    Examples
    --------
    >>> numbered(Path("a/zlut.txt"), 7).name
    'zlut_0007.txt'
    """
    return path.with_name(f"{path.stem}_{bead:04d}{path.suffix}")


def report_data(report: ZLutReport) -> dict[str, Any]:
    """Return a report as what `--json` prints."""
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


def report_lines(data: dict[str, Any]) -> list[str]:
    """Return the same for people."""
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
    return table(rows)


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
