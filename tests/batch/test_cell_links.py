"""Cells over time: the same number for the same cell, and mothers for daughters."""

from __future__ import annotations

import numpy as np
import pytest

from napari_beadscope.batch.cells import CellLinks, LinkOptions, link_cells, segment_cells
from napari_beadscope.core.errors import InputError
from napari_beadscope.testing.cell_scores import share_of_links
from napari_beadscope.testing.cells import PHASE, SyntheticCells

METHODS = ["overlap", "laptrack"]


@pytest.fixture(scope="module")
def movie() -> SyntheticCells:
    return SyntheticCells(frames=30, size_px=(340, 340), cells=9, divisions=3, seed=2)


@pytest.fixture(scope="module")
def found(movie: SyntheticCells) -> list[np.ndarray]:
    return [segment_cells(movie.image(PHASE, frame)) for frame in range(movie.frames)]


@pytest.mark.parametrize("method", METHODS)
def test_nearly_every_link_is_found_in_segmented_cells(
    movie: SyntheticCells, found: list[np.ndarray], method: str
) -> None:
    links = link_cells(found, LinkOptions(method=method))
    assert share_of_links(movie, found, links) >= 0.99


def test_laptrack_links_as_well() -> None:
    scene = SyntheticCells(frames=20, size_px=(300, 300), cells=10, divisions=2, seed=6)
    labels = [scene.labels(frame) for frame in range(scene.frames)]
    links = link_cells(labels, LinkOptions(method="laptrack"))
    assert share_of_links(scene, labels, links) >= 0.99
    assert links.divisions == 2


def test_lineages_are_the_true_ones_where_labels_are(movie: SyntheticCells) -> None:
    labels = [movie.labels(frame) for frame in range(movie.frames)]
    links = link_cells(labels)
    assert share_of_links(movie, labels, links) == 1
    truth = movie.truth()
    names = {
        (frame, label): cell
        for frame, label, cell in zip(truth["frame"], truth["label"], truth["cell"])
    }
    mothers = {int(row["cell"]): int(row["parent"]) for row in truth}
    true = [names[at] for at in zip(links.frame.tolist(), links.label.tolist())]
    pairs = set(zip(true, links.cell.tolist()))
    assert len(pairs) == len(mothers) == links.cells, "one number for each cell"
    name = dict(pairs)
    parents = dict(zip(links.cell.tolist(), links.parent.tolist()))
    assert {cell: parents[name[cell]] for cell in mothers} == {
        cell: name.get(mother, -1) for cell, mother in mothers.items()
    }
    assert links.divisions == movie.divisions


def squares(frames: int, *places: tuple[int, int], side: int = 16) -> np.ndarray:
    """Return a movie of squares that stand still."""
    labels = np.zeros((frames, 128, 128), np.int32)
    for number, (y, x) in enumerate(places, 1):
        labels[:, y : y + side, x : x + side] = number
    return labels


def cells_at(links: CellLinks, frame: int) -> list[int]:
    return links.cell[links.frame == frame].tolist()


@pytest.mark.parametrize("method", METHODS)
def test_a_cell_that_is_missed_for_some_frames_goes_on(method: str) -> None:
    labels = squares(9, (20, 20), (80, 80))
    labels[3:5][labels[3:5] == 1] = 0
    patient = link_cells(labels, LinkOptions(method=method, max_gap_frames=2))
    assert patient.cells == 2
    assert cells_at(patient, 8) == cells_at(patient, 0)
    assert link_cells(labels, LinkOptions(method=method, max_gap_frames=1)).cells == 3


def test_two_cells_that_touch_for_a_while_have_not_divided() -> None:
    labels = squares(12, (40, 30), (40, 50))
    labels[4:7][labels[4:7] == 2] = 1
    labels[4:7, 40:56, 46:50] = 1
    links = link_cells(labels)
    assert (links.cells, links.divisions) == (2, 0)
    assert cells_at(links, 11) == cells_at(links, 0)


def test_a_split_of_one_frame_is_a_mistake_and_no_division() -> None:
    labels = squares(9, (40, 40))
    labels[4, 40:56, 49:56] = 2
    labels[4, 40:56, 48] = 0
    links = link_cells(labels)
    assert links.divisions == 0
    assert cells_at(links, 8) == cells_at(links, 0)


def test_without_divisions_one_daughter_stays_the_mother() -> None:
    labels = squares(8, (40, 40))
    labels[4:, 40:56, 48] = 0
    labels[4:, 40:56, 49:56] = 2
    assert link_cells(labels).divisions == 1
    links = link_cells(labels, LinkOptions(divisions=False))
    assert links.divisions == 0
    assert links.cells == 2


def test_a_jump_of_the_stage_loses_nobody() -> None:
    movie = SyntheticCells(frames=2, size_px=(300, 300), cells=12, drift_px=0, seed=4)
    still = movie.labels(0)
    jumped = np.zeros_like(still)
    jumped[25:, :-30] = still[:-25, 30:]
    links = link_cells([still, jumped])
    assert np.allclose(links.drift_px[1], (25, -30), atol=1)
    first = dict(zip(links.label[links.frame == 0].tolist(), cells_at(links, 0)))
    after = dict(zip(links.label[links.frame == 1].tolist(), cells_at(links, 1)))
    assert len(after) >= 8
    assert all(first[label] == cell for label, cell in after.items())
    given = link_cells([still, jumped], drift_px=[(0, 0), (25, -30)])
    assert given.cell.tolist() == links.cell.tolist()


def test_nothing_to_link_is_fine() -> None:
    links = link_cells(np.zeros((4, 64, 64), int))
    assert (links.cells, links.divisions, links.drift_px.shape) == (0, 0, (4, 2))
    assert link_cells([]).cells == 0


def test_what_cannot_be_linked_is_refused() -> None:
    with pytest.raises(InputError, match="whole numbers"):
        link_cells(np.zeros((2, 64, 64)))
    with pytest.raises(InputError, match="one shape"):
        link_cells([np.zeros((64, 64), int), np.zeros((64, 65), int)])
    with pytest.raises(InputError, match="every frame"):
        link_cells(np.zeros((3, 64, 64), int), drift_px=[(0, 0)])
    for wrong in ({"method": "x"}, {"max_step_px": 0}, {"min_overlap": 0}, {"max_gap_frames": -1}):
        with pytest.raises(InputError):
            LinkOptions(**wrong)
