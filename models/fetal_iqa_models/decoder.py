"""The U-shaped decoder: four feature maps and the image itself become a mask."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvBlock(nn.Sequential):
    """3 × 3 convolution, group normalisation, ReLU; keeps height and width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            # not batch statistics: corrections come in handfuls
            nn.GroupNorm(math.gcd(8, outputs), outputs),
            nn.ReLU(inplace=True),
        )


class MaskDecoder(nn.Module):
    """Decode feature maps of any encoder into one mask, as a U-Net's or UNETR's decoder does.

    Each stage doubles the grid of the one before, takes in the next shallower feature map,
    and halves the channels; the last one works at full size beside a shallow branch from the
    image, which keeps outlines sharp.

    Parameters
    ----------
    channels : sequence of int
        Of the feature maps, shallow to deep.
    width : int
        Channels of the finest feature stage; each coarser one has twice as many.

    References
    ----------
    Hatamizadeh et al., UNETR, WACV 2022; Ronneberger et al., U-Net, MICCAI 2015.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        deep_to_shallow = tuple(reversed(channels))
        widths = [width * 2**stage for stage in reversed(range(len(channels)))]
        self.project = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, outputs, 1), ConvBlock(outputs, outputs))
            for inputs, outputs in zip(deep_to_shallow, widths, strict=True)
        )
        self.bottom = ConvBlock(widths[0], widths[0])
        self.stages = nn.ModuleList(
            nn.Sequential(ConvBlock(coarse + fine, fine), ConvBlock(fine, fine))
            for coarse, fine in pairwise(widths)
        )
        self.image_branch = nn.Sequential(ConvBlock(3, width), ConvBlock(width, width))
        self.outline = nn.Sequential(ConvBlock(2 * width, width), nn.Conv2d(width, 1, 1))

    def forward(self, images: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Decode.

        Parameters
        ----------
        images : (N, 3, S, S) tensor
        features : sequence of (N, C, h, w) tensors, shallow to deep

        Returns
        -------
        (N, 1, S, S) tensor of logits
        """
        deepest, *skips = (
            project(feature)
            for project, feature in zip(self.project, reversed(features), strict=True)
        )
        x = self.bottom(deepest)
        for stage, skip in zip(self.stages, skips, strict=True):
            size = [2 * cells for cells in x.shape[-2:]]
            x = stage(torch.cat([_resize(x, size), _resize(skip, size)], dim=1))
        x = _resize(x, images.shape[-2:])
        return self.outline(torch.cat([x, self.image_branch(images)], dim=1))


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)
