"""How sure is the score of `find_beads`? Precision and recall by least score, and a new fit of it.

    python benchmarks/find_scores.py [--scenes 200] [--first 10000] [--fit] [--json]

Scenes with known truth are drawn at random: 0 to 160 beads, of 4 to 60 px radius, 6 µm above to
6 µm below the focus, alone, in pairs and in crowds, cut by the edge; uneven light and gradients,
noise, 8 and 16 bits, inverted contrast; dirt that is round, dirt that is not, and cells. Every
second scene is plain: few beads or none, round dirt only. With ``--fit`` the logistic model of the
score is fitted to the first half of the scenes and judged on the second.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np

from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking import find
from napari_beadscope.tracking.find_measure import PRESENCE, RADIUS, SHAPE, STRENGTH, X, Y

HEIGHT, WIDTH = 600, 700
NEAR_PX = 3.0  # of the truth: found
LEVELS = (0.3, 0.5, find.MIN_SCORE, 0.7, 0.8, 0.9)
NAMES = ("strength", "rank", "shape", "presence", "class", "radius", "constant")


def hard_scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame and the beads' centres (n, 2) as y, x px."""
    rng = np.random.default_rng(seed)
    nm_per_px = float(np.exp(rng.uniform(np.log(60), np.log(280))))
    crowd = [rng.integers(1, 6), rng.integers(1, 36), rng.integers(36, 160)]
    beads = 0 if rng.random() < 0.2 else int(rng.choice(crowd))
    wide = rng.random() < 0.4
    light = np.exp(rng.uniform(np.log(2500), np.log(70000 if wide else 25000)))
    options: dict[str, Any] = {
        "beads": beads,
        "touching_pairs": int(rng.integers(0, beads // 4 + 1)) if rng.random() < 0.5 else 0,
        "height_px": HEIGHT,
        "width_px": WIDTH,
        "seed": seed,
        "nm_per_px": nm_per_px,
        "bead_radius_nm": float(rng.uniform(350, 900) * (1.6 if nm_per_px > 150 else 1.0)),
        "focus_height_nm": float(rng.uniform(-6000, 6000)),
        "height_spread_nm": float(rng.choice([100, 300, 1500])),
        "light_e_per_ms": float(light),
        "unevenness": float(rng.choice([0.0, 0.02, 0.06, 0.12])),
        "debris_per_mpx": float(rng.choice([0, 60, 150])),
        "margin_px": float(rng.choice([0, 40])),
        "spacing_px": float(rng.uniform(12, 64)),
        "dtype": "uint16" if wide else "uint8",
        "full_well_e": 30000.0 if wide else 10000.0,
    }
    microscope = SimulatedMicroscope(options)
    truth = microscope.truth([0])[0][:, 1::-1]
    image = microscope.render(0).astype(np.float32)
    add_dirt(rng, image, truth)
    if rng.random() < 0.4:
        down, right = rng.uniform(-0.4, 0.4, 2)
        y, x = np.indices(image.shape)
        image *= 1 + down * (y / HEIGHT - 0.5) + right * (x / WIDTH - 0.5)
    full = microscope.options.full_scale
    image = np.clip(np.rint(image), 0, full)
    image = full - image if rng.random() < 0.3 else image
    return image.astype(microscope.options.dtype), truth


def add_dirt(rng: np.random.Generator, image: np.ndarray, truth: np.ndarray) -> None:
    """Paint specks that are not round, and now and then a cell, away from the beads."""
    from scipy.ndimage import gaussian_filter

    y, x = np.indices(image.shape, dtype=np.float32)
    for _ in range(rng.poisson(4)):
        at, wide = rng.uniform(0, image.shape), rng.uniform(3, 14)
        long, turn = wide * rng.uniform(1.4, 3), rng.uniform(0, np.pi)
        strength = rng.choice([-1, 1]) * rng.uniform(0.1, 0.6)
        waves = rng.uniform(0, 5)
        if np.hypot(*(truth - at).T).min(initial=np.inf) > 15:
            along = (x - at[1]) * np.cos(turn) + (y - at[0]) * np.sin(turn)
            across = (y - at[0]) * np.cos(turn) - (x - at[1]) * np.sin(turn)
            q = np.hypot(along / long, across / wide)
            image *= 1 + strength * np.exp(-q * q) * np.cos(q * waves)
    at, radius = rng.uniform(0, image.shape), rng.uniform(10, 30)
    if rng.random() < 0.4 and np.hypot(*(truth - at).T).min(initial=np.inf) > 15 + radius:
        rough = gaussian_filter(rng.normal(size=image.shape), 2.0)
        away = np.hypot(y - at[0], x - at[1])
        inside = (0.25 / rough.std() * rough - 0.2) * (away < radius)
        image *= 1 + inside + 0.3 * np.exp(-(((away - radius) / 2) ** 2))


def plain_scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame with few beads or none, and their centres (n, 2) as y, x px."""
    rng = np.random.default_rng(seed)
    side = int(rng.choice([400, 512, 800]))
    microscope = SimulatedMicroscope(
        {
            "beads": int(rng.choice([0, 0, 1, 2, 4, 10])),
            "height_px": side,
            "width_px": side,
            "seed": seed,
            "focus_height_nm": float(rng.uniform(-6000, 6000)),
            "light_e_per_ms": float(np.exp(rng.uniform(np.log(3000), np.log(40000)))),
            "nm_per_px": float(np.exp(rng.uniform(np.log(70), np.log(200)))),
            "unevenness": float(rng.choice([0.02, 0.06, 0.12])),
            "debris_per_mpx": float(rng.choice([20, 60, 120])),
            "dtype": str(rng.choice(["uint8", "uint16"])),
        }
    )
    return microscope.render(0), microscope.truth([0])[0][:, 1::-1]


def matched(rows: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return which rows are a bead; each bead is one row at most, the nearest."""
    right = np.zeros(len(rows), dtype=bool)
    taken: set[int] = set()
    away = np.hypot(rows[:, Y, None] - truth[:, 0], rows[:, X, None] - truth[:, 1])
    for flat in np.argsort(away, axis=None):
        row, bead = divmod(int(flat), len(truth))
        if away[row, bead] > NEAR_PX:
            break
        if not right[row] and bead not in taken:
            right[row] = True
            taken.add(bead)
    return right


def features(rows: np.ndarray) -> np.ndarray:
    """Return what the score weighs, one column each."""
    strength, shape = rows[:, STRENGTH], rows[:, SHAPE]
    usual, alike = find._company(strength, shape)
    columns = [
        np.log(strength),
        np.log(np.clip(strength / usual, 0.02, 0.7)),
        np.log(shape),
        np.log(np.maximum(rows[:, PRESENCE], 0.1)),
        np.full(len(rows), alike),
        np.log(rows[:, RADIUS]),
        np.ones(len(rows)),
    ]
    return np.column_stack(columns)


def fitted(columns: np.ndarray, right: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weights of the likeliest logistic model."""
    from scipy.optimize import minimize

    sign = np.where(right, -1.0, 1.0)

    def cost(w: np.ndarray) -> float:
        misfit = np.logaddexp(0, sign * (columns @ w))
        return float((weight * misfit).sum() + 0.005 * (w**2).sum())

    return np.asarray(minimize(cost, np.zeros(columns.shape[1]), method="BFGS").x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--first", type=int, default=10000, help="seed of the first scene")
    parser.add_argument("--fit", action="store_true", help="fit the score's model, too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tables, right, scores, kinds, weights = [], [], [], [], []
    beads, empty = {"hard": 0, "plain": 0}, {"hard": 0, "plain": 0}
    for number in range(options.scenes):
        kind = ("hard", "plain")[number % 2]
        image, truth = (hard_scene, plain_scene)[number % 2](options.first + number)
        rows = find._candidates(find._as_pixels(image), find._REACH_PX)
        tables.append(features(rows))
        right.append(matched(rows, truth))
        scores.append(find._scores(rows))
        label = f"{kind} {'empty' if not len(truth) else 'beads'} {number * 2 // options.scenes}"
        kinds.append(np.full(len(rows), label))
        weights.append(np.full(len(rows), 10 * max(len(rows), 1) ** -0.5))
        beads[kind] += len(truth)
        empty[kind] += not len(truth)
    every = [np.concatenate(part) for part in (tables, right, scores, kinds, weights)]
    columns, is_bead, score, label, weight = every
    for kind in ("hard", "plain"):
        of_kind = np.char.startswith(label, kind)
        for level in LEVELS:
            taken = of_kind & (score >= level)
            row = {
                "scenes": kind,
                "least_score": level,
                "precision": round(float(is_bead[taken].mean()), 4),
                "recall": round(float((taken & is_bead).sum() / beads[kind]), 4),
                "of_candidates": round(float((taken & is_bead).sum() / is_bead[of_kind].sum()), 4),
                "false_per_empty": round(
                    float((taken & np.char.startswith(label, f"{kind} empty")).sum())
                    / max(empty[kind], 1), 2,
                ),
            }  # fmt: skip
            words = "  ".join(f"{name} {value}" for name, value in row.items())
            sys.stdout.write((json.dumps(row) if options.json else words) + "\n")
    if options.fit:
        first = np.char.endswith(label, "0")
        new = fitted(columns[first], is_bead[first], weight[first])
        row = {name: round(float(value), 2) for name, value in zip(NAMES, new, strict=True)}
        sys.stdout.write(json.dumps({"fit": row}) + "\n")


if __name__ == "__main__":
    main()
