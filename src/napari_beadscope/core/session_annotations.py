"""Rules of the session state machine for what people say about beads.

An annotation lives as long as its bead. It may change while recording: the recorder is told, which
keeps the file of the recording true. Knows nothing of other commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from napari_beadscope.core.commands import Annotate, SetBeads
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.messages import AnnotationsChanged
from napari_beadscope.core.orders import KnowAnnotations
from napari_beadscope.core.session_state import State
from napari_beadscope.core.session_turn import Asker, Turn
from napari_beadscope.core.types import Annotation, Bead

MAX_LABEL, MAX_NOTE = 200, 10_000
_NOTHING = Annotation()


def annotate(turn: Turn, asker: Asker, command: Annotate) -> None:
    """Replace the annotations of some beads; one that says nothing is forgotten."""
    _check(command.annotations, turn.state.beads)
    turn.set(annotations=_said({**turn.state.annotations, **command.annotations}))
    announce(turn)
    turn.reply(asker)


def after(state: State, command: SetBeads) -> dict[int, Annotation]:
    """Return the annotations that go with new beads: those given, or of the beads that stay.

    Raises
    ------
    InputError
        One that is given is of a bead that is not, or too long.
    """
    if command.annotations is None:
        return _of(state.annotations, command.beads)
    _check(command.annotations, command.beads)
    return _said(command.annotations)


def keep(turn: Turn, beads: Iterable[Bead]) -> None:
    """Forget what was said about all beads but these."""
    kept = _of(turn.state.annotations, beads)
    if kept != turn.state.annotations:
        turn.set(annotations=kept)
        announce(turn)


def announce(turn: Turn) -> None:
    """Tell front ends and the recorder what is said about the beads."""
    turn.publish(AnnotationsChanged(turn.state.annotations))
    tell_recorder(turn)


def tell_recorder(turn: Turn) -> None:
    """Tell the recorder what is said about the beads."""
    turn.tell("recorder", KnowAnnotations(turn.state.annotations))


def _of(annotations: Mapping[int, Annotation], beads: Iterable[Bead]) -> dict[int, Annotation]:
    ids = {bead.bead for bead in beads}
    return {bead: said for bead, said in annotations.items() if bead in ids}


def _said(annotations: Mapping[int, Annotation]) -> dict[int, Annotation]:
    found = {bead: said for bead, said in annotations.items() if said != _NOTHING}
    return dict(sorted(found.items(), key=lambda item: item[0]))


def _check(annotations: Mapping[int, Annotation], beads: Iterable[Bead]) -> None:
    ids = {bead.bead for bead in beads}
    for bead, said in annotations.items():
        if bead not in ids:
            raise InputError(f"there is no bead {bead} to annotate", "see which beads there are")
        for name, text, limit in (("label", said.label, MAX_LABEL), ("note", said.note, MAX_NOTE)):
            if len(text) > limit:
                raise InputError(
                    f"the {name} of bead {bead} has {len(text)} characters",
                    f"use at most {limit}",
                )
            if "\0" in text:
                raise InputError(
                    f"the {name} of bead {bead} holds a null character", "leave it out"
                )
