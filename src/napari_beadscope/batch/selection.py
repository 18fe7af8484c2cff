"""Selections of numbers as people write them: ``0-3,5``. Pure; must not know what is selected."""

from __future__ import annotations

import re

from napari_beadscope.core.errors import InputError

_PART = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")
_FORM = "write numbers and ranges such as '0-3,5'"


def parse_selection(text: str | int | list[int]) -> tuple[int, ...]:
    """Return the numbers of a selection, in order, each once; both ends of a range are in it.

    Raises
    ------
    InputError
        It is not numbers and ranges, or a range ends before it begins.

    Examples
    --------
    >>> parse_selection("0-3,5")
    (0, 1, 2, 3, 5)
    >>> parse_selection([7, 2])
    (2, 7)
    """
    if isinstance(text, list):
        return tuple(sorted({number for part in text for number in parse_selection(part)}))
    if isinstance(text, bool) or not isinstance(text, (int, str)):
        raise InputError(f"{text!r} is no selection", _FORM)
    numbers: set[int] = set()
    for part in str(text).split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise InputError(f"{text!r} is no selection", _FORM)
        first = int(found[1])
        last = int(found[2]) if found[2] else first
        if last < first:
            raise InputError(f"the range {part.strip()!r} ends before it begins", _FORM)
        if last - first > 1_000_000:
            raise InputError(f"the range {part.strip()!r} is too long", _FORM)
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))


def write_selection(numbers: tuple[int, ...]) -> str:
    """Return numbers as a selection.

    Examples
    --------
    >>> write_selection((0, 1, 2, 3, 5))
    '0-3,5'
    """
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges)
