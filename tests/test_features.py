"""The table of features keeps its word: behind every "yes" there is a test."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
PAGE = REPO / "docs" / "reference" / "features.md"
COLUMNS = 5
OURS = re.compile(r'\[(?:yes|partly)\]\((?P<path>\S+) "(?P<test>\w+)"\)(?:\[\^o-[\w-]+\])?')
OUR_NO = re.compile(r"(?:no|not yet)(?:\[\^(?:o-[\w-]+|docks)\])?")
THEIRS = re.compile(r"(?:yes|no|partly|unknown)(?:\[\^[\w-]+\])?")


def _rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in {"feature", "---"}]


ROWS = _rows()


@cache
def _tests_in(path: Path) -> frozenset[str]:
    """Names of the test functions, and of the test classes that inherit a contract."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    names = {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
    return frozenset(name for name in names if name.startswith(("test_", "Test")))


def _fault(ours: str) -> str:
    """What is wrong with a cell of ours; '' if nothing is."""
    if OUR_NO.fullmatch(ours):
        return ""
    match = OURS.fullmatch(ours)
    if match is None:
        return f"neither 'no', 'not yet' nor a link to a test with its name: {ours}"
    path = (PAGE.parent / match["path"]).resolve()
    if not (path.is_relative_to(REPO / "tests") and path.is_file()):
        return f"no such file of tests: {match['path']}"
    return "" if match["test"] in _tests_in(path) else f"no test {match['test']} in {path.name}"


def test_every_yes_of_ours_names_a_test_that_exists() -> None:
    assert len(ROWS) > 100
    assert {len(row) for row in ROWS} == {COLUMNS}
    faults = {row[0]: _fault(row[1]) for row in ROWS}
    assert {name: fault for name, fault in faults.items() if fault} == {}


@pytest.mark.parametrize(
    "ours",
    [
        "yes",
        "partly",
        "[yes](../../tests/test_features.py)",
        '[yes](../../tests/test_features.py "test_of_nothing")',
        '[yes](../../tests/nowhere.py "test_of_nothing")',
        '[yes](../../src/napari_beadscope/__init__.py "test_of_nothing")',
    ],
)
def test_a_yes_without_its_test_is_noticed(ours: str) -> None:
    assert _fault(ours)


def test_what_others_do_is_said_in_one_word() -> None:
    assert [cell for row in ROWS for cell in row[2:] if not THEIRS.fullmatch(cell)] == []


def test_a_partly_says_in_a_footnote_where_it_ends() -> None:
    partly = [(row[0], cell) for row in ROWS for cell in row[1:] if "partly" in cell]
    assert [name for name, cell in partly if "[^" not in cell] == []


def test_a_row_is_a_feature_of_somebody_and_stands_once() -> None:
    has = re.compile(r"\[?(?:yes|partly)")
    assert [row[0] for row in ROWS if not any(map(has.match, row[1:]))] == []
    names = [row[0] for row in ROWS]
    assert len(names) == len(set(names))


def test_every_footnote_is_there_and_used() -> None:
    text = PAGE.read_text(encoding="utf-8")
    defined = re.findall(r"^\[\^([\w-]+)\]:", text, flags=re.MULTILINE)
    used = re.findall(r"\[\^([\w-]+)\](?!:)", text)
    assert len(defined) == len(set(defined))
    assert set(defined) == set(used)


def test_the_index_leads_to_the_table() -> None:
    assert "](reference/features.md)" in (REPO / "docs" / "index.md").read_text(encoding="utf-8")
