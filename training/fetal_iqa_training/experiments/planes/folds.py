"""Five folds by subject, and how right a fold is within and out of its domain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.data.planes import PlaneImage, image_content
from fetal_iqa_training.data.shared_frames import joined_units
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.counted import counted

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Fold:
    """Which images train and which judge; (n,) int arrays of their numbers."""

    training: NDArray[np.intp]
    test: NDArray[np.intp]


def folds_of(images: Sequence[PlaneImage], seed: int, n_folds: int = FOLDS) -> list[Fold]:
    """Split images so that each is judged once and nobody is on both sides of a fold.

    Subjects that share an image, to the byte, count as one. The planes are as frequent in every
    fold as can be.

    Raises
    ------
    TrainingError
        Where there are too few subjects.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    subjects = known_as(images)
    if len(set(subjects)) < n_folds:
        raise TrainingError(
            f"{counted(len(set(subjects)), 'subject')}: too few for {n_folds} folds"
        )
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    planes = [image.plane for image in images]
    return [Fold(*parts) for parts in splitter.split(planes, planes, subjects)]


def known_as(images: Sequence[PlaneImage]) -> list[str]:
    """Name whose each image is: of subjects that share an image one stands for all."""
    of_subject: dict[str, set[str]] = {}
    for image in images:
        of_subject.setdefault(image.subject, set()).add(image_content(image))
    joined = joined_units(of_subject)
    return [joined.get(image.subject, image.subject) for image in images]


def validation_of(fold: Fold, images: Sequence[PlaneImage], seed: int) -> Fold:
    """Take one training subject in eight out of a fold's training, to choose the epoch by."""
    known = known_as(images)
    subjects = np.array([known[number] for number in fold.training])
    names = np.unique(subjects)
    np.random.default_rng(seed).shuffle(names)
    held = np.isin(subjects, names[: max(1, len(names) // 8)])
    return Fold(fold.training[~held], fold.training[held])


def macro_f1(truth: Sequence[str], found: Sequence[str]) -> float:
    """Return the mean F1 of the planes that there are; calls of another plane count as wrong."""
    from sklearn.metrics import f1_score

    return float(
        f1_score(truth, found, labels=sorted(set(truth)), average="macro", zero_division=0)
    )


def confusion(truth: Sequence[str], found: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count what images of each plane were called."""
    counts: dict[str, dict[str, int]] = {}
    for plane, called in _sorted_pairs(truth, found):
        counts.setdefault(plane, {}).setdefault(called, 0)
        counts[plane][called] += 1
    return counts


def _sorted_pairs(truth: Sequence[str], found: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield from sorted(zip(truth, found, strict=True))
