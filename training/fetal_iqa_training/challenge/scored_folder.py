"""A whole submission folder scored against a data set in the ACOUSLIC-AI layout."""

from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from statistics import fmean

from pydantic import JsonValue

from fetal_iqa_training.challenge.rules import Rules
from fetal_iqa_training.challenge.scoring import CaseScore, CaseTruth, score_case
from fetal_iqa_training.challenge.submission import read_choice
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import AcouslicCase, list_cases, open_frames, open_masks

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
    submission: Path, data: Path, rules: Rules = "corrected", report: Report = silent
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
                scored[case.uuid] = _score(submission / case.uuid, case, rules)
            except (SweepError, TrainingError) as error:
                damaged[case.uuid] = str(error)
        report(Progress("evaluating", done, len(cases)))
    extra = there - {case.uuid for case in cases}
    return SubmissionScore(rules, scored, tuple(missing), tuple(sorted(extra)), damaged)


def _score(folder: Path, case: AcouslicCase, rules: Rules) -> CaseScore:
    choice = read_choice(folder)
    truth = read_truth(case)
    found = (choice.n_frames, *choice.mask.shape)
    if found != truth.masks.shape:
        raise TrainingError(
            f"expected masks on the grid {truth.masks.shape} of the case, found {found}; export "
            "the case again"
        )
    return score_case(truth, choice.frame, choice.mask, rules)


def read_truth(case: AcouslicCase) -> CaseTruth:
    """Read the annotations of a case; its masks are inflated or mapped as they are looked at.

    Raises
    ------
    SweepError
        Where a volume cannot be read, or masks and frames are not on one grid, or are not six
        sweeps of equal length.
    """
    volume = open_frames(case)
    shape, bounds, spacing_mm = volume.shape, volume.bounds, volume.spacing_mm
    field_of_view = volume.field_of_view
    del volume  # it is large: not beside the masks
    masks = open_masks(case, shape)
    return CaseTruth(masks.frames, case.ac_mm, spacing_mm, bounds, field_of_view)


def _plain(values: dict[str, float]) -> dict[str, JsonValue]:
    return {
        name: "Infinity" if isinstance(value, float) and not isfinite(value) else value
        for name, value in values.items()
    }
