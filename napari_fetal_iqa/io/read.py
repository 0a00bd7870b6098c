"""Open any sweep: choose the reader of a path, and turn what goes wrong into one line."""

import logging
import stat
from pathlib import Path
from pkgutil import resolve_name

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.discovery import (
    MAX_DEPTH,
    READERS,
    FolderContents,
    SweepSource,
    find_reader,
    in_words,
    is_dicom,
    look_into,
    match_pictures,
)
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)


def read_sweep(path: str | Path, frames_per_sweep: int | None = None) -> SweepVolume:
    """Open a sweep, whatever its format.

    A file by its ending (:data:`READERS`) or its DICOM prefix; a folder that holds one sweep, as
    :func:`~napari_fetal_iqa.io.discovery.look_into` finds it; or a glob of PNG and JPEG frames.
    uint8 volumes are read, or inflated where they are compressed, as they are looked at. What a
    folder holds besides is named in the log.

    Parameters
    ----------
    path : str or Path
    frames_per_sweep : int, optional
        Splits the frames into sweeps of this length; by default as the files of a DICOM folder
        say, else by :func:`~napari_fetal_iqa.sweep.sweep_bounds`.

    Returns
    -------
    SweepVolume

    Raises
    ------
    SweepError
        Where it cannot be read; one line that says what was expected, what was found, in which
        file, and what to do. Damage inside compressed pixels is found, and raised, when their
        frames are first looked at.
    """
    return read_source(SweepSource(Path(path)), frames_per_sweep)


def read_source(source: SweepSource, frames_per_sweep: int | None = None) -> SweepVolume:
    """Open a sweep that :func:`~napari_fetal_iqa.io.discovery.look_into` found in a folder.

    Parameters
    ----------
    source : SweepSource
    frames_per_sweep : int, optional

    Raises
    ------
    SweepError
        As :func:`read_sweep`.
    """
    name = source.path.name or str(source.path)
    try:
        sweep = _read_source(source)
    except FileNotFoundError as error:
        raise SweepError(f"{name}: no such file or folder; check the path") from error
    except PermissionError as error:
        raise SweepError(f"{name}: no permission to read it; ask its owner") from error
    except (OSError, ValueError) as error:  # a name too long, or with a null byte
        raise SweepError(f"{name!r}: cannot be read; check the path and the disk") from error
    except MemoryError as error:
        raise SweepError(f"{name}: does not fit into memory; cut it into single sweeps") from error
    return sweep if frames_per_sweep is None else sweep.with_bounds(frames_per_sweep)


def _read(path: Path) -> SweepVolume:
    if path.is_dir():
        return _read_folder(look_into(path))
    if any(character in str(path) for character in "*?[") and not path.exists():
        return _read_pattern(path)
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening it may never end
        raise SweepError(
            f"{path.name}: expected a file or a folder, found a pipe, a socket or a device; choose "
            f"a file"
        )
    if status.st_size == 0:
        raise SweepError(f"{path.name}: expected a sweep, found an empty file; copy it again")
    reader = find_reader(path)
    if reader is None and is_dicom(path):
        reader = READERS[".dcm"]
    if reader is None:
        raise SweepError(
            f"{path.name}: expected a sweep, found another kind of file; "
            f"open {', '.join(READERS)} or a folder of frames"
        )
    read = resolve_name(f"napari_fetal_iqa.io.formats.{reader}")
    sweep: SweepVolume = read(path)
    return sweep


def _read_folder(contents: FolderContents) -> SweepVolume:
    name = contents.folder.resolve().name
    if not contents.sweeps:
        raise SweepError(
            f"{name}: expected a sweep, DICOM files or PNG or JPEG frames in the folder, found "
            f"none{_depth(contents)}; choose the folder that holds them"
        )
    if len(contents.sweeps) > 1:
        raise SweepError(
            f"{name}: expected one sweep in the folder, found {len(contents.sweeps)} "
            f"({in_words(source.name for source in contents.sweeps)}); open them one by one"
        )
    if contents.notice:
        logger.warning("%s", shown(contents.notice))
    return _read_source(contents.sweeps[0])


def _depth(contents: FolderContents) -> str:
    return f" down to {MAX_DEPTH} folders deep" if contents.too_deep else ""


def _read_source(source: SweepSource) -> SweepVolume:
    if source.kind == "dicom":
        from napari_fetal_iqa.io.formats.dicom.folder import read_dicom_folder

        return read_dicom_folder(source.path, source.files)
    if source.kind == "pictures":
        from napari_fetal_iqa.io.formats.pictures import read_pictures

        return read_pictures(source.name, source.files, source.path)
    return _read(source.path)


def _read_pattern(pattern: Path) -> SweepVolume:
    from napari_fetal_iqa.io.formats.pictures import read_pictures

    pictures = match_pictures(pattern)
    if not pictures:
        raise SweepError(
            f"{pattern.name}: expected PNG or JPEG frames that match, found none; check the path"
        )
    return read_pictures(pictures[0].parent.resolve().name, pictures, pattern)
