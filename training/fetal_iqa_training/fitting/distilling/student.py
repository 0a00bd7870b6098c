"""How a student learns: its own answers are brought to the teacher's."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from fetal_iqa_models import FrameClassifier
from fetal_iqa_models.networks import Network
from fetal_iqa_models.thresholds import AREA_THRESHOLD
from fetal_iqa_training.data.frame_set import Sample
from fetal_iqa_training.fitting.distilling.answers import LEVELS, Answers
from fetal_iqa_training.fitting.losses import label_loss
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.settings import DistilSettings
from fetal_iqa_training.transforms.augmentation import PAPER, Augmentation

Lesson = tuple[Tensor, Tensor, Tensor, Tensor]
"""Frame (S, S) uint8, mask (S, S) uint8, quality () float32, embedding (D,) float32."""


class AnswerDataset(Dataset[Lesson]):
    """Frames with a teacher's answers; indexed by :class:`Sample` or frame number.

    A copy is moved and lit in another way, its mask moved with it; the teacher's quality and
    embedding stay those of the frame.

    Parameters
    ----------
    answers : Answers
    augmentation : Augmentation, optional
    """

    def __init__(self, answers: Answers, augmentation: Augmentation = PAPER) -> None:
        self._answers = answers
        self._augmentation = augmentation

    def __len__(self) -> int:
        return len(self._answers)

    def __getitem__(self, item: Sample | int) -> Lesson:
        sample = item if isinstance(item, Sample) else Sample(item)
        told, row = self._answers, sample.frame
        quality = torch.tensor(told.quality[row])
        embedding = torch.from_numpy(np.array(told.embeddings[row]))
        frame, mask = told.frames[row], told.masks[row]
        if sample.seed is None:
            return torch.from_numpy(frame.copy()), torch.from_numpy(mask.copy()), quality, embedding
        whole = mask if mask.size else np.zeros_like(frame)
        image, moved = self._augmentation.moved(frame, whole, sample.seed)
        return image, moved if mask.size else torch.from_numpy(mask.copy()), quality, embedding


class StudentLearner(FrameLearner):
    """Learns from :class:`AnswerDataset`: cross-entropy and Dice against probabilities.

    Parameters
    ----------
    model : FrameClassifier or FrameSegmenter
        The student.
    settings : DistilSettings

    References
    ----------
    Hinton et al., Distilling the knowledge in a neural network, 2015: the student learns the
    teacher's probabilities; Romero et al., FitNets, ICLR 2015: and what is behind them.
    """

    def __init__(self, model: Network, settings: DistilSettings) -> None:
        super().__init__(model, settings)
        self._embedding = settings.embedding

    def training_step(self, batch: Any, index: int) -> Tensor:
        """One step on lessons."""
        frames, masks, quality, embeddings = batch
        images = self.normalise(frames)
        if embeddings.shape[1]:
            own = self.model.encoder(images)
            apart = 1 - F.cosine_similarity(own.float(), embeddings)
            loss = label_loss(self.model.head(own), quality) + self._embedding * apart.mean()
        else:
            loss = self.loss(self.model(images), masks / LEVELS, quality)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(frames))
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        """Compare one batch with the teacher, as both are in use."""
        frames, masks, quality, _ = batch
        logits = self.logits(frames)
        self._validation_loss.update(logits, masks / LEVELS, quality)
        positive = quality > 0.5
        if isinstance(self.model, FrameClassifier):
            self._frame_metrics.update(logits.squeeze(1) > 0, positive)
            return
        found = logits.squeeze(1) > 0
        decisions = found.float().mean(dim=(1, 2)) >= AREA_THRESHOLD
        self._frame_metrics.update(decisions, positive, found, masks > LEVELS // 2)
