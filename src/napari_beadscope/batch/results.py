"""processing_results.yaml and the tables, kept up with the journal while a batch is running.

Owns the file: parameters, versions, paths and the state of every position, written whole from the
journal, so that it may be read at any time. It has no times and no names of machines: the same
plan on the same files gives the same file. Must not know workers.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from napari_beadscope import __version__
from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.outcome import Outcome, Part, read_outcome
from napari_beadscope.batch.tables import TABLES_NAME, write_tables
from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.whole_file import whole_file

RESULTS_NAME = "processing_results.yaml"
_FORMAT = 1
_LEAST_S = 1.0  # between two writings
_SHARE = 20  # of the time goes into writing, at most one in so many
_HEAD = "# What became of a batch. Written from its journal; changes made here are lost.\n"


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes short lists on one line."""


def _list(dumper: _Dumper, some: list[Any]) -> Any:
    flat = not any(isinstance(one, (list, dict)) for one in some)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", some, flow_style=flat)


_Dumper.add_representer(list, _list)


class Results:
    """Keeps a batch's results file and tables up with its journal.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    journal : Journal
        Its journal, which may go on being written.
    clock : callable
        Seconds, monotonic.
    """

    def __init__(
        self, folder: Path, journal: Journal, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._journal, self._clock = folder, journal, clock
        self._next_s = -1.0
        self._tables: list[Path] | None = None

    def update(self) -> bool:
        """Write the file, unless that was just done; return whether it was written.

        Raises
        ------
        StorageError
            It cannot be written; an older file is as it was.
        """
        now = self._clock()
        if now < self._next_s:
            return False
        write_results(read_outcome(self._folder, self._journal), self._tables)
        took = self._clock() - now
        self._next_s = self._clock() + max(_LEAST_S, _SHARE * took)
        return True

    def finish(self, *, parquet: bool = False) -> list[Path]:
        """Write file and tables at the end of a run, however it ended; return the tables.

        Halves of files that a killed run has left are removed.

        Raises
        ------
        StorageError
            Something cannot be written.
        """
        _remove_halves(self._folder)
        outcome = read_outcome(self._folder, self._journal)
        self._tables = write_everything(outcome, parquet=parquet)
        return self._tables


def _remove_halves(folder: Path) -> None:
    """Remove what `whole_file` was writing here when its process was killed."""
    halves = [*folder.glob(f".{Path(RESULTS_NAME).stem}.*.part.yaml")]
    halves += (folder / TABLES_NAME).rglob(".*.part.*")
    for path in halves:
        path.unlink(missing_ok=True)


def write_everything(outcome: Outcome, *, parquet: bool = False) -> list[Path]:
    """Write a batch's tables, then its results file; return the tables."""
    tables = write_tables(outcome.folder, outcome.table_parts(), outcome.samples, parquet=parquet)
    write_results(outcome, tables)
    return tables


def write_results(outcome: Outcome, tables: list[Path] | None = None) -> Path:
    """Write processing_results.yaml as a whole new file.

    Raises
    ------
    StorageError
        It cannot be written; an older file is as it was.
    """
    path = outcome.folder / RESULTS_NAME
    text = io.StringIO()
    text.write(_HEAD)
    data = results_data(outcome, tables)
    yaml.dump(data, text, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    try:
        with whole_file(path) as new, open(new, "w", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror})", "check the folder and free space"
        ) from error
    return path


def results_data(outcome: Outcome, tables: list[Path] | None = None) -> dict[str, Any]:
    """Return what the results file holds."""
    folder = outcome.folder
    data: dict[str, Any] = {
        "format": _FORMAT,
        "software": f"napari-beadscope {__version__}",
        "plan": "plan.yaml",
        "state": outcome.state,
        "steps": {step: _step(outcome, step) for step in outcome.steps},
        "positions": [_position(outcome, name) for name in outcome.fields],
    }
    if outcome.failures:
        data["failures"] = [
            {
                "position": row.position,
                "step": row.step,
                "frames": [row.first, row.last - 1],
                "error": row.error,
                "remedy": row.remedy,
            }
            for row in outcome.failures
        ]
    if tables is not None:
        data["tables"] = [path.relative_to(folder).as_posix() for path in tables]
    return data


def _step(outcome: Outcome, step: str) -> dict[str, Any]:
    """Return a step's version and settings, which are the same for all positions."""
    row = next(part.rows[0] for (_, name), part in outcome.parts.items() if name == step)
    return {"version": row.version, "settings": json.loads(row.settings or "{}")}


def _position(outcome: Outcome, name: str) -> dict[str, Any]:
    known = {
        key: value
        for key, value in outcome.fields[name].to_dict().items()
        if value not in (None, "", {})
    }
    steps = {
        step: _part(part)
        for step in outcome.steps
        if (part := outcome.parts.get((name, step))) is not None
    }
    return {**known, "state": outcome.position_state(name), "steps": steps}


def _part(part: Part) -> dict[str, Any]:
    state: dict[str, Any] = {"state": part.state}
    first = part.rows[0]
    if part.whole:
        state["output"] = first.output
        if first.state == "done":
            state["bytes"] = first.size
    else:
        state["output"] = first.output.rpartition("/")[0] + "/"
        state["done"] = f"{part.done} of {len(part.rows)}"
    if part.state == "done" and part.facts:
        state["facts"] = part.facts
    return state
