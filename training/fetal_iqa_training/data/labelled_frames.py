"""Frames and what is known of them: where every training set and every evaluation begins."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes

from napari_fetal_iqa.io import AcouslicCase, list_cases, open_frames, open_masks


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
    subject : str, optional
        Whose sweep it is, where known.
    case : str
        Name of the case in its data set; empty where it is of none.
    """

    sweep: str
    frames: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    spacing_mm: tuple[float, float] | None = None
    field_of_view: NDArray[np.bool_] | None = None
    numbers: NDArray[np.intp] | None = None
    subject: str | None = None
    case: str = ""

    @property
    def content(self) -> str:
        """Hash of the frames, whatever the names of their files."""
        return content_of(self.frames)


def content_of(frames: NDArray[np.uint8]) -> str:
    """Hash (n, H, W) frames of one sweep: equal content is the same sweep, wherever it lies."""
    digest = hashlib.sha256(repr(tuple(frames.shape)).encode())
    for frame in frames:
        digest.update(np.ascontiguousarray(frame).tobytes())
    return digest.hexdigest()


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
    held_back : bool, optional
        Whether whoever published the data keeps the subject for judging; None where nobody says.
    """

    name: str
    subject_id: str
    n_sources: int
    read: Callable[[], Iterator[LabelledFrames]] = field(compare=False)
    held_back: bool | None = None


def filled(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill masks that are closed outlines, as the published code does; others stay as they are.

    Parameters
    ----------
    masks : (n, H, W) bool array

    Returns
    -------
    (n, H, W) bool array
        Every background pixel that no way over neighbours leads out from is inside.
    """
    whole = masks.copy()
    for frame in np.flatnonzero(masks.any(axis=(1, 2))):
        rows, columns = (np.flatnonzero(masks[frame].any(axis=axis)) for axis in (1, 0))
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        whole[frame][box] = binary_fill_holes(masks[frame][box])
    return whole


def frames_of(cases: Iterable[AnnotatedCase]) -> Iterator[LabelledFrames]:
    """Read the frames of cases, in their order."""
    for case in cases:
        yield from case.read()


def noting_contents(
    sources: Iterable[LabelledFrames], contents: list[str]
) -> Iterator[LabelledFrames]:
    """Hand on frames as they are, and note the hash of each sweep's."""
    for source in sources:
        contents.append(source.content)
        yield source


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
        Where the folder is not in that layout, or a volume of a case to list is missing.
    """
    return annotated_cases(list_cases(folder, only=only))


def annotated_cases(cases: Iterable[AcouslicCase]) -> tuple[AnnotatedCase, ...]:
    """Take the ACOUSLIC-AI cases that have an annotated sweep, to read and to split."""
    return tuple(
        AnnotatedCase(case.uuid, case.subject_id, n_sweeps, partial(acouslic_frames, [case]))
        for case in cases
        if (n_sweeps := len(case.annotated_sweeps))
    )


def acouslic_frames(cases: Iterable[AcouslicCase]) -> Iterator[LabelledFrames]:
    """Read the annotated sweeps of ACOUSLIC-AI cases, one sweep at a time.

    Sweeps without an annotated circumference are left out, as in the paper: nobody looked for
    an abdomen there. A frame is positive where its mask is not empty, whether its plane is
    optimal (1) or suboptimal (2). A mask that is an outline is filled.

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
        Where a volume cannot be read, a case's masks are not on the grid of its frames, or the
        frames are not 6 sweeps.
    """
    for case in cases:
        if not case.annotated_sweeps:
            continue
        volume = open_frames(case)
        masks = open_masks(case, volume.shape)
        for number in case.annotated_sweeps:
            start, stop = volume.bounds[number]
            abdomen = filled(np.asarray(masks.frames[start:stop]) > 0)
            yield LabelledFrames(
                sweep=f"{case.uuid}, sweep {number + 1}",
                frames=np.asarray(volume.frames[start:stop]),
                masks=abdomen,
                positive=np.asarray(abdomen.any(axis=(1, 2))),
                spacing_mm=volume.spacing_mm,
                field_of_view=volume.field_of_view,
                subject=case.subject_id,
                case=case.uuid,
            )
        del volume, masks  # a volume is large: not beside the next
