"""How kernels are compiled: once, cached on disk, without the GIL. Knows no kernel.

numba keys its cache on the file that holds the function that is called, not on those of its
helpers: keep what one entry point needs in one module as far as possible, and save the entry
point's module, too, after an edit of a helper elsewhere.
"""

from __future__ import annotations

from typing import Any

from numba import njit

_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
_FAST = {"contract", "reassoc", "nsz"}  # NaN and infinity keep their meaning


def compiled(function: Any) -> Any:
    """Compile `function` on first use; sums may be reordered, NaN is respected."""
    return njit(fastmath=_FAST, **_OPTIONS)(function)


def compiled_for_finite(function: Any) -> Any:
    """The same for arguments that are known to be finite."""
    return njit(fastmath=_FAST | {"nnan"}, **_OPTIONS)(function)
