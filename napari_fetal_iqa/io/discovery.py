"""Which files make a sweep: what a folder holds, or a pattern matches, in order.

This is the one idea of a folder that the window, the commands and :func:`read_sweep` have. Pipes,
sockets and devices are no files, and never opened.
"""

import glob
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.data_files import not_named_by
from napari_fetal_iqa.io.formats.dicom.prefix import HEAD_BYTES, begins_as_dicom

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")

READERS = {
    ".mha": "metaimage:read_metaimage",
    ".mhd": "metaimage:read_metaimage",
    ".nii": "nifti:read_nifti",
    ".nii.gz": "nifti:read_nifti",
    ".nrrd": "nrrd:read_nrrd",
    ".nhdr": "nrrd:read_nrrd",
    ".dcm": "dicom.reader:read_dicom",
    ".dicom": "dicom.reader:read_dicom",
    ".avi": "video:read_video",
    ".mp4": "video:read_video",
    ".m4v": "video:read_video",
    ".mov": "video:read_video",
    ".gif": "pictures:read_picture",
    **dict.fromkeys(PICTURE_SUFFIXES, "pictures:read_picture"),
}
"""Module and function that read each ending; a module is imported with its first file."""

DICOM_SUFFIXES = (".dcm", ".dicom")

HEADER_SUFFIXES = (".mhd", ".nhdr")
DATA_SUFFIXES = (".raw", ".zraw", ".gz")
"""Headers, and how the data files that lie beside them mostly end."""

IMAGES = Path("images", "stacked_fetal_ultrasound")
"""Where a data set in the layout of ACOUSLIC-AI has its sweeps; its masks are none."""

MAX_FILES, MAX_DEPTH = 100_000, 4
"""Files, and folders within folders, that are looked through for DICOM files.

More is a disk and no examination; to list so many takes a second.
"""

NAMED = 3
"""How many names a message has before it counts the rest."""


@dataclass(frozen=True)
class SweepSource:
    """The files of one sweep: a file of its own, or those of a folder together.

    Parameters
    ----------
    path : Path
        The file, or the folder of the files.
    kind : "path", "dicom" or "pictures"
        A path is read by what it is.
    files : tuple of Path
        Of a folder, in order.
    """

    path: Path
    kind: Literal["path", "dicom", "pictures"] = "path"
    files: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return self.path.name or self.path.resolve().name


@dataclass(frozen=True)
class FolderContents:
    """The sweeps of a folder, and what else lies in it; hidden files are not spoken of.

    Parameters
    ----------
    folder : Path
    sweeps : tuple of SweepSource
    left_out : tuple of Path
        Files and folders that are part of none; what could be a sweep first.
    too_deep : tuple of Path
        Folders that were not looked into, as they lie more than :data:`MAX_DEPTH` deep.
    """

    folder: Path
    sweeps: tuple[SweepSource, ...]
    left_out: tuple[Path, ...] = ()
    too_deep: tuple[Path, ...] = ()

    @property
    def notice(self) -> str:
        """One line that names what is left out; empty where nothing is."""
        said = [f"left out {self._names(self.left_out)}"] if self.left_out else []
        if self.too_deep:
            said.append(f"not looked into, as too deep: {self._names(self.too_deep)}")
        return f"{shown(self.folder.resolve().name)}: {'; '.join(said)}" if said else ""

    def _names(self, paths: Iterable[Path]) -> str:
        return in_words(path.relative_to(self.folder).as_posix() for path in paths)


def in_words(names: Iterable[str]) -> str:
    """Return the first names, made safe to show, and how many more there are."""
    every = list(names)
    more = len(every) - NAMED
    return ", ".join(map(shown, every[:NAMED])) + (f" and {more} more" if more > 0 else "")


def find_reader(path: Path) -> str | None:
    """Return the reader of a file by its ending alone (:data:`READERS`), or None."""
    name = path.name.lower()
    return next((reader for ending, reader in READERS.items() if name.endswith(ending)), None)


def look_into(folder: Path, look_at: int | None = None) -> FolderContents:
    """Find the sweeps of a folder.

    Every volume or video is a sweep, and all DICOM files together are one. PNG and JPEG files
    are the frames of one where there is neither, else previews that are left out. A folder that
    itself holds none stands for the images of an ACOUSLIC-AI data set, or for the DICOM files of
    its folders: exports lie as ``S1/IM1``.

    Parameters
    ----------
    folder : Path
    look_at : int, optional
        How many files of unknown endings are opened to see whether they are DICOM; by default
        all.

    Raises
    ------
    SweepError
        Where the folders below hold more files than any examination.
    """
    volumes, dicom, pictures, left_out = [], [], [], []
    unread: list[Path] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: natural_order(Path(entry.name))):
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name.upper() == "DICOMDIR":
            continue
        if not _is_file(entry):
            left_out.append(path)
        elif is_picture(path):
            pictures.append(path)
        elif path.suffix.lower() not in DICOM_SUFFIXES and find_reader(path):
            volumes.append(path)
        elif path.suffix.lower() in DICOM_SUFFIXES:
            dicom.append(path)
        else:
            begins = look_at != 0 and _begins(path, unread)
            (dicom if begins else left_out).append(path)
            look_at = look_at and look_at - 1
    if look_at is None and volumes:
        left_out = list(not_named_by(volumes, left_out))
    sweeps = [SweepSource(path) for path in volumes]
    if dicom:
        _check_none_missing(folder, dicom, unread)
        sweeps.append(SweepSource(folder, "dicom", tuple(dicom)))
    if sweeps:
        return FolderContents(folder, tuple(sweeps), (*pictures, *left_out))
    if pictures:
        source = SweepSource(folder, "pictures", tuple(pictures))
        return FolderContents(folder, (source,), tuple(left_out))
    if (within := _look_into_images(folder, left_out, look_at)) and within.sweeps:
        return within
    return _look_below(folder, left_out, look_at)


def _look_into_images(
    folder: Path, left_out: Sequence[Path], look_at: int | None
) -> FolderContents | None:
    """Find the images of a data set in the layout of ACOUSLIC-AI."""
    if not (folder / IMAGES).is_dir():
        return None
    within = look_into(folder / IMAGES, look_at)
    images = folder / IMAGES.parts[0]
    beside = _sorted(
        path for path in images.iterdir() if path.name[0] != "." and path.name != IMAGES.parts[1]
    )
    beside += [path for path in left_out if path != images]
    return FolderContents(folder, within.sweeps, (*within.left_out, *beside), within.too_deep)


def _look_below(folder: Path, left_out: Sequence[Path], look_at: int | None) -> FolderContents:
    """Find the DICOM files of the folders below, which are one sweep; name all else there."""
    others: list[Path] = []
    too_deep: list[Path] = []
    walk = _walk_files(folder, others, too_deep)
    files = list(itertools.islice(walk, MAX_FILES + 1 if look_at is None else look_at))
    if len(files) > MAX_FILES:
        raise SweepError(
            f"{folder.resolve().name}: expected the frames of one examination, found more than "
            f"{MAX_FILES} files; choose the folder that holds them"
        )
    unread: list[Path] = []
    dicom = _sorted(path for path in files if _begins(path, unread))
    _check_none_missing(folder, dicom, unread)
    if not dicom:
        return FolderContents(folder, (), tuple(left_out), tuple(_sorted(too_deep)))
    known = set(dicom)
    others += [path for path in files if path not in known and path.name.upper() != "DICOMDIR"]
    others = sorted(_sorted(others), key=lambda path: not (find_reader(path) or path.is_dir()))
    source = SweepSource(folder, "dicom", tuple(dicom))
    return FolderContents(folder, (source,), tuple(others), tuple(_sorted(too_deep)))


def _begins(path: Path, unread: list[Path]) -> bool:
    """Return whether a file begins as DICOM; one that cannot be read comes to the unread."""
    try:
        return is_dicom(path)
    except OSError:
        unread.append(path)
        return False


def _check_none_missing(folder: Path, dicom: Sequence[Path], unread: Sequence[Path]) -> None:
    """Refuse DICOM files beside one that cannot be read and may, by its name, be one of them."""
    endings = {_ending(path) for path in dicom}
    missing = [path for path in unread if _ending(path) in endings]
    if missing:
        raise SweepError(
            f"{folder.resolve().name}: expected DICOM files that can be read, found none in "
            f"{in_words(path.relative_to(folder).as_posix() for path in missing)}, which may be "
            f"of the same sweep; ask the owner for permission, or move other files elsewhere"
        )


def _ending(path: Path) -> str:
    """Return the ending; none where it is a number, as of the UIDs that name many files."""
    ending = path.suffix.lower()
    return "" if ending[1:].isdigit() else ending


def _is_file(entry: "os.DirEntry[str]") -> bool:
    """Return whether it is a file that can be read to its end, no pipe, socket or device."""
    try:
        return entry.is_file()
    except OSError:  # a link in a circle
        return False


def _walk_files(
    folder: Path, others: list[Path], too_deep: list[Path], depth: int = 0
) -> Iterator[Path]:
    """Return the files of a folder and its folders; hidden ones are left out.

    What is no file, and links to folders, which may lead anywhere, come to the others.
    """
    inner = []
    try:
        entries = list(os.scandir(folder))
    except OSError:
        if not depth:
            raise
        others.append(folder)
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name[0] == ".":
            continue
        if _is_file(entry):
            yield path
        elif not entry.is_dir(follow_symlinks=False):
            others.append(path)
        elif depth < MAX_DEPTH:
            inner.append(path)
        else:
            too_deep.append(path)
    for path in inner:
        yield from _walk_files(path, others, too_deep, depth + 1)


def is_dicom(path: Path) -> bool:
    """Return whether a file begins as DICOM does, and is no directory file."""
    if path.name.upper() == "DICOMDIR":
        return False
    with path.open("rb") as file:
        return begins_as_dicom(file.read(HEAD_BYTES))


def is_picture(path: Path) -> bool:
    """Return whether a file is a PNG or JPEG by its ending; the hidden files of a Mac are not."""
    return path.suffix.lower() in PICTURE_SUFFIXES and path.name[0] != "."


def match_pictures(pattern: Path) -> list[Path]:
    """List the PNG and JPEG files that a pattern matches, in natural order."""
    folder = next((parent for parent in pattern.parents if parent.is_dir()), Path())
    names = str(pattern.relative_to(folder))
    found = glob.glob(os.path.join(glob.escape(str(folder)), names), recursive=True)
    return _sorted(path for path in map(Path, found) if is_picture(path) and path.is_file())


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Return the sort key that puts numbers in names in the order of their values: 2 before 10."""
    parts = re.findall(r"(\d+)|(\D+)", str(path).lower())
    return [(0, int(number), "") if number else (1, 0, text) for number, text in parts]


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=natural_order)
