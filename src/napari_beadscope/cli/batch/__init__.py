"""`beadscope batch …`: the commands for processing recordings in bulk.

Owns the group; each command lives in its own module and is added here. What commands do is
imported when they run.
"""

from __future__ import annotations

import typer

from napari_beadscope.cli.batch.fit import fit
from napari_beadscope.cli.batch.flag import flag
from napari_beadscope.cli.batch.merge import merge
from napari_beadscope.cli.batch.plan import plan
from napari_beadscope.cli.batch.report import report
from napari_beadscope.cli.batch.run import run
from napari_beadscope.cli.batch.status import status

batch = typer.Typer(
    name="batch",
    help="Process many recordings by a plan; a run that was cut off goes on where it was.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
batch.command(short_help="Write a plan for what is found.")(plan)
batch.command(short_help="Process what a plan names.")(run)
batch.command(short_help="Show how far a batch is.")(status)
batch.command(short_help="Fit a curve to every trace.")(fit)
batch.command(short_help="Merge the results of several batches.")(merge)
batch.command(short_help="Write what became of a batch as one HTML file.")(report)
batch.command(short_help="Say which cells or beads are good or bad.")(flag)
