"""Phantom cases in the layout of ACOUSLIC-AI: data to train on and to be judged by."""

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.datasets import ORIGIN, list_annotated, origin
from fetal_iqa_training.data.labelled_frames import LabelledFrames, frames_of
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.io.acouslic import list_cases, write_case
from napari_fetal_iqa.labels import best_label
from napari_fetal_iqa.phantom import PhantomCase, PhantomSettings, make_phantom
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.version import TOOL_VERSION

Size = Literal["small", "demo", "acouslic", "training"]


def settings_of(size: Size) -> tuple[PhantomSettings, ...]:
    """Return the settings that the cases of a data set take in turn; all have six sweeps.

    ``training`` is made to train on: many fetuses, few frames of each, a quarter of them with
    an abdomen, in turn at full, half and a quarter of the rows and columns over the same field
    of view.
    """
    small = replace(PhantomSettings.small(), frames_per_sweep=20)
    if size == "small":
        return (small,)
    if size == "demo":
        return (PhantomSettings.demo(),)
    if size == "acouslic":
        return (PhantomSettings.acouslic(),)
    rich = replace(PhantomSettings.demo(), frames_per_sweep=20, positive_fraction=0.25)
    halved = replace(rich, shape=(281, 372), spacing_mm=(0.56, 0.56))
    return (rich, halved, replace(small, positive_fraction=0.25))


def write_phantoms(
    folder: Path,
    cases: int,
    seed: int = 0,
    size: Size = "training",
    shifted: bool = False,
    report: Report = silent,
) -> None:
    """Write phantom cases, each of another subject, into a data set folder.

    Case k has the phantom seed ``seed + k``: choose seeds far apart for data that must not
    share a fetus. Cases that the folder already has are kept, so that a run that was cut off
    goes on. A note of these settings stays in the folder, for the cards of the models that are
    trained on it.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    cases : int
    seed : int
    size : {"small", "demo", "acouslic", "training"}
    shifted : bool
        Seen by another scanner, on which a model trained on the default fails.
    report : callable, optional

    Raises
    ------
    TrainingError
        Where no case is requested, or the folder has cases with real texture.
    SweepError
        Where the folder cannot be written or holds something else.
    """
    if cases < 1:
        raise TrainingError(f"{cases} cases: ask for 1 or more")
    kinds = settings_of(size)
    there = known_cases(folder)
    before = origin(folder)
    if there and isinstance(before, dict) and "texture" in before:
        raise TrainingError(f"{folder}: its cases have real texture; choose a new folder")
    for number in range(cases):
        settings = kinds[number % len(kinds)]
        settings = settings.shifted() if shifted else settings
        name = f"phantom-{size}{'-shifted' if shifted else ''}-{seed + number:06d}"
        if name not in there:
            case = make_phantom(settings, seed + number)
            write_case(folder, name, case.sweep, case.masks, ac_per_sweep(case), subject_id=name)
        report(Progress("writing", number + 1, cases))
    made = {"size": size, "cases": cases, "seed": seed, "shifted": shifted}
    note = {"phantoms": made, "tool_version": TOOL_VERSION}
    write_atomically(folder / ORIGIN, json.dumps(note, indent=2) + "\n")


def known_cases(folder: Path) -> set[str]:
    """Names of the cases that a data set folder has; none where it is not there yet."""
    try:
        return {case.uuid for case in list_cases(folder)}
    except FetalIqaError:
        return set()


def ac_per_sweep(case: PhantomCase) -> list[float | None]:
    """Return the circumference of each sweep as an expert would note it: of its best frame."""
    circumferences: list[float | None] = []
    for start, stop in case.sweep.bounds:
        labels, ac_mm = case.labels[start:stop], case.ac_mm[start:stop]
        best = best_label(labels)
        circumferences.append(float(np.median(ac_mm[labels == best])) if labels.any() else None)
    return circumferences


REFERENCE_SEED, REFERENCE_CASES = 770_000, 5  # fewer than 5 have no interval: too few to tell
REHEARSAL_SEED, REHEARSAL_CASES = 880_000, 4
"""Phantoms that no model was trained on: see the seeds in the demo models' cards."""

_CHUNK = 32


def reference_phantoms(report: Report = silent) -> Path:
    """Folder of the phantoms that every demo model is judged on; simulated once.

    Raises
    ------
    TrainingError
        Where the cache cannot be written.
    """
    return _phantoms("reference", REFERENCE_CASES, REFERENCE_SEED, report)


def rehearsal_phantoms(report: Report = silent) -> Path:
    """Folder of phantoms like those that the demo models were trained on; simulated once."""
    return _phantoms("rehearsal", REHEARSAL_CASES, REHEARSAL_SEED, report)


def _phantoms(name: str, cases: int, seed: int, report: Report) -> Path:
    folder = paths.cache() / "phantoms" / name
    try:
        write_phantoms(folder, cases, seed, "small", report=report)
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written ({error.strerror}); free the disk") from (
            error
        )
    return folder


def balanced_frames(folder: Path, without: Collection[str] = ()) -> Iterator[LabelledFrames]:
    """Read the frames of a data set with an abdomen, and as many of those without.

    Parameters
    ----------
    folder : Path
        In the layout of ACOUSLIC-AI or HC18.
    without : collection of str
        Names of cases to leave out.

    Yields
    ------
    LabelledFrames
        One sweep at a time; of those without an abdomen evenly over the sweep.
    """
    for source in frames_of(c for c in list_annotated(folder) if c.name not in without):
        positives = source.positive.nonzero()[0]
        negatives = (~source.positive).nonzero()[0]
        step = max(1, len(negatives) // max(1, len(positives)))
        chosen = sorted([*positives, *negatives[step // 2 :: step]])
        for start in range(0, len(chosen), _CHUNK):
            rows = chosen[start : start + _CHUNK]
            yield replace(
                source,
                frames=source.frames[rows],
                masks=source.masks[rows],
                positive=source.positive[rows],
                numbers=np.array(rows) if source.numbers is None else source.numbers[rows],
            )
