"""How far two reviewers agree on one sweep: on labels, on outlines, and on each criterion."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from napari_fetal_iqa.corrections.history import FrameCorrection
from napari_fetal_iqa.corrections.rows import SweepRecord
from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.criteria import Criterion, Verdicts
from napari_fetal_iqa.geometry.mask_codec import decode_mask
from napari_fetal_iqa.geometry.overlap import dice

logger = logging.getLogger(__name__)

MOST_REVIEWERS = 20
"""Of one sweep: 190 pairs. No team is larger; a made-up store may name thousands."""

DICE_AGREES = 0.8
"""Two outlines of one abdomen that overlap less are worth a second look."""


@dataclass(frozen=True)
class CriterionAgreement:
    """What two reviewers say of one criterion of the plane.

    Parameters
    ----------
    criterion : Criterion
    judged : int
        Frames of which both judged it.
    same : int
        Those of which they say the same.
    kappa : float or None
        Cohen's kappa; None where it is not defined.
    """

    criterion: Criterion
    judged: int
    same: int
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """What two reviewers say of the same frames of one sweep.

    Parameters
    ----------
    reviewers : (str, str)
    labelled : int
        Frames that both labelled.
    kappa : float or None
        Cohen's kappa of these labels; None where it is not defined.
    outlined : int
        Frames of which both set the mask, and at least one of them outlines something.
    dice : float or None
        Mean Dice coefficient of the masks of these frames; None where there are none.
    disagreements : tuple of int
        Frames whose labels differ, or whose Dice is below :data:`DICE_AGREES`; in order.
    criteria : tuple of CriterionAgreement
        Of each criterion that both judged on some frame.
    """

    reviewers: tuple[str, str]
    labelled: int
    kappa: float | None
    outlined: int
    dice: float | None
    disagreements: tuple[int, ...]
    criteria: tuple[CriterionAgreement, ...] = ()


def agreements(store: CorrectionStore, record: SweepRecord) -> tuple[Agreement, ...]:
    """Compare every two reviewers of a sweep that spoke of a frame in common.

    Of more than :data:`MOST_REVIEWERS` the first by name are compared.

    Raises
    ------
    StoreError
        Where the store cannot be read.
    """
    names = store.reviewers(record.identity)
    if len(names) > MOST_REVIEWERS:
        logger.warning(
            "sweep %s: %d reviewers, the first %d are compared",
            record.identity[:8],
            len(names),
            MOST_REVIEWERS,
        )
        names = names[:MOST_REVIEWERS]
    states = {name: store.corrections(record.identity, name) for name in names}
    compared = [
        replace(
            compare(pair, states[pair[0]], states[pair[1]], record.shape[1:]),
            criteria=compare_verdicts(
                *(store.verdicts(record.identity, name) for name in pair),
            ),
        )
        for pair in combinations(names, 2)
    ]
    return tuple(found for found in compared if found.labelled or found.outlined or found.criteria)


def compare_verdicts(
    first: Mapping[int, Verdicts], second: Mapping[int, Verdicts]
) -> tuple[CriterionAgreement, ...]:
    """Compare what two reviewers say of the criteria of the plane, by frame."""
    found = []
    for criterion in Criterion:
        pairs = [
            (int(first[frame][criterion]), int(second[frame][criterion]))
            for frame in sorted(first.keys() & second.keys())
            if criterion in first[frame] and criterion in second[frame]
        ]
        if pairs:
            same = sum(one == other for one, other in pairs)
            found.append(CriterionAgreement(criterion, len(pairs), same, cohens_kappa(pairs)))
    return tuple(found)


def compare(
    reviewers: tuple[str, str],
    first: Mapping[int, FrameCorrection],
    second: Mapping[int, FrameCorrection],
    shape: tuple[int, int],
) -> Agreement:
    """Compare what two reviewers say of a sweep, frame by frame.

    A confirmed prediction is a word like any other.

    Parameters
    ----------
    reviewers : (str, str)
        Their names.
    first, second : mapping of frame to FrameCorrection
        What each of them says.
    shape : (H, W) of the masks

    Raises
    ------
    ValueError
        Where a mask is damaged.
    """
    labels: list[tuple[int, int]] = []
    overlaps: list[float] = []
    disagreements = []
    for frame in sorted(first.keys() & second.keys()):
        one, other = first[frame], second[frame]
        differs = False
        if one.label is not None and other.label is not None:
            labels.append((one.label, other.label))
            differs = one.label is not other.label
        if one.outline is not None and other.outline is not None:
            masks = decode_mask(one.outline, shape), decode_mask(other.outline, shape)
            overlap = dice(*masks, of_nothing=None)  # nothing to disagree on
            if overlap is not None:
                overlaps.append(overlap)
                differs |= overlap < DICE_AGREES
        if differs:
            disagreements.append(frame)
    return Agreement(
        reviewers=reviewers,
        labelled=len(labels),
        kappa=cohens_kappa(labels),
        outlined=len(overlaps),
        dice=float(np.mean(overlaps)) if overlaps else None,
        disagreements=tuple(disagreements),
    )


def cohens_kappa(labels: Sequence[tuple[int, int]]) -> float | None:
    """Agreement of two raters beyond what chance gives, unweighted.

    Parameters
    ----------
    labels : sequence of (int, int)
        Of each item, the label that either rater gave.

    Returns
    -------
    float
        1 for full agreement, 0 for that of chance, below 0 for less; None where it is not
        defined: without items, or where both raters gave all of them one and the same label.

    References
    ----------
    Cohen, Educational and Psychological Measurement 20 (1960) 37, equation 1:
    kappa = (p_o - p_c) / (1 - p_c).
    """
    if not labels:
        return None
    first, second = np.asarray(labels).T
    observed = float(np.mean(first == second))
    by_chance = sum(
        float(np.mean(first == label) * np.mean(second == label))
        for label in np.union1d(first, second)
    )
    return None if by_chance == 1 else (observed - by_chance) / (1 - by_chance)
