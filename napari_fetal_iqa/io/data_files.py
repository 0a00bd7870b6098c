"""Which files of a folder are the pixels of others: those that a header names, and no other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name

from napari_fetal_iqa.errors import SweepError

DATA_FILE_OF = {
    ".mha": "metaimage:data_file_of_metaimage",
    ".mhd": "metaimage:data_file_of_metaimage",
    ".nrrd": "nrrd:data_file_of_nrrd",
    ".nhdr": "nrrd:data_file_of_nrrd",
}
"""Module and function that find the data file of a header, by its ending; imported when needed."""


def not_named_by(volumes: Iterable[Path], others: Sequence[Path]) -> Iterator[Path]:
    """Return the files and folders that hold more than the pixels of these volumes.

    Parameters
    ----------
    volumes : iterable of Path
        Of any format; the headers among them are read.
    others : sequence of Path
    """
    named = {data for path in volumes if others and (data := data_file_of(path))}
    for path in others:
        real = path.resolve()
        holds_data = any(data.is_relative_to(real) for data in named)
        if not (holds_data and all(inner.resolve() in named for inner in _visible(path))):
            yield path


def data_file_of(path: Path) -> Path | None:
    """Return the file that holds a header's pixels, resolved; None where it cannot be told."""
    if path.suffix.lower() not in DATA_FILE_OF:
        return None
    name = DATA_FILE_OF[path.suffix.lower()]
    find: Callable[[Path], Path] = resolve_name(f"napari_fetal_iqa.io.formats.{name}")
    try:
        return find(path).resolve()
    except (SweepError, OSError, ValueError):  # reading it says why
        return None


def _visible(path: Path) -> list[Path]:
    """Return what lies in a folder, or the file itself."""
    return [inner for inner in path.iterdir() if inner.name[0] != "."] if path.is_dir() else [path]
