"""Which corrected sweeps judge a model and never train it: the same ones in every run."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from fetal_iqa_training.data.corrections import count_usable
from fetal_iqa_training.settings import Task
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep

LEAST_OF_EACH = 5
"""Fewest positive frames, and for frame quality negative ones, that a hold-out can judge by."""

_ONE_IN = 5


@dataclass(frozen=True)
class CorrectionSplit:
    """Corrected sweeps to train on, and those to be judged by; the latter may be none."""

    training: tuple[CorrectedSweep, ...]
    hold_out: tuple[CorrectedSweep, ...]


def is_held_out(identity: str) -> bool:
    """Return whether a sweep is for judging, from its content identity alone.

    One sweep in five is, and stays so as the store grows, on every machine.
    """
    return int(hashlib.sha256(identity.encode()).hexdigest(), 16) % _ONE_IN == 0


def split_hold_out(sweeps: Sequence[CorrectedSweep], task: Task) -> CorrectionSplit:
    """Set sweeps aside to judge by, where both sides get enough frames.

    Neighbouring frames are alike, so a sweep is never divided. Where the hold-out or what is
    left to train on would have fewer than 5 positive frames (or, for frame quality, fewer
    than 5 negative ones), all sweeps are trained on and there is no hold-out.

    Parameters
    ----------
    sweeps : sequence of CorrectedSweep
    task : {"cls", "seg"}

    Returns
    -------
    CorrectionSplit
    """
    hold_out = tuple(s for s in sweeps if is_held_out(s.record.identity))
    training = tuple(s for s in sweeps if not is_held_out(s.record.identity))
    for side in (hold_out, training):
        positives, negatives = count_usable(side, task)
        if positives < LEAST_OF_EACH or (task == "cls" and negatives < LEAST_OF_EACH):
            return CorrectionSplit(tuple(sweeps), ())
    return CorrectionSplit(training, hold_out)
