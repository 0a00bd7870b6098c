"""Who trains and who judges: splits by subject, so that no fetus is on both sides."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, annotated_cases
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import OwnPart, Part
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.io import AcouslicCase, list_cases
from napari_fetal_iqa.version import TOOL_VERSION


@dataclass(frozen=True)
class CaseSplit:
    """Cases for training, for choosing the best epoch, and for the final metrics."""

    training: tuple[AnnotatedCase, ...]
    validation: tuple[AnnotatedCase, ...]
    test: tuple[AnnotatedCase, ...]


def split_by_subject(
    cases: Sequence[AnnotatedCase],
    validation_share: float = 0.1,
    test_share: float = 0.2,
    seed: int = 0,
) -> CaseSplit:
    """Split cases so that all cases of a subject fall on one side.

    Parameters
    ----------
    cases : sequence of AnnotatedCase
    validation_share, test_share : float
        Of the subjects, rounded, but at least one subject each where the share is not 0; the
        paper has 210, 30 and 60 of 300 cases.
    seed : int

    Returns
    -------
    CaseSplit

    Raises
    ------
    TrainingError
        Where there are too few subjects for every part to have one.
    """
    subjects = sorted({case.subject_id for case in cases})
    counts = [
        max(1, round(share * len(subjects))) if share else 0
        for share in (validation_share, test_share)
    ]
    if len(subjects) <= sum(counts):
        raise TrainingError(
            f"only {counted(len(subjects), 'annotated subject')}: training, validation and test "
            f"need {sum(counts) + 1} or more; add cases"
        )
    np.random.default_rng(seed).shuffle(subjects)
    validation = set(subjects[: counts[0]])
    test = set(subjects[counts[0] : sum(counts)])
    return CaseSplit(
        training=tuple(c for c in cases if c.subject_id not in validation | test),
        validation=tuple(c for c in cases if c.subject_id in validation),
        test=tuple(c for c in cases if c.subject_id in test),
    )


def split_keeping_held_back(
    cases: Sequence[AnnotatedCase],
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
) -> CaseSplit:
    """Split cases by subject so that those held back by whoever published the data only judge.

    Parameters
    ----------
    cases : sequence of AnnotatedCase
    validation_share : float
        Of the subjects that do not judge.
    test_share : float
        Of the subjects of whom no case says whether they are held back.
    seed : int

    Returns
    -------
    CaseSplit
        The test part has the subjects that are held back, and the share of the others.

    Raises
    ------
    TrainingError
        Where a subject is held back by one data set and not by another, or too few are left.
    """
    said: dict[str, set[bool]] = {}
    for case in cases:
        sides = said.setdefault(case.subject_id, set())
        if case.held_back is not None:
            sides.add(case.held_back)
    if both := [subject for subject, sides in said.items() if len(sides) > 1]:
        raise TrainingError(
            f"subject {both[0][:50]!r} is held back by one data set and not by another"
        )
    random = np.random.default_rng(seed)
    unsaid = sorted(subject for subject, sides in said.items() if not sides)
    random.shuffle(unsaid)
    test = {subject for subject, sides in said.items() if True in sides}
    test.update(unsaid[: round(test_share * len(unsaid))])
    others = sorted(said.keys() - test)
    random.shuffle(others)
    validation = set(others[: max(1, round(validation_share * len(others)))])
    if len(others) <= len(validation):
        raise TrainingError(
            f"only {len(others)} subjects are not held back; add data to learn from"
        )
    return CaseSplit(
        training=tuple(c for c in cases if c.subject_id not in validation | test),
        validation=tuple(c for c in cases if c.subject_id in validation),
        test=tuple(c for c in cases if c.subject_id in test),
    )


Shares = tuple[float, float]
"""Of validation and test, in subjects."""

SPLIT = "split.json"
"""Name of the list where it lies beside what was built by it."""

PARTS: tuple[Part, ...] = ("training", "validation", "test")

_LARGEST = 2**24
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class SplitList(BaseModel):
    """Which cases are in which part, by name; a case is in one part or in none.

    Parameters
    ----------
    training, validation, test : tuple of str
        uuids of ACOUSLIC-AI cases, or image names of HC18 without their ending.
    seed : int, optional
        That it was drawn by; augmented copies are made by it, too.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    training: tuple[_Name, ...] = Field(min_length=1)
    validation: tuple[_Name, ...] = Field(min_length=1)
    test: tuple[_Name, ...]
    seed: int | None = Field(default=None, ge=0)

    @property
    def names(self) -> tuple[str, ...]:
        """All cases of the three parts."""
        return self.training + self.validation + self.test

    @property
    def sha256(self) -> str:
        """Hash of who is in which part, whatever the order and whatever else the file says."""
        parts = {part: sorted(getattr(self, part)) for part in PARTS}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_split(path: Path) -> SplitList:
    """Read what ``fetal-iqa-train prepare acouslic`` wrote.

    Raises
    ------
    TrainingError
        Where the file is missing, larger than 16 MB, no such list, or names a case twice.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > _LARGEST:
        raise TrainingError(f"{path}: larger than 16 MB, so not a list of a split")
    try:
        split = SplitList.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        reason = " ".join(f"{where}: {first['msg']}".split())[:200]
        raise TrainingError(
            f"{path}: not a split ({reason}); write one with `fetal-iqa-train prepare acouslic`"
        ) from None
    name, times = Counter(split.names).most_common(1)[0]
    if times > 1:
        raise TrainingError(f"{path}: names case {name[:50]!r} {times} times; prepare it again")
    return split


def listed_cases(data: Path, path: Path) -> tuple[CaseSplit, SplitList]:
    """Return the cases of a data set as a list has them; those that it does not name are left out.

    Parameters
    ----------
    data : Path
        Folder in the ACOUSLIC-AI or the HC18 layout; damage in cases that the list leaves out
        does not matter.
    path : Path
        The list.

    Returns
    -------
    CaseSplit
        In the order of the data set, as a split by seed has them.
    SplitList

    Raises
    ------
    TrainingError
        Where the list is no such list, names a case that the data set does not have annotated, or
        has a subject on two sides.
    SweepError
        Where the folder is in neither layout.
    """
    split = read_split(path)
    cases = {case.name: case for case in list_annotated(data, frozenset(split.names))}
    _check_fits(split, {name: case.subject_id for name, case in cases.items()}, path, data)
    return CaseSplit(**{part: _of(cases, getattr(split, part)) for part in PARTS}), split


def _check_fits(split: SplitList, subject_of: Mapping[str, str], path: Path, data: Path) -> None:
    """Refuse a list that names a case that is not annotated, or has a subject on two sides."""
    if lost := [name for name in split.names if name not in subject_of]:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise TrainingError(
            f"{path}: names case {lost[0][:50]!r}{more}, not among the annotated ones of {data}; "
            "choose the data that was split, or prepare it again"
        )
    sides: dict[str, Part] = {}
    for part in PARTS:
        for name in getattr(split, part):
            subject = subject_of[name]
            if sides.setdefault(subject, part) != part:
                raise TrainingError(
                    f"{path}: subject {subject[:50]!r} is in {sides[subject]} and, by case "
                    f"{name[:50]!r}, in {part}; prepare the split again"
                )


def cases_of_part(data: Path, path: Path, part: Part) -> tuple[AnnotatedCase, ...]:
    """Return the cases of one part, as :func:`listed_cases` does; there must be one."""
    cases: tuple[AnnotatedCase, ...] = getattr(listed_cases(data, path)[0], part)
    _check_is_filled(cases, path, part)
    return cases


def names_of_part(data: Path, path: Path, part: OwnPart) -> tuple[str, ...]:
    """Name the cases of one part of ACOUSLIC-AI data, or of all; their volumes may be missing.

    Raises
    ------
    SweepError, TrainingError
        As of :func:`listed_cases`, and where the part has no case.
    """
    split = read_split(path)
    annotated = {
        case.uuid: case.subject_id
        for case in list_cases(data, must_exist=False)
        if case.annotated_sweeps
    }
    _check_fits(split, annotated, path, data)
    names: tuple[str, ...] = split.names if part == "all" else getattr(split, part)
    _check_is_filled(names, path, part)
    return names


def _check_is_filled(cases: Sequence[object], path: Path, part: OwnPart) -> None:
    if not cases:
        raise TrainingError(f"{path}: its part {part} has no case; choose another part")


def _of(cases: dict[str, AnnotatedCase], names: Sequence[str]) -> tuple[AnnotatedCase, ...]:
    chosen = set(names)
    return tuple(case for name, case in cases.items() if name in chosen)


def split_list(cases: Iterable[AcouslicCase], shares: Shares, seed: int) -> dict[str, JsonValue]:
    """Split cases by subject.

    Cases without an annotated sweep are in no part, as training does not use them.

    Parameters
    ----------
    cases : iterable of AcouslicCase
    shares : (float, float)
        Of the subjects, for validation and for test; that of validation is not 0.
    seed : int

    Returns
    -------
    dict
        ``seed``, ``validation_share``, ``test_share``, and of each part the uuids: ``training``,
        ``validation``, ``test``; ``not_annotated`` has the others.

    Raises
    ------
    TrainingError
        Where there are too few subjects, or none for validation.
    """
    cases = list(cases)
    annotated = annotated_cases(cases)
    if not shares[0]:
        raise TrainingError("a training needs validation subjects: give them a share above 0")
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
    note = {**split, "left_out": left_out, "tool_version": TOOL_VERSION}
    write_atomically(path, json.dumps(note, indent=2) + "\n")
