from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fetal_iqa_models import (
    Encoder,
    FrameClassifier,
    FramePredictor,
    FrameSegmenter,
    ModelCard,
    ModelError,
    encoder_spec,
    load_encoder,
    load_model,
    preprocess,
    save_model,
    set_strategy,
    trainable_parameters,
)
from fetal_iqa_models.published_decoder import PublishedDecoder


def test_full_size_networks_train_as_many_parameters_as_the_paper_says() -> None:
    with torch.device("meta"):
        classifier = FrameClassifier(Encoder(encoder_spec("fetalclip")))
        segmenter = FrameSegmenter(Encoder(encoder_spec("fetalclip")))
        set_strategy(classifier, "lora")
        set_strategy(segmenter, "lora")
    lora = 24 * 8 * ((1024 + 1024) + 2 * (1024 + 4096))  # rank 8 on proj, fc1, fc2 of 24 blocks
    assert lora == 2_359_296
    assert trainable_parameters(classifier) == lora + 768 + 1  # 2.4 M
    assert trainable_parameters(segmenter.head) == 1_595_017  # 1.6 M
    assert trainable_parameters(segmenter) == lora + 1_595_017  # 4.0 M


@pytest.mark.parametrize("strategy", ["lora", "linear", "full"])
def test_every_trainable_tensor_gets_a_gradient(
    network: FrameClassifier | FrameSegmenter, images: torch.Tensor, strategy: str
) -> None:
    set_strategy(network, strategy)
    network.train()
    trainable = {n: p for n, p in network.named_parameters() if p.requires_grad}
    optimizer = torch.optim.SGD(trainable.values(), lr=0.1)
    for _ in range(2):  # at the first step LoRA's A gets none, because B is still zero
        optimizer.zero_grad()
        network(images).square().mean().backward()
        optimizer.step()
    without = [n for n, p in trainable.items() if p.grad is None or not p.grad.any()]
    assert trainable
    assert not without


@pytest.mark.parametrize(
    "encoder",
    ["efficientnet_b0", *(pytest.param(n, marks=pytest.mark.slow) for n in ("vgg16", "swin_l"))],
)
def test_a_segmenter_in_full_trains_no_tensor_that_the_mask_does_not_depend_on(
    encoder: str, make_network: Callable[..., FrameSegmenter]
) -> None:
    segmenter = make_network("seg", encoder)
    set_strategy(segmenter, "full")
    segmenter(torch.randn(1, 3, 224, 224)).square().mean().backward()
    for name, parameter in segmenter.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_a_small_shift_of_the_image_moves_the_mask_at_full_resolution() -> None:
    # the shallow branch sees single pixels, the tokens of 14 x 14 pixels do not
    segmenter = FrameSegmenter(load_encoder("fetalclip-tiny")).eval()
    images = torch.zeros(1, 3, 56, 56)
    touched = images.clone()
    touched[..., 30, 30] = 5
    features = segmenter.encoder.features(images)
    change = (segmenter.head(touched, features) - segmenter.head(images, features)).abs()[0, 0]
    assert change.argmax().item() // 56 in range(27, 34)
    assert change.argmax().item() % 56 in range(27, 34)


def test_decoder_width_is_a_setting() -> None:
    encoder = load_encoder("fetalclip-tiny")
    narrow = FrameSegmenter(encoder, decoder_width=2)
    default = FrameSegmenter(encoder)
    assert default.decoder_width == encoder.spec.decoder_width
    assert trainable_parameters(narrow.head) < trainable_parameters(default.head)
    assert narrow(torch.randn(1, 3, 56, 56)).shape == (1, 1, 56, 56)


def test_a_frozen_encoder_keeps_its_batch_statistics_in_training(
    make_network: Callable[..., FrameClassifier],
) -> None:
    classifier = make_network("cls", "efficientnet_b0")
    set_strategy(classifier, "linear")
    before = classifier.encoder.trunk.bn1.running_mean.clone()
    classifier.train()
    classifier(torch.randn(2, 3, 224, 224))
    assert classifier.training
    assert classifier.head.training
    assert torch.equal(classifier.encoder.trunk.bn1.running_mean, before)
    set_strategy(classifier, "full")  # follows at once
    classifier(torch.randn(2, 3, 224, 224))
    assert not torch.equal(classifier.encoder.trunk.bn1.running_mean, before)


def test_the_published_decoder_has_the_parameters_and_names_of_the_published_code() -> None:
    with torch.device("meta"):
        decoder = PublishedDecoder([1024] * 4)
        assert decoder(torch.empty(1, 3, 224, 224), [torch.empty(1, 1024, 16, 16)] * 4).shape == (
            1, 1, 224, 224,
        )  # fmt: skip
    assert sum(parameter.numel() for parameter in decoder.parameters()) == 1_591_941
    names = set(decoder.state_dict())
    assert {
        "decoder9.block.0.block.weight",
        "decoder0.1.block.4.running_var",
        "decoder12_upsampler.block.1.block.bias",
        "decoder9_upsampler.3.block.0.block.weight",
        "decoder0_header.2.block.weight",
    } <= names


def test_the_published_decoder_takes_maps_of_one_width() -> None:
    with pytest.raises(ModelError, match=r"resnet-demo: .* 40, 80, 160 and 1 more channels"):
        FrameSegmenter(load_encoder("resnet-demo"), decoder="published")


def test_the_published_decoder_and_resizing_come_back_from_a_folder(
    tmp_path: Path, make_card: Callable[..., ModelCard], images: torch.Tensor
) -> None:
    network = FrameSegmenter(load_encoder("fetalclip-tiny"), 4, "published").eval()
    network.resize = "published"
    frames = np.random.default_rng(0).integers(0, 256, (2, 60, 80), np.uint8)
    shown = preprocess(frames, 56, resize="published")
    with torch.no_grad():  # statistics of its own, and an outline that covers about half
        network.head.train()
        for _ in range(50):
            network(shown)
        middle = network.eval()(shown).median()
        network.head.state_dict()["decoder0_header.2.block.bias"].sub_(middle)
    folder = save_model(network, tmp_path / "model", make_card(network))
    loaded = load_model(folder)
    assert isinstance(loaded, FrameSegmenter)
    assert (loaded.decoder, loaded.decoder_width, loaded.resize) == ("published", 4, "published")
    assert torch.equal(loaded(images), network(images))
    assert network(images).shape == (2, 1, 56, 56)  # 16 does not divide 56
    (found,) = FramePredictor(segmenter=loaded, device="cpu").predict(frames)
    with torch.no_grad():
        covered = (loaded(shown)[:, 0].sigmoid() > 0.5).float().mean((1, 2))
    torch.testing.assert_close(torch.from_numpy(found.area_fraction), covered)
    loaded.resize = "antialiased"
    (other,) = FramePredictor(segmenter=loaded, device="cpu").predict(frames)
    assert not np.array_equal(other.area_fraction, found.area_fraction)
