"""Channels of positions by the roles that a plan gives them. Pure; must not know files."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from napari_beadscope.batch.plan import ROLES, Channel
from napari_beadscope.batch.source import PositionInfo


def resolve_channels(
    wanted: Mapping[str, tuple[Channel, ...]], info: PositionInfo
) -> tuple[dict[str, tuple[int, ...]], list[tuple[str, str, str]]]:
    """Return the channels of a position by role, and what is wrong: role, sentence, remedy.

    Channels are given by number or by name; capitals do not count.

    Examples
    --------
    >>> from pathlib import Path
    >>> info = PositionInfo("a", Path("/a"), 0, 1, ("Phase", "GFP"), 8, 8, "uint8", None, None, "x")
    >>> resolve_channels({"phase": (0,), "fluorescence": ("gfp",)}, info)
    ({'phase': (0,), 'fluorescence': (1,)}, [])
    """
    names = [name.lower() for name in info.channels]
    found: dict[str, tuple[int, ...]] = {}
    wrong: list[tuple[str, str, str]] = []
    for role, channels in wanted.items():
        numbers: list[int] = []
        for channel in channels:
            known = isinstance(channel, int) and 0 <= channel < len(names)
            if known and channel not in numbers:
                numbers.append(int(channel))
            elif str(channel).lower() in names and names.index(str(channel).lower()) not in numbers:
                numbers.append(names.index(str(channel).lower()))
            elif known or str(channel).lower() in names:
                wrong.append((role, f"'channels.{role}' has {channel!r} twice", "keep one"))
            else:
                has = ", ".join(f"{at} ({name})" for at, name in enumerate(info.channels))
                what = f"'channels.{role}' is {channel!r}, which {info.path} does not have"
                wrong.append((role, what, f"its channels are {has}"))
        found[role] = tuple(numbers)
    return found, wrong


def unlikely_roles(
    wanted: Mapping[str, tuple[Channel, ...]],
) -> Iterator[tuple[tuple[str, str], str, str]]:
    """Give place, sentence and remedy of roles that are probably mistyped, or empty."""
    for role, channels in wanted.items():
        close = difflib.get_close_matches(role.lower(), ROLES, n=1, cutoff=0.75)
        if close and role not in ROLES:
            yield ("channels", role), f"there is no role '{role}'", f"did you mean '{close[0]}'?"
        elif not channels:
            what = f"'channels.{role}' has no channels"
            yield ("channels", role), what, "give their numbers, or leave it out"
