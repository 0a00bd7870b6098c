"""What the training makes small: cross-entropy of labels, Dice loss of masks."""

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from fetal_iqa_training.settings import Task


def label_loss(logits: Tensor, labels: Tensor, positive_weight: float = 1.0) -> Tensor:
    """Binary cross-entropy of frame quality.

    Parameters
    ----------
    logits : (N, 1) float tensor
    labels : (N,) bool tensor
        True where the frame shows an abdomen that can be measured.
    positive_weight : float
        How much more such a frame counts.

    Returns
    -------
    () float32 tensor
    """
    weight = None if positive_weight == 1 else logits.new_tensor(positive_weight).float()
    return F.binary_cross_entropy_with_logits(
        logits.float().squeeze(1), labels.float(), pos_weight=weight
    )


def positive_weight(class_weights: float | str | None, positive: NDArray[np.bool_]) -> float:
    """Return how much more a frame with an abdomen counts than one without.

    Parameters
    ----------
    class_weights : float, "balanced" or None
    positive : (N,) bool array
        Of the training frames.

    Returns
    -------
    float
        1 where no weight is asked for, or where the frames are all of one kind.
    """
    if not isinstance(class_weights, str):
        return 1.0 if class_weights is None else class_weights
    n_positive = int(np.count_nonzero(positive))
    return (len(positive) - n_positive) / n_positive if 0 < n_positive < len(positive) else 1.0


class MaskSums(NamedTuple):
    """What a loss of masks is made of: sums over pixels and frames, so that batches add up.

    Parameters
    ----------
    overlap, found, true : () float tensors
        Over all pixels, of the probabilities inside the true masks, of all, and of the masks.
    cross_entropy, pixels : () float tensors
        Of all pixels, and how many there are.
    frame_dice, shown : () float tensors
        Dice of each frame with an abdomen, and how many there are.
    """

    overlap: Tensor
    found: Tensor
    true: Tensor
    cross_entropy: Tensor
    pixels: Tensor
    frame_dice: Tensor
    shown: Tensor

    def loss(self, cross_entropy: float, per_frame: bool, published: bool = False) -> Tensor:
        """Return the loss of all that was summed, as :func:`mask_loss` describes it."""
        if published:
            dice = 2 * self.overlap / (self.found + self.true).clamp(min=_LEAST)
            loss = (1 - dice) * (self.true > 0)
        elif per_frame:
            # the mean of no frame would be nan
            loss = (self.shown - self.frame_dice) / self.shown.clamp(min=1)
        else:
            loss = 1 - (2 * self.overlap + SMOOTH) / (self.found + self.true + SMOOTH)
        return loss + cross_entropy * self.cross_entropy / self.pixels if cross_entropy else loss


_LEAST = 1e-7
"""Of the published loss's denominator, as in segmentation_models_pytorch."""

SMOOTH = 1.0
"""Pixels added to both sides of Dice's fraction: frames without any abdomen stay defined."""


def mask_sums(logits: Tensor, masks: Tensor) -> MaskSums:
    """Sum up what the loss of masks is made of.

    Parameters
    ----------
    logits : (N, 1, S, S) float tensor
    masks : (N, S, S) bool tensor

    Returns
    -------
    MaskSums
        float32.
    """
    # float32, because a sum over pixels in bfloat16 has two or three digits
    maps = logits.float().squeeze(1).flatten(1)
    probabilities, truth = torch.sigmoid(maps), masks.flatten(1).float()
    shown = truth.any(dim=1)
    overlap, found, true = (probabilities * truth).sum(1), probabilities.sum(1), truth.sum(1)
    of_frame = (2 * overlap + SMOOTH) / (found + true + SMOOTH)
    return MaskSums(
        overlap=overlap.sum(),
        found=found.sum(),
        true=true.sum(),
        cross_entropy=F.binary_cross_entropy_with_logits(maps, truth, reduction="sum"),
        pixels=maps.new_tensor(maps.numel()),
        frame_dice=of_frame[shown].sum(),
        shown=shown.sum().float(),
    )


def mask_loss(
    logits: Tensor,
    masks: Tensor,
    cross_entropy: float = 0.0,
    per_frame: bool = False,
    published: bool = False,
) -> Tensor:
    """Dice loss of abdomen masks, pooled over the batch or frame by frame.

    Pooled, one overlap is counted over all pixels of the batch, so that a frame without an abdomen
    costs what is falsely painted on it, and nothing when it is left empty. Frame by frame, the
    mean is over the frames with an abdomen, so that a small or half-painted one counts as much as
    any; those without are left to the cross-entropy.

    The published code's is pooled, too, but without the pixel that is added to both sides, and a
    batch without any abdomen costs nothing, whatever is painted on it.

    Parameters
    ----------
    logits : (N, 1, S, S) float tensor
    masks : (N, S, S) bool tensor
    cross_entropy : float
        Weight of the pixels' mean cross-entropy, added to the Dice loss.
    per_frame : bool
    published : bool
        Before ``per_frame``.

    Returns
    -------
    () float32 tensor
        ``1 - (2 sum(p m) + 1) / (sum(p) + sum(m) + 1)``, and the cross-entropy.

    References
    ----------
    Milletari et al., V-Net, 3DV 2016, equation of section 3, with plain sums in the
    denominator as in Sørensen and Dice; the published one is that of segmentation_models_pytorch,
    ``DiceLoss(mode="multilabel", from_logits=True)``.
    """
    return pooled(mask_sums(logits, masks)).loss(cross_entropy, per_frame, published)


def pooled(sums: MaskSums) -> MaskSums:
    """Add up the sums of all processes that train together, with their gradients.

    The mean of the processes' gradients, which is what they take, is then the gradient that one
    process has on the whole batch: a Dice of the parts is another loss than a Dice of the whole.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return sums
    if not torch.is_grad_enabled():  # every process looks at all validation frames itself
        return sums
    added: Tensor = _OverProcesses.apply(torch.stack(sums))
    return MaskSums(*added)


class _OverProcesses(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of theirs.

    torch 2.15 deprecates its own (``torch.distributed.nn``, which Lightning's ``all_gather`` takes
    as well) for a private one that has no gradient in the older versions that are allowed.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total


class EpochLoss:
    """The loss over all frames of an epoch, however they fell into batches.

    The mean of the batches' losses is another thing for masks: a batch without an abdomen costs
    about 1 for the faintest paint, so that outlines which are too small or misplaced could win.
    Of several processes that train, each sees all frames that are judged.

    Parameters
    ----------
    task : {"cls", "seg"}
    cross_entropy, per_frame, published
        Of :func:`mask_loss`.
    """

    def __init__(
        self, task: Task, cross_entropy: float, per_frame: bool, published: bool = False
    ) -> None:
        self._task = task
        self._published = published
        self._cross_entropy = cross_entropy
        self._per_frame = per_frame
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        # float64, which MPS does not have: a validation set has a thousand million pixels
        self._sums = torch.zeros(len(MaskSums._fields), dtype=torch.float64)

    def update(
        self, logits: Tensor, masks: Tensor, positive: Tensor, positive_weight: float = 1.0
    ) -> None:
        """Take a batch into account."""
        if self._task == "cls":
            sums = torch.zeros(len(self._sums))
            sums[0] = label_loss(logits, positive, positive_weight) * len(positive)
            sums[1] = len(positive)
        else:
            sums = torch.stack(mask_sums(logits, masks))
        self._sums += sums.cpu().double()

    def compute(self) -> Tensor:
        """Return the loss, () float tensor."""
        if self._task == "cls":
            return self._sums[0] / self._sums[1]
        return MaskSums(*self._sums).loss(self._cross_entropy, self._per_frame, self._published)
