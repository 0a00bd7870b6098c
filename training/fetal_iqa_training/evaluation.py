"""Judging a model as it is in use: the same prediction, on the sweep's own grid."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import JsonValue

from fetal_iqa_models import FrameClassifier, FramePredictor, FrameSegmenter, load_model
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.figures import FrameFigures
from fetal_iqa_training.labelled_frames import LabelledFrames, acouslic_frames
from fetal_iqa_training.learner import AREA_THRESHOLD, Network
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.io.acouslic import list_cases

QUALITY_THRESHOLD = 0.5
"""Probability above which a frame counts as positive (the paper)."""


@dataclass(frozen=True)
class Evaluation:
    """How well a model does on frames whose truth is known.

    Parameters
    ----------
    frames, positives : int
        Frames judged, and how many of them show an abdomen.
    figures : dict
        ``accuracy``, ``f1``, ``precision``, ``recall`` of the frame decision and, for a
        segmenter, ``dice``: the mean over the positive frames, on the sweep's own grid.
    """

    frames: int
    positives: int
    figures: dict[str, float]

    def as_metrics(self) -> dict[str, JsonValue]:
        """Give one flat dictionary, rounded to 4 digits, for a model card or a table."""
        rounded = {name: round(value, 4) for name, value in self.figures.items()}
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
    figures = FrameFigures()
    for done, source in enumerate(sources, start=1):
        for batch in predictor.predict(source.frames):
            positive = torch.from_numpy(source.positive[batch.frames])
            if batch.quality is not None:
                figures.update(torch.from_numpy(batch.quality > quality_threshold), positive)
            if batch.area_fraction is not None and batch.masks is not None:
                figures.update(
                    torch.from_numpy(batch.area_fraction >= area_threshold),
                    positive,
                    torch.from_numpy(batch.masks),
                    torch.from_numpy(source.masks[batch.frames]),
                )
        report(Progress("evaluating", done))
    if figures.frames == 0:
        raise TrainingError("no annotated frames to judge the model on; choose other data")
    return Evaluation(figures.frames, figures.positives, figures.compute())


def evaluate(
    model: Path | str,
    data: Path,
    *,
    encoder_weights: Path | None = None,
    device: str = "auto",
    report: Report = silent,
) -> Evaluation:
    """Judge a model folder on all annotated sweeps of a data set.

    Parameters
    ----------
    model : path or str
        Model folder, or the name of a shipped one.
    data : Path
        Folder in the ACOUSLIC-AI layout.
    encoder_weights : Path, optional
        Where the model folder does not hold its encoder.
    device : {"auto", "cuda", "mps", "cpu"}
    report : callable, optional

    Returns
    -------
    Evaluation

    Raises
    ------
    ModelError, SweepError, TrainingError
        Where the model or the data cannot be used.
    """
    network = load_model(model, encoder_weights)
    return judge(network, acouslic_frames(list_cases(data)), device=device, report=report)
