"""The documentation's links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from napari_beadscope.core.settings import Settings, describe

REPO = Path(__file__).parents[1]
PAGES = sorted([*REPO.glob("*.md"), *REPO.glob("docs/**/*.md")])
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _name(page: Path) -> str:
    return page.relative_to(REPO).as_posix()


def _anchors(page: Path) -> set[str]:
    """Anchors that a page's headings get on the usual code hosts."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_motor_in_the_docs_is_the_one_that_is_tested() -> None:
    page = (REPO / "docs/how-to/add-a-motor.md").read_text(encoding="utf-8")
    example = (REPO / "examples/my_motor.py").read_text(encoding="utf-8")
    shown = page.partition("class MagnetLift")[2].partition("```")[0].splitlines()
    lines = [line.partition("  #")[0] for line in shown if line.strip()]
    assert len(lines) > 15
    assert [line for line in lines if line not in example] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_relative_links_resolve(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_reached_from_the_index() -> None:
    seen: set[Path] = set()
    queue = [REPO / "docs" / "index.md"]
    while queue:
        page = queue.pop().resolve()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        links = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
        queue += [page.parent / link.partition("#")[0] for link in links if ":" not in link]
    pages = {page.resolve() for page in (REPO / "docs").rglob("*.md")}
    assert sorted(_name(page) for page in pages - seen) == []


def test_every_setting_is_in_the_reference() -> None:
    page = (REPO / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    written = [(cells[0].strip("| `"), cells[1].strip(), cells[2].strip()) for cells in lines]
    assert written == [(row.name, row.unit, row.range) for row in describe(Settings)]
