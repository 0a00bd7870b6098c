"""What the training makes small: cross-entropy of labels, Dice loss of masks."""

import torch
from torch import Tensor
from torch.nn import functional as F


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of frame quality.

    Parameters
    ----------
    logits : (N, 1) float tensor
    labels : (N,) bool tensor
        True where the frame shows an abdomen that can be measured.

    Returns
    -------
    () float32 tensor
    """
    return F.binary_cross_entropy_with_logits(logits.float().squeeze(1), labels.float())


def mask_loss(
    logits: Tensor,
    masks: Tensor,
    cross_entropy: float = 0.0,
    smooth: float = 1.0,
    per_frame: bool = False,
) -> Tensor:
    """Dice loss of abdomen masks, pooled over the batch or frame by frame.

    Pooled, one overlap is counted over all pixels of the batch, so that a frame without an abdomen
    costs what is falsely painted on it, and nothing when it is left empty. Frame by frame, the
    mean is over the frames with an abdomen, so that a small or half-painted one counts as much as
    any; those without are left to the cross-entropy.

    Parameters
    ----------
    logits : (N, 1, S, S) float tensor
    masks : (N, S, S) bool tensor
    cross_entropy : float
        Weight of the pixels' mean cross-entropy, added to the Dice loss.
    smooth : float
        Pixels added to both sides of the fraction: a batch without any abdomen stays defined.
    per_frame : bool

    Returns
    -------
    () float32 tensor
        ``1 - (2 sum(p m) + smooth) / (sum(p) + sum(m) + smooth)``, and the cross-entropy.

    References
    ----------
    Milletari et al., V-Net, 3DV 2016, equation of section 3, with plain sums in the
    denominator as in Sørensen and Dice.
    """
    # float32, because a sum over pixels in bfloat16 has two or three digits
    probabilities = torch.sigmoid(logits.float().squeeze(1))
    truth = masks.float()
    if per_frame:
        shown = truth.flatten(1).any(dim=1)
        pixels_of = (len(truth), -1)
        found, true = probabilities.reshape(pixels_of)[shown], truth.reshape(pixels_of)[shown]
        dice = (2 * (found * true).sum(1) + smooth) / (found.sum(1) + true.sum(1) + smooth)
        loss = (1 - dice).sum() / max(1, len(dice))  # the mean of no frame would be nan
    else:
        overlap = (probabilities * truth).sum()
        loss = 1 - (2 * overlap + smooth) / (probabilities.sum() + truth.sum() + smooth)
    if cross_entropy:
        pixels = F.binary_cross_entropy_with_logits(logits.float().squeeze(1), truth)
        loss = loss + cross_entropy * pixels
    return loss
