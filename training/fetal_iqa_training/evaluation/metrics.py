"""The metrics by which a model is judged, frame by frame."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAveragePrecision,
    BinaryF1Score,
    BinaryPrecision,
    BinaryPrecisionRecallCurve,
    BinaryRecall,
)

_CURVE_POINTS = 200
"""More than a plot shows, and few enough for a file that people open."""


class FrameMetrics:
    """Running accuracy, F1, precision and recall of frame decisions, and Dice of masks.

    Of frames of which none shows an abdomen there is the accuracy alone: the others are shares of
    what there is to find, and 0 would read as a failure. Where scores are given, also the curve of
    precision over recall and the area under it.

    ``dice`` is the mean over the frames that do show an abdomen; a frame whose abdomen is missed
    counts as 0, and what is painted on one without is left to the decision. ``dice_pooled`` is one
    Dice over the pixels of all frames, false paint on empty ones included, as arXiv 2507.22802
    reports it: a large abdomen counts more there than a small one.

    Parameters
    ----------
    device : str or torch.device
        Where the tensors will be.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        # of several processes that train, each sees all frames that are judged
        alone: dict[str, Any] = {"sync_on_compute": False}
        self._decisions = MetricCollection(
            {
                "accuracy": BinaryAccuracy(**alone),
                "f1": BinaryF1Score(**alone),
                "precision": BinaryPrecision(**alone),
                "recall": BinaryRecall(**alone),
            }
        ).to(device)
        self._curve = BinaryPrecisionRecallCurve(**alone).to(device)
        self._average_precision = BinaryAveragePrecision(**alone).to(device)
        self._dice = MeanMetric(**alone).to(device)
        self._overlap = self._both = self._true = (
            0  # Python's integers: a test set has 10^10 pixels
        )
        self.frames = 0
        self.positives = 0
        self._has_masks = False

    def update(
        self,
        decisions: Tensor,
        positive: Tensor,
        masks: Tensor | None = None,
        truth: Tensor | None = None,
        scores: Tensor | None = None,
    ) -> None:
        """Take a batch into account.

        Parameters
        ----------
        decisions, positive : (N,) bool tensors
            What the model says of the frames, and what is true.
        masks, truth : (N, H, W) bool tensors, optional
            The model's masks and the true ones, for a segmenter.
        scores : (N,) tensor in 0..1, optional
            What the decisions were made from.
        """
        self._decisions.update(decisions.long(), positive.long())
        self.frames += len(positive)
        self.positives += int(positive.sum())
        if scores is not None:
            self._curve.update(scores.float(), positive.long())
            self._average_precision.update(scores.float(), positive.long())
        if masks is None or truth is None:
            return
        self._has_masks = True
        masks, truth = masks.flatten(1), truth.flatten(1)
        shown = truth.any(dim=1)
        overlap, both = (masks & truth).sum(dim=1), masks.sum(dim=1) + truth.sum(dim=1)
        self._overlap += int(overlap.sum())
        self._both += int(both.sum())
        self._true += int(truth.sum())
        if shown.any():  # as geometry.overlap's dice, of a batch of tensors where they lie
            self._dice.update(2 * overlap[shown] / both[shown])

    def compute(self) -> dict[str, float]:
        """Return ``accuracy``, ``f1``, ``precision``, ``recall`` and what else there is to say.

        That is ``average_precision`` where there are scores, and ``dice`` and ``dice_pooled`` for
        masks. Those of :attr:`not_measurable` are left out.
        """
        metrics = {name: float(value) for name, value in self._decisions.compute().items()}
        if self._average_precision.update_called and self.positives:
            metrics["average_precision"] = float(self._average_precision.compute())
        if self._has_masks and self._true:
            metrics["dice"] = float(self._dice.compute())
            metrics["dice_pooled"] = 2 * self._overlap / self._both
        return {name: metrics[name] for name in metrics if name not in self.not_measurable}

    @property
    def not_measurable(self) -> tuple[str, ...]:
        """Names of the metrics that want a frame with an abdomen, where there is none."""
        names = () if self.positives else ("f1", "precision", "recall", "average_precision")
        return names + (("dice", "dice_pooled") if self._has_masks and not self._true else ())

    def curve(self) -> dict[str, list[float]]:
        """Return ``threshold``, ``precision`` and ``recall``, at most 200 points of each.

        Empty where no scores were given, or no frame shows an abdomen. The last point, where
        nothing is found, has threshold 1.
        """
        if not (self._curve.update_called and self.positives):
            return {}
        precision, recall, thresholds = self._curve.compute()
        # where all scores are one, torchmetrics gives a threshold without a dimension
        thresholds = torch.cat([thresholds.reshape(-1), thresholds.new_ones(1)])
        n_points = min(_CURVE_POINTS, len(thresholds))
        chosen = torch.linspace(0, len(thresholds) - 1, n_points).round().long()
        parts = {"threshold": thresholds, "precision": precision, "recall": recall}
        return {name: part.cpu()[chosen].tolist() for name, part in parts.items()}


def precision_recall_f1(
    hits: ArrayLike, called: ArrayLike, positives: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return precision, recall and F1 of many counts at once; 0 of nothing is 0, as torchmetrics.

    For thresholds and resamples, which are counted and not gone through frame by frame.

    Parameters
    ----------
    hits : array
        Frames rightly called positive.
    called, positives : arrays
        Frames called positive, and frames that are; of a shape that goes with ``hits``.
    """
    hit, found, true = np.broadcast_arrays(
        *(np.asarray(count, np.float64) for count in (hits, called, positives))
    )
    return _share(hit, found), _share(hit, true), _share(2 * hit, found + true)


def defined_metrics(
    hits: ArrayLike, called: ArrayLike, positives: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return precision, recall and F1 as :func:`precision_recall_f1`; nan where none is positive.

    For resamples: one that happens to draw no abdomen says nothing of how abdomens are found, and
    a 0 of it would draw the interval down.
    """
    undefined = np.where(np.asarray(positives) > 0, 0.0, np.nan)
    precision, recall, f1 = precision_recall_f1(hits, called, positives)
    return precision + undefined, recall + undefined, f1 + undefined


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
