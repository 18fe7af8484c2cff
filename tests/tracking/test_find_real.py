"""Finding beads on real frames, against a list checked by eye.

`mt_field_beads.csv` lists what is on mt_field_real.jpg, found and then looked at one by one:
``bead``, ``dirt`` (and cells), ``outside`` (a bead whose centre is outside the frame), and
``doubtful`` (a smaller ring pattern that may or may not be a bead; it counts for nothing).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_beadscope.tracking import FoundBeads, find_beads, suggest_roi_size

LIST = Path(__file__).with_name("mt_field_beads.csv")
# Chosen by eye: beads whose rings touch another's.
TOUCHING = [
    (289, 469), (321, 476), (326, 804), (347, 804), (590, 118), (593, 163), (612, 137),
    (723, 259), (743, 259), (790, 1057), (811, 1056), (897, 764), (927, 744), (884, 243),
]  # fmt: skip
# Chosen by eye: nothing within two diameters.
LONELY = [
    (168, 644), (208, 344), (319, 607), (404, 664), (413, 953), (595, 486),
    (637, 613), (663, 1115), (958, 641), (930, 1090), (860, 315),
]  # fmt: skip


def listed(*kinds: str) -> np.ndarray:
    with LIST.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in kinds]
    return np.array([(float(row["y_px"]), float(row["x_px"])) for row in rows])


def distances(found: FoundBeads, places: np.ndarray) -> np.ndarray:
    """Return the distance of each bead found to the nearest of `places`, px."""
    away = np.hypot(found.y_px[:, None] - places[:, 0], found.x_px[:, None] - places[:, 1])
    return np.asarray(away.min(axis=1))


def at(found: FoundBeads, y: float, x: float) -> int:
    away = np.hypot(found.y_px - y, found.x_px - x)
    assert away.min() < 3
    return int(away.argmin())


@pytest.fixture(scope="module")
def found(data_dir: Path) -> FoundBeads:
    with Image.open(data_dir / "mt_field_real.jpg") as image:
        return find_beads(np.asarray(image.convert("L")))


def test_precision_and_recall(found: FoundBeads) -> None:
    beads = listed("bead")
    counts = found.score[distances(found, listed("doubtful", "outside")) > 6]
    right = int((distances(found, beads) < 3).sum())
    assert len(beads) == 95
    assert right / len(counts) >= 0.98
    assert right / len(beads) >= 0.98
    assert distances(found, listed("dirt")).min() > 12


def test_dirt_scores_clearly_below_beads(data_dir: Path, found: FoundBeads) -> None:
    with Image.open(data_dir / "mt_field_real.jpg") as image:
        every = find_beads(np.asarray(image.convert("L")), min_score=0.0)
    dirt = every.score[distances(every, listed("bead", "doubtful", "outside")) > 6]
    beads = found.score[distances(found, listed("bead")) < 3]
    assert len(dirt) > 50
    assert beads.min() > dirt.max() + 0.2


def test_centres_and_radii(found: FoundBeads) -> None:
    away = distances(found, listed("bead"))
    assert np.median(away) < 0.6  # listed to whole pixels
    beads = away < 3
    assert found.radius_px[beads].min() > 13  # the bead that lies half behind another one
    assert found.radius_px[beads].max() < 33
    assert 22 < np.median(found.radius_px[beads]) < 28
    assert 56 <= suggest_roi_size(found) <= 80


def test_isolated(found: FoundBeads) -> None:
    assert not any(found.isolated[at(found, *bead)] for bead in TOUCHING)
    assert all(found.isolated[at(found, *bead)] for bead in LONELY)


def test_every_frame_of_an_optical_tweezers_movie(data_dir: Path) -> None:
    movie = tifffile.imread(data_dir / "tweezed_bead_real.tif")
    centres = []
    for frame in movie[::10]:
        found = find_beads(frame)
        assert len(found) == 1
        assert found.isolated.all()
        assert 34 < found.radius_px[0] < 44
        centres.append((found.y_px[0], found.x_px[0]))
    away = np.array(centres) - (91, 97)  # by eye; it moves a few px in the trap
    assert np.hypot(*away.T).max() < 9
    assert np.hypot(*away.T).mean() < 5
