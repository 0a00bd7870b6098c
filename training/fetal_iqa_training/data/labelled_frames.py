"""Frames and what is known of them: where every training set and every evaluation begins."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.acouslic import SWEEPS_PER_CASE, AcouslicCase, list_cases


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """Frames of one sweep with the truth about them.

    Parameters
    ----------
    sweep : str
        Whose frames these are, for people: a case's uuid and sweep number.
    frames : (n, H, W) uint8 array
    masks : (n, H, W) bool array
        The abdomen; empty where a frame shows none.
    positive : (n,) bool array
        The frame shows an abdomen that can be measured: its plane is optimal or suboptimal.
    spacing_mm : (float, float), optional
        Millimetres per pixel along rows and columns, where known.
    field_of_view : (H, W) bool array, optional
        Outlines end at its edge.
    numbers : (n,) int array, optional
        The frames' numbers in the sweep; 0, 1, 2... where not given.
    """

    sweep: str
    frames: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    spacing_mm: tuple[float, float] | None = None
    field_of_view: NDArray[np.bool_] | None = None
    numbers: NDArray[np.intp] | None = None


@dataclass(frozen=True)
class AnnotatedCase:
    """One examination of a data set: whose it is, and how to read its frames.

    Parameters
    ----------
    name : str
    subject_id : str
        Several cases may be one subject's: split by subject, not by case.
    n_sources : int
        How many :class:`LabelledFrames` there are to read.
    read : callable
        Reads them anew at every call, one at a time.
    """

    name: str
    subject_id: str
    n_sources: int
    read: Callable[[], Iterator[LabelledFrames]] = field(compare=False)


def frames_of(cases: Iterable[AnnotatedCase]) -> Iterator[LabelledFrames]:
    """Read the frames of cases, in their order."""
    for case in cases:
        yield from case.read()


def acouslic_cases(folder: Path, only: Collection[str] | None = None) -> tuple[AnnotatedCase, ...]:
    """List the cases of a folder in the ACOUSLIC-AI layout that have an annotated sweep.

    Parameters
    ----------
    folder : Path
    only : collection of str, optional
        uuids of the cases to list; volumes of the others may be missing.

    Raises
    ------
    SweepError
        Where the folder is not in that layout.
    TrainingError
        Where a volume of a case to list is missing.
    """
    cases = list_cases(folder, must_exist=only is None)
    if only is not None:
        cases = [case for case in cases if case.uuid in only]
        _check_are_there(cases)
    return tuple(
        AnnotatedCase(case.uuid, case.subject_id, annotated, partial(acouslic_frames, [case]))
        for case in cases
        if (annotated := sum(ac_mm is not None for ac_mm in case.ac_mm))
    )


def _check_are_there(cases: Iterable[AcouslicCase]) -> None:
    for case in cases:
        for path in (case.image_path, case.mask_path):
            if not path.is_file():
                raise TrainingError(f"{path}: missing; copy case {case.uuid} again")


def acouslic_frames(cases: Iterable[AcouslicCase]) -> Iterator[LabelledFrames]:
    """Read the annotated sweeps of ACOUSLIC-AI cases, one sweep at a time.

    Sweeps without an annotated circumference are left out, as in the paper: nobody looked for
    an abdomen there. A frame is positive where its mask is not empty, whether its plane is
    optimal (1) or suboptimal (2).

    Parameters
    ----------
    cases : iterable of AcouslicCase

    Yields
    ------
    LabelledFrames
        At most one volume and its masks are in memory at a time.

    Raises
    ------
    SweepError
        Where a volume cannot be read.
    TrainingError
        Where a case's masks are not on the grid of its frames, or the frames are not 6 sweeps.
    """
    for case in cases:
        annotated = [number for number, ac_mm in enumerate(case.ac_mm) if ac_mm is not None]
        if not annotated:
            continue
        volume = read_sweep(case.image_path)
        masks = read_sweep(case.mask_path)
        if volume.shape != masks.shape:
            raise TrainingError(
                f"{case.mask_path.name}: expected masks on the grid {volume.shape} of the frames, "
                f"found {masks.shape}; copy the case again"
            )
        length, rest = divmod(len(volume), SWEEPS_PER_CASE)
        if rest:
            raise TrainingError(
                f"{case.image_path.name}: expected {SWEEPS_PER_CASE} sweeps of equal length, found "
                f"{len(volume)} frames; copy the case again"
            )
        for number in annotated:
            start, stop = number * length, (number + 1) * length
            abdomen = np.asarray(masks.frames[start:stop]) > 0
            yield LabelledFrames(
                sweep=f"{case.uuid}, sweep {number + 1}",
                frames=np.asarray(volume.frames[start:stop]),
                masks=abdomen,
                positive=np.asarray(abdomen.any(axis=(1, 2))),
                spacing_mm=volume.spacing_mm,
                field_of_view=volume.field_of_view,
            )
        del volume, masks  # a volume is large: not beside the next
