"""The corrections to fine-tune on, and whether they are enough; known without loading torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fetal_iqa_training.data.corrections import count_usable, read_corrections
from fetal_iqa_training.data.hold_out import LEAST_OF_EACH, CorrectionSplit, split_hold_out
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import Task
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep
from napari_fetal_iqa.finetuning.events import FrameCounts, SummaryEvent

LEAST = 2
"""Fewest frames of a kind to fine-tune on: with an abdomen, and for cls without one too."""


@dataclass(frozen=True)
class CorrectionSet:
    """The corrections that a model of a task is fine-tuned on, and those that it is judged by.

    Parameters
    ----------
    task : {"cls", "seg"}
    split : CorrectionSplit
    """

    task: Task
    split: CorrectionSplit

    @property
    def problem(self) -> str | None:
        """What there is too little of, and how much is needed; None where there is enough."""
        positives, negatives = count_usable(self.split.training, self.task)
        if not positives + negatives:
            return (
                "no corrections to learn from: label or outline some frames first"
                if self.task == "cls"
                else "no masks to learn from: outline the abdomen of some frames first"
            )
        if self.task == "seg" and positives < LEAST:
            return (
                f"{_frames(positives)} with an outlined abdomen: outlines are learnt from "
                f"{LEAST} or more"
            )
        if self.task == "cls" and min(positives, negatives) < LEAST:
            return (
                f"{_frames(positives)} with and {_frames(negatives)} without an abdomen: frame "
                f"quality is learnt from {LEAST} or more of each"
            )
        return None

    @property
    def note(self) -> str | None:
        """Why nothing is held out to judge by, and what is needed; None where there is."""
        if self.split.hold_out:
            return None
        return (
            f"no hold-out: one sweep in five is held out, once it has {LEAST_OF_EACH} corrected "
            "frames with an abdomen" + (" and as many without" if self.task == "cls" else "")
        )

    def check(self) -> None:
        """Refuse what is too little.

        Raises
        ------
        TrainingError
        """
        if self.problem is not None:
            raise TrainingError(self.problem)

    def summary(self) -> SummaryEvent:
        """Count what is there: for a person to see before the training."""
        names = {name for sweep in self.split.training for name in sweep.reviewers}
        return SummaryEvent(
            task=self.task,
            **_count(self.split.training, self.task).model_dump(),
            reviewers=tuple(sorted(names)),
            hold_out=_count(self.split.hold_out, self.task),
            problem=self.problem,
            note=self.note,
        )


def read_correction_set(
    stores: Sequence[Path], task: Task, reviewer: str | None = None, negatives: int = 0
) -> CorrectionSet:
    """Gather the corrections of some stores for a task.

    Parameters
    ----------
    stores : sequence of Path
    task : {"cls", "seg"}
    reviewer : str, optional
        Only the corrections of this reviewer.
    negatives : int
        Frames to take from each sweep marked as fully reviewed, see
        :func:`~napari_fetal_iqa.corrections.corrected_sweeps.gather_corrections`.

    Raises
    ------
    TrainingError, StoreError
        Where a store is not there or unusable, or a stored mask is damaged.
    """
    return CorrectionSet(task, split_hold_out(read_corrections(stores, reviewer, negatives), task))


def _count(sweeps: Sequence[CorrectedSweep], task: Task) -> FrameCounts:
    positives, negatives = count_usable(sweeps, task)
    return FrameCounts(
        sweeps=len(sweeps),
        frames=positives + negatives,
        positives=positives,
        negatives=negatives,
    )


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
