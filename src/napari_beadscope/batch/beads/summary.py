"""What is worth knowing of each bead over a whole recording: noise, quality, stability.

Owns the figures and their columns. Must not know files.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from napari_beadscope.analysis.allan import allan_deviation
from napari_beadscope.analysis.drift import row_median
from napari_beadscope.analysis.grid import on_grid
from napari_beadscope.batch.beads.traces import by_bead, trusted
from napari_beadscope.core.types import Reason

_AXES = (("x", "x_nm"), ("y", "y_nm"), ("z", "z_nm"))
_ROBUST = 1.4826  # standard deviation of a normal distribution by its median absolute deviation
_LEAST = 8  # values that an Allan deviation needs

#: Columns of the summary and how they are written.
FORMATS = MappingProxyType(
    {
        "bead": "%d",
        "reference": "%d",
        "first_frame": "%d",
        "last_frame": "%d",
        "rows": "%d",
        "trusted": "%d",
        "quality": "%.4f",
        "x_px": "%.3f",
        "y_px": "%.3f",
        "z_nm": "%.3f",
        **{f"{what}_{axis}_nm": "%.3f" for what in ("noise", "sd", "allan") for axis, _ in _AXES},
        "allan_tau_s": "%.6f",
    }
)
SUMMARY = np.dtype([(name, "<i8" if form == "%d" else "<f8") for name, form in FORMATS.items()])


def summarise(
    rows: np.ndarray, *, references: frozenset[int] = frozenset(), allan_tau_s: float = 1.0
) -> np.ndarray:
    """Return one row per bead.

    Parameters
    ----------
    rows : ndarray, structured `storage.tables.TRACKS`
        Tracks of a position, best without drift.
    references : set of int
        IDs of the beads that are stuck.
    allan_tau_s : float
        Averaging time of the Allan deviation, seconds.

    Returns
    -------
    ndarray, structured `SUMMARY`
        ``rows``: frames with a row; ``trusted``: those with reason 0. ``quality``, ``x_px``,
        ``y_px``, ``z_nm``: medians. ``noise``: standard deviation from one frame to the next,
        from differences, which drift and slow motion leave alone; robust against outliers.
        ``sd``: standard deviation over the whole recording. ``allan``: Allan deviation at the
        averaging time next to the one asked for; NaN if times are not known.
    """
    out = np.zeros(len(np.unique(rows["bead"])), SUMMARY)
    for row, (bead, part) in zip(out, by_bead(rows)):
        mine = rows[part]
        row["bead"], row["reference"] = bead, bead in references
        row["first_frame"], row["last_frame"] = mine["frame"][0], mine["frame"][-1]
        row["rows"] = len(mine)
        row["trusted"] = (mine["reason"] == Reason.OK).sum()
        row["quality"] = np.median(mine["quality"])
        for name in ("x_px", "y_px", "z_nm"):
            row[name] = row_median(trusted(mine, name)[np.newaxis])[0]
        rate_hz = _rate(mine)
        row["allan_tau_s"] = np.nan
        for axis, name in _AXES:
            values = on_grid(mine["frame"], trusted(mine, name))
            row[f"noise_{axis}_nm"] = frame_noise(values)
            seen = values[np.isfinite(values)]
            row[f"sd_{axis}_nm"] = np.std(seen, ddof=1) if len(seen) > 1 else np.nan
            tau, deviation = _allan(values, rate_hz, allan_tau_s)
            row[f"allan_{axis}_nm"] = deviation
            row["allan_tau_s"] = tau if np.isfinite(tau) else row["allan_tau_s"]
    return out


def frame_noise(values: np.ndarray) -> float:
    """Return the standard deviation of independent noise in each value, from differences.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> round(frame_noise(np.arange(5000.0) * 0.1 + rng.normal(0, 3, 5000)), 1)
    3.0
    """
    steps = np.diff(values)
    steps = steps[np.isfinite(steps)]
    if len(steps) < 2:
        return float("nan")
    return float(_ROBUST * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2))


def _rate(rows: np.ndarray) -> float:
    """Mean frames per second; NaN if times are not known."""
    span_s = float(rows["time_s"][-1] - rows["time_s"][0])
    frames = int(rows["frame"][-1] - rows["frame"][0])
    return frames / span_s if frames and np.isfinite(span_s) and span_s > 0 else float("nan")


def _allan(values: np.ndarray, rate_hz: float, tau_s: float) -> tuple[float, float]:
    if not np.isfinite(rate_hz) or np.isfinite(values).sum() < _LEAST:
        return float("nan"), float("nan")
    average = min(max(1, round(tau_s * rate_hz)), len(values) // 3)
    found = allan_deviation(values, rate_hz, averages=np.array([max(1, average)]))
    if not len(found.tau_s):
        return float("nan"), float("nan")
    return float(found.tau_s[0]), float(found.deviation[0])
