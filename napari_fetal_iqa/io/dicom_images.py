"""The DICOM files behind a sweep, where it is one of DICOM."""

from pathlib import Path

from napari_fetal_iqa.io.discovery import DICOM_SUFFIXES, SweepSource, is_dicom, look_into


def dicom_images(source: SweepSource) -> list[tuple[Path, int]]:
    """Return the files whose frames make a sweep, in order, and how many frames each has.

    None where the sweep is of another format.

    Raises
    ------
    SweepError
        Where a file is damaged.
    """
    from napari_fetal_iqa.io.formats.dicom.folder import images_of

    files = dicom_files(source)
    return images_of(source.name, files) if files else []


def dicom_files(source: SweepSource) -> tuple[Path, ...]:
    """Return the DICOM files among which a sweep lies; none where it is of another format."""
    if source.kind == "path" and source.path.is_dir():
        contents = look_into(source.path)
        source = contents.sweeps[0] if len(contents.sweeps) == 1 else source
    if source.kind == "dicom":
        return source.files
    if source.kind == "path" and source.path.is_file():
        named = source.path.name.lower().endswith(DICOM_SUFFIXES)
        return (source.path,) if named or is_dicom(source.path) else ()
    return ()
