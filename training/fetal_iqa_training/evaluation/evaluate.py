"""Judging a model as it is in use: the same prediction, on the sweep's own grid."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue

from fetal_iqa_models import (
    FrameClassifier,
    FramePredictor,
    FrameSegmenter,
    PredictionBatch,
    load_card,
    load_model,
)
from fetal_iqa_models.networks import Network
from fetal_iqa_models.thresholds import AREA_THRESHOLD, QUALITY_THRESHOLD
from fetal_iqa_training.data.labelled_frames import LabelledFrames, frames_of
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.calibration import (
    brier_score,
    calibrated,
    draw_reliability,
    expected_calibration_error,
    reliability,
)
from fetal_iqa_training.evaluation.comparison import ERRORS, MEASURED, FrameOutcome
from fetal_iqa_training.evaluation.figures import confusion
from fetal_iqa_training.evaluation.known_frames import JudgedOn, Watched, cases_to_judge
from fetal_iqa_training.evaluation.metrics import FrameMetrics
from fetal_iqa_training.progress import Progress, Report, silent
from fetal_iqa_training.settings import OwnPart
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.overlap import dice
from napari_fetal_iqa.storage import paths


@dataclass(frozen=True)
class Evaluation:
    """How well a model does on frames whose truth is known.

    Parameters
    ----------
    frames, positives : int
        Frames judged, and how many of them show an abdomen.
    metrics : dict
        ``accuracy``, ``f1``, ``precision``, ``recall``, ``specificity`` (where there is a
        negative frame) and ``average_precision`` of the frame decision; those of
        ``not_measurable`` are missing. For a classifier also
        ``ece``, the expected calibration error of its quality, and
        ``brier``, its mean squared error. For a segmenter also, on the sweep's own grid, ``dice``,
        the mean over the positive frames, ``dice_pooled`` over the pixels of all frames, as in
        arXiv 2507.22802, and ``circumference_error_mm``, the mean absolute
        difference of the circumferences of the two masks, over the positive frames that both can
        be measured in; ``circumference_error_percent`` is the same in percent of the true one, and
        is there where nobody knows the scale as well. ``circumference_measured`` is the number of
        these frames: a model that outlines the easy ones alone has the smaller error.
    curve : dict
        Precision over recall: ``threshold``, ``precision``, ``recall``.
    outcomes : tuple of FrameOutcome
        Frame by frame.
    logits : (N,) float32 array
        Of a classifier, before the temperature; empty for a segmenter.
    judged_on : JudgedOn, optional
        What the model knew of these frames, where that was asked.
    not_measurable : tuple of str
        Metrics that want a frame with an abdomen, where there is none.
    """

    frames: int
    positives: int
    metrics: dict[str, float]
    curve: dict[str, list[float]] = field(default_factory=dict)
    outcomes: tuple[FrameOutcome, ...] = ()
    logits: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros(0, np.float32), repr=False, compare=False
    )
    judged_on: JudgedOn | None = None
    not_measurable: tuple[str, ...] = ()

    @property
    def scores(self) -> NDArray[np.float64]:
        """(N,) float: what each frame was decided by, the quality or the area."""
        return np.array([one.score for one in self.outcomes])

    @property
    def labels(self) -> NDArray[np.bool_]:
        """(N,) bool: the truth of each frame."""
        return np.array([one.positive for one in self.outcomes])

    def as_metrics(self) -> dict[str, JsonValue]:
        """Return one flat dictionary, rounded to 4 digits, for a model card or a table."""
        rounded = {name: round(value, 4) for name, value in self.metrics.items()}
        return {"frames": self.frames, "positives": self.positives, **rounded}


def judge(
    model: Network,
    sources: Iterable[LabelledFrames],
    *,
    device: str = "auto",
    report: Report = silent,
) -> Evaluation:
    """Predict frames as `analyse` and the window do, and compare with the truth.

    Parameters
    ----------
    model : FrameClassifier or FrameSegmenter
        Left unchanged; judged with the thresholds of its card, or the paper's where it has none.
    sources : iterable of LabelledFrames
        Taken one at a time.
    device : {"auto", "cuda", "mps", "cpu"}
    report : callable, optional

    Returns
    -------
    Evaluation

    Raises
    ------
    TrainingError
        Where there are no frames.
    """
    card = model.card
    quality_threshold = card.quality_threshold if card else QUALITY_THRESHOLD
    area_threshold = card.area_threshold if card else AREA_THRESHOLD
    predictor = FramePredictor(
        classifier=model if isinstance(model, FrameClassifier) else None,
        segmenter=model if isinstance(model, FrameSegmenter) else None,
        device=device,
    )
    running = FrameMetrics()
    outcomes: list[FrameOutcome] = []
    logits: list[NDArray[np.float32]] = []
    for done, source in enumerate(sources, start=1):
        for batch in predictor.predict(source.frames):
            positive = torch.from_numpy(source.positive[batch.frames])
            if batch.quality is not None and batch.logits is not None:
                logits.append(batch.logits)
                running.update(
                    torch.from_numpy(batch.quality > quality_threshold),
                    positive,
                    scores=torch.from_numpy(batch.quality),
                )
            if batch.area_fraction is not None and batch.masks is not None:
                running.update(
                    torch.from_numpy(batch.area_fraction >= area_threshold),
                    positive,
                    torch.from_numpy(batch.masks),
                    torch.from_numpy(source.masks[batch.frames]),
                    scores=torch.from_numpy(batch.area_fraction),
                )
            outcomes.extend(_outcomes(source, batch, quality_threshold, area_threshold))
        report(Progress("evaluating", done))
    if running.frames == 0:
        raise TrainingError("no annotated frames to judge the model on; choose other data")
    found = running.compute()
    for name in ERRORS:
        errors = [getattr(one, name) for one in outcomes]
        if known := [error for error in errors if error is not None]:
            found[name] = sum(known) / len(known)
    if isinstance(model, FrameSegmenter):
        found[MEASURED] = sum(one.measured for one in outcomes)
    judged = Evaluation(
        running.frames,
        running.positives,
        found,
        running.curve(),
        tuple(outcomes),
        np.concatenate(logits) if logits else np.zeros(0, np.float32),
        not_measurable=running.not_measurable,
    )
    specificity = confusion(outcomes).specificity
    if specificity is not None:
        found["specificity"] = specificity
    if logits:
        found["ece"] = expected_calibration_error(judged.scores, judged.labels)
        found["brier"] = brier_score(judged.scores, judged.labels)
    return judged


def _outcomes(
    source: LabelledFrames, batch: PredictionBatch, quality_threshold: float, area_threshold: float
) -> Iterator[FrameOutcome]:
    for row, frame in enumerate(batch.frames):
        number = int(frame if source.numbers is None else source.numbers[frame])
        positive = bool(source.positive[frame])
        if batch.masks is None or batch.area_fraction is None:
            assert batch.quality is not None
            score = float(batch.quality[row])
            decision = score > quality_threshold
            yield FrameOutcome(
                source.sweep, number, positive, score, decision, subject=source.subject
            )
            continue
        mask, truth = batch.masks[row], source.masks[frame]
        score = float(batch.area_fraction[row])
        yield FrameOutcome(
            source.sweep,
            number,
            positive,
            score,
            score >= area_threshold,
            dice(mask, truth, of_nothing=None) if truth.any() else None,
            *_circumference_errors(source, int(frame), mask),
            source.subject,
        )


def _circumference_errors(
    source: LabelledFrames, frame: int, mask: NDArray[np.bool_]
) -> tuple[float | None, float | None]:
    """Return how far off the circumference of a mask is, in mm and in percent.

    None where there is none to compare, and of the mm where the scale is not known.
    """
    if not source.positive[frame] or not mask.any():
        return None, None
    spacing = source.spacing_mm or (1.0, 1.0)
    true, found = (
        measure_abdomen(outline, spacing, source.field_of_view)
        for outline in (source.masks[frame], mask)
    )
    if found is None or true is None:
        return None, None
    error = abs(found.circumference_mm - true.circumference_mm)
    return error if source.spacing_mm else None, 100 * error / true.circumference_mm


def evaluate(
    model: Path | str,
    data: Path,
    *,
    split: Path | None = None,
    part: OwnPart | None = None,
    encoder_weights: Path | None = None,
    device: str = "auto",
    report: Report = silent,
) -> Evaluation:
    """Judge a model folder on the test part of its own split, or on other data.

    Parameters
    ----------
    model : path or str
        Model folder, or the name of a shipped one.
    data : Path
        Folder in the ACOUSLIC-AI or the HC18 layout.
    split : Path, optional
        List of who is in which part; without it the model's own split decides.
    part : {"training", "validation", "test", "all"}, optional
        Of the split; test by default, and all of data that hold none of the model's own split.
    encoder_weights : Path, optional
        Where the model folder does not hold its encoder; else those fetched before.
    device : {"auto", "cuda", "mps", "cpu"}
    report : callable, optional

    Returns
    -------
    Evaluation
        With ``judged_on``, which says how many of the frames the model has seen before.

    Raises
    ------
    ModelError, SweepError, TrainingError
        Where the model or the data cannot be used.
    """
    taught = load_card(model).taught
    cases, what = cases_to_judge(taught, data, split, part, "test")
    network = load_model(model, encoder_weights, paths.weights())
    watched = Watched(taught)
    judged = judge(network, watched.passing(frames_of(cases)), device=device, report=report)
    return replace(judged, judged_on=watched.judged_on(what))


def draw_quality(judged: Evaluation, path: Path) -> None:
    """Draw as PNG how far the quality of a classifier is a probability.

    Where its card has a temperature, beside what it would be without.

    Parameters
    ----------
    judged : Evaluation
        Of a classifier.
    path : Path
    """
    plain = calibrated(judged.logits, 1.0)
    same = np.allclose(plain, judged.scores, atol=1e-6)
    before, after = (reliability(scores, judged.labels) for scores in (plain, judged.scores))
    remark = judged.judged_on.remark if judged.judged_on else None
    draw_reliability(before, path, None if same else after, remark)
