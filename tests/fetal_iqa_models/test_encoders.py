import pytest
import torch

from fetal_iqa_models import ModelError, list_encoders, load_encoder

SMALL_NAMES = {"swin-demo", "resnet-demo", "fetalclip-tiny", "efficientnet_b0"}
SMALL = [n for n in list_encoders() if n in SMALL_NAMES]
LARGE = [n for n in list_encoders() if n not in {*SMALL, "ultrasam"}]
"""But for UltraSam, which takes more than 12 GB here: a small one is in ``test_ultrasam``."""


@pytest.mark.parametrize(
    "name", [*SMALL, *(pytest.param(n, marks=pytest.mark.slow) for n in LARGE)]
)
def test_an_encoder_is_built_run_and_back_propagated(name: str) -> None:
    encoder = load_encoder(name)
    size = encoder.spec.image_size
    images = torch.randn(1, 3, size, size, requires_grad=True)
    embeddings = encoder(images)
    assert embeddings.shape == (1, encoder.embedding_dim)
    (
        embeddings.square().sum() + sum(f.square().mean() for f in encoder.features(images))
    ).backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_an_encoder_is_in_evaluation_mode_and_deterministic() -> None:
    encoder = load_encoder("efficientnet_b0")
    images = torch.randn(2, 3, 224, 224)
    assert not encoder.training
    assert torch.equal(encoder(images), encoder(images))


def test_features_come_from_the_tapped_blocks() -> None:
    encoder = load_encoder("fetalclip-tiny")
    images = torch.randn(1, 3, 56, 56)
    seen = []
    for block in encoder.trunk.blocks:
        block.register_forward_hook(lambda _, __, output: seen.append(output))
    features = encoder.features(images)
    assert len(seen) == len(features) == 4
    for tokens, feature in zip(seen, features, strict=True):
        assert torch.equal(tokens[:, 1:].transpose(1, 2), feature.flatten(2))


def test_other_taps_are_a_setting() -> None:
    assert load_encoder("vit_s", taps=(0, 1, 2, 5)).spec.taps == (0, 1, 2, 5)
    for taps in ((0, 1, 2, 12), (1, 0, 2, 3), (0, 0, 1, 2), (-1, 0, 1, 2)):
        with pytest.raises(ModelError, match="taps must rise within 0 to 11"):
            load_encoder("vit_s", taps=taps)


@pytest.mark.parametrize(
    "name",
    ["fetalclip-tiny", "resnet-demo", "swin-demo", "sononet16", "sononet16-planes", "vit_s",
     "densenet121", "efficientnet_lite0", "mobilefetalclip"],
)  # fmt: skip
def test_one_pass_gives_embedding_and_maps(name):
    torch.manual_seed(0)
    encoder = load_encoder(name)
    images = torch.randn(1, 3, encoder.spec.image_size, encoder.spec.image_size)
    with torch.inference_mode():
        embedding, maps = encoder.both(images)
        assert torch.allclose(embedding, encoder(images), rtol=1e-4, atol=1e-5)
        assert all(map(torch.equal, maps, encoder.features(images)))
