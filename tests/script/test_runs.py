"""Scripts in processes of their own, on a real engine: output, end, errors with line, stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from napari_beadscope.core.errors import EngineError, InputError
from napari_beadscope.script import Scope
from napari_beadscope.script.checking import check_script
from napari_beadscope.script.runs import ScriptRun, run_script, running_scripts

pytestmark = pytest.mark.timeout(120)
OPTIONS = {"height_px": 128, "width_px": 128, "beads": 1, "fps": 50}


@pytest.fixture(scope="module")
def engine() -> Iterator[Scope]:
    """A live engine."""
    with Scope("simulated", options=OPTIONS, settings={"engine.ring_mb": 16}) as scope:
        scope.start_live()
        yield scope


@pytest.fixture
def start(engine: Scope, tmp_path: Path) -> Iterator[Callable[[str], ScriptRun]]:
    """Start a script with this text; end it with the test."""
    runs: list[ScriptRun] = []

    def run(text: str) -> ScriptRun:
        path = tmp_path / f"script{len(runs)}.py"
        path.write_text(text, encoding="utf-8")
        runs.append(run_script(path, engine.engine.engine_id))
        return runs[-1]

    yield run
    for one in runs:
        one.stop()
        one.wait(15)


def text_of(run: ScriptRun) -> str:
    return run.read()


def test_a_script_works_on_the_engine_that_goes_on(start: Callable, engine: Scope) -> None:
    run = start(
        "from napari_beadscope import Scope\n"
        "with Scope.attach() as scope:\n"
        "    frame = next(scope.frames(1))\n"
        "    scope.set_camera(exposure_ms=0.7)\n"
        "    print('frame', frame.image.shape, 'µm')\n"
    )
    record = run.wait(30)
    assert (record.state, record.error) == ("finished", "")
    assert text_of(run) == "frame (128, 128) µm\n"
    assert text_of(run) == ""  # each line once
    assert engine.status().streaming  # the end of its `with` did not end the engine
    properties = {item["name"]: item["value"] for item in engine.camera_properties()}
    assert properties["exposure_ms"] == 0.7


def test_output_comes_line_by_line(start: Callable) -> None:
    run = start("import time\nprint('one')\ntime.sleep(30)\nprint('two')\n")
    deadline = time.monotonic() + 15
    while not (text := text_of(run)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert text == "one\n"
    assert run.is_running


def test_an_error_has_its_line_and_a_traceback_of_the_script_alone(start: Callable) -> None:
    run = start("def f(x):\n    return 1 / x\n\nprint('begun')\nf(0)\n")
    record = run.wait(30)
    assert (record.state, record.line) == ("failed", 2)
    assert record.error == "ZeroDivisionError: division by zero"
    said = text_of(run)
    assert said.startswith("begun\nTraceback")
    assert "line 5" in said
    assert "line 2, in f" in said
    assert "runpy" not in said
    assert "runner.py" not in said


def test_what_the_engine_refuses_is_one_sentence(start: Callable) -> None:
    record = start(
        "from napari_beadscope import Scope\nscope = Scope.attach()\nscope.set_xy_lock()\n"
    ).wait(30)
    assert record.line == 3
    assert record.error == "the XY-lock needs beads, and there are none: find or add beads"


@pytest.mark.parametrize(
    ("text", "state", "error"),
    [
        ("raise SystemExit\n", "finished", ""),
        ("import sys\nsys.exit('no beads')\n", "failed", "it ended with 'no beads'"),
        ("import os\nos._exit(3)\n", "failed", "it ended without a word (exit code 3)"),
        ("import os\nos.kill(os.getpid(), 9)\n", "failed", "its process was killed"),
    ],
)
def test_other_ends(start: Callable, text: str, state: str, error: str) -> None:
    record = start(text).wait(30)
    assert (record.state, record.error) == (state, error)


def test_stop_lets_with_and_finally_do_their_part(start: Callable) -> None:
    run = start(
        "import time\nprint('up')\ntry:\n    time.sleep(60)\nfinally:\n    print('tidied')\n"
    )
    while not text_of(run):
        time.sleep(0.02)
    run.stop()
    assert run.wait(10).state == "stopped"
    assert text_of(run) == "tidied\n"


def test_a_script_that_does_not_want_to_stop_is_killed_with_its_children(start: Callable) -> None:
    run = start(
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(90)'])\n"
        "print(child.pid)\n"
        "time.sleep(90)\n"
    )
    while not (text := text_of(run)):
        time.sleep(0.02)
    child = psutil.Process(int(text))
    run.stop()
    began = time.monotonic()
    assert run.wait(20).state == "stopped"
    assert time.monotonic() - began > 4
    child.wait(5)


def test_children_end_when_the_script_is_stopped_but_not_when_it_ends(start: Callable) -> None:
    text = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(90)'])\n"
        "print(child.pid)\n"
    )
    run = start(text)
    assert run.wait(30).state == "finished"
    left = psutil.Process(int(text_of(run)))
    assert left.is_running()
    left.kill()
    run = start(text + "time.sleep(90)\n")
    while not (said := text_of(run)):
        time.sleep(0.02)
    child = psutil.Process(int(said))
    run.stop()
    assert run.wait(10).state == "stopped"
    child.wait(5)


def test_a_fork_that_ends_is_not_the_end_of_the_script(start: Callable) -> None:
    run = start(
        "import os, time\n"
        "pid = os.fork()\n"
        "if pid == 0:\n    raise SystemExit('child')\n"
        "os.waitpid(pid, 0)\nprint('parent', flush=True)\ntime.sleep(1)\n"
    )
    while "parent" not in text_of(run):
        time.sleep(0.02)
    assert run.is_running
    assert run.wait(30).state == "finished"


def test_a_flood_of_output_is_bounded_and_long_lines_are_broken(start: Callable) -> None:
    run = start("print('x' * 3_000_000)\nfor k in range(100_000):\n    print('line', k)\n")
    assert run.wait(30).state == "finished"
    said = text_of(run)
    assert len(said) < 70_000
    first, second = said.splitlines()[:2]
    assert first.startswith("… 4.0 MB left out, see ")
    assert second.startswith("line ")
    assert said.endswith("line 99999\n")
    run = start("print('µ' * 10_000)\nprint('end')")
    run.wait(30)
    lines = text_of(run).splitlines()
    assert [len(line) for line in lines] == [4000, 4000, 2000, 3]


def test_a_run_whose_record_is_deleted_has_ended_as_far_as_is_known(start: Callable) -> None:
    run = start("import time\ntime.sleep(20)\n")
    pid = run.record.pid or run._pid()
    run._path.unlink()
    record = run.record
    assert record.state == "failed"
    assert record.error.endswith("is gone: end not known")
    assert run.record == record
    os.kill(pid, signal.SIGKILL)


def test_where_a_script_works(engine: Scope, tmp_path: Path) -> None:
    script, folder = tmp_path / "where.py", tmp_path / "elsewhere"
    script.write_text("import os\nprint(os.getcwd())\n")
    folder.mkdir()
    for wanted, there in ((None, tmp_path), (folder, folder)):
        run = run_script(script, engine.engine.engine_id, wanted)
        assert run.wait(30).state == "finished"
        assert text_of(run) == f"{there}\n"


def test_several_one_after_another_and_at_once(start: Callable, engine: Scope) -> None:
    runs = [start(f"print({k})\n") for k in range(3)]
    assert [one.wait(30).state for one in runs] == ["finished"] * 3
    assert [text_of(one) for one in runs] == ["0\n", "1\n", "2\n"]
    assert running_scripts(engine.engine.engine_id) == ()


STARTER = """
import sys
from napari_beadscope.script.runs import run_script
run_script(sys.argv[1], sys.argv[2])
print("started", flush=True)
import time; time.sleep(60)
"""


def test_a_script_outlives_whoever_started_it_and_is_found_again(
    engine: Scope, tmp_path: Path
) -> None:
    script = tmp_path / "long.py"
    script.write_text(
        "import time\nfor k in range(600):\n    print('line', k)\n    time.sleep(0.1)\n"
    )
    engine_id = engine.engine.engine_id
    viewer = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(script), engine_id], stdout=subprocess.PIPE, text=True
    )
    assert viewer.stdout is not None
    with viewer.stdout as said:
        assert said.readline() == "started\n"
    deadline = time.monotonic() + 15
    while not running_scripts(engine_id) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(viewer.pid, signal.SIGKILL)
    viewer.wait()
    (found,) = running_scripts(engine_id)
    assert found.record.script == str(script)
    found.read()
    time.sleep(0.5)
    assert "line" in found.read()  # it still prints
    assert running_scripts("another") == ()
    found.stop()
    assert found.wait(15).state == "stopped"
    assert running_scripts(engine_id) == ()


def test_what_is_no_script_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.py cannot be read \(No such file"):
        run_script(tmp_path / "nothing.py", "e")
    wrong = tmp_path / "wrong.py"
    wrong.write_text("print(1)\nfor x in\n")
    with pytest.raises(InputError, match=r"line 2 of wrong\.py is not Python"):
        run_script(wrong, "e")
    wrong.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="it is not a text"):
        run_script(wrong, "e")
    with pytest.raises(InputError, match="the script is not Python"):
        check_script("a\0b")
    with pytest.raises(InputError, match="nested too deeply"):
        check_script("-" * 200_000 + "1")


def test_the_engine_of_a_script_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEADSCOPE_ENGINE", "gone")
    with pytest.raises(EngineError, match="no engine gone is running"):
        Scope.attach()
    with pytest.raises(EngineError, match="no engine gone is running"):
        Scope.attach_or_start("simulated")


def test_without_a_viewer_an_engine_is_started_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEADSCOPE_ENGINE", raising=False)
    with Scope.attach_or_start("simulated", options=OPTIONS) as scope:
        pid = scope.engine.pid
        assert scope.status().phase == "UP"
    assert not psutil.pid_exists(pid)
