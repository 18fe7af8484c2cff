"""Frames of single-image files: PNG, JPEG, BMP, one file a frame.

Owns decoding by Pillow. Must not know how files are found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.lifetime import Closing
from napari_beadscope.core.types import FrameFormat
from napari_beadscope.devices.camera import check_target
from napari_beadscope.devices.replay.source import check_dtype, to_grey

#: Pillow's modes whose pixels are taken as they are; 1-bit and palette images are converted.
_PLAIN = frozenset({"L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I;16L"})


def read_image(path: Path) -> np.ndarray:
    """Return the grey image ``(y, x)`` of a file, uint8 or uint16.

    Raises
    ------
    InputError
        The file cannot be decoded, or has other pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            plain = image if image.mode in _PLAIN else _plain(image)
            pixels = np.asarray(plain)
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not an image", "check the file") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path} is damaged ({error})", "copy the file again") from error
    check_dtype(pixels.dtype, str(path))
    return to_grey(pixels)


def _plain(image: object) -> object:
    mode = image.mode  # type: ignore[attr-defined]
    if mode in ("1", "P", "PA", "CMYK", "YCbCr", "La", "RGBa", "RGBX"):
        return image.convert("L" if mode == "1" else "RGB")  # type: ignore[attr-defined]
    return image


class ImageFrames(Closing):
    """The images of a folder, or one image, as frames.

    The size is that of the first; an image of another size is found when it is read, except
    that the headers of all files are compared at once.

    Parameters
    ----------
    place : Path
        Folder or file, for messages.
    files : list of Path
        The images in order.

    Raises
    ------
    InputError
        A file is not an image, or the sizes differ.
    """

    def __init__(self, place: Path, files: list[Path]) -> None:
        self.name = str(place)
        self.fps: float | None = None
        self.note = ""
        self._files = files
        first = read_image(files[0])
        self._format = FrameFormat(first.shape[0], first.shape[1], str(first.dtype))
        for file in files[1:]:
            size = _size(file)
            if size != (first.shape[1], first.shape[0]):
                raise InputError(
                    f"{file} is {size[0]} x {size[1]} px, {files[0].name} is"
                    f" {first.shape[1]} x {first.shape[0]} px",
                    "keep only images of one size in the folder",
                )

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        return self._format

    def __len__(self) -> int:
        return len(self._files)

    def read_into(self, index: int, out: np.ndarray) -> None:
        """Copy frame `index` into `out`; see `FrameSource.read_into`."""
        check_target(out, self._format)
        if index >= len(self._files):
            raise DeviceError(f"{self.name} has no frame {index}", f"it has {len(self)} frames")
        try:
            image = read_image(self._files[index])
        except InputError as error:
            raise DeviceError(f"frame {index}: {error.what}", error.remedy) from error
        if image.shape != out.shape or image.dtype != out.dtype:
            raise DeviceError(
                f"frame {index}, {self._files[index]}, is {image.dtype} {image.shape},"
                f" the first is {out.dtype} {out.shape}",
                "keep only images of one size and type in the folder",
            )
        out[...] = image


def _size(file: Path) -> tuple[int, int]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            return image.size
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise InputError(f"{file} is not an image", "take it out of the folder") from error
