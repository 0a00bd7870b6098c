import math
from pathlib import Path

import pytest
import timm
import torch

from fetal_iqa_models import (
    Encoder,
    FrameSegmenter,
    ModelError,
    WeightsError,
    WeightsStore,
    encoder_spec,
    fetch_weights,
    list_encoders,
    load_encoder,
)

PAPER_BASELINES = {
    "densenet121": "densenet121",
    "efficientnet_b0": "efficientnet_b0",
    "vgg16": "vgg16",
    "swin_l": "swin_large_patch4_window7_224.ms_in22k_ft_in1k",
    "deit3_l": "deit3_large_patch16_224.fb_in22k_ft_in1k",
    "vit_l_clip_400m": "vit_large_patch14_clip_224.openai_ft_in12k_in1k",
    "vit_l_clip_laion2b": "vit_large_patch14_clip_224.laion2b_ft_in12k_in1k",
    "vit_s": "vit_small_patch16_224.augreg_in21k_ft_in1k",
}

ARCHITECTURE_ONLY = (
    *("fetalclip", "fetalclip-tiny", "mobilefetalclip", "resnet-demo", "swin-demo"),
    *("usfm", "ultrasam", "sononet16", "sononet16-planes"),
)
"""Built by timm, with weights that are not timm's."""


def test_the_papers_baselines_are_there_by_their_timm_names() -> None:
    for name, timm_name in PAPER_BASELINES.items():
        assert encoder_spec(name).timm_name.startswith(timm_name)


@pytest.mark.parametrize("name", list_encoders())
def test_rows_agree_with_timms_own_configuration(name: str) -> None:
    spec = encoder_spec(name)
    timm_config = timm.get_pretrained_cfg(spec.timm_name)
    assert timm_config is not None
    if name not in ARCHITECTURE_ONLY:
        assert (spec.mean, spec.std) == (timm_config.mean, timm_config.std)
        assert spec.source is not None
        assert spec.source.repository == timm_config.hf_hub_id
        assert spec.licence.lower().replace(" ", "-") == timm_config.license


LARGE_ALIKE = ("deit3_l", "vit_l_clip_400m", "vit_l_clip_laion2b", "dinov3_vitl")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in LARGE_ALIKE else [])
        for name in list_encoders()
    ],
)
def test_every_encoder_gives_embeddings_features_and_masks_of_the_stated_shapes(name: str) -> None:
    with torch.device("meta"):  # shapes without arithmetic: full size costs nothing
        network = FrameSegmenter(Encoder(encoder_spec(name))).eval()
        encoder = network.encoder
        size = encoder.spec.image_size
        images = torch.empty(2, 3, size, size)
        assert encoder(images).shape == (2, encoder.embedding_dim)
        features = encoder.features(images)
        assert network(images).shape == (2, 1, size, size)
    assert tuple(f.shape[1] for f in features) == encoder.feature_channels()
    heights = [f.shape[2] for f in features]
    assert len(heights) == 4
    assert heights == sorted(heights, reverse=True)
    assert all(f.shape[2] == f.shape[3] for f in features)


def test_fetalclip_is_the_published_architecture() -> None:
    with torch.device("meta"):
        trunk = Encoder(encoder_spec("fetalclip")).trunk
    assert (len(trunk.blocks), trunk.embed_dim, trunk.num_classes) == (24, 1024, 768)
    assert trunk.patch_embed.patch_size == (14, 14)
    parameters = sum(p.numel() for p in trunk.parameters())
    assert math.isclose(parameters, 304e6, rel_tol=2e-3)
    small = encoder_spec("fetalclip-tiny")
    assert small.timm_name == encoder_spec("fetalclip").timm_name
    assert small.lora_targets == encoder_spec("fetalclip").lora_targets


def test_an_unknown_encoder_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ModelError, match=r"'resnet51'.*resnet50"):
        encoder_spec("resnet51")


def test_an_encoder_that_others_have_and_we_cannot_build_is_refused_with_the_reason() -> None:
    assert "mofo" not in list_encoders()
    for name in ("mofo", "MOFO"):
        with pytest.raises(ModelError, match=r"cannot be built: .*without the names and shapes"):
            load_encoder(name)


def test_weights_that_are_not_on_the_hub_are_to_be_fetched_by_hand(tmp_path: Path) -> None:
    for name, place in (("usfm", "drive.google.com"), ("ultrasam", "s3.unistra.fr")):
        with pytest.raises(WeightsError, match=rf"{place}.*weights import {name}"):
            fetch_weights(name, WeightsStore(tmp_path), accept_licence=True)
