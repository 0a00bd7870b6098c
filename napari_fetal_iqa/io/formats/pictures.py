"""Pictures as sweeps: one PNG, JPEG or GIF, or a folder or glob of PNG and JPEG frames."""

import itertools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.discovery import PICTURE_SUFFIXES
from napari_fetal_iqa.io.formats.clamped_file import ClampedFile
from napari_fetal_iqa.io.formats.gif_size import measure_gif
from napari_fetal_iqa.io.formats.whole_jpeg import MAX_BYTES, check_jpeg_scans
from napari_fetal_iqa.io.formats.whole_png import check_png_rows
from napari_fetal_iqa.io.frames.frame_stack import (
    FrameStack,
    check_expansion,
    check_frame_size,
    check_stack_size,
)
from napari_fetal_iqa.io.frames.grey import luma, to_grey_frames
from napari_fetal_iqa.sweep import SweepVolume

MAX_ANIMATED_PIXELS_PER_BYTE = 500
"""GIF and PNG of speckle have about two pixels a byte, and of nothing but black 2731."""

ORIENTATION_TAG = 0x0112


def read_picture(path: Path) -> SweepVolume:
    """Read one picture as a sweep of one frame, or a GIF or animated PNG with all its frames.

    A picture is turned as its EXIF orientation says.

    Raises
    ------
    SweepError
        Where the picture is damaged, or far smaller than the frames that it would become.
    """
    stack = FrameStack(path.name)
    _append_frames(stack, path, alone=True)
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
        Where a picture is damaged, animated, or of another size than the first.
    """
    stack = FrameStack(name)
    for picture in paths:
        _append_frames(stack, picture, alone=False)
    return SweepVolume(
        to_grey_frames(stack.frames()), name=name, source_format="pictures", path=path
    )


def _append_frames(stack: FrameStack, path: Path, alone: bool) -> None:
    formats = ("PNG", "JPEG") if path.suffix.lower() in PICTURE_SUFFIXES else ("GIF",)
    gif = measure_gif(path) if formats == ("GIF",) else None  # Pillow trusts its sizes
    before = len(stack)
    try:
        with warnings.catch_warnings(), ClampedFile(path) as file:
            warnings.simplefilter("ignore")  # what is wrong becomes a SweepError
            image = Image.open(file, formats=formats)
            check_frame_size(path.name, image.height, image.width)
            expected = gif.frames if gif else _count_frames(image)
            if expected > 1 and not alone:
                raise SweepError(
                    f"{path.name}: expected one frame in a picture of a folder, found {expected}; "
                    f"open it by itself"
                )
            rows, columns = (gif.rows, gif.columns) if gif else (image.height, image.width)
            size = expected * rows * columns
            check_stack_size(path.name, size)
            check_expansion(path.name, size, file.size, MAX_ANIMATED_PIXELS_PER_BYTE)
            code = _orientation(image)
            _check_whole(file, image, expected)
            for frame in _shown_frames(image):
                stack.append(_upright(_grey(frame), code))
            if len(stack) - before != expected:
                raise ValueError("frames are missing")
    except (SweepError, FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:  # Pillow raises many kinds on damaged files
        raise SweepError(
            f"{path.name}: expected a {' or '.join(formats)} picture, found a damaged or other "
            f"file; save it again"
        ) from error


def _check_whole(file: ClampedFile, image: Image.Image, frames: int) -> None:
    """Find what Pillow would show as black or grey, as nothing is there."""
    place = file.tell()
    if image.format == "PNG":
        check_png_rows(file, frames + _has_still(image))
    elif image.format in ("JPEG", "MPO"):
        file.seek(0)
        check_jpeg_scans(file.read(MAX_BYTES))
    file.seek(place)


def _count_frames(image: Image.Image) -> int:
    """Return how many frames are shown: one, or all of an animated PNG or GIF."""
    return int(getattr(image, "n_frames", 1)) - _has_still(image) if _is_animated(image) else 1


def _is_animated(image: Image.Image) -> bool:
    """Return whether it moves; what a camera's JPEG holds besides (MPF) is its thumbnails."""
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _has_still(image: Image.Image) -> bool:
    """Return whether an animated PNG begins with a picture for programs that show no other."""
    return _is_animated(image) and bool(getattr(image, "default_image", False))


def _shown_frames(image: Image.Image) -> Iterator[Image.Image]:
    if not _is_animated(image):
        return iter([image])
    return itertools.islice(ImageSequence.Iterator(image), int(_has_still(image)), None)


def _orientation(image: Image.Image) -> int:
    """Return how a camera was held, 1 to 8 (Exif 2.32, tag 274); 1 is upright."""
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # a damaged note does not damage the picture, and viewers pass over it
        return 1


def _upright(frame: NDArray[Any], code: int) -> NDArray[Any]:
    """Turn a frame as its orientation says; one that there is not leaves it as it is."""
    if not 2 <= code <= 8:
        return frame
    turned = frame.T if code >= 5 else frame
    rows, columns = code in (3, 4, 7, 8), code in (2, 3, 6, 7)
    return turned[:: -1 if rows else 1, :: -1 if columns else 1]


def _grey(image: Image.Image) -> NDArray[Any]:
    """Grey pixels of a picture, 8-bit unless it has more."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return np.asarray(image)
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return luma(np.asarray(image))
