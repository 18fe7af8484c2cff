"""What is said about beads: as long as they live, told to whoever needs it."""

from __future__ import annotations

import pytest

from napari_beadscope.core.commands import Annotate, SetBeads
from napari_beadscope.core.messages import AnnotationsChanged
from napari_beadscope.core.orders import Done, KnowAnnotations
from napari_beadscope.core.types import Annotation, Bead, Roi


def set_beads(engine, command: SetBeads) -> None:
    engine.ask(command)
    for name in engine.state.trackers:
        engine.say(name, Done(engine.state.counter))


def test_front_ends_and_the_recorder_are_told(engine):
    said = {1: Annotation("stuck, left", reference=True)}
    number = engine.ask(Annotate(said))
    assert engine.reply(number).error == ""
    assert engine.events(AnnotationsChanged, last=True) == [AnnotationsChanged(said)]
    assert engine.orders("recorder") == [KnowAnnotations(said)]
    engine.ask(Annotate({0: Annotation(good=False)}))
    assert engine.state.annotations == {0: Annotation(good=False), **said}
    engine.ask(Annotate({1: Annotation()}))
    assert engine.state.annotations == {0: Annotation(good=False)}


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({7: Annotation("a")}, "there is no bead 7"),
        ({0: Annotation("a" * 201)}, "the label of bead 0 has 201 characters"),
        ({0: Annotation(note="a\0b")}, "null character"),
    ],
)
def test_what_cannot_be_said_is_refused(engine, said, what):
    number = engine.ask(Annotate(said))
    assert what in engine.reply(number).what
    assert engine.state.annotations == {}
    number = engine.ask(SetBeads(engine.state.beads, said))
    assert what in engine.reply(number).what


def test_an_annotation_lives_as_long_as_its_bead(engine):
    both = engine.state.beads
    said = {0: Annotation("a"), 1: Annotation("b")}
    engine.ask(Annotate(said))
    set_beads(engine, SetBeads((Bead(1, Roi(40, 40, 20)),)))  # moved, the other removed
    assert engine.state.annotations == {1: Annotation("b")}
    set_beads(engine, SetBeads(both, said))  # as undo does
    assert engine.events(AnnotationsChanged, last=True) == [AnnotationsChanged(said)]
    assert engine.orders("recorder") == [KnowAnnotations(said)]
    set_beads(engine, SetBeads(both, {}))  # other beads with the same numbers
    assert engine.state.annotations == {}


def test_beads_that_a_tracker_cannot_take_change_no_annotation(engine):
    engine.ask(Annotate({0: Annotation("a")}))
    engine.ask(SetBeads(()))
    engine.say("tracker-0", Done(engine.state.counter, "TrackingError", "no", "way"))
    assert engine.state.annotations == {0: Annotation("a")}


def test_a_restarted_recorder_is_told_anew(engine):
    engine.ask(Annotate({0: Annotation("a")}))
    engine.gone("recorder")
    engine.ready("recorder")
    assert KnowAnnotations({0: Annotation("a")}) in engine.orders("recorder")
