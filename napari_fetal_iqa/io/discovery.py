"""Which files make a sweep: the frames of a folder or a pattern, in their order."""

import glob
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.prefix import HEAD_BYTES, begins_as_dicom

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")

MAX_FILES, MAX_DEPTH = 10_000, 4
"""Files, and folders within folders, that are looked through for DICOM files."""


def is_dicom(path: Path) -> bool:
    """Return whether a file begins as DICOM does, and is no directory file."""
    if path.name.upper() == "DICOMDIR":
        return False
    with path.open("rb") as file:
        return begins_as_dicom(file.read(HEAD_BYTES))


def is_picture(path: Path) -> bool:
    """Return whether a file is a PNG or JPEG by its ending; the hidden files of a Mac are not."""
    return path.suffix.lower() in PICTURE_SUFFIXES and path.name[0] != "."


def list_dicom_files(folder: Path) -> list[Path]:
    """List the DICOM files of a folder, but its directory file, in natural order.

    Where the folder itself holds none, those of its folders: exports lie as ``S1/IM1``.

    Raises
    ------
    SweepError
        Where it holds more files than any examination.
    """
    found = [path for path in folder.iterdir() if path.is_file() and is_dicom(path)]
    if found:
        return _sorted(found)
    files = list(itertools.islice(walk_files(folder), MAX_FILES + 1))
    if len(files) > MAX_FILES:
        raise SweepError(
            f"{folder.resolve().name}: expected the frames of one examination, found more than "
            f"{MAX_FILES} files; choose the folder that holds them"
        )
    return _sorted(filter(is_dicom, files))


def walk_files(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Return the files of a folder and its folders, hidden ones and links to folders left out."""
    inner = []
    for path in folder.iterdir():
        if path.is_file():
            yield path
        elif depth < MAX_DEPTH and path.name[0] != "." and path.is_dir() and not path.is_symlink():
            inner.append(path)
    for path in inner:
        yield from walk_files(path, depth + 1)


def list_pictures(folder: Path) -> list[Path]:
    """List the PNG and JPEG files of a folder in natural order."""
    return _sorted(filter(is_picture, folder.iterdir()))


def match_pictures(pattern: Path) -> list[Path]:
    """List the PNG and JPEG files that a pattern matches, in natural order."""
    folder = next((parent for parent in pattern.parents if parent.is_dir()), Path())
    names = str(pattern.relative_to(folder))
    found = glob.glob(os.path.join(glob.escape(str(folder)), names), recursive=True)
    return _sorted(filter(is_picture, map(Path, found)))


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Return the sort key that puts numbers in names in the order of their values: 2 before 10."""
    parts = re.findall(r"(\d+)|(\D+)", str(path).lower())
    return [(0, int(number), "") if number else (1, 0, text) for number, text in parts]


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=natural_order)
