"""Mistakes that are told before a script runs; and nothing is told of scripts that work."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from napari_beadscope.core.commands import Command
from napari_beadscope.script.catalogue import commands, methods
from napari_beadscope.script.checking import ScriptMistake, check_script, find_mistakes

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
HEAD = "from napari_beadscope import Scope\nwith Scope.attach() as scope:\n    "


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_have_no_mistakes(example: Path) -> None:
    assert find_mistakes(example.read_text(encoding="utf-8")) == ()


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("scope.mov('focus', 1)", "a Scope has no mov", "did you mean 'move'?"),
        ("scope.zzz()", "a Scope has no zzz", "see `beadscope commands`"),
        ("scope.record('x', secs=3)", "record takes no secs", "did you mean 'seconds'?"),
        ("scope.sleep(second=3)", "sleep takes no second", "did you mean 'seconds'?"),
        ("scope.stop_live(qqq=3)", "stop_live takes no qqq", "it takes none"),
        ("scope.beads()", "beads is no function", "leave out the () of .beads"),
        ("print(scope.status.fps)", "status is not called", "write .status().fps"),
        ("scope.start_live", "start_live is not called", "write .start_live()"),
    ],
)
def test_a_mistake_has_its_line_and_remedy(text: str, what: str, remedy: str) -> None:
    (mistake,) = find_mistakes(HEAD + text)
    assert (mistake.line, mistake.what, mistake.remedy) == (3, what, remedy)


@pytest.mark.parametrize(
    "text",
    [
        "scope = Scope('simulated')\nscope.zzz",
        "scope = Scope('simulated').start()\nscope.zzz",
        "scope = Scope.attach_or_start('simulated', options={})\nscope.zzz",
        "a = Scope.attach()\nb = a\nb.zzz",
        "a = Scope.attach()\nwith a.again() as b:\n    b.zzz",
        "def f():\n    s = Scope.attach()\n    s.zzz",
        "Scope('simulated').zzz",
        "if (s := Scope.attach()):\n    s.zzz",
    ],
)
def test_a_scope_is_known_however_it_is_named(text: str) -> None:
    (mistake,) = find_mistakes("from napari_beadscope import Scope\n" + text)
    assert mistake.what == "a Scope has no zzz"


@pytest.mark.parametrize(
    "text",
    [
        "scope = Scope.attach()\nscope = 3\nscope.zzz",
        "scope = Scope.attach()\nfor scope in range(3):\n    scope.zzz",
        "def f(scope):\n    scope.zzz\nscope = Scope.attach()",
        "scope = Scope.attach()\nscope.mine = 3\nprint(scope.mine)",
        "scope = Scope.attach()\nif hasattr(scope, 'zzz'):\n    scope.zzz()",
        "scope = Scope.attach()\ntry:\n    scope.zzz()\nexcept AttributeError:\n    pass",
        "class Scope:\n    zzz = 1\nScope().zzz\nScope.zzz",
        "scope = Scope.attach()\nkw = {}\nscope.move(*kw, **kw)",
        "scope = Scope.attach()\nscope.set_camera(anything=3)",
        "scope = Scope.attach()\nprint(scope.camera_id, scope.settings, scope.controls)",
        "scope = Scope.attach()\nprint(scope.move.__name__, scope.__class__)",
        "match x:\n    case scope:\n        scope.zzz\nscope = Scope.attach()",
        "from napari_beadscope import *\nfrom napari_beadscope import tracking, __version__",
    ],
)
def test_what_is_not_certain_is_left_to_the_run(text: str) -> None:
    assert find_mistakes("from napari_beadscope import Scope\n" + text) == ()


def test_calls_that_do_not_fit_say_what_would() -> None:
    (mistake,) = find_mistakes(HEAD + "scope.move('focus')")
    assert mistake.what == "move does not fit (missing a required argument: 'target')"
    assert mistake.remedy.startswith("write move(motor: str, target: float, *, wait: bool = True")
    (mistake,) = find_mistakes(HEAD + "scope.sleep(1, 2)")
    assert "too many positional arguments" in mistake.what


def test_all_mistakes_are_found_and_the_first_is_told() -> None:
    text = HEAD + "scope.mov(1)\n    scope.find_bead()\nfrom napari_beadscope import Scop\n"
    assert [one.line for one in find_mistakes(text)] == [3, 4, 5]
    with pytest.raises(ScriptMistake) as caught:
        check_script(text, "pull.py")
    assert caught.value.line == 3
    assert str(caught.value) == (
        "line 3 of pull.py: a Scope has no mov: did you mean 'move'? (2 more mistakes further down)"
    )
    assert find_mistakes(text)[2].what == "napari_beadscope has no Scop"


def test_every_command_has_one_owner_and_words() -> None:
    found = commands()
    assert [one.name for one in found] == [kind.__name__ for kind in get_args(Command)]
    assert all(one.owner and one.summary for one in found)


def test_the_commands_of_scripts_are_what_scope_sends() -> None:
    sent = {one.name: one.methods for one in commands()}
    assert sent["StartRecording"] == ("start_recording",)
    assert sent["SetBackend"] == ("set_backend",)
    assert sent["AddMotor"][0] == "add_hardware"
    assert "sweep_zlut" not in sent["SetBeads"]
    assert sent["GetStatus"] == ()  # the status comes by itself
    known = {one.name: one for one in methods()}
    assert known["beads"].signature == ""
    assert all(one.summary for one in known.values())
