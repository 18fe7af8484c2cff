"""Disks that are full, nearly full or read-only: a real small file system for each scenario."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("full_disk.py")
# A mount of its own, which goes away with the process: as root in a private mount namespace, as
# anyone else in a user namespace.
UNSHARE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
SCENARIOS = [
    "nearly_full",
    "really_full_video",
    "really_full_rois",
    "killed_when_full",
    "tracks_when_full",
    "no_room_to_begin",
    "read_only",
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_full_disk(tmp_path: Path, scenario: str) -> None:
    command = 'mount -t tmpfs -o size=8m tmpfs "$1" && exec "$2" -W error "$3" "$4" "$1"'
    run = subprocess.run(
        [*UNSHARE, "sh", "-c", command, "sh", tmp_path, sys.executable, SCRIPT, scenario],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert not list(tmp_path.iterdir())
