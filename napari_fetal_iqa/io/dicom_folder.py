"""A folder of ultrasound DICOM files as one volume: every series, or cine, is a sweep."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.dicom import DicomFacts, append_dicom_frames, read_facts
from napari_fetal_iqa.io.frame_stack import FrameStack
from napari_fetal_iqa.io.grey import to_grey_frames
from napari_fetal_iqa.sweep import SweepVolume


def read_dicom_folder(folder: Path, files: Sequence[Path]) -> SweepVolume:
    """Read the images of a folder as one volume.

    A file of several frames is a sweep; single frames of one series are a sweep, sorted by
    instance number. Sweeps come in the order of series numbers. One sweep alone is split as
    :func:`~napari_fetal_iqa.sweep.sweep_bounds` does.

    Raises
    ------
    SweepError
        Where a file is damaged, or frames differ in size or spacing.
    """
    sweeps = _sweeps([read_facts(path) for path in files])
    spacings = {facts.spacing_mm for sweep in sweeps for facts in sweep}
    known = [spacing for spacing in spacings if spacing is not None]
    if len(spacings) > 1 and (None in spacings or not np.allclose(known, known[0], rtol=0.001)):
        raise SweepError(
            f"{folder.name}: expected DICOM files of one spacing, found {len(spacings)}; "
            f"open them one by one"
        )
    stack = FrameStack(folder.name)
    edges = [0]
    for sweep in sweeps:
        for facts in sweep:
            append_dicom_frames(stack, facts.path)
        edges.append(len(stack))
    return SweepVolume(
        to_grey_frames(stack.frames()),
        spacing_mm=known[0] if known else None,
        bounds=tuple(itertools.pairwise(edges)) if len(sweeps) > 1 else (),
        name=folder.name,
        source_format="DICOM folder",
        path=folder,
    )


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
