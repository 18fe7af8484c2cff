"""Options that many commands have, with the same name and the same meaning.

Must not import anything slow.
"""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log details; show tracebacks of errors.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]
