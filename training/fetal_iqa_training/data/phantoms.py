"""Phantom cases in the layout of ACOUSLIC-AI: data to train on and to be judged by."""

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from fetal_iqa_training.data.datasets import ORIGIN
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.io.acouslic import SWEEPS_PER_CASE, list_cases, write_case
from napari_fetal_iqa.phantom import PhantomCase, PhantomSettings, make_phantom
from napari_fetal_iqa.storage.paths import write_atomically

Size = Literal["small", "demo", "acouslic", "training"]


def settings_of(size: Size) -> tuple[PhantomSettings, ...]:
    """Give the settings that the cases of a data set take in turn; all have six sweeps.

    ``training`` is made to learn from: many fetuses, few frames of each, a quarter of them with
    an abdomen, in turn at full, half and a quarter of the rows and columns over the same field
    of view.
    """
    small = replace(PhantomSettings.small(), n_sweeps=SWEEPS_PER_CASE)
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
    goes on. A note of these settings stays in the folder, for the cards of the models that learn
    from it.

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
        Where no case is asked for.
    SweepError
        Where the folder cannot be written or holds something else.
    """
    if cases < 1:
        raise TrainingError(f"{cases} cases: ask for 1 or more")
    kinds = settings_of(size)
    there = _known(folder)
    for number in range(cases):
        settings = kinds[number % len(kinds)]
        settings = settings.shifted() if shifted else settings
        name = f"phantom-{size}{'-shifted' if shifted else ''}-{seed + number:06d}"
        if name not in there:
            case = make_phantom(settings, seed + number)
            write_case(folder, name, case.sweep, case.masks, _ac_per_sweep(case), subject_id=name)
        report(Progress("writing", number + 1, cases))
    made = {"size": size, "cases": cases, "seed": seed, "shifted": shifted}
    note = {"phantoms": made, "tool_version": version("napari-fetal-iqa")}
    write_atomically(folder / ORIGIN, json.dumps(note, indent=2) + "\n")


def _known(folder: Path) -> set[str]:
    try:
        return {case.uuid for case in list_cases(folder)}
    except FetalIqaError:
        return set()


def _ac_per_sweep(case: PhantomCase) -> list[float | None]:
    """Circumference of each sweep as an expert would note it: of its best frame."""
    circumferences: list[float | None] = []
    for start, stop in case.sweep.bounds:
        labels, ac_mm = case.labels[start:stop], case.ac_mm[start:stop]
        best = 1 if (labels == 1).any() else 2
        circumferences.append(float(np.median(ac_mm[labels == best])) if labels.any() else None)
    return circumferences
