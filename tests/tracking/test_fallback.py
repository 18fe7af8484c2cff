"""A GPU that fails: the same batch goes to the CPU, it is said once, and that is that."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.testing.backends import noisy_rings
from napari_beadscope.tracking import Backend, TrackResult, ZLut, fallback, open_backend
from napari_beadscope.tracking.compiled import CpuBackend
from napari_beadscope.tracking.fallback import GpuOrCpu


class FailingGpu:
    """Gives the CPU's rows, and after some batches errors as a driver does."""

    name = "gpu"
    device = "cuda:0"
    method = "precise"

    def __init__(self, batches: int, *, warms_up: bool = True) -> None:
        self.left = batches
        self.asked = 0
        self._warms_up = warms_up
        self._cpu = CpuBackend(self.method)

    def warm_up(self, size_px: int, dtype: str, zlut: ZLut | None) -> None:
        if not self._warms_up:
            raise MemoryError("out of memory")

    def track(self, stack: np.ndarray, zlut: ZLut | None) -> TrackResult:
        self.asked += 1
        if zlut is not None:
            zlut.check_matches(stack.shape[1])
        if self.left == 0:
            raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access\nwas met")
        self.left -= 1
        return self._cpu.track(stack, zlut)


def same(one: TrackResult, other: TrackResult) -> bool:
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=True)
        for f in fields(TrackResult)
    )


def test_not_one_row_is_lost_and_the_gpu_is_not_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gpu = FailingGpu(batches=3)
    backend: Backend = GpuOrCpu(gpu=gpu)
    stack = noisy_rings(60)[0]
    whole = open_backend("cpu").track(stack, None)
    for at in range(0, 60, 10):
        assert (backend.name, backend.device) == (("gpu", "cuda:0") if at <= 30 else ("cpu", "cpu"))
        part = backend.track(stack[at : at + 10], None)
        assert same(part, whole.part(slice(at, at + 10)))
    assert gpu.asked == 4
    said = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in said] == [backend.note]
    assert backend.note == (
        "the GPU failed (RuntimeError: cudaErrorIllegalAddress: an illegal memory access); "
        "the CPU tracks instead"
    )


def test_many_threads_that_meet_the_failure_say_it_once(caplog: pytest.LogCaptureFixture) -> None:
    backend = GpuOrCpu(gpu=FailingGpu(batches=2))
    stack = noisy_rings(8)[0]
    whole = open_backend("cpu").track(stack, None)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: backend.track(stack, None), range(12)))
    assert all(same(result, whole) for result in results)
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 1


def test_a_gpu_that_cannot_be_prepared_or_opened_is_left_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unprepared = GpuOrCpu(gpu=FailingGpu(batches=9, warms_up=False))
    unprepared.warm_up(48, "uint8", None)
    assert unprepared.name == "cpu"
    assert "MemoryError: out of memory" in unprepared.note

    def broken(method: str) -> Backend:
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(fallback, "_open_gpu", broken)
    unopened = GpuOrCpu("magtrack-compatible")
    assert (unopened.name, unopened.method) == ("cpu", "magtrack-compatible")
    assert len(unopened.track(noisy_rings(3)[0], None)) == 3


def test_a_users_mistake_is_no_failure_of_the_gpu() -> None:
    backend = GpuOrCpu(gpu=FailingGpu(batches=9))
    lut = ZLut(np.arange(20.0), np.random.default_rng(0).uniform(0, 255, (20, 5)))
    with pytest.raises(InputError):
        backend.track(noisy_rings(3)[0], lut)
    assert backend.name == "gpu"
    assert backend.note == ""
