"""Append-only contiguous BigTIFF: survives being killed at any instant.

Owns the byte layout of one movie file. Knows nothing of recordings, stamps or beads: how many
pages count is told by whoever calls `finish_movie` or `MovieWriter.reopen`.

Layout::

    0      BigTIFF header
    16     IFD of page 0, then the OME-XML, padded        <- one 4 KiB block, rewritten in one write
    4096   pages, contiguous
    ...    IFDs of pages 1 to n - 1                        <- only once finished

Until it is finished the file is a valid TIFF of its first page.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from napari_beadscope.storage.appending import check_untouched, cut_file, write_all

DATA_START = 4096
_IFD_PAGES_PER_WRITE = 1 << 16
_STEADY_BYTES = 8 << 20  # handed to the disk at a time
_CACHED_BYTES = 128 << 20  # of what was written, kept in the page cache until it surely is on disk
_TAG = np.dtype([("code", "<u2"), ("type", "<u2"), ("count", "<u8"), ("value", "<u8")])
_SHORT, _LONG, _LONG8, _ASCII = 3, 4, 16, 2
_NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


@dataclass(frozen=True, slots=True)
class MovieSpec:
    """What one movie file holds; with the number of pages it determines all but the pixels.

    Parameters
    ----------
    height_px, width_px : int
        Size of a page.
    dtype : str
        'uint8' or 'uint16'.
    name : str
        Shown by other software as the image's name.
    nm_per_px : float
        Size of a pixel in the sample, nm; 0 when unknown.
    interval_s : float
        Nominal time between pages, s; 0 when unknown.
    started_utc : str
        ISO 8601 time of the recording's start, or ''.
    """

    height_px: int
    width_px: int
    dtype: str
    name: str = ""
    nm_per_px: float = 0.0
    interval_s: float = 0.0
    started_utc: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` of a page in px."""
        return (self.height_px, self.width_px)

    @property
    def storage_dtype(self) -> np.dtype:
        """The little-endian type on disk."""
        return np.dtype(self.dtype).newbyteorder("<")

    @property
    def page_bytes(self) -> int:
        """Bytes of one page."""
        return self.height_px * self.width_px * np.dtype(self.dtype).itemsize

    def file_bytes(self, pages: int) -> int:
        """Bytes of a finished file of that many pages."""
        if pages < 2:
            return DATA_START + pages * self.page_bytes
        return _ifd_start(self, pages) + (pages - 1) * _ifd_dtype(_PAGE_TAGS).itemsize


def ifd_bytes(pages: int) -> int:
    """Bytes that `finish_movie` appends, at most."""
    return pages * _ifd_dtype(_PAGE_TAGS).itemsize + 8


_PAGE_TAGS = 10


def _ifd_dtype(tags: int) -> np.dtype:
    return np.dtype([("count", "<u8"), ("tags", _TAG, (tags,)), ("next", "<u8")])


def _ifd_start(spec: MovieSpec, pages: int) -> int:
    end = DATA_START + pages * spec.page_bytes
    return end + -end % 8


def _tags(spec: MovieSpec) -> list[tuple[int, int, int, int]]:
    """Tags of every page, sorted by code; the strip offset is filled in later."""
    height, width = spec.shape
    return [
        (256, _LONG, 1, width),
        (257, _LONG, 1, height),
        (258, _SHORT, 1, 8 * np.dtype(spec.dtype).itemsize),
        (259, _SHORT, 1, 1),  # no compression
        (262, _SHORT, 1, 1),  # black is zero
        (273, _LONG8, 1, DATA_START),
        (277, _SHORT, 1, 1),  # samples per pixel
        (278, _LONG, 1, height),  # one strip
        (279, _LONG8, 1, spec.page_bytes),
        (339, _SHORT, 1, 1),  # unsigned
    ]


def ome_xml(spec: MovieSpec, pages: int) -> str:
    """Return the OME-XML (schema 2016-06) of a movie of `pages` time points."""
    pixel = ""
    if spec.nm_per_px > 0:
        size = f"{spec.nm_per_px:.10g}"
        pixel = (
            f' PhysicalSizeX="{size}" PhysicalSizeXUnit="nm"'
            f' PhysicalSizeY="{size}" PhysicalSizeYUnit="nm"'
        )
    if spec.interval_s > 0:
        pixel += f' TimeIncrement="{spec.interval_s:.10g}" TimeIncrementUnit="s"'
    date = f"<AcquisitionDate>{spec.started_utc[:19]}Z</AcquisitionDate>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<OME xmlns="{_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:schemaLocation="{_NAMESPACE} {_NAMESPACE}/ome.xsd" Creator="napari-beadscope">'
        f'<Image ID="Image:0" Name={quoteattr(_printable(spec.name[:200]))}>'
        f"{date if spec.started_utc else ''}"
        f'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="{spec.dtype}" BigEndian="false"'
        f' SizeX="{spec.width_px}" SizeY="{spec.height_px}" SizeC="1" SizeZ="1"'
        f' SizeT="{pages}"{pixel}>'
        '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f'<TiffData IFD="0" PlaneCount="{pages}"/></Pixels></Image></OME>'
    )


def _printable(text: str) -> str:
    """Return `text` without the characters that XML 1.0 cannot hold."""
    return "".join(c if c >= " " and c not in "\ufffe\uffff" else "\ufffd" for c in text)


def _head(spec: MovieSpec, pages: int) -> bytes:
    """Return the first 4 KiB of a file whose IFDs for `pages` pages are in place."""
    xml = ome_xml(spec, pages).encode("utf-8") + b"\0"
    ifd = np.zeros((), _ifd_dtype(_PAGE_TAGS + 1))
    text_at = 16 + ifd.dtype.itemsize
    if text_at + len(xml) > DATA_START:
        raise ValueError(f"the description of '{spec.name}' does not fit into {DATA_START} bytes")
    rows = sorted([*_tags(spec), (270, _ASCII, len(xml), text_at)])
    ifd["count"] = len(rows)
    ifd["tags"] = rows
    ifd["next"] = _ifd_start(spec, pages) if pages > 1 else 0
    header = b"II\x2b\0\x08\0\0\0" + (16).to_bytes(8, "little")
    return (header + ifd.tobytes() + xml).ljust(DATA_START, b"\0")


def _ifds(spec: MovieSpec, pages: int, first: int, last: int) -> np.ndarray:
    """Return the IFDs of pages `first` to `last` (not included), in file order."""
    number = np.arange(first, last, dtype=np.uint64)
    ifds = np.zeros(last - first, _ifd_dtype(_PAGE_TAGS))
    rows = _tags(spec)
    ifds["count"] = len(rows)
    ifds["tags"] = np.array(rows, _TAG)
    offset_at = [row[0] for row in rows].index(273)
    ifds["tags"]["value"][:, offset_at] = DATA_START + number * spec.page_bytes
    ifds["next"] = _ifd_start(spec, pages) + number * ifds.dtype.itemsize
    if last == pages:
        ifds["next"][-1] = 0
    return ifds


def pages_on_disk(path: Path, spec: MovieSpec) -> int:
    """Return how many whole pages the file could hold by its size; 0 for no file.

    A finished file may look as if it had more, since IFDs follow its pages.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    return max(0, (size - DATA_START) // spec.page_bytes)


def finish_movie(path: Path, spec: MovieSpec, pages: int, *, sync: bool = True) -> None:
    """Make the file a complete TIFF of exactly `pages` pages.

    May be repeated, and be cut short anywhere and repeated by another process: all but the pixels
    is a function of `spec` and `pages`, and the first IFD is linked to the rest by the last write.

    Raises
    ------
    ValueError
        The file has fewer pages than that, or `pages` is 0.
    OSError
        The disk is full or fails.
    """
    fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        _finish(fd, spec, pages, sync)
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Wait until everything written to the file is on the disk itself."""
    fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _finish(fd: int, spec: MovieSpec, pages: int, sync: bool) -> None:
    data_end = DATA_START + pages * spec.page_bytes
    if pages < 1 or os.fstat(fd).st_size < data_end:
        raise ValueError(f"the file holds fewer than {pages} pages")
    _write_at(fd, 0, [_head(spec, 1)])  # until the last write: a TIFF of one page
    os.ftruncate(fd, data_end)
    at = _ifd_start(spec, pages)
    for first in range(1, pages, _IFD_PAGES_PER_WRITE):
        ifds = _ifds(spec, pages, first, min(pages, first + _IFD_PAGES_PER_WRITE))
        _write_at(fd, at, [ifds.view(np.uint8)])
        at += ifds.nbytes
    if sync:
        os.fsync(fd)
    _write_at(fd, 0, [_head(spec, pages)])
    if sync:
        os.fsync(fd)


def _write_at(fd: int, offset: int, buffers: Sequence[bytes | np.ndarray]) -> None:
    os.lseek(fd, offset, os.SEEK_SET)
    write_all(fd, buffers)


class MovieWriter:
    """One movie that is being written; keeps no pixels and no reference to any.

    Use `create` or `reopen`. Closing twice is fine, and closing does not finish: that is
    `finish_movie`'s, which needs nothing from here.
    """

    def __init__(self, path: Path, spec: MovieSpec, fd: int, pages: int) -> None:
        self.path = path
        self.spec = spec
        self.pages = pages
        self._fd: int | None = fd
        self._handed = self._dropped = DATA_START + pages * spec.page_bytes

    @classmethod
    def create(cls, path: Path, spec: MovieSpec) -> MovieWriter:
        """Begin a file that must not exist yet.

        Raises
        ------
        OSError
            It exists or cannot be created.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        fd = os.open(path, flags, 0o644)
        try:
            _write_at(fd, 0, [_head(spec, 1)])
        except OSError:
            os.close(fd)
            path.unlink()
            raise
        return cls(path, spec, fd, 0)

    @classmethod
    def reopen(cls, path: Path, spec: MovieSpec, pages: int) -> MovieWriter:
        """Go on after page `pages - 1`; what follows it is cut off, IFDs included.

        Raises
        ------
        ValueError
            The file has fewer pages than that.
        OSError
            It cannot be opened.
        """
        if pages > pages_on_disk(path, spec):
            raise ValueError(f"{path} holds fewer than {pages} pages")
        fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        movie = cls(path, spec, fd, pages)
        _write_at(fd, 0, [_head(spec, 1)])
        movie.cut_back(pages)
        return movie

    def append(self, pages: np.ndarray | Sequence[np.ndarray]) -> None:
        """Write pages ``(n, y, x)`` or a sequence of ``(y, x)``, of exactly the movie's type.

        Raises
        ------
        OSError
            The disk is full or fails; `cut_back` removes what was written of it.
        """
        if not len(pages):
            return
        check_untouched(self._open_fd, self._end)
        kind = self.spec.storage_dtype
        if isinstance(pages, np.ndarray) and pages.flags.c_contiguous:
            buffers = [np.ascontiguousarray(pages, kind)]
        else:
            buffers = [np.ascontiguousarray(page, kind) for page in pages]
        write_all(self._open_fd, buffers)
        self.pages += len(pages)
        self._keep_disk_busy()

    def cut_back(self, pages: int) -> None:
        """Forget everything after the first `pages` pages."""
        self.pages = pages
        self._handed = self._dropped = self._end
        cut_file(self._open_fd, self._end)

    def finish(self, *, sync: bool = True) -> None:
        """Make the file complete and close it."""
        _finish(self._open_fd, self.spec, self.pages, sync)
        self.close()

    def close(self) -> None:
        """Close the file as it is."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _keep_disk_busy(self) -> None:
        """Let the system write what it was given now, and reuse the memory of what is written.

        Left alone it saves up gigabytes and then holds the writer up: over 6 GB, 0.5 to 1.6 GB/s
        without this, 1.7 to 2.3 GB/s with it (benchmarks/storage.py --long).
        """
        end = self._end
        if end - self._handed < _STEADY_BYTES or not hasattr(os, "posix_fadvise"):
            return
        fd, forget = self._open_fd, os.POSIX_FADV_DONTNEED
        start, clean = self._handed, end - _CACHED_BYTES
        self._handed = end
        with contextlib.suppress(OSError):  # it is only advice
            os.posix_fadvise(fd, start, end - start, forget)  # begins to write
            if clean > self._dropped:
                os.posix_fadvise(fd, self._dropped, clean - self._dropped, forget)
                self._dropped = clean

    @property
    def _end(self) -> int:
        return DATA_START + self.pages * self.spec.page_bytes

    @property
    def _open_fd(self) -> int:
        if self._fd is None:
            raise ValueError(f"{self.path} is closed")
        return self._fd


def map_movie(path: Path, spec: MovieSpec, pages: int) -> np.ndarray:
    """Return the first `pages` pages as a read-only memory map ``(t, y, x)``."""
    shape = (pages, *spec.shape)
    if pages == 0:
        return np.empty(shape, spec.storage_dtype)
    return np.memmap(path, spec.storage_dtype, mode="r", offset=DATA_START, shape=shape)
