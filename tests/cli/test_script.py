"""`beadscope commands` and `beadscope script …`, as a terminal sees them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_beadscope.core.commands import command_names
from napari_beadscope.script import Scope
from napari_beadscope.script.runs import known_scripts
from napari_beadscope.storage import open_recording

from .conftest import beadscope, start, wait_for

pytestmark = pytest.mark.timeout(180)
LOOP = "import time\nfor k in range(3000):\n    print('line', k, flush=True)\n    time.sleep(0.1)\n"


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Each test ends its scripts."""
    yield
    for run in known_scripts():
        run.stop()
        run.wait(30)


def script(folder: Path, text: str, name: str = "pull.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_all_commands_are_listed_without_starting_anything() -> None:
    data = beadscope("commands", "--json").data
    assert [one["name"] for one in data["commands"]] == list(command_names())
    assert all(one["owner"] and one["summary"] for one in data["commands"])
    assert {one["name"] for one in data["methods"]} >= {"move", "record", "sleep", "progress"}
    text = beadscope("commands").out
    assert "MoveMotor" in text
    assert "move(motor: str, target: float, *, wait: bool = True" in text
    one = beadscope("commands", "setzlock").out
    assert one.startswith("SetZLock (control)")
    assert "set_z_lock(" in one
    method = beadscope("commands", "move").out
    assert method.startswith("scope.move(motor: str, target: float, *, wait: bool = True")
    assert "\nSend a motor to `target` in its own unit" in method
    refused = beadscope("commands", "Fly", code=2)
    assert refused.err == "beadscope: there is no command 'Fly': see `beadscope commands`\n"
    assert "did you mean SetZLock or set_z_lock" in beadscope("commands", "setzlok", code=2).err


def test_a_script_runs_to_its_end(tmp_path: Path) -> None:
    path = script(tmp_path, "import os\nprint('µm in', os.getcwd())\n")
    ran = beadscope("script", "run", path, cwd=tmp_path)
    assert ran.out == f"µm in {tmp_path}\n"
    assert ran.err.startswith("pull.py finished after ")
    data = beadscope("script", "run", path, "--json", cwd=tmp_path).data
    assert (data["state"], data["line"], data["error"]) == ("finished", 0, "")
    assert Path(data["log"]).read_text(encoding="utf-8") == ran.out


def test_a_script_that_fails_tells_its_line(tmp_path: Path) -> None:
    path = script(tmp_path, "print('begun')\n\n{}['x']\n")
    ran = beadscope("script", "run", path, code=2)
    assert ran.out.startswith("begun\n")
    run_id = known_scripts()[-1].record.run_id
    assert ran.out.endswith("KeyError: 'x'\n")  # said once
    assert ran.err == f"beadscope: pull.py failed in line 3: see `beadscope script log {run_id}`\n"
    assert beadscope("script", "log").err == "pull.py failed in line 3\n"
    error = beadscope("script", "run", path, "--json", code=2).data["error"]
    assert error.startswith("pull.py failed in line 3: KeyError: 'x': see ")
    listed = beadscope("script", "list").out.splitlines()[-1]
    assert "failed" in listed
    assert "line 3: KeyError: 'x'" in listed


def test_mistakes_are_told_before_anything_starts(tmp_path: Path) -> None:
    text = "from napari_beadscope import Scope\nscope = Scope.attach()\nscope.mov(1)\nscope.lve\n"
    path = script(tmp_path, text)
    ran = beadscope("script", "check", path, code=2)
    assert ran.err.splitlines() == [
        "beadscope: line 3 of pull.py: a Scope has no mov: did you mean 'move'?",
        "beadscope: line 4 of pull.py: a Scope has no lve: see `beadscope commands`",
    ]
    before = len(known_scripts())
    ran = beadscope("script", "run", path, code=2)
    assert "line 3 of pull.py: a Scope has no mov" in ran.err
    assert len(known_scripts()) == before
    data = beadscope("script", "check", path, "--json", code=2).data
    assert [one["line"] for one in data["mistakes"]] == [3, 4]
    path.write_text("print(1)\n")
    assert beadscope("script", "check", path).out == "pull.py: no mistake was found\n"


def test_pause_resume_log_and_stop_of_one_left_running(tmp_path: Path) -> None:
    text = (
        "from napari_beadscope import Scope\n"
        "with Scope('simulated', options={'beads': 1}) as scope:\n"
        "    for k in range(100_000):\n"
        "        scope.progress(k, 100_000, 'counting')\n"
        "        scope.sleep(0.05)\n"
        "        print('count', k)\n"
    )
    path = script(tmp_path, text)
    data = beadscope("script", "run", path, "--detach", "--json").data
    run_id = data["run"]
    wait_for(lambda: "count 2" in beadscope("script", "log").out, "output")
    assert "does not wait" in beadscope("script", "resume", code=2).err
    beadscope("script", "pause")
    state = lambda: beadscope("script", "list", "--json").data["runs"][-1]  # noqa: E731
    wait_for(lambda: state()["state"] == "paused", "the pause")
    now = state()
    assert (now["run"], now["total"], now["text"]) == (run_id, 100_000, "counting")
    assert now["left_s"] is not None
    count = beadscope("script", "log", run_id).out.count("\n")
    assert beadscope("script", "resume", run_id).out == "pull.py goes on\n"
    wait_for(lambda: beadscope("script", "log").out.count("\n") > count, "going on")
    assert beadscope("script", "stop").out.startswith("pull.py stopped after ")
    assert "no script runs" in beadscope("script", "stop", code=2).err
    assert f"run {run_id} has ended" in beadscope("script", "pause", run_id, code=2).err


def test_ctrl_c_stops_the_script_and_its_finally_is_carried_out(tmp_path: Path) -> None:
    tidied = tmp_path / "tidied"
    path = script(
        tmp_path,
        "import time\n"
        "try:\n    print('up', flush=True)\n    time.sleep(100)\n"
        f"finally:\n    open({str(tidied)!r}, 'w').close()\n",
    )
    process = start("script", "run", path)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    wait_for(lambda: known_scripts()[-1].record.state == "stopped", "the end")
    assert tidied.is_file()


def test_what_becomes_of_a_recording_is_told(tmp_path: Path) -> None:
    text = (
        "import sys\n"
        "from napari_beadscope import Scope\n"
        "with Scope.attach() as scope:\n"
        "    scope.start_recording({!r}, 'full')\n"
        "    print('up', flush=True)\n"
        "    scope.sleep(600)\n"
    )
    one, two = tmp_path / "one", tmp_path / "two"
    with Scope("simulated", options={"beads": 1, "height_px": 64, "width_px": 64}) as engine:
        process = start("script", "run", script(tmp_path, text.format(str(one))))
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=100)
        assert f"ecording {one} was ended, complete" in out + err
        assert "pull.py stopped after " in err
        path = script(tmp_path, text.format(str(two)))
        beadscope("script", "run", path, "--detach")
        wait_for(lambda: engine.status().recording == str(two), "the recording")
        os.kill(known_scripts()[-1].record.pid, signal.SIGKILL)
        wait_for(lambda: known_scripts()[-1].record.state == "failed", "the end")
        left = "motors that it had sent were halted; a recording or locks that it began go on"
        assert f"its process was killed; {left}" in beadscope("script", "list").out
        told = beadscope("script", "log").err
        assert told.endswith(f"{left} (`beadscope stop --recording` ends it)\n")
        assert "beadscope stop --recording" in beadscope("script", "stop", code=2).err
        ended = beadscope("stop", "--recording").out
        assert ended == f"the recording {two} was ended, complete\n"
        assert open_recording(two).manifest.state == "complete"
        assert not engine.status().recording
        assert "beadscope: " in beadscope("stop", "--recording", code=2).err


def test_what_is_no_recipe_is_refused_by_its_name(tmp_path: Path) -> None:
    path = script(tmp_path, "recipe: time-lapse\n", "pull.txt")
    for what in ("check", "run"):
        told = beadscope("recipe", what, path, code=2).err
        assert "pull.txt does not end in .yaml or .yml, as a recipe's name must: " in told
    missing = tmp_path / "none.yaml"
    assert f"the recipe {missing} cannot be read" in beadscope("recipe", "run", missing, code=2).err
    out = tmp_path / "none" / "a.yaml"
    told = beadscope("recipe", "example", "time-lapse", "--out", out, code=2).err
    assert told == f"beadscope: there is no folder {out.parent}: make the folder first\n"


def test_which_run_and_which_engine(tmp_path: Path) -> None:
    path = script(tmp_path, LOOP)
    assert (
        "no engine zz is running" in beadscope("script", "run", path, "--engine", "zz", code=2).err
    )
    assert "there is no run 'zz'" in beadscope("script", "log", "zz", code=2).err
    missing = beadscope("script", "run", tmp_path / "none.py", code=2)
    assert "none.py cannot be read (No such file" in missing.err
    ids = [beadscope("script", "run", path, "--detach", "--json").data["run"] for _ in range(2)]
    refused = beadscope("script", "stop", code=2).err
    assert refused == f"beadscope: 2 scripts run: name one of {', '.join(ids)}\n"
