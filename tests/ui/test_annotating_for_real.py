"""Two viewers annotate on one real engine; one that comes later knows all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from napari_beadscope.core.types import Annotation, Bead, Roi
from napari_beadscope.engine import list_engines
from napari_beadscope.script import Scope
from napari_beadscope.ui.jobs import launch_inline
from napari_beadscope.ui.ports import EngineScopes
from napari_beadscope.ui.presenters.annotations import AnnotationsPresenter
from napari_beadscope.ui.session import Session

OPTIONS = {"height_px": 160, "width_px": 224, "beads": 3, "fps": 100, "seed": 5}
BEADS = (Bead(0, Roi(20, 20, 48)), Bead(1, Roi(80, 100, 48)))


@contextmanager
def viewer_session() -> Iterator[Session]:
    session = Session(EngineScopes(), launch_inline, lambda message: None)
    try:
        yield session
    finally:
        session.close()


def wait(session: Session, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        session.tick()
        time.sleep(0.01)


def test_viewers_agree_and_a_later_one_learns() -> None:
    with Scope("simulated", options=OPTIONS, settings={"engine.ring_mb": 64}) as scope:
        scope.start_live()
        scope.set_beads(BEADS)
        engine = list_engines()[-1].engine_id
        with viewer_session() as first, viewer_session() as second:
            for session in (first, second):
                session.attach(engine)
            AnnotationsPresenter(first, []).say([0, 1], label="tether, µ", good=True)
            said = {0: Annotation("tether, µ", True), 1: Annotation("tether, µ", True)}
            wait(second, lambda: second.model.annotations == said)
            AnnotationsPresenter(second, []).say([1], reference=True)
            said[1] = Annotation("tether, µ", True, reference=True)
            wait(first, lambda: first.model.annotations == said)
        assert scope.annotations == said
        with viewer_session() as third:
            third.attach(engine)
            assert third.model.annotations == said
            third.set_beads(BEADS[1:])
            wait(third, lambda: set(third.model.annotations) == {1})
