"""What shall be fine-tuned, as the trainer's command line."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from napari_fetal_iqa.fields import FormField
from napari_fetal_iqa.model_library.in_use import Task
from napari_fetal_iqa.storage import paths

NEGATIVES = 20
"""Frames without an abdomen from each sweep that was marked as fully reviewed."""

Choice = Literal["both", "cls", "seg"]
Preset = Literal["quick", "careful", "paper"]


class FinetuningChoices(BaseModel):
    """What somebody chooses of a fine-tuning: in the window's form, or by the command's options."""

    model_config = ConfigDict(frozen=True)

    task: Annotated[
        Choice,
        FormField(
            "What",
            "Which model learns.",
            {
                "both": ("Frame quality and outlines", "both models, one after the other"),
                "cls": ("Frame quality", "the CLS model, from the labels that were given"),
                "seg": ("Outlines", "the SEG model, from outlines that were drawn or accepted"),
            },
        ),
    ] = "both"
    preset: Annotated[
        Preset,
        FormField(
            "How",
            "How it learns.",
            {
                "quick": ("Quick", "minutes at the desk, for some tens of corrected frames"),
                "careful": (
                    "Careful",
                    "lower rate, early stopping, and more rehearsal of earlier data, so that it "
                    "forgets less",
                ),
                "paper": (
                    "Paper",
                    "as in arXiv 2507.22802, with copies made anew in each epoch; for hundreds of "
                    "frames; wants a GPU",
                ),
            },
        ),
    ] = "quick"


@dataclass(frozen=True)
class FinetuningRequest:
    """What shall be fine-tuned.

    Parameters
    ----------
    store : Path
        Corrections store to train on.
    task : {"cls", "seg", "both"}
    bases : tuple of str
        Model folders or names of shipped models to go on from: one a task.
    preset : str
        ``"quick"``, ``"careful"`` or ``"paper"``.
    """

    store: Path
    task: Choice
    bases: tuple[str, ...]
    preset: Preset = "quick"

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order in which they are trained."""
        return ("cls", "seg") if self.task == "both" else (self.task,)

    def outs(self, out: Path) -> dict[Task, Path]:
        """Return which model folder each task gets."""
        if self.task == "both":
            return {task: out.with_name(f"{out.name}-{task}") for task in self.tasks}
        return {self.task: out}

    def arguments(self, out: Path) -> list[str]:
        """Return the arguments of the trainer."""
        bases = [argument for base in self.bases for argument in ("--base", base)]
        return [
            "finetune",
            *("--corrections", str(self.store), "--task", self.task),
            *bases,
            *("--out", str(out), "--preset", self.preset, "--device", "auto"),
            *("--negatives", str(NEGATIVES)),
            "--json-progress",
        ]

    def dry_run(self, trainer: Sequence[str] | None = None) -> list[str]:
        """Return the command that only reports what there is to train on."""
        out = models_folder() / "dry-run"
        return [*(trainer or trainer_command()), *self.arguments(out), "--dry-run", "--shapes-only"]


def trainer_command() -> list[str]:
    """Return the command that starts the trainer."""
    return [sys.executable, "-m", "fetal_iqa_training"]


def models_folder() -> Path:
    """Folder of the models that were trained on this machine."""
    return paths.models().absolute()
