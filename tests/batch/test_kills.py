"""Runs that are killed, interrupted or out of disk: run again, and nothing tells of it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.status import read_status
from napari_beadscope.ring.segment import segment_names

from .conftest import Case

LIMIT_S = 60.0
UNITS = 21
COMMAND = [sys.executable, "-m", "napari_beadscope", "batch", "run"]
UNSHARE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]


def start(case: Case, *options: str) -> subprocess.Popen:
    return subprocess.Popen(
        [*COMMAND, str(case.plan), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def done(case: Case) -> set[tuple]:
    """What the journal says is done."""
    if not (case.out / "journal.sqlite").exists() or not (case.out / "plan.yaml").exists():
        return set()
    with Journal.open(case.out) as journal:
        return {row.id for row in journal.rows(state="done")}


def kill_all(run: subprocess.Popen, number: int) -> None:
    """Kill the run alone; what it started has to end by itself."""
    helpers = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(number)
    run.communicate(timeout=LIMIT_S)
    wait_until(lambda: not any(one.is_running() and one.status() != "zombie" for one in helpers))


@pytest.fixture
def undisturbed(case: Case) -> dict[str, bytes]:
    """All results of a run that nothing happened to."""
    assert case.run().state == "complete"
    results = case.results()
    shutil.rmtree(case.out)
    case.forget_computed()
    return results


def test_the_run_is_killed_again_and_again(case: Case, undisturbed: dict[str, bytes]) -> None:
    case.take_time(0.05)
    moments = random.Random(5)
    for wanted in (1, 6, 12):
        run = start(case)
        wait_until(lambda wanted=wanted: len(done(case)) >= wanted)
        time.sleep(moments.uniform(0.0, 0.1))
        kill_all(run, signal.SIGKILL)
        kept = done(case)
        assert len(kept) < UNITS
        assert read_status(case.out).state == "cut off"
        case.forget_computed()
    case.take_time(0.05)
    ending = case.run()
    assert (ending.state, ending.kept) == ("complete", len(kept))
    assert len(case.computed()) == UNITS - len(kept)  # nothing that was done is done again
    assert {k: v for k, v in case.results().items() if k.startswith("positions/")} == {
        k: v for k, v in undisturbed.items() if k.startswith("positions/")
    }
    assert segment_names() == []


def test_helpers_are_killed_at_any_moment(case: Case, undisturbed: dict[str, bytes]) -> None:
    case.take_time(0.05)
    run = start(case, "--json")
    moments = random.Random(7)
    for wanted in (2, 5, 9, 13):
        wait_until(lambda wanted=wanted: len(done(case)) >= wanted)
        helpers = psutil.Process(run.pid).children()
        moments.choice(helpers).kill()
    out, err = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 0, (out, err)
    assert case.outputs() == {k: v for k, v in undisturbed.items() if k.startswith("positions/")}


def test_ctrl_c_finishes_and_a_second_one_ends_at_once(case: Case) -> None:
    case.take_time(0.1)
    run = start(case)
    wait_until(lambda: len(done(case)) >= 2)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 130, (out, err)
    assert "interrupted; run it again to go on" in out
    assert len(case.computed()) == len(done(case))
    assert "Traceback" not in err
    case.fault("hang-cells2-table-0")
    run = start(case)
    wait_until(lambda: len(done(case)) == UNITS - 1)
    for _ in range(2):
        time.sleep(0.3)
        run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 130, (out, err)
    assert case.run().kept == UNITS - 1


def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(case: Case, tmp_path: Path) -> None:
    script = Path(__file__).with_name("full_disk.py")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" -W error "$3" "$4" "$1"'
    run = subprocess.run(
        [*UNSHARE, "sh", "-c", command, "sh", disk, sys.executable, script, case.plan],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
