"""A commented plan for what was found, for people to complete.

Owns the words. Must not know the command line, or how plans are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from napari_beadscope.batch.plan import Workers
from napari_beadscope.batch.plan_inputs import Found
from napari_beadscope.batch.services import open_service
from napari_beadscope.batch.source import PositionInfo
from napari_beadscope.core.settings import describe

#: Steps for what is to be analysed.
STEPS: Mapping[str, tuple[str, ...]] = {
    "cells": ("segment", "correct", "track", "extract"),
    "beads": ("find_beads", "track_beads", "link_beads", "summary"),
}
_SHOWN = 40


def likely_kind(positions: Sequence[PositionInfo]) -> str:
    """Return 'cells' where there are several channels, else 'beads'."""
    return "cells" if any(len(one.channels) > 1 for one in positions) else "beads"


def plan_text(
    found: Sequence[Found],
    kind: str,
    output: str,
    left_out: Sequence[str] = (),
    steps: Sequence[str] | None = None,
) -> str:
    """Return a plan in YAML, with everything that can be set in comments.

    Parameters
    ----------
    found : sequence of Found
        The inputs.
    kind : str
        A key of `STEPS`.
    output : str
        Folder of the results.
    left_out : sequence of str
        Sentences on what could not be read.
    steps : sequence of str, optional
        Names of services instead of those of the kind.
    """
    positions = [info for one in found for info in one.positions]
    names = tuple(steps or STEPS[kind])
    lines = ["# Plan of a batch; run it with: beadscope batch run THIS_FILE", ""]
    lines += _found_lines(positions)
    lines += [f"# left out: {sentence}" for sentence in left_out]
    lines += ["inputs:", *(f"  - {_yaml(str(one.path))}" for one in found)]
    lines += [
        "  # also: {path: FILE, positions: '0-3,5', frames: '0-99', sample: NAME}",
        "",
        "# folder of the results, from where this file is; the same folder goes on",
        f"output: {_yaml(output)}",
        "",
        *_channel_lines(positions, kind),
        *_step_lines(names, kind, steps is None),
        *_physics_lines(positions, names),
        "# samples: [{name: control, fovs: '0-3,5'}]  # positions by their number above",
        "# chunk_frames: 64  # frames that are worked on at a time; default: about 32 MB",
        "",
        "# workers:",
        *_field_lines(Workers, "#   "),
    ]
    return "\n".join(lines) + "\n"


def _found_lines(positions: Sequence[PositionInfo]) -> list[str]:
    lines = [f"# found {len(positions)} positions:" if len(positions) != 1 else "# found:"]
    for number, one in enumerate(positions[:_SHOWN]):
        named = any(name != str(at) for at, name in enumerate(one.channels))
        channels = f"channels {', '.join(one.channels)}" if named else _count(one, "channel")
        times = "times not in the file"
        if one.times_s is not None and len(one.times_s) > 1:
            times = f"about every {one.times_s[-1] / (len(one.times_s) - 1):.4g} s"
        size = f"{one.nm_per_px:.4g} nm/px" if one.nm_per_px else "size of a pixel not in the file"
        lines.append(
            f"#   {number}: {one.name}, {one.frames} frames of {one.width_px} x {one.height_px} px"
            f" {one.dtype}, {channels}, {times}, {size}"
        )
    if len(positions) > _SHOWN:
        lines.append(f"#   ... and {len(positions) - _SHOWN} more")
    return lines


def _count(one: PositionInfo, noun: str) -> str:
    count = len(one.channels)
    return f"{count} {noun}{'s' if count > 1 else ''}"


def _channel_lines(positions: Sequence[PositionInfo], kind: str) -> list[str]:
    if kind != "cells":
        return []
    count = min((len(one.channels) for one in positions), default=1)
    others = ", ".join(str(number) for number in range(1, count))
    return [
        "# channels by what they show, by number or by name: check them",
        "channels:",
        "  phase: 0",
        f"  fluorescence: [{others}]" if others else "  # fluorescence: [1]",
        "",
    ]


def _step_lines(names: Sequence[str], kind: str, guessed: bool) -> list[str]:
    others = [other for other in STEPS if other != kind]
    lines = []
    if guessed:
        lines += [f"# for {one}: steps: [{', '.join(STEPS[one])}]" for one in others]
    lines.append("steps:")
    for name in names:
        fields = _field_lines(open_service(name).Settings, "      # ")
        lines += [f"  - {name}:" if fields else f"  - {name}", *fields]
    return [*lines, ""]


def _physics_lines(positions: Sequence[PositionInfo], names: Sequence[str]) -> list[str]:
    services = [open_service(name) for name in names]
    needed = any(one.uses_times and one.needs_times for one in services)
    silent = [one for one in positions if one.times_s is None]
    times = "# frame_interval_s: 1.0  # seconds between two frames, instead of the files' times"
    if silent and needed:
        times = "# frame_interval_s:  # fill in: the files do not say when frames were taken"
        if len(silent) < len(positions):
            times = (
                f"# frame_interval_s:  # {silent[0].name} does not say when frames were taken; this"
                " is for all, for one: {path: FILE, frame_interval_s: 60}"
            )
    return [
        times,
        "# nm_per_px: 100.0  # size of a pixel in the sample, instead of the files'",
    ]


def _field_lines(model: type[BaseModel], lead: str) -> list[str]:
    lines = []
    for row in describe(model):
        name = row.name
        if "." in name:
            continue
        words = [row.description] if row.description else []
        allowed = "" if row.range == "text" else row.range
        bounds, none, _ = allowed.partition(", or none")
        allowed = f"{bounds} {row.unit}".strip() + none
        words += [allowed] if allowed and bounds not in row.description else []
        lines.append(f"{lead}{name}: {_yaml(row.default)}  # {'; '.join(words)}".rstrip("# "))
    return lines


def _yaml(value: Any) -> str:
    """Return a value on one line, as YAML reads it."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, str) and value and all(c.isalnum() or c in "_./-" for c in value):
        plain = not value[0].isdigit() and value.lower() not in ("true", "false", "null", "yes")
        return value if plain and value[0] not in "-." else json.dumps(value)
    return json.dumps(value, default=str, ensure_ascii=False)
