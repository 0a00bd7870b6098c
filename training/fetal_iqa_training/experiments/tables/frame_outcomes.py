"""What a run said of every test frame: a file beside its model, for tests and figures by case."""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.labelled_frames import AnnotatedCase
from fetal_iqa_training.evaluation.comparison import FrameOutcome
from fetal_iqa_training.experiments.tables.csv_text import as_csv

_BETWEEN = ", sweep "  # LabelledFrames names a sweep by its case and number


def outcomes_file(folder: Path) -> Path:
    """Where the frames of a run are, beside its model folder."""
    return folder.with_name(f"{folder.name}.frames.csv")


def write_outcomes(
    folder: Path, outcomes: Sequence[FrameOutcome], cases: Sequence[AnnotatedCase]
) -> None:
    """Write a line per test frame: whose it is, what is true of it, what the run said.

    Parameters
    ----------
    folder : Path
        The run's model folder; need not be there yet.
    outcomes : sequence of FrameOutcome
    cases : sequence of AnnotatedCase
        Whose frames these are.
    """
    subject_of = {case.name: case.subject_id for case in cases}

    def line(one: FrameOutcome) -> Mapping[str, object]:
        case = one.sweep.split(_BETWEEN)[0]
        return {
            "subject": subject_of.get(case, case),
            "case": case,
            "sweep": one.sweep,
            "frame": one.frame,
            "positive": int(one.positive),
            "decision": int(one.decision),
            "score": one.score,
            "dice": one.dice,
            "circumference_error_mm": one.circumference_error_mm,
        }

    write_atomically(outcomes_file(folder), as_csv(map(line, outcomes)))


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each subject's frames were judged right and wrong; (subjects,) float each.

    Parameters
    ----------
    subjects : tuple of str
    hits, called, positives, right, frames : arrays
        Positive and called so, called positive, positive, rightly judged, all.
    dice, outlined : arrays
        Sum of the Dice of the frames that have one, and how many they are.
    truth : str
        Hash of which frames these are, whose, and which of them are positive.
    """

    subjects: tuple[str, ...]
    hits: NDArray[np.float64]
    called: NDArray[np.float64]
    positives: NDArray[np.float64]
    right: NDArray[np.float64]
    frames: NDArray[np.float64]
    dice: NDArray[np.float64]
    outlined: NDArray[np.float64]
    truth: str = ""


def read_counts(path: Path) -> Counts:
    """Count a run's frames subject by subject, in the order of their names."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    subjects, whose = np.unique([line["subject"] for line in lines], return_inverse=True)
    positive, decision = (
        np.array([line[name] == "1" for line in lines], bool) for name in ("positive", "decision")
    )
    dice = np.array([float(line["dice"] or "nan") for line in lines])

    def summed(values: NDArray[np.generic]) -> NDArray[np.float64]:
        return np.bincount(whose, np.asarray(values, np.float64), len(subjects)).astype(np.float64)

    return Counts(
        tuple(map(str, subjects)),
        summed(positive & decision),
        summed(decision),
        summed(positive),
        summed(positive == decision),
        summed(np.ones(len(lines))),
        summed(np.nan_to_num(dice)),
        summed(np.isfinite(dice)),
        _truth(lines),
    )


def _truth(lines: Sequence[Mapping[str, str]]) -> str:
    known = sorted(
        (line["subject"], line["sweep"], int(line["frame"]), line["positive"]) for line in lines
    )
    return hashlib.sha256(repr(known).encode()).hexdigest()
