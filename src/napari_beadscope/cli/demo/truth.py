"""The demo's judge: what was recorded and tracked against what the simulation knows.

Owns the matching of beads, the magnet's position in every frame, and the errors. Frame numbers of
a recording count from its first frame; the simulation counts the camera's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_beadscope.cli.demo.scene import Move
from napari_beadscope.core.types import Bead
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.storage import Recording

_MOST_COMPARED = 400
_NEAR = 0.25  # of the ROI: a found bead further from every true one is none


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Found positions beside true ones.

    Attributes
    ----------
    bead : ndarray (n,) int
        ID of the found bead, one entry per track row of a bead that exists.
    time_s : ndarray (n,) float
        Since the first frame.
    found, true : ndarray (n, 3) float
        x, y and z in nm; NaN where nothing was found, or the magnet was on its way.
    matches : dict of int to int
        Found bead to true bead.
    magnet_mm : ndarray (t,) float
        Per recorded frame; NaN where it cannot be told.
    frames_compared, frames_identical : int
        Recorded frames that were rendered again, and how many agree in every pixel.
    """

    bead: np.ndarray
    time_s: np.ndarray
    found: np.ndarray
    true: np.ndarray
    matches: dict[int, int]
    magnet_mm: np.ndarray
    frames_compared: int
    frames_identical: int

    @property
    def error(self) -> np.ndarray:
        """Found minus true, nm, ``(n, 3)``."""
        return self.found - self.true

    @property
    def rmse_nm(self) -> np.ndarray:
        """Root mean square of all finite errors in x, y, z, nm; NaN where there is none."""
        squares = np.where(np.isfinite(self.error), self.error, np.nan) ** 2
        counts = np.isfinite(squares).sum(axis=0)
        with np.errstate(invalid="ignore"):
            return np.sqrt(np.nansum(squares, axis=0) / np.where(counts, counts, np.nan))

    @property
    def lost_rows(self) -> int:
        """Rows without a position although the bead is there."""
        return int((~np.isfinite(self.found)).any(axis=1).sum())


def compare(
    recording: Recording, microscope: SimulatedMicroscope, moves: Sequence[Move]
) -> Comparison:
    """Compare a recording of the simulated camera with the truth."""
    first = recording.manifest.first_frame or 0
    numbers = recording.frame_numbers + first
    magnet = magnet_positions(recording, microscope, numbers, moves)
    compared, identical = _identical_frames(recording, microscope, numbers, magnet)
    truth = microscope.truth(numbers, magnet_mm=np.nan_to_num(magnet))
    truth[~np.isfinite(magnet)] = np.nan
    matches = match_beads(recording.beads, microscope.bead_positions_px())
    tracks = recording.tracks
    tracks = tracks[np.isin(tracks["bead"], list(matches))]
    row = np.searchsorted(recording.frame_numbers, tracks["frame"])
    column = np.array([matches[bead] for bead in tracks["bead"].tolist()], int)
    true = truth[row, column] if len(tracks) else np.empty((0, 3))
    true[:, :2] *= recording.manifest.calibration.nm_per_px
    found = np.column_stack([tracks["x_nm"], tracks["y_nm"], tracks["z_nm"]])
    return Comparison(
        tracks["bead"], tracks["time_s"], found, true, matches, magnet, compared, identical
    )


def match_beads(beads: Sequence[Bead], places_px: np.ndarray) -> dict[int, int]:
    """Return for each found bead the nearest true one, each true one once.

    Parameters
    ----------
    beads : sequence of Bead
        As found.
    places_px : ndarray (n, 2)
        x, y of the true beads.

    Examples
    --------
    >>> from napari_beadscope.core.types import Roi
    >>> match_beads([Bead(5, Roi(90, 40, 21))], np.array([[10.0, 10.0], [51.0, 99.0]]))
    {5: 1}
    """
    pairs = []
    for bead in beads:
        y_px, x_px = bead.roi.centre_px
        away = np.hypot(places_px[:, 0] - x_px, places_px[:, 1] - y_px)
        near = np.flatnonzero(away < _NEAR * bead.roi.size)
        pairs += [(float(away[place]), bead.bead, int(place)) for place in near]
    matches: dict[int, int] = {}
    for _, bead_id, place in sorted(pairs):
        if bead_id not in matches and place not in matches.values():
            matches[bead_id] = place
    return dict(sorted(matches.items()))


def magnet_positions(
    recording: Recording,
    microscope: SimulatedMicroscope,
    numbers: np.ndarray,
    moves: Sequence[Move],
) -> np.ndarray:
    """Return the magnet's position in every recorded frame, mm.

    Of the few frames around a move, those that were rendered before it are told from those after
    it by rendering them again: frames are pure functions, so every pixel agrees or it is not it.
    """
    positions = np.zeros(len(numbers))
    here = 0.0
    for move in moves:
        positions[numbers > move.after] = move.target_mm
        for index in np.flatnonzero((numbers > move.before) & (numbers <= move.after)):
            candidates = [
                position
                for position in (here, move.target_mm)
                if _agrees(recording, microscope, int(index), int(numbers[index]), position)
            ]
            positions[index] = candidates[0] if candidates else np.nan
        here = move.target_mm
    return positions


def _identical_frames(
    recording: Recording,
    microscope: SimulatedMicroscope,
    numbers: np.ndarray,
    magnet: np.ndarray,
) -> tuple[int, int]:
    """Render some frames again; return how many, and how many are as recorded in every pixel."""
    usable = np.flatnonzero(np.isfinite(magnet))
    if not len(usable):
        return 0, 0
    picks = np.unique(np.linspace(0, len(usable) - 1, _MOST_COMPARED).astype(int))
    agree = [
        _agrees(recording, microscope, int(at), int(numbers[at]), float(magnet[at]))
        for at in usable[picks]
    ]
    return len(agree), sum(agree)


def _agrees(
    recording: Recording,
    microscope: SimulatedMicroscope,
    index: int,
    number: int,
    magnet_mm: float,
) -> bool:
    rendered = microscope.render(number, magnet_mm=magnet_mm)
    return bool(np.array_equal(recording.frames[index], rendered))
