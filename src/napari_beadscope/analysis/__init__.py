"""What positions tell: drift, stability over time, spectra, forces.

Arrays in, arrays out. Knows nothing of cameras, files, processes or Qt. SciPy is imported only
when it is needed.
"""

from __future__ import annotations

from napari_beadscope.analysis.allan import AllanDeviation, allan_deviation
from napari_beadscope.analysis.drift import drift_of
from napari_beadscope.analysis.envelope import envelope
from napari_beadscope.analysis.forces import (
    ForceFit,
    force_from_spectrum,
    force_from_variance,
    stokes_drag,
)
from napari_beadscope.analysis.grid import on_grid
from napari_beadscope.analysis.intensity import Intensities, intensities
from napari_beadscope.analysis.spectrum import power_spectrum

__all__ = [
    "AllanDeviation",
    "ForceFit",
    "Intensities",
    "allan_deviation",
    "drift_of",
    "envelope",
    "force_from_spectrum",
    "force_from_variance",
    "intensities",
    "on_grid",
    "power_spectrum",
    "stokes_drag",
]
