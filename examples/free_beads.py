"""Follow beads that move freely, also where their paths cross.

The frames are made here from the simulated microscope's bead image, so that the example can say
how well it went. Put your own stack ``(t, y, x)`` in their place. Needs the extra ``linking``.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking import find_and_link

FRAMES, BEADS, EDGE_PX, SIZE_PX, STEP_PX = 60, 12, 420, 44, 0.8
HALF = SIZE_PX // 2
rng = np.random.default_rng(3)

# One bead's image at places between pixels, as contrast against the light around it.
microscope = SimulatedMicroscope({"beads": 1, "height_px": 128, "width_px": 128})
steps = np.arange(-4, 4) / 8
tile = np.stack(
    [microscope.focus_sweep([1500.0], size_px=2 * SIZE_PX + 1, offset_px=(x, y))[0] / 1.0
     for y in steps for x in steps]
)  # fmt: skip
tile /= np.median(tile[:, 0])

# Brownian paths: rms step 0.8 px per axis, and two beads that pass each other closely.
path = rng.normal(0, STEP_PX, (FRAMES, BEADS, 2)).cumsum(axis=0)
path += np.stack(np.meshgrid([80, 165, 250, 335], [90, 210, 330]), axis=-1).reshape(-1, 2)
path[:, 1, 1] += np.linspace(0, 120, FRAMES)
path[:, 5, 1] -= np.linspace(0, 120, FRAMES)
path[:, 1, 0] -= 10
path[:, 5, 0] += 10
path = np.rint(path * 8) / 8  # the images there are

movie = np.empty((FRAMES, EDGE_PX, EDGE_PX), np.uint8)
for frame in range(FRAMES):
    light = np.full((EDGE_PX, EDGE_PX), 120.0)
    for x, y in path[frame]:
        column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        bead = tile[8 * int((y - row + 0.5) * 8) + int((x - column + 0.5) * 8)]
        rows = slice(max(row - SIZE_PX, 0), row + SIZE_PX + 1)
        columns = slice(max(column - SIZE_PX, 0), column + SIZE_PX + 1)
        cut = bead[rows.start - row + SIZE_PX :, columns.start - column + SIZE_PX :]
        box = light[rows, columns]
        box *= cut[: box.shape[0], : box.shape[1]]
    movie[frame] = rng.normal(light, 2.0).clip(0, 255)

beads = find_and_link(movie, max_step_px=6.0, max_gap_frames=10, size_px=SIZE_PX)

# Who is who: the true bead next to each position.
places = np.column_stack([beads.x_px, beads.y_px])
away = np.linalg.norm(places[:, np.newaxis] - path[beads.frame], axis=2)
who = away.argmin(axis=1)
found = away.min(axis=1) < 2.0
swaps = sum(len(np.unique(beads.track[found & (who == bead)])) - 1 for bead in range(BEADS))
print(f"{found.sum()} of {FRAMES * BEADS} positions found, {(~found).sum()} that are no bead")
print(f"{len(np.unique(beads.track))} tracks of {BEADS} beads, {swaps} breaks or swaps")
print(f"median distance to the truth: {np.median(away.min(axis=1)[found]):.3f} px")
assert found.mean() > 0.95
assert swaps == 0
