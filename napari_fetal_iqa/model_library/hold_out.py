"""How a fine-tuned model did on the hold-out, beside the model that it was made from."""

import math
from typing import NamedTuple

from fetal_iqa_models.cards import ModelCard
from napari_fetal_iqa.model_library.comparison import MetricsBySet, ModelComparison
from napari_fetal_iqa.model_library.judgement import judge_child

MAIN_METRIC = {"cls": "f1", "seg": "dice"}
"""The metric on the hold-out that is shown first of a child and its parent."""

NOT_JUDGED = "not judged: no hold-out"

IN_WORDS = {"cls": "F1", "seg": "Dice"}


class HoldOut(NamedTuple):
    """F1 or Dice on the frames held out, of the parent and of the child made from it."""

    parent: float
    child: float


def hold_out(card: ModelCard) -> HoldOut | None:
    """Return the main metric of parent and child on the frames held out; None without any."""
    comparison = ModelComparison.model_validate(card.metrics)
    parent, child = (
        _main_metric(side, card.task) for side in (comparison.parent, comparison.child)
    )
    return None if parent is None or child is None else HoldOut(parent, child)


def _main_metric(side: MetricsBySet | None, task: str) -> float | None:
    held = side.hold_out if side else None
    value = held.get(MAIN_METRIC[task]) if held else None
    return float(value) if value is not None and math.isfinite(value) else None


def is_worse(card: ModelCard) -> str | None:
    """Explain in what a model is worse than its parent; None where it is not, or nothing is known.

    On the hold-out any of F1, Dice and the error of the circumference counts; on the reference what
    is surely worse, or worse by more than a margin.
    """
    return judge_child(ModelComparison.model_validate(card.metrics), card.task).verdict


def doubtful(card: ModelCard) -> str | None:
    """Explain why what a card says of itself may say more than is known; None where not."""
    if not card.parent:
        return None
    judged = judge_child(ModelComparison.model_validate(card.metrics), card.task)
    remarks = []
    if hold_out(card) is None:
        remarks.append(NOT_JUDGED)
    elif card.taught is None:
        remarks.append(
            "judged by an earlier version, whose hold-out may hold sweeps that it or an ancestor "
            "learnt from"
        )
    else:
        if not card.taught.known:
            remarks.append(
                "made from a model whose card does not say what taught it, so that it may know "
                "the sweeps that judged it"
            )
        if judged.units is not None and not judged.units.enough:
            remarks.append(f"judged on {judged.doubt}")
    if judged.slipped:
        moves = "; ".join(map(str, judged.slipped))
        remarks.append(f"a little worse on the reference: {moves} ({judged.doubt_of_slips})")
    return ", and ".join(remarks) or None
