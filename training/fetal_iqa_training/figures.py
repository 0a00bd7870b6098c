"""The figures by which a model is judged, frame by frame."""

import torch
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryF1Score,
    BinaryPrecision,
    BinaryRecall,
)


class FrameFigures:
    """Running accuracy, F1, precision and recall of frame decisions, and Dice of masks.

    Dice is the mean over the frames that do show an abdomen; a frame whose abdomen is missed
    counts as 0. Frames without one are judged by the decision alone.

    Parameters
    ----------
    device : str or torch.device
        Where the tensors will be.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._decisions = MetricCollection(
            {
                "accuracy": BinaryAccuracy(),
                "f1": BinaryF1Score(),
                "precision": BinaryPrecision(),
                "recall": BinaryRecall(),
            }
        ).to(device)
        self._dice = MeanMetric().to(device)
        self.frames = 0
        self.positives = 0
        self._has_masks = False

    def update(
        self,
        decisions: Tensor,
        positive: Tensor,
        masks: Tensor | None = None,
        truth: Tensor | None = None,
    ) -> None:
        """Take a batch into account.

        Parameters
        ----------
        decisions, positive : (N,) bool tensors
            What the model says of the frames, and what is true.
        masks, truth : (N, H, W) bool tensors, optional
            The model's masks and the true ones, for a segmenter.
        """
        self._decisions.update(decisions.long(), positive.long())
        self.frames += len(positive)
        self.positives += int(positive.sum())
        if masks is None or truth is None:
            return
        self._has_masks = True
        masks, truth = masks.flatten(1), truth.flatten(1)
        shown = truth.any(dim=1)
        overlap, both = (masks & truth).sum(dim=1), masks.sum(dim=1) + truth.sum(dim=1)
        if shown.any():
            self._dice.update(2 * overlap[shown] / both[shown])

    def compute(self) -> dict[str, float]:
        """Give ``accuracy``, ``f1``, ``precision``, ``recall`` and, for masks, ``dice``."""
        figures = {name: float(value) for name, value in self._decisions.compute().items()}
        if self._has_masks:
            figures["dice"] = float(self._dice.compute()) if self._dice.update_called else 0.0
        return figures
