"""A folder of ultrasound DICOM files as one volume: every series, or cine, is a sweep."""

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.reader import (
    DicomFacts,
    NoPixelsError,
    append_dicom_frames,
    read_facts,
)
from napari_fetal_iqa.io.frames.frame_stack import FrameStack
from napari_fetal_iqa.io.frames.grey import to_grey_frames
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)


def read_dicom_folder(folder: Path, files: Sequence[Path]) -> SweepVolume:
    """Read the images of a folder as one volume.

    A file of several frames is a sweep; single frames of one series are a sweep, sorted by
    instance number. Sweeps come in the order of series numbers. One sweep alone is split as
    :func:`~napari_fetal_iqa.sweep.sweep_bounds` does. Reports and other objects without pixels
    are passed over.

    Raises
    ------
    SweepError
        Where a file is damaged, or frames differ in size or spacing.
    """
    name = folder.resolve().name
    sweeps = _sweeps(_facts_of_images(name, files))
    spacings = {facts.spacing_mm for sweep in sweeps for facts in sweep}
    known = [spacing for spacing in spacings if spacing is not None]
    if len(spacings) > 1 and (None in spacings or not np.allclose(known, known[0], rtol=0.001)):
        raise SweepError(
            f"{name}: expected DICOM files of one spacing, found {len(spacings)}; "
            f"open them one by one"
        )
    stack = FrameStack(name)
    edges = [0]
    for sweep in sweeps:
        for facts in sweep:
            append_dicom_frames(stack, facts.path)
        edges.append(len(stack))
    return SweepVolume(
        to_grey_frames(stack.frames()),
        spacing_mm=known[0] if known else None,
        bounds=tuple(itertools.pairwise(edges)) if len(sweeps) > 1 else (),
        name=name,
        source_format="DICOM folder",
        path=folder,
    )


def _facts_of_images(name: str, files: Sequence[Path]) -> list[DicomFacts]:
    found = []
    for path in files:
        try:
            found.append(read_facts(path))
        except NoPixelsError:
            logger.info("%s: passed over, as it holds no pixels", path.name)
    if not found:
        raise SweepError(
            f"{name}: expected DICOM images in the folder, found {len(files)} files without "
            f"pixels; choose the folder that holds the sweeps"
        )
    return found


def _sweeps(files: Sequence[DicomFacts]) -> list[list[DicomFacts]]:
    """Group files into sweeps, both in order."""
    ordered = sorted(files, key=lambda f: (f.series_number, f.series, f.instance_number))
    sweeps: list[list[DicomFacts]] = []
    for facts in ordered:
        last = sweeps[-1][-1] if sweeps else None
        if last and last.series == facts.series and last.frames == facts.frames == 1:
            sweeps[-1].append(facts)
        else:
            sweeps.append([facts])
    return sweeps
