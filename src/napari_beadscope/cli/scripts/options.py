"""The commands `beadscope script …` and their options, as `--help` shows them.

Owns names, types and help texts; what the commands do is imported when they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Verbose
from napari_beadscope.cli.output import Output

script = typer.Typer(
    name="script",
    help="Run scripts: start, pause, resume, stop, read what they say.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="Python, or a recipe (YAML).")]
Engine = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="See `beadscope engines`; default: the one that runs, else its own."
    ),
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Return at once; the run goes on by itself.")
]
Run = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="See `script list`; default: the only one.")
]


@script.command(short_help="Run a script to its end, or leave it running.")
def run(
    file: File,
    engine: Engine = None,
    detach: Detach = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run a script in a process of its own; what it prints comes line by line.

    Ctrl-C stops it: its `finally` is carried out, and what it has set going comes to rest.
    """
    from napari_beadscope.cli.scripts.command import run

    run(file, engine, detach, Output(as_json))


@script.command(short_help="Tell the mistakes of a script, without running it.")
def check(file: File, as_json: Json = False, verbose: Verbose = False) -> None:
    """Tell the mistakes of a script, each with line and remedy, without running it."""
    from napari_beadscope.cli.scripts.command import check

    check(file, Output(as_json))


@script.command(name="list", short_help="List the scripts that run, and those of this week.")
def list_(as_json: Json = False, verbose: Verbose = False) -> None:
    """List the scripts that run, and those of the last seven days."""
    from napari_beadscope.cli.scripts.command import list_runs

    list_runs(Output(as_json))


@script.command(short_help="Print what a script has printed.")
def log(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="See `script list`; default: the newest.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Print what a script has printed: all of it, and how it ended."""
    from napari_beadscope.cli.scripts.command import log

    log(run, follow, Output(as_json))


@script.command(short_help="Let a script wait.")
def pause(run: Run = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """Let a script wait at its next call of a Scope; recordings and locks go on."""
    from napari_beadscope.cli.scripts.command import pause

    pause(run, Output(as_json))


@script.command(short_help="Let a script that waits go on.")
def resume(run: Run = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """Let a script that waits go on."""
    from napari_beadscope.cli.scripts.command import resume

    resume(run, Output(as_json))


@script.command(short_help="Stop a script; what it has set going comes to rest.")
def stop(run: Run = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """Stop a script, killing it after 5 s; what it has set going comes to rest."""
    from napari_beadscope.cli.scripts.command import stop

    stop(run, Output(as_json))
