"""The leak check finds what is left, and only that."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

from napari_beadscope.ring.segment import Segment
from napari_beadscope.testing import leaks

SLEEP = "import time; time.sleep(60)"


def _orphan(code: str, runtime: str) -> int:
    """Start `code` in a process whose parent ends at once; its ID."""
    command = [sys.executable, "-c", code]
    parent = (
        "import subprocess as s;"
        f"print(s.Popen({command!r}, stdout=s.DEVNULL, start_new_session=True).pid)"
    )
    env = {**os.environ, leaks.RUNTIME_VARIABLE: runtime}
    return int(subprocess.check_output([sys.executable, "-c", parent], env=env, text=True))


def test_nothing_left_is_reported_at_once() -> None:
    assert leaks.left_behind(leaks.look(), grace_s=30) == ()


def test_a_child_process_is_named() -> None:
    before = leaks.look()
    with subprocess.Popen([sys.executable, "-c", SLEEP]) as child:
        left = leaks.left_behind(before, grace_s=0)
        child.kill()
    assert len(left) == 1
    assert left[0].startswith(f"process {child.pid} (")


def test_a_process_whose_parent_has_gone_is_found_and_ended() -> None:
    before = leaks.look()
    pid = _orphan(SLEEP, runtime=os.environ[leaks.RUNTIME_VARIABLE])
    assert f"process {pid} (" in leaks.left_behind(before, grace_s=0)[0]
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


def test_a_segment_is_named_and_removed() -> None:
    before = leaks.look()
    name = f"{uuid.uuid4().hex}-frames"
    segment = Segment.create(name, 4096)
    left = leaks.left_behind(before, grace_s=0)
    segment.close()
    leaks.remove_segments(before)
    assert left == (f"shared segment {name}",)
    assert leaks.left_behind(before) == ()


def test_user_folders_are_isolated() -> None:
    home = Path.home()
    names = "BEADSCOPE_CONFIG_DIR BEADSCOPE_RUNTIME_DIR BEADSCOPE_SEGMENT_DIR NAPARI_CONFIG"
    for name in names.split():
        assert not Path(os.environ[name]).is_relative_to(home)
