"""What is under the microscope in the demo, and how the magnet moves.

Owns the scene's options, and which frames saw which magnet position.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_beadscope.core.messages import Status
from napari_beadscope.script import Scope

FPS = 100.0
MAGNET = "magnet"
PULLED_MM = 6.0
_GAP_PX, _MARGIN_PX, _LARGEST_PX = 104, 60, 2048


def scene_options(beads: int, seed: int) -> dict[str, Any]:
    """Return options of the simulated camera: `beads` that stand well apart, on weak tethers.

    Examples
    --------
    >>> scene_options(16, 1)["width_px"], scene_options(100, 1)["width_px"]
    (544, 1184)
    """
    side = 32 * math.ceil((math.sqrt(beads) * _GAP_PX + 2 * _MARGIN_PX) / 32)
    side = min(side, _LARGEST_PX)
    return {
        "beads": beads,
        "seed": seed,
        "height_px": side,
        "width_px": side,
        "fps": FPS,
        "spacing_px": float(_GAP_PX),
        "margin_px": float(_MARGIN_PX),
        "force_pn": 0.15,
    }


@dataclass(frozen=True, slots=True)
class Move:
    """One move of the magnet: surely not yet in frame `before`, surely done in frame `after`."""

    target_mm: float
    before: int
    after: int


@dataclass(slots=True)
class Pull:
    """Moves the magnet up and down again while a recording runs, and remembers when.

    The motor jumps, so that every frame but the few around a move has a known position.

    Parameters
    ----------
    scope : Scope
        Has a motor called `MAGNET`.
    seconds : float
        How long the recording will be; the pull takes its middle part.
    """

    scope: Scope
    seconds: float
    moves: list[Move] = field(default_factory=list)

    def step(self, status: Status) -> None:
        """Move if it is time to."""
        plan: Sequence[tuple[float, float]] = ((0.35, PULLED_MM), (0.75, 0.0))
        if len(self.moves) == len(plan):
            return
        share, target = plan[len(self.moves)]
        if status.recorded_s < share * self.seconds:
            return
        before = self._newest()
        self.scope.move(MAGNET, target)
        time.sleep(0.02)  # a frame that is rendered now may have looked just before
        self.moves.append(Move(target, before, self._newest() + 1))

    def _newest(self) -> int:
        frame = self.scope.latest_frame()
        return -1 if frame is None else frame.frame
