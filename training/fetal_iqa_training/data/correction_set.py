"""The corrections to fine-tune on, and whether they are enough; known without loading torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fetal_iqa_models.cards import Taught
from fetal_iqa_training.data.corrections import count_usable, read_corrections
from fetal_iqa_training.data.hold_out import LEAST_OF_EACH, CorrectionSplit, split_hold_out
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import Task
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep
from napari_fetal_iqa.finetuning.events import FrameCounts, SummaryEvent

LEAST = 2
"""Fewest frames of a kind to fine-tune on: with an abdomen, and for cls without one too."""

UNRECORDED = (
    "what taught the base, or a model that it was made from, is not all in its card: it may know "
    "the sweeps that judge"
)


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
        held = sum(count_usable((*self.split.hold_out, *self.split.set_aside), self.task))
        if not positives + negatives and held:
            return (
                f"{_frames(held)} corrected, all of sweeps that are held out to judge models and "
                "never learnt from, as one in five is: correct frames of another sweep"
            )
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
        """Why nothing is held out to judge by, and what is needed; or why it may say too much."""
        if self.split.hold_out:
            return UNRECORDED if self.split.unrecorded else None
        if not self.split.lineage_known:
            return (
                "no hold-out: the base was fine-tuned by an earlier version, which does not say "
                "on which sweeps, so that any may have taught it; begin from a model that was not"
            )
        kept = "one subject in five, or sweep of an unknown one, is held out and never learnt from"
        needed = f"{LEAST_OF_EACH} corrected frames with an abdomen" + (
            " and as many without" if self.task == "cls" else ""
        )
        seen = (
            ", and none that the base or its ancestors learnt from, that is rehearsed, or whose "
            "frames are in a sweep that teaches"
        )
        return (
            f"no hold-out: {kept}; it judges once it has {needed}"
            f"{seen if self.split.taught_before else ''}"
        )

    @property
    def advice(self) -> str | None:
        """What would teach more, where it would be learnt from as it is."""
        positives, negatives = count_usable(self.split.training, self.task)
        if self.task == "cls" or negatives or not positives:
            return None
        # docs/loop-on-real-images.md: other planes left empty, with and without such frames
        return (
            "every frame to learn from shows an abdomen, so the model may come to outline other "
            "planes as well: label some frames as showing none"
        )

    @property
    def unknown_subjects(self) -> int:
        """How many of the sweeps are of a subject that nobody named."""
        sides = (*self.split.training, *self.split.hold_out)
        return sum(sweep.subject is None for sweep in sides)

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
            set_aside=_count(self.split.set_aside, self.task),
            unknown_subjects=self.unknown_subjects,
            problem=self.problem,
            advice=self.advice,
            note=self.note,
        )


def read_correction_set(
    stores: Sequence[Path],
    task: Task,
    reviewer: str | None = None,
    negatives: int = 0,
    taught: Taught | None = None,
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
    taught : Taught, optional
        What the base and its ancestors learnt from; none of it judges.

    Raises
    ------
    TrainingError, StoreError
        Where a store is not there or unusable, or a stored mask is damaged.
    """
    sweeps = read_corrections(stores, reviewer, negatives)
    return CorrectionSet(task, split_hold_out(sweeps, task, taught))


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
