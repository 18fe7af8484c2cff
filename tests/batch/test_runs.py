"""Runs of a batch: what is computed, what is kept, and what happens when something fails."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.monitor import Snapshot
from napari_beadscope.batch.planning import open_plan
from napari_beadscope.batch.run import Stopping, run_batch
from napari_beadscope.batch.run_lock import RunLock
from napari_beadscope.batch.service import BatchError
from napari_beadscope.batch.status import read_status
from napari_beadscope.core.errors import InputError
from napari_beadscope.ring.segment import segment_names

from .conftest import SERVICES, Case, pixels, write_tiff

UNITS = 3 * (3 + 3 + 1)


def expected_table(seed: int, factor: int = 1) -> bytes:
    sums = pixels(seed)[:, 0].sum((1, 2), dtype=np.int64)
    rows = [f"{k},{s * factor},{r}" for k, (s, r) in enumerate(zip(sums, np.cumsum(sums)))]
    return ("\n".join(["frame,sum,running", *rows]) + "\n").encode()


def damage(path: Path) -> None:
    """Change a byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_everything_is_computed_once_and_right(case: Case) -> None:
    ending = case.run()
    assert (ending.state, ending.done, ending.units) == ("complete", UNITS, UNITS)
    outputs = case.outputs()
    for seed in range(3):
        assert outputs[f"positions/cells{seed}/table.csv"] == expected_table(seed)
    assert len(outputs) == UNITS  # and no drafts
    assert len(set(case.computed())) == len(case.computed()) == UNITS
    assert segment_names() == []
    results = case.results()
    case.forget_computed()
    again = case.run(verify=True)
    assert (again.state, again.kept) == ("complete", UNITS)
    assert case.computed() == []
    assert case.results() == results


def test_results_do_not_depend_on_workers_and_limits(case: Case) -> None:
    case.run()
    results = case.results()
    shutil.rmtree(case.out)
    case.more = {"workers": {"cpu": 1, "readers": 1, "queue_soft_limit": 1, "queue_hard_limit": 1}}
    plan = (case.out.parent / "plan.yaml").read_text()
    case.write()
    assert case.run().state == "complete"
    assert {k: v for k, v in case.results().items() if k != "plan.yaml"} == {
        k: v for k, v in results.items() if k != "plan.yaml"
    }
    assert plan != case.plan.read_text()


def test_killed_and_hung_workers_lose_nothing(case: Case) -> None:
    case.more = {"workers": {"unit_timeout_s": 3}}
    case.write()
    for fault in ("kill-cells0-sums-4", "kill-cells1-table-0", "hang-cells2-running-8"):
        case.fault(fault)
    ending = case.run()
    assert (ending.state, ending.done, ending.snapshot.deaths) == ("complete", UNITS, 3)
    computed = case.computed()
    twice = sorted({name for name in computed if computed.count(name) > 1})
    assert twice == ["cells0-sums-4", "cells1-table-0", "cells2-running-8"]
    outputs = case.outputs()
    shutil.rmtree(case.out)
    case.run()
    assert case.outputs() == outputs


def test_killed_readers_are_replaced(case: Case) -> None:
    case.take_time(0.2)
    killed = []

    def show(snapshot: Snapshot) -> None:
        readers = [one.pid for one in snapshot.workers if one.name.startswith("reader")]
        if readers and len(killed) < 2:
            killed.append(readers[0])
            os.kill(readers[0], signal.SIGKILL)

    ending = case.run(show=show)
    assert len(killed) == 2
    assert (ending.state, ending.done) == ("complete", UNITS)
    assert case.outputs()["positions/cells2/table.csv"] == expected_table(2)
    assert len(case.computed()) == UNITS
    assert segment_names() == []


def test_a_failure_stops_nothing_else_and_is_told(case: Case) -> None:
    case.fault("raise-cells1-sums-4")
    case.fault("crash-cells2-running-4")
    ending = case.run()
    assert (ending.state, ending.failed, ending.blocked) == ("failed", 2, 5)
    assert case.outputs()["positions/cells0/table.csv"] == expected_table(0)
    assert "positions/cells1/sums/000004-000007.npy" not in case.outputs()
    with Journal.open(case.out) as journal:
        raised, crashed = journal.rows(state="failed")
        blocked = list(journal.rows(state="blocked"))
    assert "these cells are upside down" in raised.error
    assert 'raise ValueError("these cells are upside down")' in raised.trace
    assert crashed.attempts == 3
    assert "SIGKILL" in crashed.error
    assert crashed.remedy
    assert all("which failed" in row.error for row in blocked)
    shutil.rmtree(case.faults)
    case.faults.mkdir()
    cured = case.run()
    assert (cured.state, cured.kept) == ("complete", UNITS - 7)
    assert len(case.computed()) == 7
    assert case.outputs()["positions/cells2/table.csv"] == expected_table(2)


def test_a_corrupt_plane_fails_alone_and_is_never_made_up(case: Case) -> None:
    path = case.folder / "cells1.tif"
    write_tiff(path, pixels(1), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[2 * 5].dataoffsets[0]  # frame 5 of the first channel
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + bytes(16) + whole[place + 16 :])
    ending = case.run()
    assert (ending.state, ending.failed) == ("failed", 1)
    with Journal.open(case.out) as journal:
        (row,) = journal.rows(state="failed")
    assert row.id == ("cells1", "sums", 4, 8)
    assert "cells1.tif" in row.error
    assert "frame 5" in row.error
    assert len(case.outputs()) == UNITS - 4  # it, what runs on from it twice, and the table
    assert segment_names() == []
    path.write_bytes(whole)
    assert case.run().state == "complete"
    assert case.outputs()["positions/cells1/table.csv"] == expected_table(1)


def test_a_cut_source_is_told_and_harms_nothing(case: Case) -> None:
    case.run()
    outputs = case.outputs()
    path = case.folder / "cells1.tif"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(InputError, match=r"cells1\.tif"):
        case.run()
    assert case.outputs() == outputs
    path.write_bytes(whole)
    assert case.run().state == "complete"
    assert case.outputs() == outputs


def test_a_source_that_changes_during_the_run_is_no_success(case: Case) -> None:
    case.take_time(0.1)
    path = case.folder / "cells1.tif"
    write_tiff(case.folder / "other", pixels(40))
    other = (case.folder / "other").read_bytes()
    assert len(other) == path.stat().st_size

    def change(snapshot: Snapshot) -> None:
        if snapshot.done and path.read_bytes() != other:
            path.write_bytes(other)

    ending = case.run(show=change)
    assert (ending.state, ending.done) == ("failed", UNITS - 7)
    with Journal.open(case.out) as journal:
        rows = list(journal.rows(state="failed"))
    assert {row.position for row in rows} == {"cells1"}
    assert all("changed" in row.error and row.remedy == "run it again" for row in rows)
    assert case.run().state == "complete"
    assert case.outputs()["positions/cells1/table.csv"] == expected_table(40)
    assert case.outputs()["positions/cells0/table.csv"] == expected_table(0)


def test_outputs_that_are_gone_cut_or_damaged_are_made_again(case: Case) -> None:
    case.run()
    outputs = case.outputs()
    (case.out / "positions/cells0/table.csv").unlink()
    cut = case.out / "positions/cells1/sums/000004-000007.npy"
    cut.write_bytes(cut.read_bytes()[:-3])
    damage(case.out / "positions/cells2/running/000000-000003.npy")
    case.forget_computed()
    ending = case.run()
    assert case.computed() == ["cells0-table-0", "cells1-sums-4"]
    assert len(ending.lost) == 2
    case.forget_computed()
    ending = case.run(verify=True)
    assert case.computed() == ["cells2-running-0"]
    assert ending.lost == ("positions/cells2/running/000000-000003.npy",)
    assert case.outputs() == outputs


def test_changes_recompute_what_depends_on_them_and_nothing_else(case: Case) -> None:
    case.run()
    before = case.outputs()
    case.forget_computed()
    case.settings = {"Table": {"factor": 2}}
    case.write()
    ending = case.run()
    assert ending.changed == 3
    assert case.computed() == [f"cells{k}-table-0" for k in range(3)]
    assert case.outputs()["positions/cells0/table.csv"] == expected_table(0, 2)
    case.settings = {}
    case.write()
    case.run()
    assert case.outputs() == before
    case.forget_computed()
    case.settings = {"Running": {"factor": 5}}
    case.write()
    case.run()
    assert {name.split("-")[1] for name in case.computed()} == {"running", "table"}
    case.forget_computed()
    write_tiff(case.folder / "cells1.tif", pixels(77))
    case.run()
    assert {name.split("-")[0] for name in case.computed()} == {"cells1"}
    assert case.outputs()["positions/cells1/table.csv"] == expected_table(77)


def test_more_recordings_and_other_chunks(case: Case) -> None:
    case.run()
    case.forget_computed()
    write_tiff(case.folder / "cells9.tif", pixels(9))
    assert case.run().kept == UNITS
    assert {name.split("-")[0] for name in case.computed()} == {"cells9"}
    case.more = {"chunk_frames": 6}
    case.write()
    case.run()
    assert not (case.out / "positions/cells0/sums/000000-000003.npy").exists()
    assert case.outputs()["positions/cells9/table.csv"] == expected_table(9)
    (case.folder / "cells9.tif").unlink()
    case.forget_computed()
    assert case.run().state == "complete"
    assert case.computed() == []
    assert "positions/cells9/table.csv" in case.outputs()  # made before, and still true


def test_results_of_another_recording_are_not_overwritten(case: Case) -> None:
    case.run()
    results = case.results()
    other = case.folder / "other"
    other.mkdir()
    write_tiff(other / "cells1.tif", pixels(50))
    plan = case.plan.read_text()
    case.plan.write_text(plan.replace("'*.tif'", "other/cells1.tif"))
    assert "other" in case.plan.read_text()
    with pytest.raises(InputError, match=r"has results of .*cells1\.tif as position 'cells1'"):
        case.run()
    assert case.results() == results
    case.plan.write_text(plan)
    shutil.move(case.folder / "cells0.tif", other / "cells0.tif")  # moved data are the same data
    shutil.move(case.folder / "cells1.tif", case.folder / "cells2.tif.old")
    case.plan.write_text(plan.replace("'*.tif'", "other/cells0.tif"))
    assert case.run().kept == 7


def test_changed_code_of_an_own_service_counts_as_a_change(case: Case) -> None:
    own = case.folder / "own.py"
    own.write_text(SERVICES.read_text())
    case.plan.write_text(case.plan.read_text().replace(str(SERVICES), "own.py"))
    case.run()
    case.forget_computed()
    own.write_text(SERVICES.read_text().replace("frame,sum,running", "frame,total,running"))
    for name in [name for name in sys.modules if name.startswith("beadscope_own_")]:
        del sys.modules[name]  # as in a new process
    case.run()
    assert len(case.computed()) == UNITS
    assert case.outputs()["positions/cells0/table.csv"].startswith(b"frame,total,running")


def test_drain_keeps_what_is_done(case: Case, stopping: Stopping) -> None:
    case.take_time(0.1)
    ending = case.run(stopping=stopping, show=lambda snapshot: snapshot.done and stopping.ask())
    assert ending.state == "interrupted"
    assert 0 < ending.done < UNITS
    assert len(case.computed()) == ending.done  # what was begun was finished
    assert read_status(case.out).state == "interrupted"
    assert case.run().kept == ending.done
    assert len(case.computed()) == UNITS


def test_stop_ends_at_once(case: Case, stopping: Stopping) -> None:
    case.fault("hang-cells0-sums-0")
    ending = case.run(stopping=stopping, show=lambda snapshot: snapshot.done > 3 and stopping.now())
    assert ending.state == "interrupted"
    assert case.run().state == "complete"
    assert case.outputs()["positions/cells0/table.csv"] == expected_table(0)


def test_a_folder_has_one_run_at_a_time(case: Case) -> None:
    case.out.mkdir()
    with RunLock(case.out), pytest.raises(BatchError, match="another run writes into"):
        case.run()
    assert case.run().state == "complete"


def test_chunks_beyond_the_memory_are_refused_before_anything_starts(case: Case) -> None:
    write_tiff(case.folder / "big.tif", np.zeros((8, 2, 2048, 2048), np.uint16))
    case.more = {"chunk_frames": 8, "workers": {"memory_mb": 64}}
    case.write()
    with pytest.raises(BatchError, match=r"134 MB .* where 64 MB are allowed: set `chunk_frames`"):
        case.run()
    assert case.computed() == []


def test_workers_that_cannot_start_end_the_run(case: Case, monkeypatch) -> None:
    monkeypatch.setattr("napari_beadscope.batch.child.python_command", lambda module: ["false"])
    with pytest.raises(BatchError, match="cannot be started"):
        case.run()
    assert read_status(case.out).state == "stopped"


def test_a_damaged_journal_is_told_and_nothing_is_overwritten(case: Case) -> None:
    case.run()
    journal = case.out / "journal.sqlite"
    journal.write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(BatchError, match=r"journal\.sqlite cannot be used"):
        case.run()
    assert journal.read_bytes().startswith(b"not a database")


def test_a_journal_with_rubbish_in_it_harms_nothing(case: Case) -> None:
    case.run()
    with sqlite3.connect(case.out / "journal.sqlite") as database:
        database.execute("UPDATE units SET output='../cells0.tif', last=99 WHERE last=12")
    database.close()
    assert case.run().state == "complete"
    assert (case.folder / "cells0.tif").exists()
    with sqlite3.connect(case.out / "journal.sqlite") as database:
        database.execute("UPDATE units SET facts='{cut'")
    database.close()
    with pytest.raises(BatchError, match=r"journal\.sqlite is damaged .* can be removed"):
        case.run()
    (case.out / "journal.sqlite").unlink()
    assert case.run().done == UNITS


def test_a_journal_that_is_locked_or_short_of_disk_is_not_called_damaged(
    case: Case, monkeypatch
) -> None:
    case.run()
    path = case.out / "journal.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Journal.open(case.out) as journal:
        journal._db.execute("PRAGMA busy_timeout = 1")
        journal._db.execute("PRAGMA query_only = 0")
        with pytest.raises(BatchError, match=r"locked\): close what else has it open"):
            journal.give_back()
    other.close()
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    for free, words in ((0, "is full: free space"), (1 << 30, r"I/O error\): check the disk and")):
        monkeypatch.setattr("napari_beadscope.batch.journal._free_bytes", {path: free}.get)
        with (
            Journal.create(case.out) as journal,
            pytest.raises(BatchError, match=words),
            journal.writing(),
        ):
            raise error


def test_somebodys_plan_is_not_written_over(case: Case) -> None:
    case.plan.write_text(f"# mine\n{case.plan.read_text().replace('output: out', 'output: .')}")
    text = case.plan.read_text()
    with pytest.raises(BatchError, match=r"a run writes its plan\.yaml, and .* has another one"):
        case.run()
    assert case.plan.read_text() == text
    assert not (case.folder / "journal.sqlite").exists()
    shutil.move(case.plan, case.folder / "mine.yaml")
    case.out.mkdir()
    assert run_batch(open_plan(case.folder / "mine.yaml")).done == UNITS
    assert run_batch(open_plan(case.folder / "plan.yaml")).kept == UNITS  # the one it has written


def test_status_while_it_runs_and_after(case: Case) -> None:
    seen = []
    case.take_time(0.1)
    case.run(show=lambda snapshot: seen.append(read_status(case.out)))
    assert seen[0].state == "running"
    assert {step.step for step in seen[0].steps} == {"sums", "running", "table"}
    assert {one.name for one in seen[0].workers} >= {"worker 1", "worker 2", "reader 1"}
    assert seen[-1].state == "complete"
    assert (seen[-1].done, seen[-1].units) == (UNITS, UNITS)
    with sqlite3.connect(case.out / "journal.sqlite") as database:
        database.execute("UPDATE run SET value = replace(value, 'complete', 'running')")
    database.close()
    assert read_status(case.out).state == "cut off"
