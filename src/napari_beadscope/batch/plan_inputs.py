"""The files and positions that a plan's inputs come to.

Owns patterns, selections and names of positions. Must not know steps or formats.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from napari_beadscope.batch.naming import distinct_stems, is_text, position_name
from napari_beadscope.batch.plan import InputItem
from napari_beadscope.batch.plan_file import Place
from napari_beadscope.batch.selection import parse_selection
from napari_beadscope.batch.source import PositionInfo, open_source
from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.replay.source import natural_key


class Wrong(Protocol):
    """Takes a mistake: its place in the plan, what it is, and the remedy."""

    def __call__(self, place: Place, what: str, remedy: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A file: which input it is from, its positions that are taken, and how `of` many it has."""

    at: int
    item: InputItem
    path: Path
    positions: tuple[PositionInfo, ...]
    of: int


def find_inputs(items: Sequence[InputItem], folder: Path, wrong: Wrong) -> list[Found]:
    """Return the files of inputs in order, with positions named; mistakes go to `wrong`."""
    places: list[tuple[int, Path]] = []
    for at, item in enumerate(items):
        try:
            paths = matching(item.path_pattern, folder)
        except InputError as error:
            wrong(("inputs", at), f"'inputs[{at}]': {error.what}", error.remedy)
            continue
        places += [(at, path) for path in paths]
    found: list[Found] = []
    taken: set[tuple[Path, int]] = set()
    done: set[Path] = set()
    for at, path in places:
        if path in done:  # it is damaged, or it is one of the files of what an input is
            continue
        if not is_text(str(path)):
            what = f"'inputs[{at}]': the name {str(path)!r} has bytes that are no UTF-8"
            wrong(("inputs", at), what, "rename it")
            done.add(path)
            continue
        try:
            with open_source(path) as source:
                positions = source.positions()
                done.update(file for file in source.files() if file != path)
            chosen = _chosen(items[at], path, positions)
        except InputError as error:
            wrong(("inputs", at), f"'inputs[{at}]': {error.what}", error.remedy)
            done.add(path)
            continue
        again = [info.index for info in chosen if (path, info.index) in taken]
        if again:
            what = f"'inputs[{at}]': position {again[0]} of {path} is there twice"
            wrong(("inputs", at), what, "take it out of one of the inputs")
            continue
        taken.update((path, info.index) for info in chosen)
        found.append(Found(at, items[at], path, chosen, len(positions)))
    return _named(found)


def matching(pattern: str, folder: Path) -> list[Path]:
    """Return the paths that a pattern matches, in natural order; a path matches itself.

    Raises
    ------
    InputError
        There is nothing.
    """
    literal = folder / pattern
    if literal.exists():
        return [literal.absolute()]
    if not glob.has_magic(pattern):
        raise InputError(f"there is nothing at {literal}", "check the path")
    names = glob.glob(pattern, root_dir=folder, recursive=True)
    paths = [(folder / name).absolute() for name in names]
    paths = [path for path in paths if not path.name.startswith(".")]
    if not paths:
        raise InputError(f"nothing matches {pattern} in {folder}", "check the pattern")
    return sorted(paths, key=lambda path: natural_key(str(path)))


def _chosen(
    item: InputItem, path: Path, positions: tuple[PositionInfo, ...]
) -> tuple[PositionInfo, ...]:
    if item.positions is None:
        return positions
    wanted = parse_selection(item.positions)
    if wanted[-1] >= len(positions):
        last = "the only one is 0" if len(positions) == 1 else f"the last is {len(positions) - 1}"
        raise InputError(f"{path} has no position {wanted[-1]}", last)
    return tuple(positions[number] for number in wanted)


def _named(found: list[Found]) -> list[Found]:
    """Give all positions names that are different, whatever their files are called."""
    paths = list(dict.fromkeys(one.path for one in found))
    stems = dict(zip(paths, distinct_stems(paths)))
    used: set[str] = set()
    named: list[Found] = []
    for one in found:
        positions = []
        for info in one.positions:
            name = position_name(stems[one.path], info.index, one.of)
            while name.lower() in used:
                name += "_"
            used.add(name.lower())
            positions.append(replace(info, name=name))
        named.append(replace(one, positions=tuple(positions)))
    return named
