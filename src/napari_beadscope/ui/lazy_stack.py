"""Movies as napari wants them, of which a frame is made when it is shown.

Owns how such an array is indexed, and the few frames that are kept. Must not know what is in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any

import numpy as np

_KEPT_FRAMES = 4


class LazyStack(ABC):
    """What napari asks of an image ``(t, y, x)``; subclasses say what a frame is.

    Parameters
    ----------
    shape : tuple of int
        ``(t, y, x)``.
    dtype : dtype
        Of the pixels.
    """

    ndim = 3

    def __init__(self, shape: tuple[int, int, int], dtype: Any) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype).newbyteorder("=")
        self.size = int(np.prod(shape))
        self._kept = lru_cache(_KEPT_FRAMES)(self.frame)

    @abstractmethod
    def frame(self, number: int) -> np.ndarray:
        """Return one frame ``(y, x)``."""

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        key = key if isinstance(key, tuple) else (key,)
        first, rest = key[0], key[1:]
        if isinstance(first, (int, np.integer)):
            return self._kept(range(len(self))[int(first)])[rest]
        frames = [self._kept(int(number)) for number in np.arange(len(self))[first]]
        stack = np.stack(frames) if frames else np.zeros((0, *self.shape[1:]), self.dtype)
        return stack[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)
