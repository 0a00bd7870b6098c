"""Who trains and who judges: splits by subject, so that no fetus is on both sides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fetal_iqa_training.data.labelled_frames import AnnotatedCase
from fetal_iqa_training.errors import TrainingError


@dataclass(frozen=True)
class CaseSplit:
    """Cases for training, for choosing the best epoch, and for the final figures."""

    training: tuple[AnnotatedCase, ...]
    validation: tuple[AnnotatedCase, ...]
    test: tuple[AnnotatedCase, ...]


def split_by_subject(
    cases: Sequence[AnnotatedCase],
    validation_share: float = 0.1,
    test_share: float = 0.2,
    seed: int = 0,
) -> CaseSplit:
    """Split cases so that all cases of a subject fall on one side.

    Parameters
    ----------
    cases : sequence of AnnotatedCase
    validation_share, test_share : float
        Of the subjects, rounded, but at least one subject each where the share is not 0; the
        paper has 210, 30 and 60 of 300 cases.
    seed : int

    Returns
    -------
    CaseSplit

    Raises
    ------
    TrainingError
        Where there are too few subjects for every part to have one.
    """
    subjects = sorted({case.subject_id for case in cases})
    counts = [
        max(1, round(share * len(subjects))) if share else 0
        for share in (validation_share, test_share)
    ]
    if len(subjects) <= sum(counts):
        raise TrainingError(
            f"only {len(subjects)} annotated subjects: training, validation and test "
            f"need {sum(counts) + 1} or more; add cases"
        )
    np.random.default_rng(seed).shuffle(subjects)
    validation = set(subjects[: counts[0]])
    test = set(subjects[counts[0] : sum(counts)])
    return CaseSplit(
        training=tuple(c for c in cases if c.subject_id not in validation | test),
        validation=tuple(c for c in cases if c.subject_id in validation),
        test=tuple(c for c in cases if c.subject_id in test),
    )
