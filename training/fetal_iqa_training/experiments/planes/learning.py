"""The two settings of the comparison: a linear probe on a frozen encoder, and training it all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torch.utils.data import DataLoader, TensorDataset

from fetal_iqa_models import Encoder, choose_device
from fetal_iqa_training.fitting.trainer import choose_precision
from fetal_iqa_training.progress import Progress, Report

INVERSE_REGULARISATION = 1.0
"""Of the logistic regression on standardised features: scikit-learn's own, chosen on no data."""


@dataclass(frozen=True)
class TrainingOptions:
    """How an encoder is trained in full.

    Parameters
    ----------
    epochs : int
        The one with the lowest loss on held-out training subjects is kept.
    batch_size : int
    learning_rate : float
        Of AdamW; the new head's is ten times as high.
    balanced : bool
        Rare planes count more, in both settings.
    device : {"auto", "cuda", "mps", "cpu"}
    seed : int
    """

    epochs: int = 5
    batch_size: int = 32
    learning_rate: float = 1e-4
    balanced: bool = False
    device: str = "auto"
    seed: int = 0


def probe(
    training: NDArray[np.float32],
    planes: Sequence[str],
    judged: Sequence[NDArray[np.float32]],
    balanced: bool = False,
) -> list[list[str]]:
    """Fit a logistic regression on standardised features; return what it calls each part's images.

    Parameters
    ----------
    training : (N, D) array
    planes : sequence of N str
    judged : sequence of (n, D) arrays
    balanced : bool
        Planes count as if they were equally frequent.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(
            C=INVERSE_REGULARISATION,
            max_iter=2000,
            class_weight="balanced" if balanced else None,
        ),
    )
    model.fit(training, planes)
    return [list(map(str, model.predict(part))) if len(part) else [] for part in judged]


class PlaneLearner(lightning.LightningModule):
    """An encoder and a linear layer that learn planes, every parameter."""

    def __init__(
        self, encoder: Encoder, n_planes: int, options: TrainingOptions, weights: Tensor | None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.embedding_dim, n_planes)
        self._options = options
        self._validation_loss = 0.0
        self._validation_weight = 0.0
        self._weights: Tensor | None
        self._mean: Tensor
        self._std: Tensor
        self.register_buffer("_weights", weights)
        for name, values in (("_mean", encoder.spec.mean), ("_std", encoder.spec.std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))

    def forward(self, frames: Tensor) -> Tensor:
        """Score (N, S, S) uint8 frames for each plane."""
        grey = frames[:, None].float() / 255
        scores: Tensor = self.head(self.encoder((grey - self._mean) / self._std))
        return scores

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """One step; every second image mirrored, as a fetus may lie either way."""
        frames, planes = batch
        mirrored = torch.rand(len(frames), device=frames.device) < 0.5
        frames = torch.where(mirrored[:, None, None], frames.flip(2), frames)
        return F.cross_entropy(self(frames), planes, self._weights)

    def on_validation_epoch_start(self) -> None:
        """Forget the last pass."""
        self._validation_loss = self._validation_weight = 0.0

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Sum up the loss that chooses the epoch."""
        frames, planes = batch
        summed = F.cross_entropy(self(frames), planes, self._weights, reduction="sum")
        self._validation_loss += float(summed)
        weight = len(planes) if self._weights is None else self._weights[planes].sum()
        self._validation_weight += float(weight)

    def on_validation_epoch_end(self) -> None:
        """Note the loss over all frames, however they fell into batches.

        The mean of the batches' weighted means counts a rare plane less the fewer frames of
        common ones are in its batch.
        """
        self.log("val_loss", self._validation_loss / self._validation_weight)

    def configure_optimizers(self) -> Any:
        """AdamW, the new head faster than the encoder."""
        rate = self._options.learning_rate
        return AdamW(
            [
                {"params": self.encoder.parameters(), "lr": rate},
                {"params": self.head.parameters(), "lr": 10 * rate},
            ]
        )


class _Steps(lightning.Callback):
    def __init__(self, report: Report) -> None:
        self._report = report

    def on_train_batch_end(self, trainer: lightning.Trainer, *others: Any) -> None:
        total = int(trainer.estimated_stepping_batches)
        self._report(Progress("step", trainer.global_step, total))


def train_in_full(
    encoder: Encoder,
    parts: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    planes: tuple[Sequence[str], Sequence[str]],
    judged: Sequence[NDArray[np.uint8]],
    options: TrainingOptions,
    report: Report,
) -> list[list[str]]:
    """Train an encoder and a head; return what they call the images of each judged part.

    Parameters
    ----------
    encoder : Encoder
        Changed in place.
    parts : (N, S, S) uint8 arrays
        Of training and validation.
    planes : their planes
    judged : sequence of (n, S, S) uint8 arrays
    options : TrainingOptions
    report : callable
    """
    lightning.seed_everything(options.seed, verbose=False)
    names = sorted(set(planes[0]))
    known = [np.isin(of_part, names) for of_part in planes]
    numbers = [
        torch.tensor([names.index(plane) for plane in of_part if plane in names])
        for of_part in planes
    ]
    weights = None
    if options.balanced:
        counts = torch.bincount(numbers[0], minlength=len(names)).float()
        weights = len(numbers[0]) / (len(names) * counts)
    learner = PlaneLearner(encoder, len(names), options, weights)
    loaders = [
        DataLoader(
            TensorDataset(torch.from_numpy(frames[there]), of_part),
            options.batch_size,
            shuffle=first,
            drop_last=first and len(of_part) > options.batch_size,  # no batch statistics of one
        )
        for first, frames, there, of_part in zip((True, False), parts, known, numbers, strict=True)
    ]
    device = choose_device(options.device).type
    with TemporaryDirectory(prefix="fetal-iqa-", ignore_cleanup_errors=True) as folder:
        best = ModelCheckpoint(Path(folder), "best", monitor="val_loss", save_weights_only=True)
        trainer = lightning.Trainer(
            accelerator=device,
            devices=1,
            precision=choose_precision("auto", device),
            max_epochs=options.epochs,
            callbacks=[best, _Steps(report)],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=folder,
        )
        learner.train()  # Lightning leaves an encoder that came from a file as it is
        trainer.fit(learner, loaders[0], loaders[1])
        kept = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    learner.load_state_dict(kept["state_dict"])
    return [_called(learner, frames, names, options) for frames in judged]


@torch.inference_mode()
def _called(
    learner: PlaneLearner, frames: NDArray[np.uint8], names: list[str], options: TrainingOptions
) -> list[str]:
    device = choose_device(options.device)
    learner.to(device).eval()
    found: list[str] = []
    for start in range(0, len(frames), options.batch_size):
        batch = torch.from_numpy(frames[start : start + options.batch_size]).to(device)
        found += [names[number] for number in learner(batch).argmax(dim=1).tolist()]
    return found
