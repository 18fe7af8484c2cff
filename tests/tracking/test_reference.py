"""How the reference backend calls magtrack: in pieces, and by an array module of its choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_beadscope.testing.backends import assert_same, bad_rois, noisy_rings, ring_zlut
from napari_beadscope.tracking import open_backend, reference


class _Recorder:
    """numpy, and a note of what was asked of it."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(name)
        return getattr(np, name)


class _OnDevice:
    """A result that must be fetched, as CuPy's."""

    def get(self) -> np.ndarray:
        return np.arange(3)


def test_the_array_module_needs_two_functions_only() -> None:
    recorder = _Recorder()
    backend = reference.MagtrackBackend("magtrack-gpu", "cuda:0", recorder)
    stack = np.concatenate([noisy_rings(3)[0].astype(float), np.stack(list(bad_rois().values()))])
    lut = ring_zlut(open_backend("cpu", method="magtrack-compatible"))
    assert_same(
        backend.track(stack, lut),
        open_backend("magtrack", method="magtrack-compatible").track(stack, lut),
    )
    assert recorder.asked == {"asarray", "ascontiguousarray"}
    assert reference._to_host(_OnDevice()).tolist() == [0, 1, 2]


def test_large_stacks_are_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    stack, _ = noisy_rings(11)
    backend = open_backend("magtrack", method="magtrack-compatible")
    expected = backend.track(stack, None)
    monkeypatch.setattr(reference, "_PIXELS_AT_ONCE", 3 * 48 * 48)
    assert_same(backend.track(stack, None), expected)


def test_why_not_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "find_spec", lambda name: None)
    assert "pip install magtrack" in reference.why_not_cpu()
    assert "pip install magtrack" in reference.why_not_gpu()
    monkeypatch.setattr(reference, "find_spec", lambda name: name == "magtrack" or None)
    assert "gpu" in reference.why_not_gpu()
