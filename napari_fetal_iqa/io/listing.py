"""Which files make a sweep: the frames of a folder or a pattern, in their order."""

import glob
import re
from collections.abc import Iterable
from pathlib import Path

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


def is_dicom(path: Path) -> bool:
    """Tell whether a file has the DICOM prefix (PS3.10, section 7.1)."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def is_picture(path: Path) -> bool:
    """Tell whether a file is a PNG or JPEG by its ending; the hidden files of a Mac are not."""
    return path.suffix.lower() in PICTURE_SUFFIXES and path.name[0] != "."


def list_dicom_files(folder: Path) -> list[Path]:
    """List the DICOM files of a folder, but its directory file, in natural order."""
    files = (path for path in folder.iterdir() if path.is_file())
    return _sorted(path for path in files if path.name.upper() != "DICOMDIR" and is_dicom(path))


def list_pictures(folder: Path) -> list[Path]:
    """List the PNG and JPEG files of a folder in natural order."""
    return _sorted(filter(is_picture, folder.iterdir()))


def match_pictures(pattern: Path) -> list[Path]:
    """List the PNG and JPEG files that a pattern matches, in natural order."""
    return _sorted(filter(is_picture, map(Path, glob.glob(str(pattern), recursive=True))))


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Give the sort key that puts numbers in names in the order of their values: 2 before 10."""
    parts = re.findall(r"(\d+)|(\D+)", str(path).lower())
    return [(0, int(number), "") if number else (1, 0, text) for number, text in parts]


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=natural_order)
