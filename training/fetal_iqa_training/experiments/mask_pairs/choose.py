"""Which six test frames are shown: five over the whole range of Dice, and one with neither mask."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetal_iqa_training.errors import TrainingError

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the frames with an abdomen, ordered by Dice: from hard to easy, and none picked by hand."""


@dataclass(frozen=True)
class ChosenFrame:
    """A frame to show.

    Parameters
    ----------
    case, sweep : str
    frame : int
    dice : float or None
        None where there is no abdomen.
    """

    case: str
    sweep: str
    frame: int
    dice: float | None


def choose_frames(outcomes: Path) -> list[ChosenFrame]:
    """Choose frames from what a run said of every test frame.

    Parameters
    ----------
    outcomes : Path
        As :func:`~fetal_iqa_training.experiments.tables.frame_outcomes.write_outcomes` writes it.

    Returns
    -------
    list of ChosenFrame
        Five with an abdomen at most, the worst first, each of another sweep where there are as
        many; then one without, on which the least was painted.

    Raises
    ------
    TrainingError
        Where no frame has an abdomen.
    """
    with outcomes.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    known = sorted(
        (
            ChosenFrame(line["case"], line["sweep"], int(line["frame"]), float(line["dice"]))
            for line in lines
            if line["dice"]
        ),
        key=lambda one: (one.dice, one.sweep, one.frame),
    )
    if not known:
        raise TrainingError("no test frame has an abdomen to outline; choose other data")
    chosen: list[ChosenFrame] = []
    for share in SHARES:
        chosen.append(_near(known, share, chosen))
    empty = [line for line in lines if line["positive"] == "0"]
    if empty:
        least = min(empty, key=lambda line: (float(line["score"]), line["sweep"], line["frame"]))
        chosen.append(ChosenFrame(least["case"], least["sweep"], int(least["frame"]), None))
    return list(dict.fromkeys(chosen))


def _near(known: Sequence[ChosenFrame], share: float, chosen: Sequence[ChosenFrame]) -> ChosenFrame:
    """Return the frame nearest to a share of the order, of a sweep that is not shown yet."""
    place = share * (len(known) - 1)
    order = np.argsort([abs(number - place) for number in range(len(known))], kind="stable")
    shown = {one.sweep for one in chosen}
    others = [number for number in order if known[number].sweep not in shown]
    return known[int((others or list(order))[0])]
