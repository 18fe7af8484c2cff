"""A run on a Dask cluster: real scheduler and worker processes, one of them killed."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import warnings
from collections.abc import Iterator

import pytest

from napari_beadscope.batch.service import BatchError

from .conftest import Case

UNITS = 21


@pytest.fixture
def cluster() -> Iterator[object]:
    """A scheduler and two worker processes on this machine."""
    from distributed import LocalCluster

    before = dict(os.environ)
    with (
        warnings.catch_warnings(),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made,
    ):
        yield made
    os.environ.clear()  # it leaves what its workers are to have, such as their number of threads
    os.environ.update(before)


def test_a_cluster_makes_the_same_and_a_killed_worker_loses_nothing(case: Case, cluster) -> None:
    case.take_time(0.1)
    case.run()
    outputs = case.outputs()
    shutil.rmtree(case.out)
    case.fault("raise-cells0-sums-4")
    killed = threading.Event()

    def show(snapshot) -> None:
        if snapshot.done > 2 and not killed.is_set():
            killed.set()
            os.kill(cluster.workers[0].pid, signal.SIGKILL)

    failed = case.run(scheduler=cluster.scheduler_address, show=show)
    assert killed.is_set()
    assert (failed.state, failed.failed, failed.blocked) == ("failed", 1, 3)
    (case.faults / "raise-cells0-sums-4").unlink()
    case.fault("hang-cells0-table-0")
    case.more = {"workers": {"unit_timeout_s": 5}}
    case.write()
    ending = case.run(scheduler=cluster.scheduler_address)
    assert (ending.state, ending.kept, ending.snapshot.deaths) == ("complete", UNITS - 4, 1)
    assert case.outputs() == outputs


def test_nobody_at_the_address_is_told(case: Case, monkeypatch) -> None:
    monkeypatch.setattr("napari_beadscope.batch.cluster._PATIENCE_S", 0.5)
    with pytest.raises(BatchError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        case.run(scheduler="tcp://127.0.0.1:9")


def test_what_is_no_address_is_told(case: Case) -> None:
    with pytest.raises(BatchError, match=r"no Dask scheduler answers at nope .*port"):
        case.run(scheduler="nope")
