"""Bead recordings with known x, y and z for batches, and how far tables are from the truth.

Owns the scenes, their files and the comparison. Must not know services.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.types import Bead, Calibration, FrameFormat, FrameStamp, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking import ZLut

#: What six recordings have in common, and in what they differ.
_COMMON: dict[str, Any] = {"stuck_beads": 2, "margin_px": 48.0, "spacing_px": 72.0}
SCENES: tuple[dict[str, Any], ...] = (
    {},
    {"drift_rate_x_nm_per_s": 1200.0, "drift_rate_y_nm_per_s": -700.0},
    {"dtype": "uint16", "bit_depth": 12},
    {"light_e_per_ms": 5000.0, "full_well_e": 2000.0},
    {"bead_radius_nm": 700.0},
    {"drift_rate_z_nm_per_s": -300.0, "unevenness": 0.12},
)


@dataclass(frozen=True, slots=True, eq=False)
class BeadRecording:
    """A bead recording whose truth is known.

    Attributes
    ----------
    microscope : SimulatedMicroscope
        What it was taken with.
    frames : ndarray (t, y, x)
    truth : ndarray (t, beads, 3)
        x_px, y_px, z_nm.
    """

    microscope: SimulatedMicroscope
    frames: np.ndarray
    truth: np.ndarray
    zluts: dict[int, ZLut] = field(default_factory=dict)

    @property
    def nm_per_px(self) -> float:
        """Size of a pixel."""
        return float(self.microscope.options.nm_per_px)

    @property
    def interval_s(self) -> float:
        """Time between frames."""
        return 1.0 / float(self.microscope.options.fps)

    def zlut(self, size_px: int) -> ZLut:
        """Return the Z-LUT of the microscope's beads, from noise-free sweeps between the pixels."""
        from napari_beadscope.script.simulated_zlut import simulated_zlut

        if size_px not in self.zluts:
            self.zluts[size_px] = simulated_zlut(self.microscope, size_px)
        return self.zluts[size_px]

    def write(self, path: Path) -> Path:
        """Write the frames as a TIFF."""
        import tifffile

        tifffile.imwrite(path, self.frames, photometric="minisblack")
        return path

    def record(self, folder: Path, *, mode: str = "full", size_px: int = 64) -> Path:
        """Write a recording with the true beads, numbered from 10, and the Z-LUT."""
        from napari_beadscope.storage import Manifest, RecordingWriter

        folder.parent.mkdir(parents=True, exist_ok=True)
        lut = folder.with_suffix(".lut.txt")
        self.zlut(size_px).save(lut)
        height, width = self.frames.shape[1:]
        manifest = Manifest.new(
            mode=mode,
            format=FrameFormat(height, width, str(self.frames.dtype)),
            beads=[
                Bead(10 + k, Roi.around(y, x, size_px))
                for k, (x, y, _) in enumerate(self.truth[0].tolist())
            ],
            calibration=Calibration(self.nm_per_px, str(lut)),
            fps=1 / self.interval_s,
        )
        with RecordingWriter.create(folder, manifest) as writer:
            step_ns = round(self.interval_s * 1e9)
            stamps = [FrameStamp(k, k * step_ns) for k in range(len(self.frames))]
            writer.write_frames(self.frames, stamps)
            writer.finish()
        lut.unlink()
        return folder

    def errors(
        self, rows: np.ndarray, *, reach_px: float = 3.0
    ) -> tuple[np.ndarray, dict[int, int]]:
        """Return how far trusted rows are from the truth, and which true bead each ID is.

        Parameters
        ----------
        rows : ndarray
            Structured, with frame, bead, x_px, y_px, z_nm and reason.
        reach_px : float
            An ID that is farther from all beads in the median belongs to none.

        Returns
        -------
        errors : ndarray (n, 3)
            x_px, y_px, z_nm of the rows whose reason is 0.
        who : dict of int to int
            True bead by ID.
        """
        who: dict[int, int] = {}
        parts = [np.empty((0, 3))]
        for bead in np.unique(rows["bead"]).tolist():
            mine = rows[(rows["bead"] == bead) & (rows["reason"] == 0)]
            if not len(mine):
                continue
            place = np.column_stack([mine["x_px"], mine["y_px"], mine["z_nm"]])
            away = place[:, np.newaxis] - self.truth[mine["frame"]]
            far = np.median(np.hypot(away[..., 0], away[..., 1]), axis=0)
            if far.min() <= reach_px:
                who[bead] = int(far.argmin())
                parts.append(away[:, far.argmin()])
        return np.concatenate(parts), who


def bead_recording(
    scene: int = 0,
    *,
    frames: int = 40,
    beads: int = 6,
    size_px: tuple[int, int] = (256, 288),
    **options: Any,
) -> BeadRecording:
    """Return one of the scenes as a recording; the first two beads are stuck.

    Parameters
    ----------
    scene : int
        Which of `SCENES`, from 0.
    frames, beads : int
        How many.
    size_px : (y, x)
        Of a frame.
    options
        Of the simulated microscope, over the scene's.
    """
    chosen = {
        **_COMMON,
        "beads": beads,
        "height_px": size_px[0],
        "width_px": size_px[1],
        "seed": 40 + scene,
        **SCENES[scene],
        **options,
    }
    microscope = SimulatedMicroscope(chosen)
    images = np.stack([microscope.render(k) for k in range(frames)])
    return BeadRecording(microscope, images, microscope.truth(np.arange(frames)))
