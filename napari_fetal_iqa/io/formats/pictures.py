"""Pictures as sweeps: one PNG, JPEG or GIF, or a folder or glob of PNG and JPEG frames."""

import mmap
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.discovery import PICTURE_SUFFIXES
from napari_fetal_iqa.io.frames.frame_stack import FrameStack, check_frame_size
from napari_fetal_iqa.io.frames.grey import luma, to_grey_frames
from napari_fetal_iqa.sweep import SweepVolume


def read_picture(path: Path) -> SweepVolume:
    """Read one picture as a sweep of one frame, or a GIF with all its frames.

    Raises
    ------
    SweepError
        Where the picture is damaged.
    """
    stack = FrameStack(path.name)
    _append_frames(stack, path)
    kind = "GIF" if path.suffix.lower() == ".gif" else "picture"
    return SweepVolume(
        to_grey_frames(stack.frames()), name=path.stem, source_format=kind, path=path
    )


def read_pictures(name: str, paths: Sequence[Path], path: Path) -> SweepVolume:
    """Read pictures of one size as the frames of one sweep, in the order given.

    Parameters
    ----------
    name : str
        Of the sweep.
    paths : sequence of Path
    path : Path
        The folder or glob that stands for all of them.

    Raises
    ------
    SweepError
        Where a picture is damaged or has another size than the first.
    """
    stack = FrameStack(name)
    for picture in paths:
        _append_frames(stack, picture)
    return SweepVolume(
        to_grey_frames(stack.frames()), name=name, source_format="pictures", path=path
    )


def _append_frames(stack: FrameStack, path: Path) -> None:
    formats = ("PNG", "JPEG") if path.suffix.lower() in PICTURE_SUFFIXES else ("GIF",)
    expected = measure_gif(path).frames if formats == ("GIF",) else 1
    before = len(stack)
    try:
        with (
            warnings.catch_warnings(),
            path.open("rb") as file,
            # A map rather than a file, because a damaged length then never asks for memory.
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            warnings.simplefilter("ignore")  # what is wrong becomes a SweepError
            image = Image.open(cast(BinaryIO, mapped), formats=formats)
            check_frame_size(path.name, image.height, image.width)
            for frame in ImageSequence.Iterator(image) if formats == ("GIF",) else [image]:
                stack.append(_grey(frame))
            if len(stack) - before != expected:
                raise ValueError("frames are missing")
    except (SweepError, FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:  # Pillow raises many kinds on damaged files
        raise SweepError(
            f"{path.name}: expected a {' or '.join(formats)} picture, found a damaged or other "
            f"file; save it again"
        ) from error


def _grey(image: Image.Image) -> NDArray[Any]:
    """Grey pixels of a picture, 8-bit unless it has more."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return np.asarray(image)
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return luma(np.asarray(image))


MAX_PIXELS_PER_BYTE = 2731
"""A code of 12 bits stands for at most 4096 pixels; nothing expands more (section F)."""

_HEADER, _SCREEN, _IMAGE = 6, struct.Struct("<HHB2x"), struct.Struct("<HHHHB")


@dataclass(frozen=True)
class GifSize:
    """How many frames a GIF has, and how large they are."""

    frames: int
    rows: int
    columns: int


def measure_gif(path: Path) -> GifSize:
    """Walk a GIF file to its end; nothing is decoded.

    Raises
    ------
    SweepError
        Where it is no GIF, ends before its trailer, or has more pixels than it can hold.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            size = _walk(data)
        except (IndexError, ValueError, struct.error) as error:
            raise SweepError(
                f"{path.name}: expected a whole GIF picture, found one that is cut or damaged; "
                f"save it again"
            ) from error
        check_frame_size(path.name, size.rows, size.columns)
        pixels = size.frames * size.rows * size.columns
        if pixels > MAX_PIXELS_PER_BYTE * len(data):
            raise SweepError(
                f"{path.name}: expected a GIF picture, found {size.frames} frames of {size.rows} "
                f"x {size.columns}, more than its {len(data)} bytes can hold; save it again"
            )
    return size


def _walk(data: mmap.mmap) -> GifSize:
    if data[:_HEADER] not in (b"GIF87a", b"GIF89a"):
        raise ValueError("no GIF")
    columns, rows, flags = _SCREEN.unpack_from(data, _HEADER)
    place = _HEADER + _SCREEN.size + _colour_bytes(flags)
    frames = 0
    while (kind := data[place]) != ord(";"):
        place += 1
        if kind == ord(","):
            left, top, width, height, flags = _IMAGE.unpack_from(data, place)
            columns, rows = max(columns, left + width), max(rows, top + height)
            place = _after_blocks(data, place + _IMAGE.size + _colour_bytes(flags) + 1)
            frames += 1
        elif kind == ord("!"):
            place = _after_blocks(data, place + 1)
        elif kind != 0:  # some writers pad
            raise ValueError("no block")
    return GifSize(frames, rows, columns)


def _colour_bytes(flags: int) -> int:
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def _after_blocks(data: mmap.mmap, place: int) -> int:
    while length := data[place]:
        place += 1 + length
    return place + 1
