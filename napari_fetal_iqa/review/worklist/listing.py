"""The sweeps of a folder, or of the folders in it: one name each."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.discovery import (
    DATA_SUFFIXES,
    HEADER_SUFFIXES,
    SweepSource,
    find_reader,
    look_into,
    natural_order,
)

MOST_SWEEPS = 100_000
"""More is a disk and no archive of sweeps."""


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Parameters
    ----------
    folder : Path
    sources : tuple of SweepSource
        In natural order, exam after exam.
    notice : str
        One line on what was left out; may be empty.
    """

    folder: Path
    sources: tuple[SweepSource, ...]
    notice: str = ""

    def name(self, source: SweepSource) -> str:
        """What to call one of the sweeps: its place in the folder, without its ending."""
        try:
            place = source.path.relative_to(self.folder)
        except ValueError:
            place = Path(source.name)
        name = place.as_posix() if place.parts else source.name
        ending = source.path.suffix if source.kind == "path" and find_reader(source.path) else ""
        return shown(name.removesuffix(ending).removesuffix(".nii"))


def list_sweeps(folder: Path) -> Listing:
    """Find the sweeps of a folder, and where it holds none itself, those of the folders in it.

    What one folder holds is what :func:`~napari_fetal_iqa.io.discovery.look_into` says.

    Raises
    ------
    SweepError
        Where it cannot be read, or holds none.
    """
    name = folder.resolve().name
    too_deep = False
    try:
        contents = look_into(folder)
        sources, notices = list(contents.sweeps), [contents.notice]
        if not sources:
            exams = _folders(folder)
            loose = tuple(path for path in contents.left_out if path not in exams)
            notices = [replace(contents, left_out=loose, too_deep=()).notice]
            for exam in exams:
                contents = look_into(exam)
                sources += contents.sweeps
                notices.append(contents.notice)
                too_deep |= bool(contents.too_deep)
                if len(sources) > MOST_SWEEPS:
                    raise SweepError(
                        f"{name}: expected sweeps to review, found more than {MOST_SWEEPS}; "
                        f"choose a folder within it"
                    )
    except OSError as error:
        raise SweepError(f"{name}: cannot be read ({error.strerror}); check the folder") from error
    if not sources:
        deep = " down to the depth that is looked through" if too_deep else ""
        raise SweepError(
            f"{name}: expected sweeps in the folder, or in the folders in it, found none{deep}; "
            f"choose the folder that holds them"
        )
    said = [notice for notice in notices if notice]
    more = f", and in {len(said) - 1} more folders" if len(said) > 1 else ""
    return Listing(folder, tuple(sources), f"{said[0]}{more}" if said else "")


def _folders(folder: Path) -> list[Path]:
    inner = [
        folder / entry.name
        for entry in os.scandir(folder)
        if entry.name[0] != "." and entry.is_dir()
    ]
    return sorted(inner, key=natural_order)


def files_of(source: SweepSource) -> tuple[Path, ...]:
    """Return all files that a sweep's pixels come from; none where they cannot be told.

    Of a header whose pixels lie in another file, those beside it of the same name.
    """
    if source.files:
        return source.files
    path = source.path
    if path.is_dir():
        within = look_into(path).sweeps
        return files_of(within[0]) if len(within) == 1 else ()
    if path.suffix.lower() not in HEADER_SUFFIXES:
        return (path,)
    beside = [path.with_suffix(ending) for ending in (*DATA_SUFFIXES, ".raw.gz")]
    pixels = [other for other in beside if other.is_file()]
    return (path, *pixels) if pixels else ()
