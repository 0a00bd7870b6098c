"""SonoNet16: a small network that knows 13 fetal standard planes, as a trunk that timm builds.

It was trained on grey images cropped to the scanner's sector and resized to 224 x 288; each image
is standardised by its own mean and deviation, times 255. Here it sees the padded square of 288
pixels that every frame becomes: a frame of 4:3 fills 288 columns and about 224 rows of it. The
black bars around are left out of mean and deviation, of every map and of the final mean, so that a
frame of 224 x 288 gives what the published network gives.

References
----------
Baumgartner et al., SonoNet, IEEE Transactions on Medical Imaging 36 (2017), arXiv 1612.05601; the
weights, Apache License 2.0, from its repository baumgach/SonoNet-weights.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from timm.models import generate_default_cfgs, register_model
from torch import Tensor, nn

PLANES = (
    "3VV", "4CH", "Abdominal", "Background", "Brain (Cb.)", "Brain (Tv.)", "Femur", "Kidneys",
    "Lips", "LVOT", "Profile", "RVOT", "Spine (cor.)", "Spine (sag.)",
)  # fmt: skip
"""What the 14 classes mean, in their order: the authors' names."""

STAGES = ((16, 2), (32, 2), (64, 3), (128, 3), (128, 3))
"""Channels and layers of each stage; between stages the map is halved."""
ADAPTED = 64
EPS = 1e-4
"""Of the published batch normalisation."""

_BLACK = -1.0 + 2 * 8 / 255  # of pixels 0 to 255 brought to -1 to 1; JPEG leaves up to 8 in black
_LINE_SHARE = 0.02
"""A row or column of the sector has more pixels above black than this share."""


class ConvLayer(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=EPS)
        self._relu = relu

    def forward(self, maps: Tensor) -> Tensor:
        """Compute (N, outputs, h, w) of (N, inputs, h, w)."""
        found: Tensor = self.norm(self.conv(maps))
        return F.relu(found) if self._relu else found


class SonoNet(nn.Module):
    """The published network, with the interface of a timm trunk.

    Its classes stay: :meth:`class_map` and :meth:`plane_probabilities`. An embedding is the mean
    of the deepest map over the sector, 128 numbers; or of the map that its own classifier sees,
    64 numbers, of which the scores of the planes are a linear function.

    Parameters
    ----------
    adapted : bool
        The latter.
    """

    num_classes = 0
    num_features = STAGES[-1][0]

    def __init__(self, adapted: bool = False) -> None:
        super().__init__()
        self._adapted = adapted
        self.head_hidden_size = ADAPTED if adapted else self.num_features
        self.stages = nn.ModuleList()
        inputs = 1
        for channels, depth in STAGES:
            layers = [ConvLayer(inputs if n == 0 else channels, channels) for n in range(depth)]
            self.stages.append(nn.Sequential(*layers))
            inputs = channels
        self.adaptation = nn.Sequential(
            ConvLayer(inputs, ADAPTED, 1), ConvLayer(ADAPTED, len(PLANES), 1, relu=False)
        )
        self.feature_info = [
            {"num_chs": channels, "reduction": 2**stage, "module": f"stages.{stage}"}
            for stage, (channels, _) in enumerate(STAGES)
        ]
        self.default_cfg = {"classifier": "classifier"}  # no tensor is called so: none is left out

    def forward(self, images: Tensor) -> Tensor:
        """Embed (N, 3, H, W) images, normalised to -1 to 1, as (N, 128) or (N, 64)."""
        return self._embedded(*self._maps(images))

    def _embedded(self, maps: Sequence[Tensor], sector: Tensor) -> Tensor:
        deepest: Tensor = self.adaptation[0](maps[-1]) if self._adapted else maps[-1]
        return _mean_over(deepest, sector)

    def class_map(self, images: Tensor) -> Tensor:
        """Score every place for every plane: (N, 14, H / 16, W / 16) logits."""
        maps, _ = self._maps(images)
        scores: Tensor = self.adaptation(maps[-1])
        return scores

    def plane_probabilities(self, images: Tensor) -> Tensor:
        """Say which of the 14 PLANES images show: (N, 14), rows that sum to 1."""
        maps, sector = self._maps(images)
        return _mean_over(self.adaptation(maps[-1]), sector).softmax(dim=1)

    def forward_intermediates(
        self,
        images: Tensor,
        indices: Sequence[int] | None = None,
        output_fmt: str = "NCHW",
        intermediates_only: bool = True,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Return the maps of some stages, shallow to deep, as timm's trunks do."""
        maps, sector = self._maps(images)
        chosen = [maps[index] for index in (range(len(maps)) if indices is None else indices)]
        return chosen if intermediates_only else (self._embedded(maps, sector), chosen)

    def forward_head(self, embeddings: Tensor) -> Tensor:
        """Return what :meth:`forward_intermediates` gave, which is embedded already."""
        return embeddings

    def _maps(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the map of each stage, and where the sector is in the deepest."""
        grey, sector = standardised(images)
        maps: list[Tensor] = []
        for stage in self.stages:
            if maps:
                grey, sector = F.max_pool2d(maps[-1], 2), F.max_pool2d(sector, 2)
            for layer in stage:  # type: ignore[attr-defined]
                # outside is zero at every layer, as around an image that ends there
                grey = layer(grey) * sector
            maps.append(grey)
        return maps, sector


def standardised(images: Tensor) -> tuple[Tensor, Tensor]:
    """Standardise images by what their sector shows.

    Parameters
    ----------
    images : (N, 3, H, W) float tensor
        From -1, black, to 1.

    Returns
    -------
    grey : (N, 1, H, W) tensor
        Mean 0 and deviation 255 inside the sector, 0 outside.
    sector : (N, 1, H, W) tensor
        1 inside the smallest box that has all rows and columns that are not black, else 0.
    """
    grey = images.mean(dim=1, keepdim=True)
    shown = (grey > _BLACK).to(grey.dtype)
    sector = _spanned(shown.mean(dim=3, keepdim=True)) * _spanned(shown.mean(dim=2, keepdim=True))
    count = sector.sum(dim=(1, 2, 3), keepdim=True)
    mean = (grey * sector).sum(dim=(1, 2, 3), keepdim=True) / count
    variance = ((grey - mean).square() * sector).sum(dim=(1, 2, 3), keepdim=True) / count
    return 255 * (grey - mean) / (variance + 1e-12).sqrt() * sector, sector


def _spanned(share: Tensor) -> Tensor:
    """Return 1 from the first to the last line with content, else 0; 1 where no line has any."""
    has = (share > _LINE_SHARE).to(share.dtype).flatten(1)
    from_first, to_last = has.cumsum(1), has.flip(1).cumsum(1).flip(1)
    inside = (from_first > 0) & (to_last > 0)
    return (inside | (has.sum(1, keepdim=True) == 0)).to(share.dtype).view_as(share)


def _mean_over(maps: Tensor, sector: Tensor) -> Tensor:
    return (maps * sector).sum(dim=(2, 3)) / sector.sum(dim=(2, 3)).clamp(min=1e-6)


default_cfgs = generate_default_cfgs(
    {"sononet16.baumgach": {"input_size": (3, 288, 288), "license": "apache-2.0"}}
)


@register_model
def sononet16(pretrained: bool = False, **options: Any) -> SonoNet:
    """Build SonoNet16 at random, as timm calls it; its weights are loaded by ``load_encoder``."""
    if pretrained:
        raise ValueError("timm has no weights of SonoNet; use load_encoder")
    return SonoNet(adapted=bool(options.get("adapted", False)))
