"""The process of a reader: ``python -m napari_beadscope.batch.reader``, orders on its input.

It puts frames into shared memory that the run has made and the run removes.
"""

from __future__ import annotations

import time

import numpy as np

from napari_beadscope.batch.compute import OpenSources
from napari_beadscope.batch.helper import serve
from napari_beadscope.batch.orders import Order, Read, ReadIn, Report
from napari_beadscope.batch.service import BatchError
from napari_beadscope.batch.source import SourceError
from napari_beadscope.ring.segment import Segment


def main() -> None:
    """Read frames until the run ends."""
    sources = OpenSources()

    def obey(order: Order) -> Report:
        if not isinstance(order, Read):
            raise BatchError(f"a reader cannot {type(order).__name__.lower()}")
        return _read(order, sources)

    serve(obey)


def _read(order: Read, sources: OpenSources) -> ReadIn:
    started = time.perf_counter()
    chunk = order.chunk
    source = sources.get(order.path, order.fingerprint)
    frames = source.read(order.position, chunk.channel, chunk.first, chunk.last)
    shape = (chunk.last - chunk.first, *order.shape)
    if frames.shape != shape or frames.dtype != np.dtype(order.dtype):
        raise SourceError(
            f"{order.path}: frames {chunk.first} to {chunk.last - 1} are {frames.shape} "
            f"{frames.dtype} where {shape} {order.dtype} was announced",
            "the file is damaged; take it out of the plan, or repair it",
        )
    segment = Segment.attach(chunk.segment, writable=True)
    try:
        segment.array(order.dtype, frames.size).reshape(shape)[...] = frames
    finally:
        segment.close()
    return ReadIn(order.number, time.perf_counter() - started)


if __name__ == "__main__":
    main()
