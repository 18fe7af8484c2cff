"""`beadscope batch plan`: a commented plan from what is found. Must not know formats or steps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_beadscope.cli.common_options import Json, Verbose
from napari_beadscope.cli.output import Output


def plan(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Recordings, files, or folders of them."),
    ],
    kind: Annotated[
        str | None, typer.Option("--for", metavar="cells|beads", help="What is to be analysed.")
    ] = None,
    steps: Annotated[
        list[str] | None,
        typer.Option("--step", metavar="NAME", help="A step instead of the usual; repeat."),
    ] = None,
    out: Annotated[
        str, typer.Option("--output", metavar="DIR", help="Folder of the results, in the plan.")
    ] = "batch-results",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write a commented plan for what is found in INPUT to standard output.

    Save it with `> PLAN.yaml`, complete it, and run it with `beadscope batch run PLAN.yaml`.
    """
    _plan(inputs, kind, steps, out, Output(as_json))


def _plan(
    inputs: list[Path], kind: str | None, steps: list[str] | None, out: str, output: Output
) -> None:
    from napari_beadscope.batch.discovery import discover
    from napari_beadscope.batch.plan import InputItem
    from napari_beadscope.batch.plan_inputs import find_inputs
    from napari_beadscope.batch.plan_text import STEPS, likely_kind, plan_text
    from napari_beadscope.core.errors import InputError

    if kind is not None and kind not in STEPS:
        raise InputError(f"a plan cannot be for {kind!r}", f"choose {' or '.join(STEPS)}")
    places = {path: given for given in inputs for path in discover(given)}
    left_out: list[str] = []

    def wrong(place: tuple[int | str, ...], what: str, remedy: str = "") -> None:
        path = list(places)[int(place[1])]
        sentence = what.partition(": ")[2]
        if places[path].expanduser().absolute() == path:  # it was asked for by name
            raise InputError(sentence, remedy)
        left_out.append(sentence)

    found = find_inputs([InputItem(path=str(path)) for path in places], Path.cwd(), wrong)
    if not found:
        raise InputError(f"nothing in {inputs[0]} can be read ({left_out[0]})", "check the files")
    positions = [info for one in found for info in one.positions]
    chosen = kind or likely_kind(positions)
    text = plan_text(found, chosen, out, left_out, steps)
    for sentence in left_out:
        output.warn(f"left out: {sentence}")
    output.result(_told(found, text, chosen), [text.rstrip("\n")])


def _told(found: Any, text: str, kind: str) -> dict[str, Any]:
    positions = [
        {
            "name": info.name,
            "path": info.path,
            "position": info.index,
            "frames": info.frames,
            "channels": info.channels,
            "height_px": info.height_px,
            "width_px": info.width_px,
            "dtype": info.dtype,
            "nm_per_px": info.nm_per_px,
            "has_times": info.times_s is not None,
            "kind": info.kind,
        }
        for one in found
        for info in one.positions
    ]
    return {"for": kind, "positions": positions, "plan": text}
