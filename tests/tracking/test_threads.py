"""How the CPU backend spreads a batch: the same rows whatever the threads, nothing left over."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest

from napari_beadscope.testing.backends import bad_rois, noisy_rings, ring_zlut
from napari_beadscope.tracking import METHODS, TrackResult, compiled, open_backend


def _bytes(result: TrackResult) -> list[bytes]:
    return [np.ascontiguousarray(getattr(result, f)).tobytes() for f in TrackResult.__slots__]


@pytest.mark.parametrize("method", METHODS)
def test_rows_do_not_depend_on_threads_or_batch(method: str) -> None:
    one = open_backend("cpu", method=method)
    lut = ring_zlut(one)
    good = noisy_rings(150, seed=4)[0].astype(np.float64)
    stack = np.concatenate([good[:77], np.stack(list(bad_rois().values())), good[77:]])
    whole = _bytes(one.track(stack, lut))
    for threads in (2, 3, 8):
        assert (
            _bytes(open_backend("cpu", method=method, threads=threads).track(stack, lut)) == whole
        )
    parts = [one.track(stack[low : low + 31], lut) for low in range(0, len(stack), 31)]
    assert [b"".join(pieces) for pieces in zip(*map(_bytes, parts), strict=True)] == whole


def test_pieces_cover_every_row_once_and_are_even() -> None:
    for threads in (1, 2, 7):
        for n in (0, 1, 47, 48, 50, 333, 5000):
            pieces = compiled._chunks(n, threads)
            rows = [row for piece in pieces for row in range(n)[piece]]
            assert rows == list(range(n))
            sizes = [piece.stop - piece.start for piece in pieces]
            assert max(sizes) - min(sizes) <= 1
            assert len(pieces) % max(1, min(threads, n // 24)) == 0  # as many for each thread
            assert len(pieces) == 1 or (threads > 1 and n >= 48)


def test_threads_last_from_call_to_call_and_end_with_the_backend() -> None:
    def ours() -> set[int]:
        return {t.ident for t in threading.enumerate() if t.name.startswith("tracking")}

    before = ours()
    backend = open_backend("cpu", method="magtrack-compatible", threads=3)
    stack = noisy_rings(200)[0]
    backend.track(stack, None)
    started = ours() - before
    backend.track(stack, None)
    assert 1 <= len(started) <= 2
    assert started <= ours()
    assert len(ours() - before) <= 2
    del backend
    gc.collect()
    end = time.monotonic() + 5
    while ours() - before and time.monotonic() < end:
        time.sleep(0.01)
    assert ours() <= before


def test_an_error_in_a_thread_is_raised() -> None:
    backend = open_backend("cpu", method="magtrack-compatible", threads=2)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("in a thread")

    backend._chain = fail
    with pytest.raises(ZeroDivisionError):
        backend.track(noisy_rings(200)[0], None)
