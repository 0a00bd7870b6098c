"""Training a head alone: its frozen encoder sees each frame, and each copy, once and not again."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fetal_iqa_models import FrameClassifier, choose_device
from fetal_iqa_models.atomic_file import atomic_file
from fetal_iqa_models.networks import Network
from fetal_iqa_training.data.fixed_copies import CopiesDataset
from fetal_iqa_training.data.frame_set import Example, FrameDataset, FrameSet, Sample
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.samplers import same_copies
from fetal_iqa_training.progress import Progress, Report
from fetal_iqa_training.settings import RunSettings


class HeadLearner(FrameLearner):
    """A classifier's head that learns from examples of :class:`FeatureDataset`."""

    def logits(self, frames: Tensor) -> Tensor:
        """Score the features of frames, (N, D) float32, as (N, 1) logits."""
        logits: Tensor = self.model.head(frames)
        return logits


class FeatureDataset(Dataset[tuple[Tensor, Tensor, bool]]):
    """Features of frames with their labels; indexed by :class:`Sample` or row number.

    Parameters
    ----------
    features : (N, D) float32 array
    positive : (N,) bool array
    """

    def __init__(self, features: NDArray[np.float32], positive: NDArray[np.bool_]) -> None:
        self._features = features
        self._positive = positive

    def __len__(self) -> int:
        return len(self._positive)

    def __getitem__(self, item: Sample | int) -> tuple[Tensor, Tensor, bool]:
        row = item.frame if isinstance(item, Sample) else item
        no_mask = torch.zeros(0, dtype=torch.bool)
        return torch.from_numpy(np.array(self._features[row])), no_mask, bool(self._positive[row])


def has_frozen_encoder(network: Network) -> bool:
    """Whether it is a classifier of which the head alone is trained.

    The maps that a segmenter's head sees are a thousand times as large, and are not kept.
    """
    frozen = not any(parameter.requires_grad for parameter in network.encoder.parameters())
    return isinstance(network, FrameClassifier) and frozen


def encoder_is_trained(network: Network) -> bool:
    """Whether anything of the encoder but an adapter is trained: its weights are then its own."""
    return any(
        parameter.requires_grad and ".lora_" not in name
        for name, parameter in network.encoder.named_parameters()
    )


def encode(
    learner: FrameLearner,
    frames: FrameSet,
    copies: int,
    settings: RunSettings,
    path: Path,
    report: Report,
) -> FeatureDataset:
    """Show each frame and its copies to the encoder, once, and keep what it gives in a file.

    Parameters
    ----------
    learner : FrameLearner
    frames : FrameSet
        Of n frames, and with its copies where they were made before.
    copies : int
        Augmented copies of each to make here, where there are none; the same in every epoch.
    settings : RunSettings
    path : Path
        What an earlier call wrote there is taken as it is; 4 bytes a number.
    report : callable
        Hears of each batch.

    Returns
    -------
    FeatureDataset
        Of n * (1 + copies) rows: all frames as they are, then all first copies, and so on.
    """
    encoder = learner.model.encoder
    made = CopiesDataset(frames)
    dataset: Dataset[Example] = made if frames.copies else FrameDataset(frames)
    copies = len(frames.copies) or copies
    samples = same_copies(len(frames), copies, settings.seed)
    if frames.copies:
        samples = [Sample(row) for row in range(len(made))]
    if not path.exists():
        device = choose_device(settings.device)
        learner.to(device).eval()
        loader = DataLoader(
            dataset, settings.batch_size, sampler=samples, num_workers=settings.workers
        )
        done = 0
        # whole or not at all: what was cut off must not be taken for whole by the run that goes on
        with atomic_file(path) as new, new.open("wb") as file, torch.no_grad():
            for images, _, positive in loader:
                features = encoder(learner.normalise(images.to(device))).float()
                file.write(features.cpu().numpy().tobytes())
                done += len(positive)
                report(Progress("encoding", done, len(samples)))
    features = np.memmap(path, np.float32, "r", shape=(len(samples), encoder.embedding_dim))
    positive = made.positive if frames.copies else np.tile(frames.positive, 1 + copies)
    return FeatureDataset(features, positive)
