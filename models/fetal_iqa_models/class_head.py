"""A head that tells classes of frames apart, of which some are what is looked for."""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fetal_iqa_models.classes import FrameClass


class ClassHead(nn.Linear):
    """Scores of classes, and from them the logit of the targets.

    The logit is ``logsumexp(targets) - logsumexp(others)``, so that its sigmoid is the
    probability that a softmax over all classes gives the targets together; all that is done to
    a logit of two classes, such as a temperature, can be done to it. Always in float32: a
    softmax feels what bfloat16 rounds away of a score of 30.

    Parameters
    ----------
    embedding_dim : int
    classes : sequence of FrameClass
        Where they have prompts, only the direction of an embedding counts and there is no bias,
        as CLIP compares images with words.
    """

    def __init__(self, embedding_dim: int, classes: Sequence[FrameClass]) -> None:
        self._by_direction = any(one.prompts for one in classes)
        super().__init__(embedding_dim, len(classes), bias=not self._by_direction)
        self._targets = [place for place, one in enumerate(classes) if one.target]
        self._others = [place for place, one in enumerate(classes) if not one.target]

    def class_scores(self, embeddings: Tensor) -> Tensor:
        """Score (N, D) embeddings for each class: (N, L) float32 logits of a softmax."""
        device = embeddings.device.type
        known = torch.amp.is_autocast_available(device)  # not of "meta", where layers are traced
        with torch.autocast(device, enabled=False) if known else nullcontext():
            embeddings = embeddings.float()
            if self._by_direction:
                embeddings = F.normalize(embeddings, dim=-1)
            return F.linear(embeddings, self.weight, self.bias)

    def of_targets(self, scores: Tensor) -> Tensor:
        """Return the logit of the targets, (N, 1), from (N, L) scores of classes."""
        targets, others = scores[:, self._targets], scores[:, self._others]
        return targets.logsumexp(1, keepdim=True) - others.logsumexp(1, keepdim=True)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return the logit of the targets, (N, 1), of (N, D) embeddings."""
        return self.of_targets(self.class_scores(embeddings))
