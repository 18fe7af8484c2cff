"""How full a GPU is, asked of a stand-in for CuPy."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from napari_beadscope.tracking.gpu_memory import memory_in_use


def stand_in(device: object) -> ModuleType:
    module = ModuleType("cupy")
    module.cuda = SimpleNamespace(Device=device)  # type: ignore[attr-defined]
    return module


def test_what_is_in_use_is_what_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def device(index: int) -> SimpleNamespace:
        asked.append(index)
        return SimpleNamespace(mem_info=(30, 100))

    monkeypatch.setitem(sys.modules, "cupy", stand_in(device))
    assert memory_in_use("cuda:1") == (70, 100)
    assert asked == [1]
    assert memory_in_use("cpu") == (0, 0)


def test_a_device_that_fails_does_not_fail_the_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    def device(index: int) -> None:
        raise RuntimeError("cudaErrorNoDevice")

    monkeypatch.setitem(sys.modules, "cupy", stand_in(device))
    assert memory_in_use("cuda:0") == (0, 0)
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert memory_in_use("cuda:0") == (0, 0)
