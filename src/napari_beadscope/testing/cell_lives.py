"""`lives`: where synthetic cells are, how large, when they divide, and whose daughters they are.

Owns motion, growth, contact and division, in pixels and frames. Must not know how cells look.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

NO_PARENT = -1
_ASPECT = 1.25  # long over mean radius
_CLOSE = 1.0  # of the sum of two radii: where cells that touch push each other away
_SPREAD = 0.06  # of the radius a frame: how far a cell moves at random


@dataclass(frozen=True, slots=True)
class Body:
    """One cell in one frame: an ellipse, its number, its mother's, and the seed of its texture."""

    cell: int
    parent: int
    y_px: float
    x_px: float
    radius_px: float
    aspect: float
    angle: float
    brightness: float

    @property
    def axes_px(self) -> tuple[float, float]:
        """Half lengths of the long and the short axis."""
        return self.radius_px * self.aspect, self.radius_px / self.aspect


def lives(
    *,
    frames: int,
    size_px: tuple[int, int],
    cells: int,
    radius_px: float,
    divisions: int,
    seed: int,
) -> tuple[tuple[Body, ...], ...]:
    """Return the cells of every frame, without drift of the stage.

    `divisions` cells divide, at frames spread over the movie: a mother rounds up, and in the next
    frame two daughters stand side by side, touching.
    """
    rng = np.random.default_rng([seed, 1])
    now = _first(rng, size_px, cells, radius_px)
    when = _division_frames(rng, frames, divisions)
    numbers = cells
    result = []
    for frame in range(frames):
        if frame:
            now = _settled([_moved(body, rng) for body in now], size_px)
            for _ in range(int(np.count_nonzero(when == frame))):
                now, numbers = _divided(now, numbers, rng)
            now = _settled(now, size_px)
        result.append(tuple(now))
    return tuple(result)


def _first(
    rng: np.random.Generator, size_px: tuple[int, int], cells: int, radius_px: float
) -> list[Body]:
    """Return cells at random places, every second one beside another."""
    bodies: list[Body] = []
    for cell in range(cells):
        radius = radius_px * rng.uniform(0.9, 1.15)
        edge = radius * 1.6
        place = np.array([rng.uniform(edge, size - edge) for size in size_px])
        if cell % 2:
            mate = bodies[-1]
            towards = rng.uniform(0, 2 * np.pi)
            reach = (mate.radius_px + radius) * _CLOSE
            place = np.array([mate.y_px, mate.x_px])
            place += reach * np.array([np.sin(towards), np.cos(towards)])
        bodies.append(
            Body(
                cell,
                NO_PARENT,
                float(place[0]),
                float(place[1]),
                radius,
                rng.uniform(1.05, _ASPECT),
                rng.uniform(0, np.pi),
                rng.uniform(0.6, 1.6),
            )
        )
    for _ in range(60):
        bodies = _settled(bodies, size_px)
    return bodies


def _division_frames(rng: np.random.Generator, frames: int, divisions: int) -> np.ndarray:
    """Return the frame of each division, none at the very ends."""
    places = (np.arange(divisions) + rng.uniform(0.2, 0.8, divisions)) / max(divisions, 1)
    return np.clip((places * frames).astype(int), 2, max(frames - 3, 2))


def _moved(body: Body, rng: np.random.Generator) -> Body:
    step = rng.normal(0, _SPREAD * body.radius_px, 2)
    return replace(
        body,
        y_px=body.y_px + float(step[0]),
        x_px=body.x_px + float(step[1]),
        angle=body.angle + float(rng.normal(0, 0.03)),
        radius_px=body.radius_px * 1.001,
    )


def _divided(now: list[Body], numbers: int, rng: np.random.Generator) -> tuple[list[Body], int]:
    """Replace one cell that has not divided yet by its two daughters."""
    able = [body for body in now if body.parent == NO_PARENT]
    if not able:
        return now, numbers
    mother = able[int(rng.integers(len(able)))]
    radius = mother.radius_px / np.sqrt(2) * 1.02
    daughters = [
        replace(
            mother,
            cell=numbers + k,
            parent=mother.cell,
            y_px=mother.y_px + side * radius * 0.95 * float(np.sin(mother.angle)),
            x_px=mother.x_px + side * radius * 0.95 * float(np.cos(mother.angle)),
            radius_px=float(radius),
            aspect=1.05,
            brightness=mother.brightness * (1 + 0.1 * side),
        )
        for k, side in enumerate((-1, 1))
    ]
    return [body for body in now if body is not mother] + daughters, numbers + 2


def _settled(bodies: list[Body], size_px: tuple[int, int]) -> list[Body]:
    """Push overlapping cells apart, and all of them away from the edges."""
    places = np.array([[body.y_px, body.x_px] for body in bodies]).reshape(-1, 2)
    radii = np.array([body.radius_px for body in bodies])
    axes = np.array([body.axes_px for body in bodies]).reshape(-1, 2)
    angles = np.array([body.angle for body in bodies])
    for _ in range(20):
        away = places[:, None] - places[None]
        distance = np.hypot(away[..., 0], away[..., 1])
        np.fill_diagonal(distance, np.inf)
        # how far each cell reaches towards each other one
        towards = np.arctan2(away[..., 0], away[..., 1]) - angles[:, None]
        reach = 1 / np.hypot(np.cos(towards) / axes[:, :1], np.sin(towards) / axes[:, 1:])
        least = (reach + reach.T) * _CLOSE
        push = np.clip(least - distance, 0, None) / 2
        places = places + (away / np.maximum(distance, 1e-3)[..., None] * push[..., None]).sum(1)
        edge = radii[:, None] * 1.5
        places = np.clip(places, edge, np.array(size_px) - edge)
    return [replace(body, y_px=float(y), x_px=float(x)) for body, (y, x) in zip(bodies, places)]
