"""How a fine-tuned model did on the hold-out, beside the model that it was made from."""

import math
from typing import NamedTuple

from fetal_iqa_models.cards import ModelCard

JUDGED_BY = {"cls": "f1", "seg": "dice"}
"""The figure on the hold-out by which a child is compared with its parent."""

IN_WORDS = {"cls": "F1", "seg": "Dice"}


class HoldOut(NamedTuple):
    """F1 or Dice on the frames held out, of the parent and of the child made from it."""

    parent: float
    child: float


def hold_out(card: ModelCard) -> HoldOut | None:
    """Return the figures of parent and child on the frames held out; None without any."""
    figures = []
    for whose in HoldOut._fields:
        found: object = card.metrics
        for key in (whose, "hold_out", JUDGED_BY[card.task]):
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, bool) or not isinstance(found, int | float):
            return None
        if not math.isfinite(found):
            return None
        figures.append(float(found))
    return HoldOut(*figures)


def is_worse(card: ModelCard) -> str | None:
    """Say that a model is worse on the hold-out than its parent; None where it is not.

    Where there is no hold-out nothing can be said, which is None, too.
    """
    found = hold_out(card)
    if found is None or found.child >= found.parent:
        return None
    figure = IN_WORDS[card.task]
    return f"worse than its parent on the hold-out: {figure} {found.child}, before {found.parent}"
