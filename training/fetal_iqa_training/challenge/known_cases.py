"""Which cases score models as the challenge does, and what the models knew of them."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from fetal_iqa_models import load_card
from fetal_iqa_models.cards import Taught
from fetal_iqa_training.data.labelled_frames import annotated_cases
from fetal_iqa_training.data.split import names_of_part
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.known_frames import JudgedOn, Watched, own_part
from fetal_iqa_training.settings import OwnPart
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import list_cases


class ChallengeCases(NamedTuple):
    """The cases to score.

    Parameters
    ----------
    only : tuple of str, or None
        Their uuids; None for all.
    judged_on : JudgedOn
        What they are, and what any of the models knew of them.
    """

    only: tuple[str, ...] | None
    judged_on: JudgedOn


def challenge_cases(
    data: Path, models: Sequence[str], split: Path | None, part: OwnPart | None
) -> ChallengeCases:
    """Choose the cases on which one or two models are scored together.

    Parameters
    ----------
    data : Path
        Folder in the ACOUSLIC-AI layout.
    models : sequence of str
        Model folders or built-in names.
    split : Path, optional
        List of who is in which part; without it the models' own splits decide.
    part : {"training", "validation", "test", "all"}, optional
        Test by default: of the models' own splits the cases of the test part of one that taught
        none of them; of data that hold none of their cases everything.

    Raises
    ------
    TrainingError
        Where no case is left.
    SweepError, ModelError
        Where the data or a card cannot be used.
    """
    taught = [load_card(model).taught for model in models]
    only: tuple[str, ...] | None = None
    if split is not None:
        only = names_of_part(data, split, part or "test")
        what = (
            "all parts of the list" if part == "all" else f"the {part or 'test'} part of the list"
        )
    elif part == "all":
        what = "all cases"
    else:
        only, what = _of_own_splits(data, taught, part)
    return ChallengeCases(only, _known(data, taught, only).judged_on(what))


def _of_own_splits(
    data: Path, taught: Sequence[Taught | None], part: OwnPart | None
) -> tuple[tuple[str, ...] | None, str]:
    cases = annotated_cases(list_cases(data))
    found = [own_part(of_model, cases, part or "test") for of_model in taught]
    names = {case.name for own in found for case in own.cases}
    remark = "".join(dict.fromkeys(own.remark for own in found))
    if part in (None, "test"):
        known = _known(data, taught, names)
        names -= known.cases_seen
    if names:
        ordered = tuple(case.name for case in cases if case.name in names)
        return ordered, f"the {part or 'test'} part of the models' own splits{remark}"
    if part is not None or any(own.cases for own in found) or _known(data, taught, None).cases_seen:
        raise TrainingError(
            f"{data}: holds no case of the {part or 'test'} part of the models' own splits that "
            "taught none of them; give --split, or --part all"
        )
    return None, f"all cases{remark}"


def _known(data: Path, taught: Sequence[Taught | None], only: Collection[str] | None) -> Watched:
    """Count what the models have seen of cases; those that cannot be read are named elsewhere."""
    watched = Watched(taught[0], tuple(taught[1:]))
    for case in annotated_cases(list_cases(data, only=only, must_exist=False)):
        try:
            for _ in watched.passing(case.read()):
                pass
        except SweepError:
            continue
    return watched
