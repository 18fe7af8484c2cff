"""The process of a worker: ``python -m napari_beadscope.batch.worker``, orders on its input."""

from __future__ import annotations

from napari_beadscope.batch.compute import Computer
from napari_beadscope.batch.helper import serve
from napari_beadscope.batch.orders import Compute, Order, Report
from napari_beadscope.batch.service import BatchError


def main() -> None:
    """Compute units until the run ends."""
    computer = Computer()

    def obey(order: Order) -> Report:
        if not isinstance(order, Compute):
            raise BatchError(f"a worker cannot {type(order).__name__.lower()}")
        return computer.compute(order)

    serve(obey)


if __name__ == "__main__":
    main()
