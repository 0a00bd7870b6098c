"""Whole cases, all frames of all sweeps, as CLS and SEG see them: for the study of blind sweeps."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from fetal_iqa_training.challenge.scored_folder import read_truth
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.sweeps.case import SweepCase, Thresholds
from fetal_iqa_training.progress import Progress, Report
from napari_fetal_iqa.analysis import Analyser, analyse_sweep
from napari_fetal_iqa.io import AcouslicCase, list_cases, open_frames


def analyse_cases(
    data: Path,
    names: Collection[str],
    models: tuple[Path, Path],
    weights: Path | None,
    device: str,
    report: Report,
) -> tuple[list[SweepCase], Thresholds]:
    """Analyse whole cases as ``napari-fetal-iqa analyse`` does, one in memory at a time.

    What was analysed before by the same models is taken from the cache of analyses.

    Parameters
    ----------
    data : Path
        Folder in the ACOUSLIC-AI layout; damage in cases that are not named does not matter.
    names : collection of str
        uuids of the cases.
    models : (Path, Path)
        Folders of CLS and SEG.
    weights : Path, optional
        Pretrained weights of the encoder, for models that do not hold it.
    device : {"auto", "cuda", "mps", "cpu"}
    report : callable

    Returns
    -------
    list of SweepCase
        In the order of the data set.
    Thresholds
        Of the models' cards.

    Raises
    ------
    SweepError, TrainingError
        Where the data are in another layout, or a case is damaged.
    """
    analyser = Analyser(*models, device, encoder_weights=weights).load()
    wanted = list_cases(data, only=names, must_exist=False)
    if not wanted:
        raise TrainingError(f"{data}: has none of the cases to analyse; choose the data split")
    cases = []
    for done, case in enumerate(wanted, start=1):
        cases.append(_analysed(case, analyser))
        report(Progress("evaluating", done, len(wanted)))
    limits = analyser.setup.thresholds
    return cases, Thresholds(limits.quality, limits.area)


def _analysed(case: AcouslicCase, analyser: Analyser) -> SweepCase:
    truth = read_truth(case)
    sweep = open_frames(case)
    analysis = analyse_sweep(sweep, analyser=analyser)
    black = ~analysis.non_black  # never shows an abdomen, whatever the networks say
    return SweepCase(
        case.uuid,
        quality=np.where(black, np.float32(0), analysis.quality),
        area_fraction=np.where(black, np.float32(0), analysis.area_fraction),
        ac_mm=analysis.ac_mm,
        labels=truth.planes,
        sweep=np.repeat(np.arange(len(sweep.bounds)), np.diff(sweep.bounds).ravel()),
        reference_ac_mm=np.array([np.nan if ac is None else ac for ac in case.ac_mm]),
        subject=case.subject_id,
    )


def lines_of(case: SweepCase) -> Iterator[dict[str, object]]:
    """Yield a line per frame, so that every number can be checked."""
    for frame in range(len(case.labels)):
        yield {
            "case": case.name,
            "sweep": int(case.sweep[frame]) + 1,
            "frame": frame,
            "label": int(case.labels[frame]),
            "quality": None if case.quality is None else float(case.quality[frame]),
            "area_fraction": None
            if case.area_fraction is None
            else float(case.area_fraction[frame]),
            "ac_mm": float(case.ac_mm[frame]) if np.isfinite(case.ac_mm[frame]) else None,
        }
