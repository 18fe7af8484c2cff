"""The commands `beadscope recipe …` and their options, as `--help` shows them.

Owns names, types and help texts; what the commands do is imported when they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Verbose
from napari_beadscope.cli.output import Output
from napari_beadscope.cli.scripts.options import Detach, Engine

recipe = typer.Typer(
    name="recipe",
    help="Run common experiments without programming: ramp, clamp, series, time lapse.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A recipe (YAML).")]


@recipe.command(short_help="Run a recipe to its end, or leave it running.")
def run(
    file: File,
    engine: Engine = None,
    detach: Detach = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run a recipe, like a script: `beadscope script pause | resume | stop | log` see to it."""
    from napari_beadscope.cli.scripts.command import check_recipe_name, run

    check_recipe_name(file)
    run(file, engine, detach, Output(as_json))


@recipe.command(short_help="Tell the mistakes of a recipe, without running it.")
def check(file: File, as_json: Json = False, verbose: Verbose = False) -> None:
    """Tell the mistakes of a recipe, each with line and remedy, without running it."""
    from napari_beadscope.cli.scripts.command import check, check_recipe_name

    check_recipe_name(file)
    check(file, Output(as_json))


@recipe.command(short_help="Print a recipe to begin with.")
def example(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]", help="force-ramp, constant-force, force-clamp or time-lapse."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it to a new file instead.")
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Print a recipe to begin with; without a kind, list the kinds."""
    from napari_beadscope.cli.scripts.command import example

    example(kind, out, Output(as_json))
