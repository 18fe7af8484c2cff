"""`beadscope batch merge`: its options. What it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Verbose
from napari_beadscope.cli.output import Output


def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Output folders of batches.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "--out", metavar="DIR", help="New folder for all of them.")
    ],
    samples: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="Which positions, by number, are which sample."),
    ] = None,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the tables as Parquet too.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Merge the results of several batches, such as parts of one plan from two machines.

    Steps, settings and versions must be the same. The batches themselves are left as they are.
    """
    from napari_beadscope.batch.merge import merge, read_samples

    out = Output(as_json)
    chosen = read_samples(samples.expanduser()) if samples is not None else None
    places = [folder.expanduser().absolute() for folder in folders]
    with out.progress("{task.completed:.0f}/{task.total:.0f} results") as progress:
        task = progress.add_task("merge", total=None)
        merged = merge(
            places,
            output.expanduser().absolute(),
            samples=chosen,
            parquet=parquet,
            tell=lambda done, of: progress.update(task, completed=done, total=of),
        )
    data = {
        "output": merged.folder,
        "positions": merged.positions,
        "done": merged.done,
        "missing": merged.missing,
        "flags": merged.flags,
        "tables": merged.tables,
    }
    lines = [str(merged.folder), f"  {merged.positions} positions, {merged.done} results"]
    if merged.missing:
        plan = merged.folder / "plan.yaml"
        lines.append(f"  {merged.missing} results are missing: beadscope batch run {plan}")
    out.result(data, lines + [f"  {table}" for table in merged.tables])
