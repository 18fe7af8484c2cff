"""The commands `beadscope settings …` and their options, as `--help` shows them.

Owns names, types and help texts; what the commands do is imported when they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Overwrite, Verbose
from napari_beadscope.cli.output import Output

_HELP = {"help_option_names": ["-h", "--help"]}
settings = typer.Typer(
    name="settings",
    help="Look up, change, check, export and import settings.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings=_HELP,
)
profiles = typer.Typer(
    name="profiles",
    help="Settings under a name: list, save, use, rename, delete.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings=_HELP,
)
settings.add_typer(profiles)

Camera = Annotated[
    str | None,
    typer.Option(metavar="ID", help="The microscope's camera; default: that of the settings."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The profile's name.")]


@settings.command()
def show(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD]...", help="Parts of names, such as lock.")
    ] = None,
    camera: Camera = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what differs.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show settings with their values, units, ranges and where each value is from."""
    from napari_beadscope.cli.settings.commands import show

    show(tuple(words or ()), camera, changed, Output(as_json))


@settings.command("set")
def set_(
    changes: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as tracking.nm_per_px=78.5.")
    ],
    camera: Camera = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Change settings and save them where they belong; `none` takes a value back."""
    from napari_beadscope.cli.settings.commands import set_values

    set_values(tuple(changes), camera, Output(as_json))


@settings.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Settings of ours or MagScope's.")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say everything that is wrong in a file, one line each; exit code 2 if anything is."""
    from napari_beadscope.cli.settings.commands import check

    check(file, Output(as_json))


@settings.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Settings of ours or MagScope's.")],
    camera: Camera = None,
    chip_nm_per_px: Annotated[
        float | None,
        typer.Option(
            "--chip-nm-per-px",
            metavar="F",
            help="Pixel of the camera's chip, to make MagScope's magnification a pixel size.",
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="Into a new profile instead.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Take settings over from a file, ours or MagScope's; those before are kept as a profile."""
    from napari_beadscope.cli.settings.commands import import_file

    import_file(file, camera, chip_nm_per_px, profile, dry_run, Output(as_json))


@settings.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file to write.")],
    camera: Camera = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="Those of a profile.")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write all settings to one file, for another computer or user."""
    from napari_beadscope.cli.settings.commands import export

    export(file, camera, profile, overwrite, Output(as_json))


@profiles.command("list")
def list_(as_json: Json = False, verbose: Verbose = False) -> None:
    """List the profiles."""
    from napari_beadscope.cli.settings.profiles import list_all

    list_all(Output(as_json))


@profiles.command()
def save(
    name: Name,
    camera: Camera = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Keep the settings that hold now under a name."""
    from napari_beadscope.cli.settings.profiles import save

    save(name, camera, overwrite, Output(as_json))


@profiles.command()
def use(name: Name, as_json: Json = False, verbose: Verbose = False) -> None:
    """Let a profile's settings hold from now on; save those before if you want them back."""
    from napari_beadscope.cli.settings.profiles import use

    use(name, Output(as_json))


@profiles.command()
def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Give a profile another name."""
    from napari_beadscope.cli.settings.profiles import rename

    rename(name, new, Output(as_json))


@profiles.command()
def delete(name: Name, as_json: Json = False, verbose: Verbose = False) -> None:
    """Remove a profile for good."""
    from napari_beadscope.cli.settings.profiles import delete

    delete(name, Output(as_json))
