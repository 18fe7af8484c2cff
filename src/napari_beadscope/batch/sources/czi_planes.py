"""Planes of a CZI file, by Zeiss's own library, from a file that stays open.

Owns which planes a file really has. bioio, which tells what the file is, opens it anew for every
plane, so that a plane of a long file costs more; and both give zeros for planes that were never
taken. Must not know positions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_beadscope.core.lifetime import Closing


class CziPlanes(Closing):
    """The planes of a CZI file.

    Raises
    ------
    ImportError
        The library is not installed.
    Exception
        It does not read the file; its errors have no class of their own.
    """

    def __init__(self, path: Path) -> None:
        from pylibCZIrw import czi

        self._reader = czi.CziReader(str(path))
        self._scenes = sorted(self._reader.scenes_bounding_rectangle)
        self._present: set[tuple[int, int, int, int]] = set()
        self._reader.enumerate_subblocks(self._note)

    def _note(self, _: int, info: object) -> bool:
        at = info.coordinate.to_dict()  # type: ignore[attr-defined]
        self._present.add((at.get("S", 0), at.get("T", 0), at.get("C", 0), at.get("Z", 0)))
        return True

    @property
    def scenes(self) -> int:
        """How many scenes the file has."""
        return max(1, len(self._scenes))

    def has(self, scene: int, t: int, c: int, z: int) -> bool:
        """Return whether any part of a plane is in the file; `scene` counts from 0."""
        return (self._key(scene), t, c, z) in self._present

    def plane(self, scene: int, t: int, c: int, z: int) -> np.ndarray:
        """Return ``(y, x)``, or ``(y, x, 3)`` of a file in colour, whose order is blue first."""
        several = scene if len(self._scenes) > 1 else None
        pixels = self._reader.read(
            plane={"T": t, "C": c, "Z": z}, scene=None if several is None else self._key(scene)
        )
        return np.asarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)

    def _key(self, scene: int) -> int:
        return int(self._scenes[scene]) if self._scenes else 0

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
