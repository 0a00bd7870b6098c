"""One row of the table of encoders, and where the encoder's weights are published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

OPEN_LICENCES = ("Apache-2.0", "BSD-3-Clause", "MIT")
"""Any other licence restricts what the weights may be used for."""

_TERMS = {
    "CC-BY-NC-4.0": "for non-commercial use only, with attribution",
    "DINOv3 License": "with terms of its own",
}

TRANSFORMER_LORA = ("attn.proj", "mlp.fc1", "mlp.fc2")
"""Attention output and MLP of every block, as in FetalCLIP's paper; ``attn.qkv`` can be added."""

DEPTH_24 = (5, 11, 17, 23)
"""Blocks 6, 12, 18 and 24 of 24: evenly spaced, as in UNETR (Hatamizadeh et al. 2022)."""
DEPTH_12 = (2, 5, 8, 11)
PYRAMID = (1, 2, 3, 4)
"""Strides 4, 8, 16 and 32 of a network whose first tap is at stride 2."""


@dataclass(frozen=True)
class WeightsSource:
    """Where pretrained weights are published.

    Parameters
    ----------
    repository : str
        Repository on the Hugging Face hub; on GitHub where there is a ``page``.
    file : str
        File in it.
    size : int, optional
        Bytes, where known.
    sha256 : str, optional
        Of the file, where known.
    revision : str
        Of the repository: a branch or a commit.
    page : str, optional
        Where a person downloads the file, where it is not on the hub.
    """

    repository: str
    file: str
    size: int | None = None
    sha256: str | None = None
    revision: str = "main"
    page: str | None = None


@dataclass(frozen=True)
class EncoderSpec:
    """One row of the table of encoders.

    Parameters
    ----------
    name : str
    timm_name : str
        Architecture that timm builds.
    taps : tuple of int
        Four indices for ``forward_intermediates``, shallow to deep: features for segmentation.
    timm_options : mapping
        Further arguments of ``timm.create_model``.
    image_size : int
        Side of the square input in pixels.
    mean, std : (float, float, float)
        Normalisation of the input, in shares of full intensity.
    lora_targets : tuple of str or None
        Layers that get LoRA, by the ends of their names: ``"attn.proj"`` is that layer of every
        block, and not ``patch_embed.proj``. None where the encoder is
        convolutional and is tuned in full or not at all.
    decoder_width : int
        Channels of the finest decoder stage where this encoder segments.
    source : WeightsSource or None
        None where there are no published weights: the encoder is trained by whoever uses it.
    shipped : bool
        The weights come with the package.
    weights_of : str or None
        The encoder whose weights these are, where it is another row.
    licence : str
        Of the published weights.
    """

    name: str
    timm_name: str
    taps: tuple[int, int, int, int]
    timm_options: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    lora_targets: tuple[str, ...] | None = None
    decoder_width: int = 24
    source: WeightsSource | None = None
    shipped: bool = False
    weights_of: str | None = None
    licence: str = "none published"

    @property
    def restricted(self) -> bool:
        """Whether the licence of the published weights must be accepted before they are fetched."""
        return self.source is not None and self.licence not in OPEN_LICENCES

    @property
    def terms(self) -> str:
        """The licence, and in a few words what it allows where that is less than everything."""
        allows = _TERMS.get(self.licence)
        return f"{self.licence}, {allows}" if allows else self.licence
