"""Services of people's own that do what none should: the run goes on and says what happened."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import yaml

from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.planning import open_plan
from napari_beadscope.batch.run import run_batch
from napari_beadscope.cli.batch.view import failure_lines

from .conftest import pixels, write_tiff

LIMIT_S = 60
SERVICE = '''
"""Each position has its own way to be rough."""

import os
import time
from pathlib import Path

from napari_beadscope.batch.service import Service


class _Mute(Exception):
    def __str__(self):
        raise RuntimeError("nothing to say")


class Rough(Service):
    name = "rough"
    suffix = ".txt"

    def process(self, work, settings):
        how = work.position.name
        if how in ("forks_and_dies", "forks"):
            child = os.fork()
            if child == 0:
                time.sleep(1000 if how == "forks_and_dies" else 0)
                return {}
            with (Path(__file__).parent / "children.txt").open("a") as file:
                file.write(f"{child}\\n")
            if how == "forks_and_dies":
                os._exit(3)
        if how == "folder":
            work.output.mkdir()
            return {}
        if how == "link":
            work.output.symlink_to(__file__)
            return {}
        if how == "mute":
            raise _Mute
        if how == "garbled":
            raise ValueError("half \\udcff \\x1b[31mred\\n" + "long " * 9999)
        work.output.write_text("result")
        if how == "list":
            return [1, 2]
        return {"big": 2**80, "half\\udcff": "\\udcff", 3: None}
'''
EXPECTED = {
    "folder": "made a folder where its output belongs",
    "link": "made a link where its output belongs",
    "mute": "_Mute: it cannot say why",
    "garbled": "ValueError: half ? [31mred long",
    "list": "returned list instead of facts",
}
FORKS = {"forks_and_dies": "ended with exit code 3"} if hasattr(os, "fork") else {}


def is_there(pid: int) -> bool:
    """Whether a process lives; the dead that nobody has asked about do not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_rough_services_fail_alone_and_are_told(tmp_path: Path) -> None:
    expected = EXPECTED | FORKS
    good = ("good", "forks") if FORKS else ("good",)
    for name in (*expected, *good):
        write_tiff(tmp_path / f"{name}.tif", pixels(1, 1))
    (tmp_path / "rough.py").write_text(SERVICE)
    plan = {
        "inputs": ["*.tif"], "output": "out", "channels": {"phase": 0}, "steps": ["rough.py:Rough"],
        "workers": {"cpu": 2, "gpu": 0},
    }  # fmt: skip
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    endings = []

    def run() -> None:
        endings.append(run_batch(open_plan(tmp_path / "plan.yaml")))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    assert endings, "the run waits for a copy of a worker that is dead"
    assert (endings[0].done, endings[0].failed) == (len(good), len(expected))
    with Journal.open(tmp_path / "out") as journal:
        rows = list(journal.rows(state="failed"))
        facts = {row.position: row.facts for row in journal.rows(state="done")}
    lines = {row.position: failure_lines([row], with_traceback=False)[0] for row in rows}
    for name, words in expected.items():
        assert words in lines[name]
        assert lines[name].isprintable()
        assert len(lines[name]) < 5000
    assert facts["good"] == {"big": str(2**80), "half?": "?", "3": "None"}
    files = sorted(path.name for path in (tmp_path / "out" / "positions").rglob("*.*"))
    assert files == ["000000-000000.txt"] * len(good)  # of the good ones; no drafts
    if FORKS:
        children = (tmp_path / "children.txt").read_text().split()
        assert not [pid for pid in map(int, children) if is_there(pid)]
