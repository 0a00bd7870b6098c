"""A folder of ultrasound DICOM files as one volume: every series, or cine, is a sweep."""

import itertools
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pydicom.uid import UID, MPEGTransferSyntaxes

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.formats.dicom.calibration import Picture, spacing_of
from napari_fetal_iqa.io.formats.dicom.copies import without_copies
from napari_fetal_iqa.io.formats.dicom.header import NoPixelsError
from napari_fetal_iqa.io.formats.dicom.reader import (
    DicomFacts,
    append_dicom_frames,
    check_dicom_frames,
    read_facts,
)
from napari_fetal_iqa.io.frames.frame_stack import FrameStack, check_stack_size
from napari_fetal_iqa.io.frames.grey import Padding, to_grey_frames
from napari_fetal_iqa.sweep import Frames, SweepVolume

logger = logging.getLogger(__name__)


def read_dicom_folder(folder: Path, files: Sequence[Path]) -> SweepVolume:
    """Read the images of a folder as one volume.

    A file of several frames is a sweep; single frames of one series are a sweep, sorted by
    instance number, or by name where any lacks one. Sweeps come in the order of series numbers.
    One sweep alone is split as :func:`~napari_fetal_iqa.sweep.sweep_bounds` does. Reports and
    other objects without pixels are passed over, and so are copies of the same image.

    Raises
    ------
    SweepError
        Where a file is damaged, or frames differ in size or spacing.
    """
    name = folder.resolve().name
    sweeps = _sweeps(without_copies(_facts_of_images(name, files)))
    images = [facts for sweep in sweeps for facts in sweep]
    _check_turned(name, images)
    check_stack_size(name, sum(facts.grey_bytes for facts in images))
    _check_frames(name, images)
    stack = FrameStack(name)
    paddings: list[Padding] = []
    edges = [0]
    for sweep in sweeps:
        for facts in sweep:
            padding = append_dicom_frames(stack, facts.path)
            paddings += [padding] * (len(stack) - len(paddings))
        edges.append(len(stack))
    frames = to_grey_frames(stack.frames(), padding=paddings)
    spacing_mm, spacing_note = _spacing(name, images, frames)
    return SweepVolume(
        frames,
        spacing_mm=spacing_mm,
        bounds=tuple(itertools.pairwise(edges)) if len(sweeps) > 1 else (),
        name=name,
        source_format="DICOM folder",
        path=folder,
        spacing_note=spacing_note,
    )


def images_of(name: str, files: Sequence[Path]) -> list[tuple[Path, int]]:
    """Return the files whose frames make the volume of a folder, in order, and their frames.

    Raises
    ------
    SweepError
        As :func:`read_dicom_folder`.
    """
    sweeps = _sweeps(without_copies(_facts_of_images(name, files)))
    return [(facts.path, facts.frames) for sweep in sweeps for facts in sweep]


def _facts_of_images(name: str, files: Sequence[Path]) -> list[DicomFacts]:
    found = []
    for path in files:
        try:
            found.append(read_facts(path))
        except NoPixelsError:
            logger.info("%s: passed over, as it holds no pixels", shown(path.name))
    if not found:
        raise SweepError(
            f"{name}: expected DICOM images in the folder, found {len(files)} files without "
            f"pixels; choose the folder that holds the sweeps"
        )
    return found


def _check_frames(name: str, images: Sequence[DicomFacts]) -> None:
    """Refuse frames of several sizes, and damaged ones as far as seen, before any is decoded."""
    if len(shapes := sorted({facts.frame_shape for facts in images})) > 1:
        raise SweepError(
            f"{name}: expected frames of one size, found {shapes[0]} and {shapes[1]}; "
            f"keep other pictures out of it"
        )
    for facts in images:
        syntax = UID(facts.syntax)
        if syntax.is_compressed and syntax not in MPEGTransferSyntaxes:
            check_dicom_frames(facts.path)


def _check_turned(name: str, images: Sequence[DicomFacts]) -> None:
    """Refuse MONOCHROME1 of several depths: the same grey would be turned into several."""
    if len(depths := {facts.turned_bits for facts in images} - {0}) > 1:
        raise SweepError(
            f"{name}: expected MONOCHROME1 frames of one depth, found {len(depths)}; "
            f"open them one by one"
        )


def _spacing(
    name: str, images: Sequence[DicomFacts], frames: Frames
) -> tuple[tuple[float, float] | None, str]:
    """Return the spacing that all images have, and what is to be said of it."""
    calibrations = {facts.calibration for facts in images}
    picture = Picture(frames)
    found = [spacing_of(calibration, picture) for calibration in calibrations]
    known = [spacing for spacing, _ in found if spacing is not None]
    if known and (len(known) < len(found) or not np.allclose(known, known[0], rtol=0.001)):
        raise SweepError(
            f"{name}: expected DICOM files of one spacing, found {len(found)}; open them one by one"
        )
    return (known[0] if known else None), next((note for _, note in found if note), "")


def _sweeps(files: Sequence[DicomFacts]) -> list[list[DicomFacts]]:
    """Group files into sweeps, both in order."""
    sweeps: list[list[DicomFacts]] = []
    for facts in _ordered(files):
        last = sweeps[-1][-1] if sweeps else None
        if last and last.series == facts.series and last.frames == facts.frames == 1:
            sweeps[-1].append(facts)
        else:
            sweeps.append([facts])
    return sweeps


def _ordered(files: Iterable[DicomFacts]) -> list[DicomFacts]:
    """Sort files by series and instance; those of a series without all numbers by their names."""
    files = list(files)
    unnumbered = {facts.series for facts in files if facts.instance_number is None}
    return sorted(
        files,
        key=lambda facts: (
            facts.series_number or 0,
            facts.series,
            0 if facts.series in unnumbered else facts.instance_number or 0,
        ),
    )
