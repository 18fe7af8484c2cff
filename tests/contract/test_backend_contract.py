"""Every available tracking backend, against the shipped contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_beadscope.testing.backends import BACKEND_CHECKS
from napari_beadscope.tracking import Backend, list_backends, open_backend

AVAILABLE = [
    (info.name, method) for info in list_backends() if info.available for method in info.methods
]


@pytest.fixture(scope="module", params=AVAILABLE, ids=" ".join)
def backend(request: pytest.FixtureRequest) -> Backend:
    name, method = request.param
    opened = open_backend(name, method=method)
    assert (opened.name, opened.method) == (name, method)
    opened.warm_up(48, "uint8", None)
    return opened


@pytest.mark.parametrize("check", BACKEND_CHECKS, ids=lambda check: check.__name__)
def test_backend_contract(backend: Backend, check: Callable[[Backend], None]) -> None:
    check(backend)


def test_both_cpu_backends_are_here() -> None:
    assert {
        ("cpu", "precise"),
        ("cpu", "magtrack-compatible"),
        ("magtrack", "magtrack-compatible"),
    } <= set(AVAILABLE)
