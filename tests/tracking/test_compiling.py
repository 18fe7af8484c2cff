"""The cache of compiled code: used when it is there, made anew when it was cut off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = """
import logging, sys
logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
sys.path.insert(0, {folder!r})
import sample
print(sample.add_up(10), sum(sample.add_up.stats.cache_hits.values()))
"""
SAMPLE = """
from napari_beadscope.tracking.compiling import compiled

@compiled
def add_up(n):
    total = 0
    for i in range(n):
        total += i
    return total
"""


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_cache_that_was_cut_off_is_made_anew(tmp_path: Path, kind: str) -> None:
    (tmp_path / "sample.py").write_text(SAMPLE, encoding="utf-8")

    def run() -> str:
        told = subprocess.run(
            [sys.executable, "-c", COUNT.format(folder=str(tmp_path))],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )
        return told.stdout

    assert run() == "45 0\n"
    assert run() == "45 1\n"
    (file,) = (tmp_path / "cache").rglob(f"*.{kind}")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    warned, answer = run().splitlines()
    assert "is damaged and is made anew" in warned
    assert answer == "45 0"
    assert run() == "45 1\n"


def test_python_without_compiling_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_beadscope.core.errors import BeadscopeError
    from napari_beadscope.tracking import open_backend

    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with pytest.raises(BeadscopeError, match=r"NUMBA_DISABLE_JIT.*unset it"):
        open_backend("cpu")
