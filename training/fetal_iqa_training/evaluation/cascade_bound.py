"""From which quality on a classifier's frames are worth outlining: measured on annotated frames."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models import load_card, load_model, model_hash
from fetal_iqa_models.cascade_bound import MISSED_AT_MOST, CascadeBound
from fetal_iqa_training.data.datasets import origin
from fetal_iqa_training.data.labelled_frames import frames_of
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.evaluate import Evaluation, judge
from fetal_iqa_training.evaluation.known_frames import cases_to_judge
from fetal_iqa_training.progress import Report, silent
from fetal_iqa_training.settings import OwnPart
from napari_fetal_iqa.storage import paths

LEAST_POSITIVES = 200
"""Of fewer frames with an abdomen the lowest quality says nothing of one in a thousand."""
_BELOW = 0.5
"""The bound is this part of the lowest quality that may not be missed: others will be lower."""


def find_bound(quality: NDArray[np.floating], positive: NDArray[np.bool_], highest: float) -> float:
    """Return a quality that at most one positive frame in 1,000 lies below.

    Half of the lowest quality that may not be missed, and never above ``highest``, the classifier's
    own threshold: so no frame that it counts as positive is spared.

    Parameters
    ----------
    quality : (n,) float
    positive : (n,) bool
        Frames that show an abdomen.
    highest : float

    Raises
    ------
    TrainingError
        Where there are fewer than 200 positive frames.
    """
    found = np.sort(np.asarray(quality, float)[positive])
    if len(found) < LEAST_POSITIVES:
        raise TrainingError(
            f"{len(found)} frames with an abdomen are too few to tell what one in a thousand is: "
            f"measure on {LEAST_POSITIVES} or more"
        )
    return min(_BELOW * float(found[int(MISSED_AT_MOST * len(found))]), highest)


def measure_bound(
    model: Path | str,
    data: Path,
    *,
    split: Path | None = None,
    part: OwnPart | None = None,
    encoder_weights: Path | None = None,
    device: str = "auto",
    report: Report = silent,
) -> CascadeBound:
    """Measure from which quality on the frames of a classifier are worth outlining.

    Parameters
    ----------
    model : path or str
        CLS model folder, or the name of a shipped one.
    data : Path
        Folder in the ACOUSLIC-AI or the HC18 layout.
    split, part, encoder_weights, device, report
        As :func:`~fetal_iqa_training.evaluation.calibrate_model.calibrate` takes them.

    Raises
    ------
    ModelError, SweepError, TrainingError
        Where the model is no classifier, or the data cannot be used or are too few.
    """
    card = load_card(model)
    if card.task != "cls":
        raise TrainingError(f"{model}: outlines frames; the bound is of frame quality, task cls")
    cases, what = cases_to_judge(card.taught, data, split, part, "validation")
    network = load_model(model, encoder_weights, paths.weights())
    judged = judge(network, frames_of(cases), device=device, report=report)
    made = origin(data)
    measured_on = what if made is None else f"{what}: {json.dumps(made)}"
    return bound_of(judged, card.quality_threshold, model_hash(model), measured_on)


def bound_of(judged: Evaluation, threshold: float, model: str, measured_on: str) -> CascadeBound:
    """Return the bound that judged frames show."""
    bound = find_bound(judged.scores, judged.labels, threshold)
    below = judged.scores < bound
    return CascadeBound(
        bound=round(bound, 6),
        positives=int(judged.labels.sum()),
        missed=int((below & judged.labels).sum()),
        spared=round(float(below.mean()), 4),
        cases=len({outcome.subject or outcome.sweep for outcome in judged.outcomes}),
        measured_on=measured_on[:500],
        model=model,
    )
