"""The decoder of the published FetalCLIP-IQA code, name by name, so that its checkpoints fit.

Modules are called as there: a tensor's name is where it stands in the checkpoint. Batch
normalisation makes it no choice for a handful of corrections; our own decoder is in ``decoder``.

References
----------
The code of arXiv 2507.22802; after Hatamizadeh et al., UNETR, WACV 2022.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FILTERS = 32
"""Channels of the finest stage, in the published code."""

_TIMES_LARGER = 16
"""Four stages, each of which doubles the grid."""


class _Block(nn.Module):
    """One layer, or several, by the name ``block``."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.block = layers[0] if len(layers) == 1 else nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.block(maps)
        return found


def _conv(inputs: int, outputs: int, kernel: int, groups: int = 1) -> _Block:
    return _Block(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups))


def _doubled(channels: int) -> _Block:
    """Transposed convolution, channel by channel, to twice the grid."""
    return _Block(nn.ConvTranspose2d(channels, channels, 2, stride=2, groups=channels))


def _separable(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """3 x 3 channel by channel, then 1 x 1, each with batch normalisation and ReLU."""
    return (
        _conv(inputs, inputs, 3, groups=inputs),
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        _conv(inputs, outputs, 1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _same(inputs: int, outputs: int) -> _Block:
    return _Block(*_separable(inputs, outputs))


def _larger(inputs: int, outputs: int) -> _Block:
    return _Block(_doubled(inputs), *_separable(inputs, outputs))


def _upsampled(inputs: int, outputs: int) -> _Block:
    return _Block(_doubled(inputs), _conv(inputs, outputs, 1))


class PublishedDecoder(nn.Module):
    """Decode four feature maps of a plain vision transformer and the image into one mask.

    The maps are resized, bilinear, to a sixteenth of the image's side (of 224 pixels 14 x 14) and
    doubled four times; on the way down each takes in the next shallower map, which comes first
    among the channels. 1,591,941 parameters for FetalCLIP.

    Parameters
    ----------
    channels : sequence of int
        Of the four feature maps, all the same.
    filters : int
        Channels of the finest stage.
    """

    def __init__(self, channels: Sequence[int], filters: int = FILTERS) -> None:
        super().__init__()
        width, f = channels[-1], filters
        self.decoder0 = nn.Sequential(_same(3, f), _same(f, f))
        self.decoder3 = nn.Sequential(
            _larger(width, 8 * f), _larger(8 * f, 4 * f), _larger(4 * f, 2 * f)
        )
        self.decoder6 = nn.Sequential(_larger(width, 8 * f), _larger(8 * f, 4 * f))
        self.decoder9 = _larger(width, 8 * f)
        self.decoder12_upsampler = _upsampled(width, 8 * f)
        self.decoder9_upsampler = nn.Sequential(
            _same(16 * f, 8 * f), _same(8 * f, 8 * f), _same(8 * f, 8 * f), _upsampled(8 * f, 4 * f)
        )
        self.decoder6_upsampler = nn.Sequential(
            _same(8 * f, 4 * f), _same(4 * f, 4 * f), _upsampled(4 * f, 2 * f)
        )
        self.decoder3_upsampler = nn.Sequential(
            _same(4 * f, 2 * f), _same(2 * f, 2 * f), _upsampled(2 * f, f)
        )
        self.decoder0_header = nn.Sequential(_same(2 * f, f), _same(f, f), _conv(f, 1, 1))

    def forward(self, images: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Decode.

        Parameters
        ----------
        images : (N, 3, S, S) tensor
        features : four (N, C, h, w) tensors, shallow to deep

        Returns
        -------
        (N, 1, S, S) tensor of logits
        """
        # rounded up where 16 does not divide the side, which no published network has
        grid = [-(-side // _TIMES_LARGER) for side in images.shape[-2:]]
        z3, z6, z9, z12 = (_resized(feature, grid) for feature in features)
        maps = self.decoder12_upsampler(z12)
        maps = self.decoder9_upsampler(torch.cat([self.decoder9(z9), maps], dim=1))
        maps = self.decoder6_upsampler(torch.cat([self.decoder6(z6), maps], dim=1))
        maps = self.decoder3_upsampler(torch.cat([self.decoder3(z3), maps], dim=1))
        maps = _resized(maps, images.shape[-2:])
        outline: Tensor = self.decoder0_header(torch.cat([self.decoder0(images), maps], dim=1))
        return outline


def _resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
