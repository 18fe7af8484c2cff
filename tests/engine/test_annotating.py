"""Annotations in a real engine: two front ends agree, and the recording's folder holds them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Annotation, Bead
from napari_beadscope.script import Scope
from napari_beadscope.storage.annotations import ANNOTATIONS_NAME, read_annotations

SAID = {0: Annotation("tether, 2 µm", True, "two\nlines"), 2: Annotation(reference=True)}


def test_what_one_says_the_other_hears_and_a_newcomer_learns(
    scope: Scope, beads: tuple[Bead, ...]
) -> None:
    other = Scope.attach()
    try:
        scope.annotate(0, label="tether, 2 µm", good=True, note="two\nlines")
        scope.annotate([2], reference=True)
        assert scope.annotations == SAID
        other.wait_for(lambda _: other.annotations == SAID)
        other.annotate((0, 2), note="")
        assert other.annotations[0] == Annotation("tether, 2 µm", True)
        with pytest.raises(InputError, match="there is no bead 9"):
            other.annotate(9, good=False)
    finally:
        other.detach()
    newcomer = Scope.attach()
    assert newcomer.annotations == scope.annotations
    newcomer.detach()
    scope.set_beads(beads[1:])
    assert set(scope.annotations) == {2}
    scope.find_beads(size_px=48)
    assert scope.annotations == {}


def test_a_recording_holds_what_is_said_before_and_during_it(
    options: dict, beads: tuple[Bead, ...], tmp_path: Path
) -> None:
    with Scope("simulated", options=options, settings={"engine.ring_mb": 64}) as scope:
        scope.start_live()
        scope.set_beads(beads)
        silent = scope.record(tmp_path / "s", "track", frames=3)
        scope.set_annotations(SAID)
        folder = scope.start_recording(tmp_path / "r", "track")
        path = folder / ANNOTATIONS_NAME
        scope.wait_for(lambda _: path.exists())
        assert read_annotations(path) == SAID
        recorder = next(w for w in scope.status().workers if w.name == "recorder")
        os.kill(recorder.pid, signal.SIGKILL)
        scope.annotate(1, label="said while the recorder was away")
        scope.stop_recording()
    assert read_annotations(path) == {**SAID, 1: Annotation("said while the recorder was away")}
    assert not (silent / ANNOTATIONS_NAME).exists()
