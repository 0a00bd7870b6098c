"""From frames to the square that an encoder sees, and back from its masks to frames."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, overload

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fetal_iqa_models.cards import Resize
from fetal_iqa_models.opencv_resize import resize_as_opencv
from fetal_iqa_models.registry import CLIP_MEAN, CLIP_STD
from fetal_iqa_models.thresholds import MASK_THRESHOLD


def _padding(rows: int, columns: int) -> tuple[int, int, int]:
    """Side of the square around a frame, and the rows above and columns left of the frame."""
    side = max(rows, columns)
    return side, (side - rows) // 2, (side - columns) // 2


def preprocess(
    frames: Tensor | NDArray[np.uint8],
    image_size: int = 224,
    mean: Sequence[float] = CLIP_MEAN,
    std: Sequence[float] = CLIP_STD,
    resize: Resize = "antialiased",
) -> Tensor:
    """Make frames into an encoder's input.

    Centred zero padding to a square, antialiased bicubic resizing, three equal channels,
    normalisation: FetalCLIP's own preprocessing, in one go and on any device.

    Parameters
    ----------
    frames : (N, H, W) uint8 array or tensor
    image_size : int
        Side S of the result in pixels.
    mean, std : three floats
        Of the encoder, in shares of full intensity; by default FetalCLIP's.
    resize : "antialiased" or "published"
        FetalCLIP's own way, or that of the published FetalCLIP-IQA code: OpenCV's bicubic, which
        does not antialias and gives whole grey levels.

    Returns
    -------
    (N, 3, S, S) float32 tensor
        On the device of the input.

    Raises
    ------
    ValueError
        Where the frames are not (N, H, W) uint8.

    References
    ----------
    arXiv 2502.14807 (FetalCLIP).
    """
    if not isinstance(frames, Tensor):
        frames = torch.from_numpy(np.array(frames))
    if frames.ndim != 3 or frames.dtype != torch.uint8:
        raise ValueError(
            f"expected frames (N, H, W) of uint8, found {tuple(frames.shape)} of {frames.dtype}"
        )
    rows, columns = frames.shape[1:]
    side, top, left = _padding(rows, columns)
    # in full precision even where the caller's network runs in less
    with torch.autocast(frames.device.type, enabled=False):
        if resize == "published":
            grey = resize_as_opencv(frames, image_size, (top, left), side).float()
        else:
            resampling = _resampling(side, image_size).to(frames.device)
            # along the rows first and clamped in between, as PIL does
            across = (frames.float() @ resampling[:, left : left + columns].T).clamp_(0, 255)
            grey = (resampling[:, top : top + rows] @ across).clamp_(0, 255)
    offset = torch.tensor(mean, device=grey.device).view(1, 3, 1, 1) * 255
    scale = torch.tensor(std, device=grey.device).view(1, 3, 1, 1) * 255
    return (grey[:, None] - offset) / scale


@lru_cache(maxsize=16)
def _resampling(side: int, image_size: int) -> Tensor:
    """(S, side) matrix that resamples a line of pixels: torch's own kernel, seen on the identity.

    As a matrix product resampling runs on every device, several times faster than the kernel,
    and the zero padding costs nothing: its columns are left out.
    """
    return F.interpolate(
        torch.eye(side, device="cpu")[None, None],
        size=(image_size, side),
        mode="bicubic",
        antialias=True,
        align_corners=False,
    )[0, 0]


@overload
def restore_masks(
    probabilities: Tensor, shape: tuple[int, int], threshold: float = MASK_THRESHOLD
) -> Tensor: ...
@overload
def restore_masks(
    probabilities: NDArray[Any], shape: tuple[int, int], threshold: float = MASK_THRESHOLD
) -> NDArray[np.bool_]: ...
def restore_masks(
    probabilities: Tensor | NDArray[Any], shape: tuple[int, int], threshold: float = MASK_THRESHOLD
) -> Tensor | NDArray[np.bool_]:
    """Bring masks of the padded square back to the frames: the inverse of :func:`preprocess`.

    Probabilities are resampled, not labels, and only then thresholded: an outline stays smooth.

    Parameters
    ----------
    probabilities : (N, S, S) float tensor or array
    shape : (H, W)
        Of the frames.
    threshold : float
        A pixel belongs to the mask where its probability is higher.

    Returns
    -------
    (N, H, W) bool
        A tensor on the device of the input, or an array for an array.

    References
    ----------
    The threshold is that of arXiv 2507.22802.
    """
    if not isinstance(probabilities, Tensor):
        return _restore(torch.from_numpy(np.array(probabilities)), shape, threshold).numpy()
    return _restore(probabilities, shape, threshold)


def _restore(probabilities: Tensor, shape: tuple[int, int], threshold: float) -> Tensor:
    rows, columns = shape
    side, top, left = _padding(rows, columns)
    masks = torch.zeros(
        (len(probabilities), rows, columns), dtype=torch.bool, device=probabilities.device
    )
    # resampling makes no pixel brighter: where no probability is above the threshold, none will be
    covered = (probabilities > threshold).flatten(1).any(1)
    if covered.any():
        square = F.interpolate(
            probabilities[covered][:, None].float(),
            size=(side, side),
            mode="bilinear",
            antialias=side < probabilities.shape[-1],
            align_corners=False,
        )[:, 0]
        masks[covered] = square[:, top : top + rows, left : left + columns] > threshold
    return masks
