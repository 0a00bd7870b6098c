"""Open any sweep: choose the reader of a path, and turn what goes wrong into one line."""

from collections.abc import Callable
from pathlib import Path

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.dicom import read_dicom
from napari_fetal_iqa.io.dicom_folder import is_dicom, list_dicom_files, read_dicom_folder
from napari_fetal_iqa.io.metaimage import read_metaimage
from napari_fetal_iqa.io.nifti import read_nifti
from napari_fetal_iqa.io.nrrd import read_nrrd
from napari_fetal_iqa.io.pictures import (
    PICTURE_SUFFIXES,
    glob_pictures,
    list_pictures,
    read_picture,
    read_pictures,
)
from napari_fetal_iqa.io.video import CONTAINERS, read_video
from napari_fetal_iqa.sweep import SweepVolume

READERS: dict[str, Callable[[Path], SweepVolume]] = {
    ".mha": read_metaimage,
    ".mhd": read_metaimage,
    ".nii": read_nifti,
    ".nii.gz": read_nifti,
    ".nrrd": read_nrrd,
    ".nhdr": read_nrrd,
    ".dcm": read_dicom,
    ".dicom": read_dicom,
    **dict.fromkeys(CONTAINERS, read_video),
    ".gif": read_picture,
    **dict.fromkeys(PICTURE_SUFFIXES, read_picture),
}
"""The reader of each ending."""


def read_sweep(path: str | Path, frames_per_sweep: int | None = None) -> SweepVolume:
    """Open a sweep, whatever its format.

    A file by its ending (:data:`READERS`) or its DICOM prefix; a folder of DICOM files, else
    of PNG and JPEG frames; or a glob of PNG and JPEG frames. Nothing of it is written to.
    uint8 volumes are memory-mapped where they are raw, and inflated as they are looked at
    where they are compressed.

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
    path = Path(path)
    name = path.name or str(path)
    try:
        sweep = _read(path)
    except FileNotFoundError as error:
        raise SweepError(f"{name}: no such file or folder; check the path") from error
    except PermissionError as error:
        raise SweepError(f"{name}: no permission to read it; ask its owner") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise SweepError(f"{name!r}: cannot be read; check the path and the disk") from error
    except MemoryError as error:
        raise SweepError(f"{name}: does not fit into memory; cut it into single sweeps") from error
    return sweep if frames_per_sweep is None else sweep.with_bounds(frames_per_sweep)


def _read(path: Path) -> SweepVolume:
    if path.is_dir():
        return _read_folder(path)
    if not path.exists() and glob_characters(path):
        return _read_glob(path)
    if path.stat().st_size == 0:
        raise SweepError(f"{path.name}: expected a sweep, found an empty file; copy it again")
    reader = find_reader(path)
    if reader is None and is_dicom(path):
        reader = read_dicom
    if reader is None:
        raise SweepError(
            f"{path.name}: expected a sweep, found another kind of file; "
            f"open {', '.join(READERS)} or a folder of frames"
        )
    return reader(path)


def find_reader(path: Path) -> Callable[[Path], SweepVolume] | None:
    """Give the reader of a file by its ending, or None."""
    name = path.name.lower()
    return next((read for suffix, read in READERS.items() if name.endswith(suffix)), None)


def glob_characters(path: Path) -> bool:
    """Tell whether a path that does not exist is meant as a pattern."""
    return any(character in str(path) for character in "*?[")


def _read_folder(folder: Path) -> SweepVolume:
    if files := list_dicom_files(folder):
        return read_dicom_folder(folder, files)
    if pictures := list_pictures(folder):
        return read_pictures(folder.name, pictures, folder)
    raise SweepError(
        f"{folder.name}: expected DICOM files or PNG or JPEG frames in the folder, found none; "
        f"choose the folder that holds them"
    )


def _read_glob(pattern: Path) -> SweepVolume:
    pictures = glob_pictures(str(pattern))
    if not pictures:
        raise SweepError(
            f"{pattern.name}: expected PNG or JPEG frames that match, found none; check the path"
        )
    return read_pictures(pictures[0].parent.name, pictures, pattern)
