"""A script that closes its viewer and ends while a job runs, in a Python of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
import napari
from fake_scope import FakeScope, FakeScopes
from napari_beadscope.ui.host import host_of
from qtpy.QtWidgets import QApplication

searching = threading.Event()

def find_beads(self, max_beads=None, size_px=None):
    searching.set()
    time.sleep(1.0)
    print("found", flush=True)
    return ()

FakeScope.find_beads = find_beads
viewer = napari.Viewer(show=False)
session = host_of(viewer, FakeScopes()).session
session.start_live()
session.on_scope("Finding beads", lambda scope: scope.find_beads())
while not searching.is_set():
    QApplication.processEvents()
    time.sleep(0.01)
viewer.close()
print("closed", flush=True)
"""


def test_a_script_may_end_while_beads_are_being_found() -> None:
    here = str(Path(__file__).parent)
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, here],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["closed", "found"]
    assert "deleted" not in ended.stderr
