"""A folder of DICOM objects, filled whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fetal_iqa_models.atomic_file import atomic_folder
from napari_fetal_iqa.errors import SweepError


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something: what lies there might be taken for this case's.

    Raises
    ------
    SweepError
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SweepError(f"{folder.name}: expected a new or empty folder; choose another")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder, which is there once the block ends.

    Raises
    ------
    SweepError
        Where it holds something, or the disk refuses.
    """
    check_folder(folder)
    try:
        with atomic_folder(folder) as new:
            yield new
    except OSError as error:
        raise SweepError(
            f"{folder.name}: cannot be written ({error.strerror}); choose another folder"
        ) from error
