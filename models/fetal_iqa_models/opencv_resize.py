"""Bicubic resizing as OpenCV does it to grey bytes: what the published code sees.

No antialiasing: each pixel of the result looks at 4 x 4 pixels, however much lies between. It is
rounded to a byte at the end, as the published code keeps its frames. OpenCV's packages for Intel's
and AMD's processors do not round before, nor does this: a few pixels in a million come out one grey
level off. Those for others round the weights to 2048ths first, which moves 2 % of the pixels.

References
----------
OpenCV 4, INTER_CUBIC; Keys, IEEE Transactions on Acoustics, Speech, and Signal Processing 29
(1981), the kernel, here with a = -0.75.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_A = -0.75


def resize_as_opencv(frames: Tensor, image_size: int, before: tuple[int, int], side: int) -> Tensor:
    """Resize frames inside a square of zeros.

    Parameters
    ----------
    frames : (N, H, W) uint8 tensor
    image_size : int
        Side S of the result.
    before : (int, int)
        Rows of zeros above the frames and columns of zeros left of them.
    side : int
        Of the square around the frames.

    Returns
    -------
    (N, S, S) uint8 tensor
        On the device of the input.
    """
    taps, weights = _taps(side, image_size)
    (n, rows, columns), (top, left) = frames.shape, before
    # single precision would round one pixel in ten thousand the other way; MPS has no other
    exact = torch.float32 if frames.device.type == "mps" else torch.float64
    across = torch.zeros((n, rows, image_size), dtype=exact, device=frames.device)
    for tap, weight in _inside(taps - left, weights, columns, across):
        across += frames.index_select(2, tap) * weight
    found = torch.zeros((n, image_size, image_size), dtype=exact, device=frames.device)
    for tap, weight in _inside(taps - top, weights, rows, across):
        found += across.index_select(1, tap) * weight[:, None]
    return found.round_().clamp_(0, 255).to(torch.uint8)


def _inside(
    taps: NDArray[np.int64], weights: NDArray[np.float64], length: int, like: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Leave out what falls on the zeros around a line of pixels; both on the device of ``like``."""
    inside = (taps >= 0) & (taps < length)
    return [
        (torch.from_numpy(tap).to(like.device), torch.from_numpy(weight).to(like))
        for tap, weight in zip(np.clip(taps, 0, length - 1), weights * inside, strict=True)
    ]


@lru_cache(maxsize=16)
def _taps(side: int, image_size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which four pixels of a line each pixel of the result looks at, (4, S), and their weights."""
    place = (np.arange(image_size) + 0.5) * (side / image_size) - 0.5
    first = np.floor(place).astype(np.int64)
    steps = np.arange(-1, 3)[:, None]
    distance = np.abs(place - first - steps)
    near = ((_A + 2) * distance - (_A + 3)) * distance**2 + 1
    far = _A * (((distance - 5) * distance + 8) * distance - 4)
    # beyond the edge of the square its last pixel goes on
    return np.clip(first + steps, 0, side - 1), np.where(distance <= 1, near, far)


def nearest_as_opencv(masks: Tensor, image_size: int) -> Tensor:
    """Resize squares to the pixels that lie nearest, as OpenCV's INTER_NEAREST does.

    Parameters
    ----------
    masks : (N, L, L) tensor
    image_size : int
        Side S of the result.

    Returns
    -------
    (N, S, S) tensor
    """
    side = masks.shape[-1]
    # as OpenCV reckons it, down to where the product falls short of a whole number
    step = 1.0 / (image_size / side)
    chosen = np.minimum(np.floor(np.arange(image_size) * step), side - 1).astype(np.int64)
    line = torch.from_numpy(chosen).to(masks.device)
    return masks.index_select(1, line).index_select(2, line)
