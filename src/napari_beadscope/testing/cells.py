"""`SyntheticCells`: movies of cells in two channels of which everything is known.

Owns how cells look: phase contrast with texture, rim and uneven light; fluorescence on an uneven,
bleaching background; both with a stage that drifts, and noise. Masks, lineages and intensities
are known exactly. Every frame is a pure function of the options, so that any one can be made
again alone. Must not know how cells are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from napari_beadscope.testing.cell_lives import Body, lives

PHASE, FLUORESCENCE = 0, 1
DARK = 100.0  # camera's offset in counts
TRUTH = np.dtype(
    [
        ("frame", "i4"), ("label", "i4"), ("cell", "i4"), ("parent", "i4"),
        ("y_px", "f8"), ("x_px", "f8"), ("area_px", "f8"), ("intensity", "f8"),
    ]
)  # fmt: skip
_LEVEL = 8000.0  # of phase contrast
_WAVES = 14


@dataclass(frozen=True)
class SyntheticCells:
    """One position: `frames` frames of `size_px` (height, width), phase and fluorescence, uint16.

    Parameters
    ----------
    cells, divisions : int
        Cells in the first frame, every second of them beside another, and how many divide.
    radius_px : float
        Mean radius of a cell.
    drift_px : float
        How far the stage wanders over the movie, along each axis.
    unevenness : float
        Light in the darkest corner is this part less than in the middle.
    seed : int
        Of everything that is random.

    Examples
    --------
    >>> scene = SyntheticCells(frames=3, size_px=(128, 128), cells=4, seed=1)
    >>> scene.image(FLUORESCENCE, 2).shape, int(scene.labels(2).max())
    ((128, 128), 4)
    """

    frames: int = 100
    size_px: tuple[int, int] = (512, 512)
    cells: int = 20
    divisions: int = 0
    radius_px: float = 17.0
    drift_px: float = 6.0
    unevenness: float = 0.35
    noise: float = 0.008
    seed: int = 0

    @cached_property
    def bodies(self) -> tuple[tuple[Body, ...], ...]:
        """The cells of every frame where the camera sees them."""
        still = lives(
            frames=self.frames,
            size_px=self.size_px,
            cells=self.cells,
            radius_px=self.radius_px,
            divisions=self.divisions,
            seed=self.seed,
        )
        from dataclasses import replace

        return tuple(
            tuple(replace(body, y_px=body.y_px + dy, x_px=body.x_px + dx) for body in now)
            for now, (dy, dx) in zip(still, self.drift)
        )

    @cached_property
    def drift(self) -> np.ndarray:
        """The stage's way, (frames, 2) in px, y and x, 0 in the first frame."""
        t = np.arange(self.frames) / max(self.frames - 1, 1)
        phase = np.random.default_rng([self.seed, 2]).uniform(0, 2 * np.pi, 2)
        way = np.stack([np.sin(2.5 * t + p) - np.sin(p) for p in phase], axis=1)
        return way * self.drift_px

    @cached_property
    def light(self) -> np.ndarray:
        """How evenly each channel is lit, (2, y, x), mean 1."""
        y, x = (np.linspace(-1, 1, size) for size in self.size_px)
        rng = np.random.default_rng([self.seed, 3])
        fields = []
        for _ in range(2):
            cy, cx = rng.uniform(-0.3, 0.3, 2)
            bowl = ((y - cy) ** 2)[:, None] + ((x - cx) ** 2)[None]
            field = 1 - self.unevenness * bowl / bowl.max()
            fields.append(field / field.mean())
        return np.stack(fields)

    def labels(self, frame: int) -> np.ndarray:
        """The true masks, (y, x) int32: 1 for the frame's first cell, and so on; 0 for none."""
        return self._painted(frame)[0]

    def fluorescence(self, frame: int) -> np.ndarray:
        """What the cells send out, (y, x), in counts under even light, without background."""
        return self._painted(frame)[1]

    def background(self, frame: int) -> float:
        """What the medium sends out under even light: it bleaches."""
        return 150.0 + 100.0 * float(np.exp(-2.0 * frame / max(self.frames, 1)))

    def image(self, channel: int, frame: int) -> np.ndarray:
        """What the camera sees, (y, x) uint16."""
        _, glow, texture = self._painted(frame, channel == PHASE)
        rng = np.random.default_rng([self.seed, 4, channel, frame])
        noise = rng.standard_normal(self.size_px)
        if channel == PHASE:
            clean = _LEVEL * self.light[PHASE] * (1 + texture)
            noisy = clean + noise * self.noise * np.sqrt(_LEVEL * clean.clip(0))
        else:
            clean = self.light[FLUORESCENCE] * (self.background(frame) + glow)
            noisy = DARK + clean + noise * np.sqrt(clean / 2 + 4)
        return np.rint(noisy).clip(0, 65535).astype(np.uint16)

    def truth(self) -> np.ndarray:
        """Every cell in every frame (`TRUTH`); label as in `labels`, intensity inside its mask."""
        rows = []
        for frame, bodies in enumerate(self.bodies):
            labels, glow, _ = self._painted(frame)
            area = np.bincount(labels.ravel(), minlength=len(bodies) + 1)
            total = np.bincount(labels.ravel(), glow.ravel(), minlength=len(bodies) + 1)
            rows += [
                (frame, k, body.cell, body.parent, body.y_px, body.x_px, area[k], total[k])
                for k, body in enumerate(bodies, 1)
            ]
        return np.array(rows, dtype=TRUTH)

    def links(self) -> set[tuple[int, int, int]]:
        """Every true link as (frame, label there, label in the next frame), divisions too."""
        found = set()
        for frame in range(self.frames - 1):
            here = {body.cell: k for k, body in enumerate(self.bodies[frame], 1)}
            for k, body in enumerate(self.bodies[frame + 1], 1):
                earlier = body.cell if body.cell in here else body.parent
                if earlier in here:
                    found.add((frame, here[earlier], k))
        return found

    def stack(self, channel: int, first: int = 0, last: int | None = None) -> np.ndarray:
        """Frames [first, last) of a channel, (n, y, x) uint16."""
        return np.stack([self.image(channel, k) for k in range(first, last or self.frames)])

    def _painted(
        self, frame: int, textured: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return labels, fluorescence and, if it is wanted, the texture of phase contrast."""
        labels = np.zeros(self.size_px, np.int32)
        nearest = np.ones(self.size_px)
        glow = np.zeros(self.size_px)
        texture = np.zeros(self.size_px)
        shine = 1 - np.exp(-3 * max(frame - 0.1 * self.frames, 0) / max(self.frames, 1))
        for number, body in enumerate(self.bodies[frame], 1):
            reach = int(np.ceil(body.axes_px[0] + 8))
            low = [max(int(v) - reach, 0) for v in (body.y_px, body.x_px)]
            high = [
                min(int(v) + reach + 1, size)
                for v, size in zip((body.y_px, body.x_px), self.size_px)
            ]
            if low[0] >= high[0] or low[1] >= high[1]:
                continue
            box = np.s_[low[0] : high[0], low[1] : high[1]]
            along, across = _in_the_cell(body, low, high)
            long, short = body.axes_px
            rho = np.hypot(along / long, across / short)
            mine = rho < nearest[box]
            labels[box][mine] = number
            nearest[box][mine] = rho[mine]
            glow[box] += 400 * body.brightness * (0.3 + 0.7 * shine) * np.clip(1 - rho**2, 0, None)
            if not textured:
                continue
            outside = (rho - 1) * body.radius_px
            inside = 1 / (1 + np.exp(np.clip(outside / 0.35, -30, 30)))
            grain = self._grain(body, along, across)
            texture[box] += inside * (grain - 0.06) + 0.02 * np.exp(-((outside / 3) ** 2))
        return labels, glow, texture

    def _grain(self, body: Body, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Return the texture of a cell, which moves and turns with it."""
        rng = np.random.default_rng([self.seed, 5, body.cell])
        total = np.zeros_like(along)
        for _ in range(_WAVES):
            length = rng.uniform(3.5, 8.0)
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            k = 2 * np.pi / length
            total += np.cos(k * (np.cos(angle) * along + np.sin(angle) * across) + phase)
        return 0.12 * total * np.sqrt(2 / _WAVES)


def _in_the_cell(body: Body, low: list[int], high: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates along and across the cell of every pixel of a box."""
    y = np.arange(low[0], high[0])[:, None] - body.y_px
    x = np.arange(low[1], high[1])[None] - body.x_px
    cos, sin = np.cos(body.angle), np.sin(body.angle)
    return cos * x + sin * y, cos * y - sin * x


def write_cells(path: Path, scene: SyntheticCells, interval_s: float | None = 300.0) -> Path:
    """Write a scene as OME-TIFF (T, C, Y, X), with time if `interval_s` is given."""
    import tifffile

    stack = np.stack([scene.stack(PHASE), scene.stack(FLUORESCENCE)], axis=1)
    about: dict[str, object] = {"axes": "TCYX", "Channel": {"Name": ["phase", "GFP"]}}
    if interval_s is not None:
        about |= {"TimeIncrement": interval_s, "TimeIncrementUnit": "s"}
    tifffile.imwrite(path, stack, ome=True, photometric="minisblack", metadata=about)
    return path
