"""Open any sweep: choose the reader of a path, and turn what goes wrong into one line."""

from pathlib import Path
from pkgutil import resolve_name

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.discovery import (
    PICTURE_SUFFIXES,
    is_dicom,
    list_dicom_files,
    list_pictures,
    match_pictures,
)
from napari_fetal_iqa.sweep import SweepVolume

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


def read_sweep(path: str | Path, frames_per_sweep: int | None = None) -> SweepVolume:
    """Open a sweep, whatever its format.

    A file by its ending (:data:`READERS`) or its DICOM prefix; a folder of DICOM files, or of
    folders of them, else of PNG and JPEG frames; or a glob of PNG and JPEG frames. uint8 volumes
    are memory-mapped where they are raw, and inflated as they are looked at where they are
    compressed.

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
    except (OSError, ValueError) as error:  # a name too long, or with a null byte
        raise SweepError(f"{name!r}: cannot be read; check the path and the disk") from error
    except MemoryError as error:
        raise SweepError(f"{name}: does not fit into memory; cut it into single sweeps") from error
    return sweep if frames_per_sweep is None else sweep.with_bounds(frames_per_sweep)


def _read(path: Path) -> SweepVolume:
    if path.is_dir():
        return _read_folder(path)
    if any(character in str(path) for character in "*?[") and not path.exists():
        return _read_pattern(path)
    if path.stat().st_size == 0:
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


def find_reader(path: Path) -> str | None:
    """Return the reader of a file by its ending alone (:data:`READERS`), or None."""
    name = path.name.lower()
    return next((reader for ending, reader in READERS.items() if name.endswith(ending)), None)


def _read_folder(folder: Path) -> SweepVolume:
    if files := list_dicom_files(folder):
        from napari_fetal_iqa.io.formats.dicom.folder import read_dicom_folder

        return read_dicom_folder(folder, files)
    if pictures := list_pictures(folder):
        from napari_fetal_iqa.io.formats.pictures import read_pictures

        return read_pictures(folder.resolve().name, pictures, folder)
    raise SweepError(
        f"{folder.resolve().name}: expected DICOM files or PNG or JPEG frames in the folder, "
        f"found none; choose the folder that holds them"
    )


def _read_pattern(pattern: Path) -> SweepVolume:
    from napari_fetal_iqa.io.formats.pictures import read_pictures

    pictures = match_pictures(pattern)
    if not pictures:
        raise SweepError(
            f"{pattern.name}: expected PNG or JPEG frames that match, found none; check the path"
        )
    return read_pictures(pictures[0].parent.resolve().name, pictures, pattern)
