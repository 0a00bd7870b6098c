"""What a fine-tuning rehearses, by identity: it teaches the child, and so it cannot judge it."""

from collections.abc import Collection
from pathlib import Path

from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.case_identity import identity_of_case
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.finetune_context import EarlierData
from napari_fetal_iqa.counted import counted


def rehearsed_things(folders: EarlierData, given: EarlierData) -> frozenset[Thing]:
    """Name the cases that are rehearsed, and refuse a reference that has some of them.

    Parameters
    ----------
    folders : EarlierData
        In use.
    given : EarlierData
        What somebody chose: these are compared by their frames as well. The phantoms that a demo
        model has by default are nobody else's.

    Raises
    ------
    TrainingError
        Where the reference holds a case, a subject or frames that are rehearsed.
    SweepError
        Where a folder cannot be read.
    """
    if folders.rehearsal is None:
        return frozenset()
    rehearsed = frozenset(
        thing
        for case in list_annotated(folders.rehearsal)
        for thing in identity_of_case(case, by_content=given.rehearsal is not None)
    )
    if folders.reference is not None:
        _check_apart(folders.reference, rehearsed, given.reference is not None)
    return rehearsed


def _check_apart(reference: Path, rehearsed: Collection[Thing], by_content: bool) -> None:
    cases = list_annotated(reference)
    shared = [
        case
        for case in cases
        if not set(rehearsed).isdisjoint(identity_of_case(case, by_content=False))
        or (by_content and not set(rehearsed).isdisjoint(identity_of_case(case)))
    ]
    if shared:
        raise TrainingError(
            f"{reference}: {len(shared)} of its {counted(len(cases), 'case')} would be rehearsed, "
            "too, and cannot judge what they teach; give --reference or --rehearse other cases"
        )
