"""One thread for all libraries, so that processor time is that of what is measured.

Must not import numpy, whose library reads these variables when it is loaded.
"""

from __future__ import annotations

import os
import sys

_POOLS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip


def pin_threads() -> bool:
    """Let numeric libraries use one thread each; False if numpy is loaded already (too late)."""
    if "numpy" in sys.modules:
        return False
    for name in _POOLS:
        os.environ[name] = "1"
    return True
