"""Allan deviation and power spectrum of chosen beads.

Must not know Qt or where rows are from.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.analysis import AllanDeviation, allan_deviation, on_grid, power_spectrum
from napari_beadscope.ui.plots.figure import AXES, Curve, Figure, Panel, Request, Table, empty
from napari_beadscope.ui.plots.sources import Source
from napari_beadscope.ui.plots.traces import NOTHING, read

CONFIDENCE = 0.683
_ALLAN_ACROSS, _SPECTRUM_ACROSS = "averaging time (s)", "frequency (Hz)"


def allan_figure(source: Source, request: Request) -> Figure:
    """Return the Allan deviation of one coordinate with its 68 % interval, log over log."""
    found, words = _allan(source, request)
    curves = [
        Curve(one.tau_s, one.deviation, bead, low=one.lower, high=one.upper)
        for bead, one in found.items()
        if len(one.tau_s)
    ]
    up = f"Allan dev. {request.axis} (nm)"
    if not curves:
        return empty(words or NOTHING, _ALLAN_ACROSS, up)
    return Figure(
        (Panel(up, tuple(curves), log_up=True),),
        _ALLAN_ACROSS,
        log_across=True,
        beads=tuple(found),
        words=words,
    )


def allan_table(source: Source, request: Request) -> Table:
    """Return every point of the Allan deviations."""
    found, _ = _allan(source, request)
    ones = list(found.values())
    return Table(
        {
            "bead": np.repeat(list(found), [len(one.tau_s) for one in ones]),
            "tau_s": _joined([one.tau_s for one in ones]),
            f"allan_deviation_{request.axis}_nm": _joined([one.deviation for one in ones]),
            "lower_nm": _joined([one.lower for one in ones]),
            "upper_nm": _joined([one.upper for one in ones]),
        }
    )


def spectrum_figure(source: Source, request: Request) -> Figure:
    """Return the power spectral density of one coordinate, log over log."""
    found, words = _spectra(source, request)
    curves = [Curve(f, density, bead) for bead, (f, density) in found.items() if len(f)]
    up = f"{request.axis} (nm²/Hz)"
    if not curves:
        return empty(words or NOTHING, _SPECTRUM_ACROSS, up)
    panel = Panel(up, tuple(curves), log_up=True)
    return Figure((panel,), _SPECTRUM_ACROSS, log_across=True, beads=tuple(found), words=words)


def spectrum_table(source: Source, request: Request) -> Table:
    """Return every point of the spectra."""
    found, _ = _spectra(source, request)
    return Table(
        {
            "bead": np.repeat(list(found), [len(f) for f, _ in found.values()]),
            "frequency_hz": _joined([f for f, _ in found.values()]),
            f"density_{request.axis}_nm2_per_hz": _joined([d for _, d in found.values()]),
        }
    )


def _allan(source: Source, request: Request) -> tuple[dict[int, AllanDeviation], str]:
    series, rate_hz, words = _series(source, request)
    found = {
        bead: allan_deviation(values, rate_hz, confidence=CONFIDENCE)
        for bead, values in series.items()
    }
    return found, f"{words} · bars: 68 % confidence" if found else words


def _spectra(
    source: Source, request: Request
) -> tuple[dict[int, tuple[np.ndarray, np.ndarray]], str]:
    series, rate_hz, words = _series(source, request)
    return {bead: power_spectrum(values, rate_hz) for bead, values in series.items()}, words


def _series(source: Source, request: Request) -> tuple[dict[int, np.ndarray], float, str]:
    """Return each bead's coordinate with NaN for frames that are missing, the rate, and words."""
    traces, done = read(source, request)
    rate_hz = traces.rate_hz
    if not rate_hz or not traces.beads:
        return {}, 0.0, NOTHING
    values = traces.xyz_nm[:, AXES.index(request.axis)]
    grid = on_grid(traces.frame, values.T).T
    some = {bead: row for bead, row in zip(traces.beads, grid) if np.isfinite(row).any()}
    if not some:
        return {}, 0.0, "no z: choose a Z-LUT" if request.axis == "z" else NOTHING
    seconds = traces.time_s[-1] - traces.time_s[0]
    words = f"{seconds:.1f} s at {rate_hz:.4g} Hz"
    return some, rate_hz, f"{words} · {done}" if done else words


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0)
