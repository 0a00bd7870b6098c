"""A data set in the ACOUSLIC-AI layout held against the facts of the public one, case by case."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK

from fetal_iqa_training.data.labelled_frames import filled
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import AcouslicCase, list_cases, open_frames, open_masks
from napari_fetal_iqa.io.acouslic import IMAGES, MASKS
from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.sweep import Bounds

SHAPE = (840, 562, 744)
SPACING_MM = (0.28, 0.28)
AC_MM = (140.9, 350.6)
"""Of the public data set: frames, rows, columns; spacing; range of circumferences (Sappia 2025)."""


@dataclass(frozen=True)
class CaseCheck:
    """What was found in one case.

    Parameters
    ----------
    case : AcouslicCase
    damage : str or None
        Why the case cannot be used, in one line: what was expected, what was found, in which file.
    remarks : tuple of str
        Where the case can be used but differs from those of the public data set.
    frames, optimal, suboptimal : int
        Frames in all, and those of each annotated plane; 0 where the case is damaged.
    identity : str
        Content of the frames; empty where they could not be read.
    """

    case: AcouslicCase
    damage: str | None = None
    remarks: tuple[str, ...] = ()
    frames: int = 0
    optimal: int = 0
    suboptimal: int = 0
    identity: str = ""

    @property
    def annotated_sweeps(self) -> int:
        """How many sweeps have a circumference."""
        return len(self.case.annotated_sweeps)


@dataclass(frozen=True)
class DataSetCheck:
    """What was found in a whole data set.

    Parameters
    ----------
    cases : tuple of CaseCheck
        In the order of the table.
    strangers : tuple of str
        Volumes in the folder that the table does not name.
    """

    cases: tuple[CaseCheck, ...]
    strangers: tuple[str, ...] = ()
    sound: tuple[CaseCheck, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sound", tuple(c for c in self.cases if c.damage is None))

    @property
    def damaged(self) -> dict[str, str]:
        """What is wrong with each damaged case, by uuid."""
        return {check.case.uuid: check.damage for check in self.cases if check.damage}

    @property
    def remarks(self) -> dict[str, int]:
        """How many sound cases each remark is true of, the most frequent first."""
        return dict(Counter(text for check in self.sound for text in check.remarks).most_common())

    @property
    def counts(self) -> dict[str, int | float]:
        """Counts over the sound cases, and the share of their frames that are annotated."""
        subjects = Counter(check.case.subject_id for check in self.sound)
        frames = sum(check.frames for check in self.sound)
        annotated = sum(check.optimal + check.suboptimal for check in self.sound)
        return {
            "cases": len(self.sound),
            "subjects": len(subjects),
            "subjects_with_several_cases": sum(count > 1 for count in subjects.values()),
            "frames": frames,
            "annotated_frames": annotated,
            "annotated_share": round(annotated / frames, 5) if frames else 0.0,
            "cases_with_optimal_frames": sum(check.optimal > 0 for check in self.sound),
            "cases_with_suboptimal_frames_only": sum(
                check.suboptimal > 0 and not check.optimal for check in self.sound
            ),
            "sweeps_with_a_circumference": sum(check.annotated_sweeps for check in self.sound),
        }


def check_data_set(folder: Path, report: Report = silent) -> DataSetCheck:
    """Look through a whole data set, one case after the other.

    Damage is: a volume that is missing or cannot be read to its end, pixels that are not uint8,
    masks on another grid than the frames, frames that are not six sweeps of equal length or show
    nothing, labels other than 0, 1 and 2 or two of them on one frame, a uuid that the table names
    twice or without a subject, and frames that another case has, too.

    Parameters
    ----------
    folder : Path
    report : callable, optional

    Returns
    -------
    DataSetCheck

    Raises
    ------
    SweepError
        Where the table is missing or malformed.
    """
    cases = list_cases(folder, must_exist=False)
    named = Counter(case.uuid for case in cases)
    checks: list[CaseCheck] = []
    owners: dict[str, str] = {}
    for done, case in enumerate(cases, start=1):
        if named[case.uuid] > 1:
            check = CaseCheck(case, "the table names it twice; delete one of the lines")
        elif not case.subject_id:
            check = CaseCheck(case, "the table names no subject; without one it cannot be split")
        else:
            check = check_case(case)
        owner = owners.setdefault(check.identity, case.uuid)
        if check.damage is None and owner != case.uuid:
            wrong = f"has the same frames as case {owner}; delete one of them from the table"
            check = CaseCheck(case, wrong)
        checks.append(check)
        report(Progress("reading", done, len(cases)))
    strangers = sorted(
        path.relative_to(folder).as_posix()
        for part in (IMAGES, MASKS)
        for path in (folder / part).glob("*.mha")
        if path.stem not in named
    )
    return DataSetCheck(tuple(checks), tuple(strangers))


def check_case(case: AcouslicCase) -> CaseCheck:
    """Read one case to its end; one of its two volumes is in memory at a time."""
    try:
        frames = _check_frames(case)
        planes, hollow = _check_masks(case, frames.shape)
    except (SweepError, TrainingError) as error:
        return CaseCheck(case, str(error))
    return CaseCheck(
        case,
        remarks=tuple(_remarks(case, frames, planes, hollow)),
        frames=len(planes),
        optimal=int((planes == Label.OPTIMAL).sum()),
        suboptimal=int((planes == Label.SUBOPTIMAL).sum()),
        identity=frames.identity,
    )


@dataclass(frozen=True)
class _Frames:
    """What is kept of the frames of a case when they are read."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float] | None
    bounds: Bounds
    identity: str


def _check_frames(case: AcouslicCase) -> _Frames:
    _check_is_uint8(case.image_path)
    volume = open_frames(case)
    identity = volume.identity  # reads all: damage anywhere in the file is found
    if not any(np.any(frame) for frame in volume.frames):
        raise TrainingError(f"{case.image_path.name}: all frames are black; copy the case again")
    return _Frames(volume.shape, volume.spacing_mm, volume.bounds, identity)


def _check_masks(case: AcouslicCase, shape: tuple[int, int, int]) -> tuple[np.ndarray, int]:
    """Return the plane of each frame, and how many masks have a hole.

    Planes are (T,) uint8: 1 optimal, 2 suboptimal, 0 not annotated.
    """
    _check_is_uint8(case.mask_path)
    masks = open_masks(case, shape)
    planes = np.zeros(len(masks), np.uint8)
    hollow = 0
    for frame, labels in enumerate(masks.frames):
        largest = int(np.max(labels))
        if largest > max(Label):
            raise TrainingError(
                f"masks of {case.mask_path.name}: expected the labels 0, 1 and 2, found {largest} "
                f"in frame {frame}; copy the case again"
            )
        if largest == Label.SUBOPTIMAL and np.any(labels == Label.OPTIMAL):
            raise TrainingError(
                f"masks of {case.mask_path.name}: expected one label per frame, found 1 and 2 in "
                f"frame {frame}; correct the mask"
            )
        planes[frame] = largest
        abdomen = np.asarray(labels)[None] > 0
        hollow += bool(largest and (filled(abdomen) != abdomen).any())
    return planes, hollow


def _check_is_uint8(path: Path) -> None:
    """Refuse other pixels: reading would turn them into uint8, and masks into other labels."""
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return  # opening the volume says what is wrong, in one line
    if reader.GetPixelID() != SimpleITK.sitkUInt8:
        found = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())
        raise TrainingError(f"{path.name}: expected pixels of uint8, found {found}; copy it again")


def _remarks(case: AcouslicCase, frames: _Frames, planes: np.ndarray, hollow: int) -> Iterator[str]:
    if hollow:
        yield "masks are outlines that are not filled, or have holes; training fills them"
    if frames.shape != SHAPE:
        yield f"not {' x '.join(map(str, SHAPE))} frames, rows and columns"
    if frames.spacing_mm is None or not np.allclose(frames.spacing_mm, SPACING_MM, atol=1e-3):
        yield f"spacing is not {SPACING_MM[0]} mm"
    if not planes.any():
        yield "no annotated frame"
    seen = {sweep for sweep, (start, stop) in enumerate(frames.bounds) if planes[start:stop].any()}
    known = set(case.annotated_sweeps)
    if seen - known:
        yield "a sweep has annotated frames but no circumference"
    if known - seen:
        yield "a sweep has a circumference but no annotated frame"
    if any(ac_mm is not None and not AC_MM[0] <= ac_mm <= AC_MM[1] for ac_mm in case.ac_mm):
        yield f"a circumference is not within {AC_MM[0]} to {AC_MM[1]} mm"
