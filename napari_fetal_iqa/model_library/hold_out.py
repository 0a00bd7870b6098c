"""How a fine-tuned model did on the hold-out, beside the model that it was made from."""

import math
from typing import NamedTuple

from fetal_iqa_models.cards import ModelCard
from napari_fetal_iqa.model_library.comparison import MetricsBySet, ModelComparison

MAIN_METRIC = {"cls": "f1", "seg": "dice"}
"""The metric on the hold-out by which a child is compared with its parent."""

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
    """Explain that a model is worse on the hold-out than its parent; None where it is not.

    Where there is no hold-out nothing is known, which is None, too.
    """
    found = hold_out(card)
    if found is None or found.child >= found.parent:
        return None
    metric = IN_WORDS[card.task]
    return f"worse than its parent on the hold-out: {metric} {found.child}, before {found.parent}"
