"""A whole submission folder scored against a data set in the ACOUSLIC-AI layout."""

from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from fetal_iqa_training.challenge.rules import Rules
from fetal_iqa_training.challenge.scoring import CaseScore, CaseTruth, score_case
from fetal_iqa_training.challenge.submission import read_choice
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import AcouslicCase, list_cases, open_frames, open_masks, read_sweep

METRICS = ("nae", "wfss", "dsc_soft", "hausdorff_px", "score")


@dataclass(frozen=True)
class SubmissionScore:
    """Scores of all cases of a submission.

    Parameters
    ----------
    rules : {"corrected", "literal"}
    cases : dict of str to CaseScore
        Those that could be scored.
    missing, extra : tuple of str
        Cases that only the data set has, or only the submission.
    damaged : dict of str to str
        What is wrong with the cases that could not be scored.
    """

    rules: Rules
    cases: dict[str, CaseScore]
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    damaged: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every case of the data set was scored."""
        return not (self.missing or self.damaged)

    @property
    def hollow(self) -> tuple[str, ...]:
        """Cases compared with an annotation that is not filled, or has holes."""
        return tuple(case for case, scored in self.cases.items() if scored.hollow)

    @property
    def means(self) -> dict[str, float]:
        """Mean of each metric over the cases that were scored; empty where none was."""
        scored = self.cases.values()
        return {name: fmean(getattr(s, name) for s in scored) for name in METRICS if scored}

    def as_json(self) -> dict[str, JsonValue]:
        """Return all of it in plain values; what is infinite, which JSON has not, is "Infinity"."""
        cases: dict[str, JsonValue] = {
            case: _plain(asdict(scored)) for case, scored in self.cases.items()
        }
        return {
            "rules": self.rules,
            "scored": len(self.cases),
            "mean": _plain(self.means),
            "cases": cases,
            "missing": list(self.missing),
            "extra": list(self.extra),
            "damaged": dict(self.damaged),
        }


def score_submission(
    submission: Path,
    data: Path,
    rules: Rules = "corrected",
    report: Report = silent,
    *,
    field_of_view: NDArray[np.bool_] | None = None,
) -> SubmissionScore:
    """Score every case of a data set by a submission folder.

    Parameters
    ----------
    submission : Path
        A folder per case, named by its uuid; see :mod:`~.submission`.
    data : Path
        Folder in the ACOUSLIC-AI layout. One of its volumes is in memory at a time.
    rules : {"corrected", "literal"}
    report : callable, optional
    field_of_view : (H, W) bool array, optional
        One for all cases, as :func:`read_field_of_view` reads it; by default that of each case.

    Raises
    ------
    SweepError, TrainingError
        Where the submission is no folder, or the data set is damaged.
    """
    if not submission.is_dir():
        raise TrainingError(f"{submission}: no such folder; choose a submission folder")
    cases = list_cases(data)
    if not cases:
        raise TrainingError(f"{data}: its table names no case; choose another data set")
    there = {path.name for path in submission.iterdir() if path.is_dir()}
    scored: dict[str, CaseScore] = {}
    damaged: dict[str, str] = {}
    missing = [case.uuid for case in cases if case.uuid not in there]
    for done, case in enumerate(cases, start=1):
        if case.uuid in there:
            try:
                scored[case.uuid] = _score(submission / case.uuid, case, rules, field_of_view)
            except (SweepError, TrainingError) as error:
                damaged[case.uuid] = str(error)
        report(Progress("evaluating", done, len(cases)))
    extra = there - {case.uuid for case in cases}
    return SubmissionScore(rules, scored, tuple(missing), tuple(sorted(extra)), damaged)


def _score(
    folder: Path, case: AcouslicCase, rules: Rules, field_of_view: NDArray[np.bool_] | None
) -> CaseScore:
    choice = read_choice(folder)
    truth = read_truth(case, field_of_view)
    found = (choice.n_frames, *choice.mask.shape)
    if found != truth.masks.shape:
        raise TrainingError(
            f"expected masks on the grid {truth.masks.shape} of the case, found {found}; export "
            "the case again"
        )
    return score_by(truth, choice.frame, choice.mask, rules)


def score_by(
    truth: CaseTruth, frame: int, mask: NDArray[np.bool_] | None, rules: Rules
) -> CaseScore:
    """Score a case that was read from files: what cannot be scored is a :class:`TrainingError`."""
    try:
        return score_case(truth, frame, mask, rules)
    except ValueError as error:
        raise TrainingError(str(error)) from None


def read_field_of_view(path: Path) -> NDArray[np.bool_]:
    """Read the fixed field of view that the challenge's evaluation has beside its code.

    Parameters
    ----------
    path : Path
        A volume of one frame, not 0 inside the view: ``data/fov_mask.mha`` of
        github.com/DIAGNijmegen/ACOUSLIC-AI-evaluation-method.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    SweepError, TrainingError
        Where it cannot be read, has more than one frame, or nothing lies inside.
    """
    volume = read_sweep(path)
    if len(volume) != 1 or not (view := np.asarray(volume.frames[0]) != 0).any():
        raise TrainingError(
            f"{path}: expected one frame that is not 0 inside the field of view, found "
            f"{len(volume)} frames" + (" of 0" if len(volume) == 1 else "")
        )
    return view


def read_truth(case: AcouslicCase, field_of_view: NDArray[np.bool_] | None = None) -> CaseTruth:
    """Read the annotations of a case; its masks are inflated or mapped as they are looked at.

    Parameters
    ----------
    case : AcouslicCase
    field_of_view : (H, W) bool array, optional
        By default where the frames of the case are not black.

    Raises
    ------
    SweepError, TrainingError
        Where a volume cannot be read, or masks, frames and field of view are not on one grid, or
        are not six sweeps of equal length.
    """
    volume = open_frames(case)
    shape, bounds, spacing_mm = volume.shape, volume.bounds, volume.spacing_mm
    if field_of_view is None:
        field_of_view = volume.field_of_view
    elif field_of_view.shape != shape[1:]:
        raise TrainingError(
            f"expected a field of view on the grid {shape[1:]} of the case, found "
            f"{field_of_view.shape}; leave it out"
        )
    del volume  # it is large: not beside the masks
    masks = open_masks(case, shape)
    return CaseTruth(masks.frames, case.ac_mm, spacing_mm, bounds, field_of_view)


def _plain(values: dict[str, float]) -> dict[str, JsonValue]:
    return {
        name: "Infinity" if isinstance(value, float) and not isfinite(value) else value
        for name, value in values.items()
    }
