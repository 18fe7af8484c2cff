"""What a command says: results on standard output, everything else on standard error.

With ``--json`` standard output gets one JSON object and nothing else. Owns the form; must not
know what is said.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress


class Output:
    """Where one command's words go.

    Parameters
    ----------
    as_json : bool
        One JSON object for machines instead of lines for people.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    def note(self, text: str) -> None:
        """Say something by the way, to people only."""
        if not self.as_json:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def warn(self, text: str) -> None:
        """Say something that went wrong but does not end the command."""
        sys.stderr.write(f"beadscope: {text}\n")
        sys.stderr.flush()

    def result(self, data: dict[str, Any], lines: Sequence[str]) -> None:
        """Print the command's result, in one of its two forms."""
        text = json.dumps(plain(data), ensure_ascii=False) if self.as_json else "\n".join(lines)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    @contextmanager
    def progress(self, *columns: str) -> Iterator[Progress]:
        """Show a progress bar while inside, on a terminal; nothing is drawn elsewhere.

        Parameters
        ----------
        columns : str
            Rich markup after the bar, such as ``{task.fields[fps]:.0f} frames/s``.
        """
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            *(TextColumn(column) for column in columns),
            TimeElapsedColumn(),
            console=console,
            disable=self.as_json or not console.is_terminal,
        ) as progress:
            yield progress


def plain(value: Any) -> Any:
    """Return `value` as what JSON knows; what is not a finite number becomes null.

    Examples
    --------
    >>> plain({"path": Path("a"), "rmse": float("nan"), "n": (1, 2.5)})
    {'path': 'a', 'rmse': None, 'n': [1, 2.5]}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return `rows` as lines with aligned columns.

    Examples
    --------
    >>> table([("a", "one"), ("long", "two")])
    ['a     one', 'long  two']
    """
    if not rows:
        return []
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]
