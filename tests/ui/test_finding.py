"""The search with a preview: candidates, criteria, and what becomes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.ui.candidates import Candidates, Criteria, choose, look
from napari_beadscope.ui.jobs import Task
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.presenters.finding import FindingPresenter
from napari_beadscope.ui.session import Session


def candidates() -> Candidates:
    """Five things: a sure one, a small one, one at the edge, a pair's half, and dirt."""
    return Candidates(
        image=np.zeros((200, 200), np.uint8),
        frame=7,
        size_px=40,
        y_px=np.array([100.0, 50.0, 5.0, 150.0, 60.0]),
        x_px=np.array([100.0, 150.0, 80.0, 60.0, 60.0]),
        radius_px=np.array([15.0, 6.0, 15.0, 15.0, 9.0]),
        score=np.array([0.99, 0.95, 0.9, 0.8, 0.3], np.float32),
        alone=np.array([False, True, False, False, True]),
        alone_among_sure=np.array([True, True, False, False, True]),
        inside=np.array([True, True, False, True, True]),
    )


@pytest.mark.parametrize(
    ("criteria", "labels"),
    [
        (Criteria(), ["0.99", "0.95", "edge", "0.80", "0.30"]),
        (Criteria(min_score=0.9), ["0.99", "0.95", "edge", "0.80", "0.30"]),
        (Criteria(at_most=1), ["0.99", "extra", "edge", "extra", "0.30"]),
        (Criteria(alone_only=True), ["0.99", "0.95", "edge", "near", "0.30"]),
        (
            Criteria(alone_only=True, min_score=0.2),
            ["near", "0.95", "edge", "near", "0.30"],
        ),
        (
            Criteria(min_radius_px=10, min_score=0.2),
            ["0.99", "small", "edge", "0.80", "small"],
        ),
        (Criteria(max_radius_px=10), ["large", "0.95", "large", "large", "0.30"]),
    ],
)
def test_criteria(criteria: Criteria, labels: list[str]) -> None:
    choice = choose(candidates(), criteria)
    assert choice.labels.tolist() == labels
    numbered = np.array([label[0].isdigit() for label in labels])
    assert (
        choice.taken.tolist()
        == (numbered & (candidates().score >= np.float32(criteria.min_score))).tolist()
    )


@pytest.fixture
def finding(session: Session) -> FindingPresenter:
    """The presenter of a live session that tracks one bead where the search finds one, too."""
    session.start_live()
    session.set_beads((Bead(3, Roi.around(40, 40, 52)), Bead(5, Roi.around(300, 300, 52))))
    return FindingPresenter(session)


def test_a_preview_changes_nothing_until_it_is_taken(
    finding: FindingPresenter, session: Session, scopes: Any
) -> None:
    before = scopes.last.beads
    finding.start()
    assert session.model.candidates is not None
    assert len(session.model.candidates) == 9
    assert finding.summary().startswith("9 of 9 taken · ROI 5")
    finding.require(at_most=4)
    assert finding.summary().startswith("4 of 9 taken")
    assert scopes.last.beads == before
    finding.discard()
    assert scopes.last.beads == before
    assert session.model.candidates is None


def test_replace_numbers_from_zero_and_can_be_undone(
    finding: FindingPresenter, session: Session, scopes: Any
) -> None:
    before = scopes.last.beads
    finding.start()
    finding.require(at_most=4)
    finding.replace()
    assert [bead.bead for bead in scopes.last.beads] == [0, 1, 2, 3]
    assert session.model.candidates is None
    session.edits.undo()
    assert scopes.last.beads == before


def test_add_leaves_the_present_beads_alone(
    finding: FindingPresenter, session: Session, scopes: Any, said: list[Message]
) -> None:
    before = scopes.last.beads
    finding.start()
    finding.add()
    beads = scopes.last.beads
    assert beads[:2] == before
    assert [bead.bead for bead in beads[2:]] == list(range(6, 14))
    assert {bead.roi.size for bead in beads} == {52}
    assert said[-1].text == "8 beads added, 1 was there already"


def test_another_roi_size_looks_again_at_the_same_frame(
    finding: FindingPresenter, session: Session
) -> None:
    finding.start()
    first = session.model.candidates
    assert first is not None
    session.model.roi_size_px = 90
    finding.resize()
    again = session.model.candidates
    assert again is not None
    assert (again.size_px, again.frame) == (90, first.frame)
    assert again.image is first.image
    assert not again.alone.any()  # 60 px apart


def test_nothing_found_is_said(
    finding: FindingPresenter, session: Session, scopes: Any, said: list[Message]
) -> None:
    scopes.last._pool = [np.full(scopes.last.shape, 90, np.uint8)]
    finding.start()
    assert "No beads found: focus until rings are visible" in said[-1].text
    assert session.model.candidates is None


def test_a_cancelled_search_shows_nothing(scopes: Any, said: list[Message]) -> None:
    waiting: list[Task] = []
    session = Session(scopes, waiting.append, said.append)
    session.start_live()
    task = waiting.pop()
    task.deliver(task.work())
    finding = FindingPresenter(session)
    finding.start()
    assert finding.finding
    finding.cancel()
    task = waiting.pop()
    task.deliver(task.work())
    assert not finding.finding
    assert session.model.candidates is None
    assert said[-1].text == "Finding beads: cancelled"
    session.close()


def test_candidates_agree_with_the_search(scopes: Any) -> None:
    from napari_beadscope.tracking import find_beads

    scope = scopes.create("simulated", {})
    scope.start_live()
    image = scope.latest_frame().image
    steps: list[str] = []
    found = look(image, 3, 40, lambda done, total, text: steps.append(text))
    sure = find_beads(image, size_px=40)
    assert np.array_equal(found.y_px[: len(sure)], sure.y_px)
    assert np.array_equal(found.alone_among_sure[: len(sure)], sure.isolated)
    assert steps[0] == "looking at frame 3"
