"""One encoder, one adapter and two heads: fitted together, so that one pass scores and outlines."""

import shutil
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from fetal_iqa_models import (
    FrameClassifier,
    FrameSegmenter,
    ModelCard,
    choose_device,
    load_encoder,
    set_strategy,
)
from fetal_iqa_models.networks import Network
from fetal_iqa_models.thresholds import AREA_THRESHOLD
from fetal_iqa_training.data.fit_data import choose_data
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.metrics import FrameMetrics
from fetal_iqa_training.fitting.basis import resume_note
from fetal_iqa_training.fitting.fit_card import taught_by
from fetal_iqa_training.fitting.fit_training import train
from fetal_iqa_training.fitting.fitted_model import Fitted, write_fitted
from fetal_iqa_training.fitting.loggers import Logs
from fetal_iqa_training.fitting.losses import EpochLoss, label_loss
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.taught_too import TaughtToo
from fetal_iqa_training.fitting.trainer import Schedule
from fetal_iqa_training.fitting.work_folder import check_is_free, enter, go_on_with
from fetal_iqa_training.progress import Report, silent
from fetal_iqa_training.settings import FitSettings, Task


class BothLearner(FrameLearner):
    """A classifier and a segmenter of one encoder, which learn from the same examples.

    The loss is the sum of both: cross-entropy of the labels, and Dice loss of the masks.

    Parameters
    ----------
    classifier : FrameClassifier
    segmenter : FrameSegmenter
        Of the very same encoder.
    settings : FitSettings
        Of task seg.
    """

    def __init__(
        self, classifier: FrameClassifier, segmenter: FrameSegmenter, settings: FitSettings
    ) -> None:
        super().__init__(segmenter, settings)
        self.classifier = classifier
        self._label_loss = EpochLoss("cls", 0.0, per_frame=False)
        self._label_metrics = FrameMetrics()

    def _parts(self) -> tuple[tuple[nn.Module, float], ...]:
        return (*super()._parts(), (self.classifier.head, self._settings.head_rate))

    def _both(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        images = self.normalise(frames)
        embeddings, maps = self.model.encoder.both(images)
        return self.classifier.head(embeddings), self.model.head(images, maps)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], index: int) -> Tensor:
        """One step on (frames, masks, positive)."""
        frames, masks, positive = batch
        scores, outlines = self._both(frames)
        loss = label_loss(scores, positive, self.positive_weight)
        loss = loss + self.loss(outlines, masks, positive)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(frames))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last pass."""
        super().on_validation_epoch_start()
        self._label_loss.reset()
        self._label_metrics = FrameMetrics(self.device)

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], index: int) -> None:
        """Judge one batch as it is in use."""
        frames, masks, positive = batch
        scores, outlines = self._both(frames)
        self._label_loss.update(scores, masks, positive, self.positive_weight)
        self._label_metrics.update(scores.squeeze(1) > 0, positive)
        self._validation_loss.update(outlines, masks, positive)
        found = outlines.squeeze(1) > 0
        decisions = found.float().mean(dim=(1, 2)) >= AREA_THRESHOLD
        self._frame_metrics.update(decisions, positive, found, masks)

    def on_validation_epoch_end(self) -> None:
        """Note the metrics of both; the sum of their losses chooses the best epoch."""
        loss = (self._validation_loss.compute() + self._label_loss.compute()).float()
        self.log("val_loss", loss)
        if not self.trainer.sanity_checking:
            found = self._frame_metrics.compute()
            found |= {f"cls_{name}": one for name, one in self._label_metrics.compute().items()}
            self.log_dict({f"val_{name}": value for name, value in found.items()})
            self.validation.append({"loss": float(loss), **found})


def both_networks(
    settings: FitSettings, weights: Path | None
) -> tuple[FrameClassifier, FrameSegmenter]:
    """Build two networks of one encoder, and of one adapter where there is one.

    Raises
    ------
    ModelError
        Where there is no such encoder, or the weights or the strategy do not fit it.
    """
    strategy = settings.strategy_with(weights is not None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        encoder = load_encoder(settings.encoder, weights)
        classifier, segmenter = FrameClassifier(encoder), FrameSegmenter(encoder)
        set_strategy(segmenter, strategy, settings.lora)
        outlining = [one for one in encoder.parameters() if one.requires_grad]
        classifier.lora = segmenter.lora
        set_strategy(classifier, strategy, settings.lora)
    for parameter in outlining:  # of no use to the classifier, but to the other
        parameter.requires_grad_()
    return classifier, segmenter


def fit_both(
    data: Path,
    outs: dict[Task, Path],
    settings: FitSettings,
    *,
    weights: Path | None = None,
    split: Path | None = None,
    prepared: Path | None = None,
    demo: bool = False,
    half_precision: bool = False,
    command: str = "",
    report: Report = silent,
    logs: Logs | None = None,
    stop_file: Path | None = None,
    stop_on_interrupt: bool = False,
) -> dict[Task, ModelCard]:
    """Fit a classifier and a segmenter of one encoder, and write a model folder each.

    Both folders hold the same encoder and adapter, so that either serves by itself, and
    :class:`~fetal_iqa_models.FramePredictor` and the graph for OpenVINO pass the encoder once for
    both.

    Parameters
    ----------
    data : Path
    outs : dict of task to Path
        Model folders to make.
    settings : FitSettings
        Of task seg.
    weights, split, prepared, demo, half_precision, command, report, logs, stop_file
        As :func:`~fetal_iqa_training.fitting.fit.fit` takes them.
    stop_on_interrupt : bool
        The first Ctrl-C ends it early, with the best epoch so far.

    Returns
    -------
    dict of task to ModelCard

    Raises
    ------
    TrainingError, ModelError, SweepError
        As of :func:`~fetal_iqa_training.fitting.fit.fit`.
    """
    for out in outs.values():
        check_is_free(out)
    choose_device(settings.device)
    schedule = Schedule(
        epochs=settings.epochs, stop_file=stop_file, stop_on_interrupt=stop_on_interrupt
    )
    chosen = choose_data(data, settings, split, prepared)
    classifier, segmenter = both_networks(settings, weights)
    out = outs["seg"]
    work = out.parent / f".{out.name}.training"
    enter(work, "both\n" + resume_note(data, settings, weights, None, chosen.split))
    frames, validation = chosen.frame_sets(work, report)
    go_on_with(work, f"{frames.data_hash} {validation.data_hash}")
    if not frames.positive.any():
        raise TrainingError("no training frame shows an abdomen: add annotated cases")
    learner = BothLearner(classifier, segmenter, settings)
    trained = train(
        segmenter, frames, validation, settings, (work, work), schedule, report, logs, learner
    )
    networks: dict[Task, Network] = {"cls": classifier, "seg": segmenter}
    cards: dict[Task, ModelCard] = {}
    for task, network in networks.items():
        taught_too = TaughtToo(frames, network.resize)
        of = Fitted(
            data,
            chosen,
            frames,
            validation,
            taught_by(chosen.cases, frames, validation, None),
            taught_too,
            taught_too.among(validation.frames),
            trained.stopped,
            weights=weights,
            demo=demo,
            # of one encoder, whose weights are rounded alike for both
            half_precision=half_precision,
            command=command,
        )
        own = settings.model_copy(update={"task": task})
        validated = _of_task(trained.validation, task)
        cards[task] = write_fitted(network, outs[task], own, validated, of, report)
    del of, frames, validation  # their files are open, and go with the work folder
    shutil.rmtree(work, ignore_errors=True)
    return cards


def _of_task(validated: dict[str, JsonValue], task: Task) -> dict[str, Any]:
    if task == "seg":
        return {name: of for name, of in validated.items() if not name.startswith("cls_")}
    own = {name.removeprefix("cls_"): of for name, of in validated.items() if name[:4] == "cls_"}
    return {"loss": validated["loss"], **own}
