"""A split by subject, written down: who trains, who chooses the epoch, who judges."""

import json
from collections.abc import Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_training.labelled_frames import AnnotatedCase, acouslic_frames
from fetal_iqa_training.splitting import split_by_subject
from napari_fetal_iqa.io import AcouslicCase
from napari_fetal_iqa.places import write_atomically

Shares = tuple[float, float]
"""Of validation and test, in subjects."""


def split_list(cases: Iterable[AcouslicCase], shares: Shares, seed: int) -> dict[str, JsonValue]:
    """Split cases by subject.

    Cases without an annotated sweep are in no part, as training does not use them.

    Parameters
    ----------
    cases : iterable of AcouslicCase
    shares : (float, float)
        Of the subjects, for validation and for test.
    seed : int

    Returns
    -------
    dict
        ``seed``, ``validation_share``, ``test_share``, and of each part the uuids: ``training``,
        ``validation``, ``test``; ``not_annotated`` has the others.

    Raises
    ------
    TrainingError
        Where there are too few subjects.
    """
    cases = list(cases)
    annotated = [
        AnnotatedCase(case.uuid, case.subject_id, sweeps, partial(acouslic_frames, [case]))
        for case in cases
        if (sweeps := sum(ac_mm is not None for ac_mm in case.ac_mm))
    ]
    split = split_by_subject(annotated, *shares, seed=seed)
    used = {case.name for case in annotated}
    return {
        "seed": seed,
        "validation_share": shares[0],
        "test_share": shares[1],
        "training": [case.name for case in split.training],
        "validation": [case.name for case in split.validation],
        "test": [case.name for case in split.test],
        "not_annotated": [case.uuid for case in cases if case.uuid not in used],
    }


def write_split(path: Path, split: dict[str, JsonValue], left_out: dict[str, str]) -> None:
    """Write a split, with the cases left out and why.

    Raises
    ------
    OSError
        Where the disk refuses.
    """
    note = {**split, "left_out": left_out, "tool_version": version("napari-fetal-iqa")}
    write_atomically(path, json.dumps(note, indent=2) + "\n")
