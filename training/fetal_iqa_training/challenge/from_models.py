"""Models scored on whole cases, as the challenge would, without a submission in between."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.challenge.rules import Rules
from fetal_iqa_training.challenge.scored_folder import SubmissionScore, read_truth, score_by
from fetal_iqa_training.challenge.scoring import CaseScore
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.analysis import Analyser, AnalysisSetup, analyse_sweep
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import AcouslicCase, list_cases, open_frames


def score_models(
    data: Path,
    cls_model: str | Path | None,
    seg_model: str | Path | None,
    rules: Rules = "corrected",
    *,
    only: Collection[str] | None = None,
    device: str = "auto",
    encoder_weights: Path | None = None,
    report: Report = silent,
    field_of_view: NDArray[np.bool_] | None = None,
) -> tuple[SubmissionScore, AnalysisSetup]:
    """Analyse whole cases as ``napari-fetal-iqa analyse`` does, and score the best frame of each.

    Parameters
    ----------
    data : Path
        Folder in the ACOUSLIC-AI layout. One case is in memory at a time.
    cls_model, seg_model : str or Path, optional
        Model folders or built-in names; at least one. Without a segmenter there is no mask to
        measure, and without a classifier the frame is chosen by its area.
    rules : {"corrected", "literal"}
    only : collection of str, optional
        uuids of the cases to score; all by default.
    device : {"auto", "cuda", "mps", "cpu"}
    encoder_weights : Path, optional
        Where the model folders do not hold the encoder; else those fetched before.
    report : callable, optional
    field_of_view : (H, W) bool array, optional
        One for all cases; by default that of each case.

    Returns
    -------
    SubmissionScore
        ``missing`` and ``extra`` are empty; a case that cannot be used is in ``damaged``.
    AnalysisSetup
        Which models spoke.

    Raises
    ------
    SweepError, TrainingError
        Where the data set is damaged as a whole.
    AnalysisError, fetal_iqa_models.ModelError
        Where a model cannot be used.
    """
    cases = list_cases(data, only=only, must_exist=False)
    if not cases:
        raise TrainingError(f"{data}: has no case to score; choose another data set")
    analyser = Analyser(cls_model, seg_model, device, encoder_weights=encoder_weights).load()
    scored: dict[str, CaseScore] = {}
    damaged: dict[str, str] = {}
    for done, case in enumerate(cases, start=1):
        try:
            scored[case.uuid] = _score(case, analyser, rules, field_of_view)
        except (SweepError, TrainingError) as error:
            damaged[case.uuid] = str(error)
        report(Progress("evaluating", done, len(cases)))
    return SubmissionScore(rules, scored, damaged=damaged), analyser.setup


def _score(
    case: AcouslicCase,
    analyser: Analyser,
    rules: Rules,
    field_of_view: NDArray[np.bool_] | None,
) -> CaseScore:
    truth = read_truth(case, field_of_view)
    sweep = open_frames(case)
    analysis = analyse_sweep(sweep, analyser=analyser, use_cache=False)
    frame = analysis.best_frame()
    return score_by(truth, frame, analysis.mask(frame) if frame >= 0 else None, rules)
