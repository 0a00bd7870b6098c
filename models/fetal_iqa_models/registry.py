"""The table of encoders: everything about a backbone is data; adding one is adding a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fetal_iqa_models.errors import ModelError

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
        Repository on the Hugging Face hub.
    file : str
        File in it.
    size : int, optional
        Bytes, where known.
    sha256 : str, optional
        Of the file, where known.
    revision : str
        Of the repository: a branch or a commit.
    """

    repository: str
    file: str
    size: int | None = None
    sha256: str | None = None
    revision: str = "main"


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


def _timm(
    name: str,
    timm_name: str,
    taps: tuple[int, int, int, int],
    licence: str = "Apache-2.0",
    **row: Any,
) -> EncoderSpec:
    """Row of an encoder whose weights timm publishes; its own classifier is left out."""
    options = {"num_classes": 0, **row.pop("timm_options", {})}
    source = WeightsSource(f"timm/{timm_name}", "model.safetensors")
    return EncoderSpec(name, timm_name, taps, options, source=source, licence=licence, **row)


def _dinov3(size: str, taps: tuple[int, int, int, int]) -> EncoderSpec:
    return _timm(
        f"dinov3_vit{size[0]}",
        f"vit_{size}_patch16_dinov3.lvd1689m",
        taps,
        licence="DINOv3 License",
        timm_options={"img_size": 224},
        lora_targets=TRANSFORMER_LORA,
    )


def _clip(name: str, taps: tuple[int, int, int, int], **row: Any) -> EncoderSpec:
    """Row of FetalCLIP's own architecture: the CLIP projection is the trunk's head."""
    return EncoderSpec(
        name,
        "vit_large_patch14_clip_224",
        taps,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        lora_targets=TRANSFORMER_LORA,
        **row,
    )


_ROWS = (
    _clip(
        "fetalclip",
        DEPTH_24,
        timm_options={"num_classes": 768},
        source=WeightsSource(
            "numansaeed/fetalclip-model",
            "FetalCLIP_weights.pt",
            1_710_766_661,
            "90916caa408baf9374ee3f8c1533463331a4ace37a13e61385e782905b35c310",
        ),
        licence="CC-BY-NC-4.0",
    ),
    _clip(
        "fetalclip-tiny",
        (0, 1, 2, 3),
        timm_options={
            "img_size": 56,
            "patch_size": 14,
            "embed_dim": 64,
            "depth": 4,
            "num_heads": 2,
            "num_classes": 64,
        },
        image_size=56,
        decoder_width=4,
    ),
    EncoderSpec(
        "mobilefetalclip",
        "fastvit_mci0",  # the trunk of MobileCLIP2-S0, which MobileFetalCLIP is distilled into
        (0, 1, 2, 3),
        timm_options={"num_classes": 512},
        image_size=256,
        source=WeightsSource(
            "numansaeed/MobileFetalCLIP",
            "mobile_fetal_clip_weights.pt",
            sha256="50ab0669d2f5de80e8d75ef2f3bda054410e3af7db85ac2fa7f045550daf46f1",
        ),
        licence="CC-BY-NC-4.0",
    ),
    _timm("densenet121", "densenet121.ra_in1k", PYRAMID),
    _timm("efficientnet_b0", "efficientnet_b0.ra_in1k", PYRAMID),
    _timm("vgg16", "vgg16.tv_in1k", (2, 3, 4, 5), licence="BSD-3-Clause"),
    _timm(
        "swin_l",
        "swin_large_patch4_window7_224.ms_in22k_ft_in1k",
        (0, 1, 2, 3),
        licence="MIT",
        lora_targets=TRANSFORMER_LORA,
    ),
    _timm(
        "deit3_l",
        "deit3_large_patch16_224.fb_in22k_ft_in1k",
        DEPTH_24,
        lora_targets=TRANSFORMER_LORA,
    ),
    _timm(
        "vit_l_clip_400m",
        "vit_large_patch14_clip_224.openai_ft_in12k_in1k",
        DEPTH_24,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        lora_targets=TRANSFORMER_LORA,
    ),
    _timm(
        "vit_l_clip_laion2b",
        "vit_large_patch14_clip_224.laion2b_ft_in12k_in1k",
        DEPTH_24,
        mean=HALF,
        std=HALF,
        lora_targets=TRANSFORMER_LORA,
    ),
    _timm(
        "vit_s",
        "vit_small_patch16_224.augreg_in21k_ft_in1k",
        DEPTH_12,
        mean=HALF,
        std=HALF,
        lora_targets=TRANSFORMER_LORA,
    ),
    _timm("resnet50", "resnet50.a1_in1k", PYRAMID),
    _timm(
        "efficientnetv2_s",
        "tf_efficientnetv2_s.in21k_ft_in1k",
        PYRAMID,
        mean=HALF,
        std=HALF,
    ),
    EncoderSpec(
        "swin-demo",  # windows learn from little and cost little: small enough to be bundled
        "swin_tiny_patch4_window7_224",
        (0, 1, 2, 3),
        timm_options={
            "img_size": 128,
            "window_size": 8,
            "embed_dim": 32,
            "depths": (2, 2, 4, 2),
            "num_heads": (1, 2, 4, 8),
            "num_classes": 0,
        },
        image_size=128,
        lora_targets=TRANSFORMER_LORA,
        decoder_width=12,
    ),
    EncoderSpec(
        "resnet-demo",  # convolutions tell frames apart sooner than windows do: the demo's CLS
        "resnet10t",
        PYRAMID,
        timm_options={"channels": (40, 80, 160, 320), "num_classes": 0},
        image_size=128,
        lora_targets=("0.conv1", "0.conv2"),
        decoder_width=12,
    ),
    _dinov3("small", DEPTH_12),
    _dinov3("base", DEPTH_12),
    _dinov3("large", DEPTH_24),
)

_TABLE = {row.name: row for row in _ROWS}


def list_encoders() -> tuple[str, ...]:
    """Names of the encoders that :func:`load_encoder` builds, in the order of the table."""
    return tuple(_TABLE)


def encoder_spec(name: str) -> EncoderSpec:
    """Give an encoder's row of the table.

    Raises
    ------
    ModelError
        Where the table has no such name.
    """
    try:
        return _TABLE[name]
    except KeyError:
        known = ", ".join(_TABLE)
        raise ModelError(f"no encoder is called {name!r}; choose one of: {known}") from None
