"""Files of every kind that replay reads, written from one stack of frames.

Owns the writing of test input. Must not know who reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import tifffile
from PIL import Image

GREY: dict[str, Any] = {"photometric": "minisblack"}
#: Kinds that keep every pixel, for uint8 frames.
EXACT = (
    "tiff", "bigtiff", "big-endian", "ome", "ome-z", "imagej", "zlib", "tiled", "rgb",
    "tiff-folder", "multi-ome", "recording",
    "png-folder", "png-rgb-folder", "png-alpha-folder", "bmp-folder",
    "ffv1-avi", "raw-avi", "rgb-avi", "ffv1-mkv",
)  # fmt: skip
LOSSY = ("jpg-folder", "x264-mp4", "mpeg4-mp4", "mjpeg-avi")
KINDS = EXACT + LOSSY
#: Kinds that keep every pixel of uint16 frames too.
DEEP = (
    "tiff", "bigtiff", "big-endian", "ome", "imagej", "zlib", "rgb", "tiff-folder", "png-folder",
    "deep-avi",
)  # fmt: skip

_CODECS = {
    "ffv1-avi": ("ffv1", "gray", ".avi"),
    "deep-avi": ("ffv1", "gray16le", ".avi"),
    "raw-avi": ("rawvideo", "gray", ".avi"),
    "rgb-avi": ("rawvideo", "bgr24", ".avi"),
    "ffv1-mkv": ("ffv1", "gray", ".mkv"),
    "x264-mp4": ("libx264", "yuv420p", ".mp4"),
    "mpeg4-mp4": ("mpeg4", "yuv420p", ".mp4"),
    "mjpeg-avi": ("mjpeg", "yuvj420p", ".avi"),
}


def write_video(path: Path, frames: np.ndarray, codec: str, pixels: str, fps: int = 25) -> Path:
    """Write frames ``(t, y, x)`` as a movie."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = pixels
        kind = "gray" if frames.dtype == np.uint8 else "gray16le"
        for image in frames:
            frame = av.VideoFrame.from_ndarray(image, format=kind)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_images(folder: Path, frames: np.ndarray, ending: str, colours: int = 1) -> Path:
    """Write one image a frame, named so that only natural order is right."""
    folder.mkdir()
    for number, image in enumerate(frames):
        if colours > 1:
            image = np.repeat(image[..., None], colours, axis=2)
            image[..., 3:] = 255
        Image.fromarray(image).save(folder / f"img_{number}{ending}")
    return folder


def _write_tiff(kind: str, path: Path, frames: np.ndarray) -> Path:
    if kind == "tiff":
        tifffile.imwrite(path, frames, **GREY)
    elif kind == "bigtiff":
        tifffile.imwrite(path, frames, bigtiff=True, **GREY)
    elif kind == "big-endian":
        tifffile.imwrite(path, frames, byteorder=">", **GREY)
    elif kind == "ome":
        path = path.with_suffix(".ome.tif")
        tifffile.imwrite(path, frames, ome=True, metadata={"axes": "TYX"})
    elif kind == "ome-z":
        path = path.with_suffix(".ome.tif")
        tifffile.imwrite(path, frames[:, None], ome=True, metadata={"axes": "ZCYX"})
    elif kind == "imagej":
        tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TYX", "finterval": 0.02})
    elif kind == "zlib":
        tifffile.imwrite(path, frames, compression="zlib", **GREY)
    elif kind == "tiled":
        tifffile.imwrite(path, frames, tile=(16, 32), **GREY)
    elif kind == "rgb":
        tifffile.imwrite(path, np.repeat(frames[..., None], 3, axis=3), photometric="rgb")
    return path


def _write_tiff_folder(kind: str, folder: Path, frames: np.ndarray) -> Path:
    folder.mkdir()
    cut = len(frames) // 2
    if kind == "tiff-folder":
        for number, part in enumerate((frames[:1], frames[1:cut], frames[cut:])):
            _write_tiff("tiff", folder / f"part{8 + number}.tif", part)
    elif kind == "recording":
        _write_tiff("ome", folder / "video_0000", frames[:cut])
        _write_tiff("ome", folder / "video_0001", frames[cut:])
        _write_tiff("tiff", folder / "bead_0000.ome.tif", frames[:, :8, :8])
        (folder / "recording.yaml").write_text("state: complete\n")
    else:
        return _write_multi_ome(folder, frames)
    return folder


def _write_multi_ome(folder: Path, frames: np.ndarray) -> Path:
    """Write one OME-TIFF over a file per frame; the first tells of the others."""
    length, height, width = frames.shape
    names = [f"frame_{number}.ome.tif" for number in range(length)]
    marks = [f"urn:uuid:00000000-0000-0000-0000-{number:012d}" for number in range(length)]
    planes = "".join(
        f'<TiffData FirstT="{number}" IFD="0" PlaneCount="1"><UUID FileName="{names[number]}">'
        f"{marks[number]}</UUID></TiffData>"
        for number in range(length)
    )
    for number, frame in enumerate(frames):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/'
            f'Schemas/OME/2016-06" UUID="{marks[number]}"><Image ID="Image:0"><Pixels '
            f'DimensionOrder="XYCZT" ID="Pixels:0" SizeC="1" SizeT="{length}" SizeZ="1" '
            f'SizeX="{width}" SizeY="{height}" Type="{frames.dtype}">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(folder / names[number], frame, description=xml, metadata=None)
    return folder / names[0]


def write_kind(kind: str, folder: Path, frames: np.ndarray) -> Path:
    """Write frames ``(t, y, x)`` as one of `KINDS` and return what to replay."""
    if kind in _CODECS:
        codec, pixels, ending = _CODECS[kind]
        return write_video(folder / f"movie{ending}", frames, codec, pixels)
    if kind in ("tiff-folder", "multi-ome", "recording"):
        return _write_tiff_folder(kind, folder / "tiffs", frames)
    if kind.endswith("-folder"):
        colours = {"png-rgb": 3, "png-alpha": 4}.get(kind.removesuffix("-folder"), 1)
        ending = "." + kind.split("-")[0]
        return write_images(folder / "images", frames, ending, colours)
    return _write_tiff(kind, folder / "stack.tif", frames)
