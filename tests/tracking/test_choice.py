"""What auto comes down to: the GPU where there is one and it pays, else the CPU, and why."""

from __future__ import annotations

import pytest

from napari_beadscope.tracking import choice
from napari_beadscope.tracking.backend import BackendInfo
from napari_beadscope.tracking.choice import choose_backend

GPU = BackendInfo("gpu", "GPU", available=True, why_not="")
NO_GPU = BackendInfo("gpu", "GPU", available=False, why_not="no device")
CPU = BackendInfo("cpu", "CPU", available=True, why_not="")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[BackendInfo]:
    has: list[BackendInfo] = []
    monkeypatch.setattr(choice, "candidates", lambda name, method: tuple(has))
    monkeypatch.setattr(choice, "usable_cores", lambda: 8)
    monkeypatch.setattr(choice, "nvidia_here", lambda: True)
    return has


@pytest.mark.parametrize(
    ("gpu", "name", "beads", "chosen", "why"),
    [
        (GPU, "auto", None, "gpu", ""),
        (GPU, "auto", 200, "gpu", ""),
        (GPU, "auto", 5, "cpu", "few beads for a GPU; 8 cores"),
        (NO_GPU, "auto", 200, "cpu", "no device; 8 cores"),
        (NO_GPU, "auto", 5, "cpu", "no device; 8 cores"),
        (GPU, "gpu", 5, "gpu", "asked for"),
    ],
)
def test_auto(
    machine: list[BackendInfo],
    gpu: BackendInfo,
    name: str,
    beads: int | None,
    chosen: str,
    why: str,
) -> None:
    machine[:] = [gpu] if name == "gpu" else [gpu, CPU]
    found = choose_backend(name, beads=beads)
    assert (found.name, found.why) == (chosen, why)


def test_cores_are_shared_and_batches_suit_the_backend(machine: list[BackendInfo]) -> None:
    machine[:] = [GPU, CPU]
    on_gpu = choose_backend(spare=2, sharers=3)
    on_cpu = choose_backend(spare=2, sharers=3, beads=1)
    assert on_gpu.threads == on_cpu.threads == 2
    assert on_gpu.batch_rois > on_cpu.batch_rois


def test_no_remedy_is_given_where_there_is_no_gpu(
    machine: list[BackendInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine[:] = [NO_GPU, CPU]
    monkeypatch.setattr(choice, "nvidia_here", lambda: False)
    assert choose_backend().sentence == "cpu, precise (no GPU; 8 cores)"
    assert choose_backend(beads=5).why == "no GPU; 8 cores"
