"""Which sweeps the paths on a command line mean."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from napari_fetal_iqa.io.discovery import is_picture, natural_order
from napari_fetal_iqa.io.read import find_reader


def find_sweeps(paths: Iterable[Path]) -> Iterator[Path]:
    """Give every sweep that is meant.

    A folder that holds volumes or videos means each of them; any other folder is taken as a
    sweep itself, of DICOM files or of frames. What is no sweep is given too: reading it says why.
    """
    for path in paths:
        yield from _volumes(path) or [path]


def _volumes(path: Path) -> list[Path]:
    try:
        within = filter(_is_volume, path.iterdir()) if path.is_dir() else ()
        return sorted(within, key=natural_order)
    except OSError:
        return []


def _is_volume(path: Path) -> bool:
    """Tell whether a file is a sweep of its own, rather than one of the frames of a folder."""
    is_frame = is_picture(path) or path.suffix.lower() in (".dcm", ".dicom")
    return path.is_file() and not is_frame and find_reader(path) is not None
