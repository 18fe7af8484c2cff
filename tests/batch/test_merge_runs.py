"""Real runs of parts of a batch, merged, are the whole batch."""

from __future__ import annotations

from pathlib import Path

import yaml

from napari_beadscope.batch.merge import merge
from napari_beadscope.batch.planning import open_plan
from napari_beadscope.batch.report.write import write_report
from napari_beadscope.batch.run import run_batch
from napari_beadscope.batch.status import read_status

from .conftest import Case


def made_in(folder: Path) -> dict[str, bytes]:
    """Results, tables and what is said of them."""
    return {
        name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (name := path.relative_to(folder).as_posix()).startswith(("pos", "tables", "proc"))
    }


def run_part(case: Case, name: str, inputs: list[str]) -> Path:
    plan = yaml.safe_load(case.plan.read_text()) | {"inputs": inputs, "output": name}
    path = case.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(plan))
    return run_batch(open_plan(path)).folder


def test_two_parts_are_the_whole_and_nothing_is_computed_again(case: Case) -> None:
    assert case.run().state == "complete"
    one = run_part(case, "one", ["cells0.tif", "cells1.tif"])
    two = run_part(case, "two", ["cells2.tif"])
    every = case.folder / "all"
    merged = merge([one, two], every)
    assert (merged.positions, merged.missing) == (3, 0)
    assert read_status(every).state == "complete"
    assert made_in(every) == made_in(case.out)
    case.forget_computed()
    again = run_batch(open_plan(every / "plan.yaml"), verify=True)
    assert (again.state, again.kept) == ("complete", again.units)
    assert case.computed() == []
    assert made_in(every) == made_in(case.out)


def test_what_failed_in_one_is_computed_after_merging(case: Case) -> None:
    whole = case.run()
    case.fault("raise-cells1-sums-4")
    one = run_part(case, "one", ["cells0.tif", "cells1.tif"])
    two = run_part(case, "two", ["cells2.tif"])
    assert "upside down" in write_report(one).read_text()
    every = case.folder / "all"
    assert merge([two, one], every).missing > 0
    assert read_status(every).state == "interrupted"
    (case.faults / "raise-cells1-sums-4").unlink()
    case.forget_computed()
    again = run_batch(open_plan(every / "plan.yaml"))
    assert again.state == "complete"
    assert again.done == whole.units
    assert case.computed()
    assert {line.partition("-")[0] for line in case.computed()} == {"cells1"}
    outputs = {name: data for name, data in made_in(every).items() if name.startswith("pos")}
    assert outputs == case.outputs()
