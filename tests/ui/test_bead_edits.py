"""Edits of beads on their way to the engine and back, and their history, without Qt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.messages import Stream, StreamChanged
from napari_beadscope.core.types import Annotation, Bead, FrameFormat, Roi
from napari_beadscope.ui.bead_edits import NEW, Place
from napari_beadscope.ui.bead_history import MAX_STEPS, BeadHistory, change_between, renumbered
from napari_beadscope.ui.jobs import Task
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.presenters.beads import BeadsPresenter
from napari_beadscope.ui.session import Session

A, B, C = Bead(0, Roi(100, 40, 32)), Bead(1, Roi(40, 40, 32)), Bead(2, Roi(44, 120, 32))


def at(bead: Bead) -> Place:
    return Place(bead.bead, *bead.roi.centre_px)


@pytest.fixture
def live(session: Session) -> Session:
    """A session with a running engine and three beads."""
    session.start_live()
    session.edits.edit((A, B, C))
    return session


class Later:
    """Runs jobs when it is told to, as an engine that takes its time."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def __call__(self, task: Task) -> None:
        self.tasks.append(task)

    def run(self, count: int = 1) -> None:
        for _ in range(count):
            task = self.tasks.pop(0)
            task.deliver(task.work())


@pytest.fixture
def slow(scopes: Any, said: list[Message]) -> Any:
    """A session with three beads whose engine answers when it is told to; and its jobs."""
    later = Later()
    made = Session(scopes, later, said.append)
    made.start_live()
    later.run()
    made.edits.edit((A, B, C))
    later.run()
    yield made, later
    made.close()


def test_undo_and_redo_bring_back_what_was(live: Session, scopes: Any) -> None:
    edits = live.edits
    moved = Place(1, 70.0, 90.0)
    edits.place((at(A), moved, at(C)))
    assert scopes.last.beads[1] == Bead(1, Roi.around(70, 90, 32))
    edits.place((at(A), at(C)))
    assert scopes.last.beads == (A, C)
    assert [step.what for step in live.model.history.done] == [
        "add 3 beads",
        "move bead 1",
        "remove bead 1",
    ]
    edits.undo()
    assert scopes.last.beads == (A, Bead(1, Roi.around(70, 90, 32)), C)
    edits.undo()
    assert scopes.last.beads == (A, B, C)
    edits.redo()
    edits.redo()
    assert scopes.last.beads == (A, C)
    edits.redo()
    assert scopes.last.beads == (A, C)
    assert live.model.wanted_beads is None


def test_an_id_is_never_given_to_another_bead(live: Session, scopes: Any) -> None:
    live.edits.place((at(A), at(B)))
    live.edits.place((at(A), at(B), Place(NEW, 200.0, 200.0)))
    assert [bead.bead for bead in scopes.last.beads] == [0, 1, 3]
    live.edits.undo()
    live.edits.undo()
    assert scopes.last.beads == (A, B, C)
    live.edits.place((at(A), at(B), at(C), Place(NEW, 200.0, 200.0)))
    assert [bead.bead for bead in scopes.last.beads] == [0, 1, 2, 4]


def test_a_copied_row_gets_an_id_of_its_own(live: Session, scopes: Any) -> None:
    live.edits.place((at(A), at(B), at(C), Place(1, 200.0, 210.0)))
    assert scopes.last.beads == (A, B, C, Bead(3, Roi.around(200, 210, 32)))


def test_paste_adds_beads_beside_the_copied_ones(live: Session, scopes: Any) -> None:
    live.edits.paste()
    assert len(scopes.last.beads) == 3
    live.model.selected = frozenset({0, 2})
    assert live.edits.copy() == 2
    live.edits.paste()
    new = scopes.last.beads[3:]
    assert [bead.bead for bead in new] == [3, 4]
    assert [bead.roi for bead in new] == [Roi(116, 56, 32), Roi(60, 136, 32)]
    assert live.model.selected == {3, 4}
    live.edits.paste()  # beside these, not over them
    assert scopes.last.beads[5].roi == Roi(132, 72, 32)


def test_numbers_follow_the_reading_order_and_labels_their_beads(
    live: Session, scopes: Any
) -> None:
    scopes.last.set_annotations({0: Annotation(label="left below", reference=True)})
    live.model.annotations = dict(scopes.last.annotations)
    live.model.selected = frozenset({0})
    live.edits.renumber()
    assert scopes.last.beads == (Bead(0, B.roi), Bead(1, C.roi), Bead(2, A.roi))
    assert scopes.last.annotations == {2: Annotation(label="left below", reference=True)}
    assert live.model.annotations == scopes.last.annotations
    assert live.model.selected == {2}
    live.edits.undo()
    assert scopes.last.beads == (A, B, C)
    assert scopes.last.annotations == {0: Annotation(label="left below", reference=True)}
    live.edits.renumber()
    steps = live.model.history.done
    live.edits.renumber()
    assert live.model.history.done == steps


def test_what_was_said_about_a_bead_comes_back_with_it(live: Session, scopes: Any) -> None:
    scopes.last.set_annotations({1: Annotation(good=False), 2: Annotation(note="drifts")})
    live.model.annotations = dict(scopes.last.annotations)
    live.edits.place((at(A), at(C)))
    assert scopes.last.annotations == {2: Annotation(note="drifts")}
    scopes.last.set_annotations({2: Annotation(note="stuck")})
    live.model.annotations = dict(scopes.last.annotations)
    live.edits.undo()
    assert scopes.last.annotations == {1: Annotation(good=False), 2: Annotation(note="stuck")}


def test_what_the_engine_refuses_is_taken_back(
    live: Session, scopes: Any, said: list[Message]
) -> None:
    before = live.model.history
    live.edits.place((at(A), at(B), Place(2, 3.0, 3.0)))
    assert "leaves the frame" in said[-1].text
    assert live.edits.beads == scopes.last.beads == (A, B, C)
    assert live.model.history == before
    scopes.last.recording = "/data/run"
    live.edits.place((at(A), at(B)))
    assert "while recording: stop the recording first" in said[-1].text
    assert live.edits.beads == (A, B, C)


def test_a_refused_roi_size_goes_back(live: Session, said: list[Message]) -> None:
    presenter = BeadsPresenter(live)
    presenter.set_roi_size(40)
    presenter.set_roi_size(200)
    assert "leaves the frame" in said[-1].text
    assert live.model.roi_size_px == 40
    live.edits.undo()
    assert live.model.roi_size_px == 32
    assert live.model.beads == (A, B, C)


def test_quick_edits_show_at_once_and_all_arrive(slow: Any, scopes: Any) -> None:
    session, later = slow
    for place in (Place(NEW, 200.0, 60.0), Place(NEW, 200.0, 120.0), Place(NEW, 200.0, 180.0)):
        session.edits.place((*map(at, session.edits.beads), place))
    assert [bead.bead for bead in session.edits.beads] == [0, 1, 2, 3, 4, 5]
    assert session.model.beads == (A, B, C)
    assert len(later.tasks) == 1
    session.model.selected = frozenset({5})
    later.run()
    assert len(session.model.beads) == 4
    assert len(session.edits.beads) == 6
    assert session.model.selected == {5}
    later.run()
    assert later.tasks == []
    assert session.model.beads == scopes.last.beads == session.edits.beads
    assert session.model.wanted_beads is None
    session.edits.undo()
    later.run()
    assert [bead.bead for bead in scopes.last.beads] == [0, 1, 2, 3, 4]


def test_a_refusal_drops_the_edits_that_were_made_upon_it(
    slow: Any, scopes: Any, said: list[Message]
) -> None:
    session, later = slow
    before = session.model.history
    scopes.last.fail_with["set_beads"] = InputError("no room", "remove some")
    session.edits.place((at(A), at(B)))
    session.edits.place((at(A),))
    later.run()
    assert [message.text for message in said] == ["No room: remove some"]
    assert later.tasks == []
    assert session.edits.beads == (A, B, C)
    assert session.model.history == before


def test_undo_leaves_alone_what_another_viewer_did(live: Session, scopes: Any) -> None:
    live.edits.place((at(A), Place(1, 70.0, 90.0), at(C)))
    other = Bead(7, Roi(200, 200, 32))
    scopes.last.set_beads((*scopes.last.beads, other))
    live.took_beads(scopes.last.beads)
    live.edits.undo()
    assert scopes.last.beads == (A, B, C, other)


def test_another_viewer_that_was_quicker_is_believed(slow: Any, scopes: Any) -> None:
    session, later = slow
    session.edits.place((at(A), at(B)))
    task = later.tasks.pop()
    outcome = task.work()
    scopes.last.set_beads((B,))
    task.deliver(outcome)
    assert session.model.beads == session.edits.beads == (B,)


def test_a_search_can_be_undone(live: Session, scopes: Any) -> None:
    BeadsPresenter(live).find()
    assert len(scopes.last.beads) == 9
    assert live.model.history.done[-1].what == "find 9 beads"
    live.edits.undo()
    assert scopes.last.beads == (A, B, C)
    live.edits.redo()
    assert len(scopes.last.beads) == 9


def test_other_frames_end_what_can_be_undone(live: Session) -> None:
    live.edits.place((at(A), at(B)))
    BeadsPresenter(live).select(frozenset({0}))
    live.edits.copy()
    live.heard.emit(StreamChanged(Stream("r", FrameFormat(200, 300, "uint8"), 8, 50.0, False)))
    assert live.model.history == BeadHistory(next_bead=3)
    live.edits.undo()
    live.edits.paste()
    assert live.edits.beads == (A, B)


def test_without_an_engine_beads_are_kept_for_the_next(session: Session, scopes: Any) -> None:
    session.set_beads((A, B), {0: Annotation(label="x")})
    assert session.model.beads == (A, B)
    assert session.model.annotations == {0: Annotation(label="x")}
    session.edits.undo()
    assert session.model.beads == ()
    session.edits.redo()
    session.start_live()
    assert scopes.last.beads == (A, B)
    assert scopes.last.annotations == {0: Annotation(label="x")}


def test_the_history_has_a_limit_and_words() -> None:
    history, beads = BeadHistory(), (A,)
    for step in range(MAX_STEPS + 5):
        moved = (Bead(0, Roi(step, 0, 32)),)
        change = change_between(beads, moved)
        assert change is not None
        history, beads = history.after(change), moved
    assert len(history.done) == MAX_STEPS
    words: list[tuple[tuple[Bead, ...], tuple[Bead, ...], str]] = [
        ((A, B), (A, B, C), "add bead 2"),
        ((A, B, C), (), "remove 3 beads"),
        ((A,), (Bead(0, Roi(100, 40, 30)),), "resize bead 0"),
        ((A,), (B,), "change bead 1"),
    ]
    for before, after, what in words:
        change = change_between(before, after)
        assert change is not None
        assert change.what == what
    assert change_between((A, B), (B, A)) is None


def test_lines_of_the_reading_order() -> None:
    field = [
        Bead(i, Roi(y, x, 40)) for i, (y, x) in enumerate([(50, 90), (0, 80), (62, 10), (9, 0)])
    ]
    order: Callable[[], list[int]] = lambda: list(renumbered(field))  # noqa: E731
    assert order() == [3, 1, 2, 0]
