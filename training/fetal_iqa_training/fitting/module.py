"""One training step and one validation pass, for Lightning: the network, its loss, its metrics."""

import math
from typing import Any

import lightning
import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from fetal_iqa_models import FrameClassifier
from fetal_iqa_models.networks import Network
from fetal_iqa_models.thresholds import AREA_THRESHOLD
from fetal_iqa_training.evaluation.metrics import FrameMetrics
from fetal_iqa_training.fitting.losses import EpochLoss, label_loss, mask_loss
from fetal_iqa_training.fitting.processes import rank
from fetal_iqa_training.settings import RunSettings

WARMUP_SHARE = 0.05
"""Of all steps, in the cosine schedule: the rate rises linearly, then falls to zero."""


class FrameLearner(lightning.LightningModule):
    """A classifier or segmenter that learns from examples of :class:`FrameDataset`.

    Parameters
    ----------
    model : FrameClassifier or FrameSegmenter
        Only its parameters that require a gradient are trained and kept in checkpoints.
    settings : RunSettings
        Its rates, schedule and loss.

    Attributes
    ----------
    positive_weight : float
        How much more a frame with an abdomen counts in a classifier's loss.
    """

    def __init__(self, model: Network, settings: RunSettings) -> None:
        super().__init__()
        self.model = model
        self.strict_loading = False  # checkpoints hold only what is trained
        self._settings = settings
        self.positive_weight = 1.0
        self._mean: Tensor
        self._std: Tensor
        spec = model.encoder.spec
        self.register_buffer("_mean", torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(spec.std).view(1, 3, 1, 1), persistent=False)
        self._validation_loss = EpochLoss(
            model.task, settings.cross_entropy, settings.per_frame, settings.published_loss
        )
        self._frame_metrics = FrameMetrics()
        self.validation: list[dict[str, float]] = []

    def train(self, mode: bool = True) -> "FrameLearner":
        """Set training mode, but for frozen batch statistics: they stay the base model's."""
        super().train(mode)
        for layer in self.modules():
            if isinstance(layer, _BatchNorm) and not any(
                parameter.requires_grad for parameter in layer.parameters()
            ):
                layer.eval()
        return self

    def normalise(self, frames: Tensor) -> Tensor:
        """Bring frames to the network's input.

        Parameters
        ----------
        frames : (N, S, S) uint8 tensor

        Returns
        -------
        (N, 3, S, S) float32 tensor
            Equal to what :func:`fetal_iqa_models.preprocess` gives.
        """
        grey = frames[:, None].float() / 255
        normalised: Tensor = (grey - self._mean) / self._std
        return normalised

    def logits(self, frames: Tensor) -> Tensor:
        """Return the answer of the network to (N, S, S) uint8 frames."""
        logits: Tensor = self.model(self.normalise(frames))
        return logits

    def loss(self, logits: Tensor, masks: Tensor, positive: Tensor) -> Tensor:
        """Loss of the task: cross-entropy of the labels, or Dice loss of the masks."""
        if isinstance(self.model, FrameClassifier):
            return label_loss(logits, positive, self.positive_weight)
        return mask_loss(
            logits,
            masks,
            self._settings.cross_entropy,
            self._settings.per_frame,
            self._settings.published_loss,
        )

    def on_train_batch_start(self, batch: Any, index: int) -> None:
        """Seed what is random in the network: a step is the same after a cut as without.

        At every step, because Lightning starts no epoch anew that it goes on with. Of several
        processes each draws its own: one dropout for all parts of a batch would be less of it.
        """
        own = [rank()] if rank() else []
        step = np.random.SeedSequence([self._settings.seed, self.global_step, *own])
        torch.manual_seed(int(step.generate_state(1, np.uint64)[0]))

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], index: int) -> Tensor:
        """One step on (frames, masks, positive)."""
        frames, masks, positive = batch
        loss = self.loss(self.logits(frames), masks, positive)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(frames))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last pass."""
        self._validation_loss.reset()
        self._frame_metrics = FrameMetrics(self.device)

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], index: int) -> None:
        """Judge one batch as it is in use: thresholds of the paper, at the network's size."""
        frames, masks, positive = batch
        logits = self.logits(frames)
        self._validation_loss.update(logits, masks, positive, self.positive_weight)
        if isinstance(self.model, FrameClassifier):
            self._frame_metrics.update(logits.squeeze(1) > 0, positive)
        else:
            found = logits.squeeze(1) > 0
            decisions = found.float().mean(dim=(1, 2)) >= AREA_THRESHOLD
            self._frame_metrics.update(decisions, positive, found, masks)

    def on_validation_epoch_end(self) -> None:
        """Note the metrics; ``val_loss`` chooses the best epoch."""
        loss = self._validation_loss.compute().float()
        self.log("val_loss", loss)
        if not self.trainer.sanity_checking:
            found = self._frame_metrics.compute()
            self.log_dict({f"val_{name}": value for name, value in found.items()})
            self.validation.append({"loss": float(loss), **found})

    def configure_optimizers(self) -> Any:
        """AdamW over what is trainable, with the chosen schedule."""
        rate = self._settings.learning_rate
        groups = [
            {"params": [p for p in part.parameters() if p.requires_grad], "lr": rate * times}
            for part, times in self._parts()
        ]
        optimiser = AdamW(
            [group for group in groups if group["params"]],
            lr=rate,
            weight_decay=self._settings.weight_decay,
        )
        if self._settings.schedule == "constant":
            return optimiser
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = LambdaLR(optimiser, lambda step: _cosine(step, steps))
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _parts(self) -> tuple[tuple[nn.Module, float], ...]:
        """Return what trains, and how many times the learning rate it has."""
        return (self.model.encoder, 1.0), (self.model.head, self._settings.head_rate)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave out what is frozen: it comes from the base model; keep the metrics so far."""
        trainable = {name for name, p in self.named_parameters() if p.requires_grad}
        trainable |= {name for name, _ in self.named_buffers()}
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {k: v for k, v in state.items() if k in trainable}
        checkpoint["validation"] = self.validation

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the metrics so far."""
        self.validation = checkpoint["validation"]

    def best_validation(self) -> dict[str, JsonValue]:
        """Return the metrics of the validation pass with the lowest loss; 4 digits."""
        best = min(self.validation, key=lambda metrics: metrics["loss"])
        return {name: round(value, 4) for name, value in best.items()}


def _cosine(step: int, steps: int) -> float:
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))
