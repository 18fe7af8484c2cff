"""`beadscope batch flag`: its options. What it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_beadscope.cli.common_options import Json, Verbose
from napari_beadscope.cli.output import Output
from napari_beadscope.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_beadscope.batch.outcome import Outcome


def flag(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A batch's output folder.")],
    position: Annotated[
        str | None, typer.Argument(metavar="[POSITION]", help="Of which position.")
    ] = None,
    numbers: Annotated[
        str | None, typer.Argument(metavar="[NUMBERS]", help="Which ones, such as 0-3,5.")
    ] = None,
    good: Annotated[
        bool | None, typer.Option("--good/--bad", help="What they are; neither takes it back.")
    ] = None,
    kind: Annotated[
        str, typer.Option(metavar="cell|bead|particle", help="What is numbered.")
    ] = "cell",
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say which cells, beads or particles of a batch are good or bad; results stay as they are.

    Without a position it shows what has been said.
    """
    from napari_beadscope.batch.flags import Flag, change_flags, read_flags
    from napari_beadscope.batch.outcome import read_outcome
    from napari_beadscope.batch.selection import parse_selection

    place = folder.expanduser().absolute()
    outcome = read_outcome(place)
    if position is None:
        flags = read_flags(place)
    else:
        if position not in outcome.fields:
            known = ", ".join(list(outcome.fields)[:8])
            raise InputError(f"the batch has no position '{position}'", f"it has {known}")
        if numbers is None:
            raise InputError(f"which {kind}s of {position} is not said", "give such as 0-3,5")
        said = Flag(good, note)
        selected = parse_selection(numbers)
        if said != Flag():
            _check_there(outcome, position, kind, selected)
        flags = change_flags(place, {(position, kind, number): said for number in selected})
    words = {True: "good", False: "bad", None: ""}
    rows = [
        {"position": one, "kind": what, "number": number, "good": flag.good, "note": flag.note}
        for (one, what, number), flag in flags.items()
    ]
    lines = [
        f"{one} {what} {number}: {' '.join([words[flag.good], flag.note]).strip()}"
        for (one, what, number), flag in flags.items()
    ]
    Output(as_json).result({"flags": rows}, lines or ["nothing is flagged"])


def _check_there(outcome: Outcome, position: str, kind: str, numbers: Sequence[int]) -> None:
    """Refuse numbers that no table of the position has; one without tables may have any."""
    import pandas as pd

    from napari_beadscope.batch.flags import KINDS, kind_of
    from napari_beadscope.batch.tables import columns_of, is_table

    there: dict[str, set[int]] = {}
    for of_position in outcome.table_parts().values():
        for path in filter(is_table, of_position.get(position, ())):
            found = kind_of(columns_of(path))
            if found is not None:
                column = pd.read_csv(path, usecols=[found])[found].dropna()
                there.setdefault(found, set()).update(column.astype(int).unique().tolist())
    if not there or kind not in KINDS:
        return
    if kind not in there:
        other = next(iter(there))
        raise InputError(f"{position} has no {kind}s, but {other}s", f"add --kind {other}")
    missing = [number for number in numbers if number not in there[kind]]
    if missing:
        last = max(there[kind], default=0)
        raise InputError(f"{position} has no {kind} {missing[0]}", f"the last one is {last}")
