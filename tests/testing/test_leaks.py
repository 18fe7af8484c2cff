"""The leak check finds what is left, and only that."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from napari_beadscope.testing import leaks

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
ORPHAN = (
    "import subprocess as s;"
    f"print(s.Popen({SLEEP!r}, stdout=s.DEVNULL, start_new_session=True).pid)"
)


def test_nothing_left_is_reported_at_once() -> None:
    assert leaks.left_behind(leaks.look(), grace_s=30) == ()


def test_a_child_process_is_named() -> None:
    before = leaks.look()
    with subprocess.Popen(SLEEP) as child:
        left = leaks.left_behind(before, grace_s=0)
        child.kill()
    assert len(left) == 1
    assert left[0].startswith(f"process {child.pid} (")


def test_a_process_whose_parent_has_gone_is_found_and_ended() -> None:
    before = leaks.look()
    run = subprocess.run(
        [sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True, check=True
    )
    assert f"process {run.stdout.strip()} (" in leaks.left_behind(before, grace_s=0)[0]
    leaks.end_processes(before)
    assert leaks.left_behind(before) == ()


def test_a_thread_is_named_unless_it_is_a_daemon() -> None:
    before = leaks.look()
    stop = threading.Event()
    threads = [
        threading.Thread(target=stop.wait, name="stays", daemon=False),
        threading.Thread(target=stop.wait, name="daemon", daemon=True),
    ]
    for thread in threads:
        thread.start()
    left = leaks.left_behind(before, grace_s=0)
    stop.set()
    for thread in threads:
        thread.join()
    assert left == ("thread stays",)


@pytest.mark.skipif(not leaks.SEGMENT_FOLDER.is_dir(), reason="segments are not listed here")
def test_a_segment_is_named_and_removed() -> None:
    before = leaks.look()
    path = leaks.SEGMENT_FOLDER / f"{leaks.SEGMENT_PREFIX}{uuid.uuid4().hex}"
    path.touch()
    left = leaks.left_behind(before, grace_s=0)
    leaks.remove_segments(before)
    assert left == (f"shared segment {path.name}",)
    assert not path.exists()


def test_user_folders_are_isolated() -> None:
    home = Path.home()
    for name in ("BEADSCOPE_CONFIG_DIR", "BEADSCOPE_RUNTIME_DIR", "NAPARI_CONFIG"):
        assert not Path(os.environ[name]).is_relative_to(home)
