"""The header of a DICOM file as pydicom's data set, where all of it is asked for.

Opening a sweep never comes here: it looks at a few elements by code of its own.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom import Dataset

from napari_fetal_iqa.errors import SweepError


@contextmanager
def saying_nothing() -> Iterator[None]:
    """Keep pydicom's messages, which may quote a header, from being printed or logged.

    It converts elements when they are asked for, so that this is for whoever asks, too.
    """
    logger = logging.getLogger("pydicom")
    level = logger.level
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


def read_data_set(path: Path) -> Dataset:
    """Read all of a DICOM file but its pixels.

    Raises
    ------
    SweepError
        Where it is none or is damaged; nothing of its text is quoted.
    """
    try:
        with saying_nothing():
            return pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except OSError as error:
        raise SweepError(
            f"{path.name}: cannot be read ({error.strerror}); check the path and the disk"
        ) from None
    except Exception:  # its message may quote the header
        raise SweepError(
            f"{path.name}: expected a DICOM file, found a damaged or other one; copy it again"
        ) from None


def bytes_of(dataset: Dataset) -> bytes:
    """Return a data set, with its file meta information, as the bytes of a file."""
    stream = io.BytesIO()
    write_data_set(dataset, stream)
    return stream.getvalue()


def write_data_set(dataset: Dataset, target: Path | BinaryIO) -> None:
    """Write a data set with its file meta information; the preamble is zeros."""
    dataset.preamble = bytes(128)
    pydicom.dcmwrite(target, dataset, enforce_file_format=True)
