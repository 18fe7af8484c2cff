"""What the services for cells have in common: their channels, labels on disk, backgrounds on disk.

Owns the meaning of the settings that several of them have, and two kinds of file. Must not know
what is computed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import BatchError, PlanChannels, Work
from napari_beadscope.core.errors import InputError

if TYPE_CHECKING:
    from napari_beadscope.batch.cells import Background

PHASE, FLUORESCENCE = "phase", "fluorescence"

CellChannel = Annotated[
    int | None,
    Field(
        ge=0,
        description="Channel with the cells, from 0; none takes the plan's phase channel",
    ),
]
FluorescenceChannels = Annotated[
    tuple[int, ...] | None,
    Field(description="Channels that are measured, from 0; none takes the plan's fluorescence"),
]


def cell_channel(plan_channels: PlanChannels, given: int | None) -> int:
    """Return the channel that shows the cells: the step's or the plan's.

    Raises
    ------
    InputError
        Neither names one.
    """
    if given is not None:
        return given
    if not plan_channels.get(PHASE):
        raise InputError(
            "no channel is said to show the cells",
            "give 'channels: {phase: 0}' in the plan, or this step's 'channel'",
        )
    return plan_channels[PHASE][0]


def fluorescence_channels(
    plan_channels: PlanChannels, given: Sequence[int] | None
) -> tuple[int, ...]:
    """Return the channels that are measured: the step's or the plan's; none is fine.

    Examples
    --------
    >>> fluorescence_channels({"fluorescence": (1, 2)}, None), fluorescence_channels({}, None)
    ((1, 2), ())
    """
    return tuple(plan_channels.get(FLUORESCENCE, ()) if given is None else given)


def checked_channels(work: Work, channels: Sequence[int]) -> None:
    """Refuse channels that the position does not have."""
    for channel in channels:
        if channel >= len(work.position.channels):
            raise BatchError(
                f"{work.position.path} has no channel {channel}",
                f"it has channels 0 to {len(work.position.channels) - 1}",
            )


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write labels (n, y, x) as a compressed TIFF, the same bytes for the same labels."""
    import tifffile

    kind = np.uint16 if labels.max(initial=0) <= 0xFFFF else np.uint32
    tifffile.imwrite(
        path,
        labels.astype(kind),
        photometric="minisblack",
        compression="zlib",
        compressionargs={"level": 1},
        rowsperstrip=labels.shape[1],
        metadata={"axes": "TYX"},
    )


def read_labels(paths: Sequence[Path]) -> Generator[np.ndarray, None, None]:
    """Give the labels of every frame of files in order, (y, x) int32 each."""
    import tifffile

    for path in paths:
        with tifffile.TiffFile(path) as file:
            for page in file.pages:
                yield page.asarray().astype(np.int32)


@dataclass(frozen=True, slots=True)
class Corrections:
    """Backgrounds of the frames of a chunk, by channel, and how they are applied."""

    backgrounds: Mapping[int, tuple[Background, ...]]
    mode: str
    dark: float
    flat: np.ndarray | None = None

    def apply(self, channel: int, at: int, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what cells send out in the chunk's frame `at`, and the background."""
        from napari_beadscope.core.errors import BeadscopeError

        background = self.backgrounds[channel][at]
        below = background.image()
        try:
            corrected = background.corrected(
                image, mode=self.mode, dark=self.dark, flat=self.flat, below=below
            )
        except BeadscopeError as error:
            raise BatchError(f"channel {channel}: {error.what}", error.remedy) from error
        return corrected, below


def save_corrections(path: Path, corrections: Corrections, shape: tuple[int, int]) -> None:
    """Write corrections, the same bytes for the same values."""
    arrays: dict[str, Any] = {
        "shape": np.array(shape),
        "mode": np.array(corrections.mode),
        "dark": np.array(corrections.dark),
    }
    for channel, backgrounds in corrections.backgrounds.items():
        arrays[f"c{channel}"] = np.stack([one.coefficients for one in backgrounds])
        arrays[f"covered_c{channel}"] = np.array([one.covered for one in backgrounds])
    if corrections.flat is not None:
        arrays["flat"] = corrections.flat
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def load_corrections(path: Path) -> Corrections:
    """Return what `save_corrections` has written.

    Raises
    ------
    BatchError
        The file is no such one.
    """
    from napari_beadscope.batch.cells import Background

    try:
        with np.load(path, allow_pickle=False) as file:
            shape = (int(file["shape"][0]), int(file["shape"][1]))
            backgrounds = {
                int(name[1:]): tuple(
                    Background(shape, values, float(covered))
                    for values, covered in zip(file[name], file[f"covered_{name}"], strict=True)
                )
                for name in file.files
                if name[0] == "c" and name[1:].isdigit()
            }
            flat = file["flat"] if "flat" in file.files else None
            return Corrections(backgrounds, str(file["mode"]), float(file["dark"]), flat)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BatchError(
            f"{path} holds no backgrounds ({error})", "run the batch again with --verify"
        ) from error
