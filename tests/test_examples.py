"""Every example runs, from any folder, and ends by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
LIMIT_S = 100


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.timeout(LIMIT_S + 20)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    flags = ["-W", "error"]
    if "import napari\n" in example.read_text(encoding="utf-8"):
        flags += ["-W", "ignore::DeprecationWarning"]  # Pydantic 1 spellings in npe2 and napari
    run = subprocess.run(
        [sys.executable, *flags, example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
