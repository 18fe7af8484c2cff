"""How kernels are compiled: once, cached on disk, without the GIL. Knows no kernel.

numba keys its cache on the file that holds the function that is called, not on those of its
helpers: keep what one entry point needs in one module as far as possible, and save the entry
point's module, too, after an edit of a helper elsewhere.
"""

from __future__ import annotations

import logging
import pickle
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

_log = logging.getLogger(__name__)
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_FAST = {"contract", "reassoc", "nsz"}  # NaN and infinity keep their meaning


def compiled(function: Any) -> Any:
    """Compile `function` on first use; sums may be reordered, NaN is respected."""
    return cached(njit(fastmath=_FAST, **_OPTIONS)(function))


def compiled_for_finite(function: Any) -> Any:
    """The same for arguments that are known to be finite."""
    return cached(njit(fastmath=_FAST | {"nnan"}, **_OPTIONS)(function))


def cached(dispatcher: Any) -> Any:
    """Let a compiled function keep its code on disk; files that cannot be read are made anew."""
    dispatcher._cache = _Forgiving(dispatcher.py_func)
    return dispatcher


class _Forgiving(FunctionCache):
    """numba's cache, which would raise whatever a file that was cut off makes of itself."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (
            AttributeError,
            EOFError,
            ImportError,
            LookupError,
            TypeError,
            ValueError,
            pickle.UnpicklingError,
        ) as error:
            _log.warning("%s is damaged and is made anew (%r)", self.cache_path, error)
            self.flush()
            return None
