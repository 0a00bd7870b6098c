"""What the published recipe trains, and what it leaves as it began."""

from dataclasses import replace

import pytest
import torch

from fetal_iqa_models import (
    FrameClassifier,
    FramePredictor,
    FrameSegmenter,
    LoraSettings,
    ModelCard,
    load_card,
    load_model,
    registry,
    save_model,
    set_strategy,
    trainable_parameters,
)
from fetal_iqa_models.encoders import blank_encoder, load_encoder
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.fit import build_network, fit
from fetal_iqa_training.fitting.published_recipe import (
    hold_back_as_published,
    tap_as_published,
    untrained_adapter_parameters,
)

from ..conftest import tiny_settings

RANK, WIDTH, BLOCKS = 8, 1024, 24
OUT_PROJ = BLOCKS * RANK * (WIDTH + WIDTH)
MLP = BLOCKS * 2 * RANK * (WIDTH + 4 * WIDTH)


def full_size(kind):
    """FetalCLIP's network at its full size, without numbers in it, by the published recipe."""
    with torch.device("meta"):
        encoder = blank_encoder("fetalclip")
        tap_as_published(encoder)
        network = kind(encoder)
        set_strategy(network, "lora")
        hold_back_as_published(network)
    return network


def test_of_a_full_size_classifier_a_sixth_of_the_lora_never_trains():
    assert OUT_PROJ + MLP == 2_359_296  # as the paper counts
    network = full_size(FrameClassifier)
    assert trainable_parameters(network) == MLP + 768 + 1 == 1_966_849
    assert untrained_adapter_parameters(network) == OUT_PROJ == 393_216


def test_of_a_full_size_segmenter_the_decoder_alone_trains():
    network = full_size(FrameSegmenter)
    decoder = sum(p.numel() for p in network.head.parameters())
    assert trainable_parameters(network) == decoder
    assert untrained_adapter_parameters(network) == 2_359_296
    assert network.encoder.spec.taps == (5, 7, 11, 23)


@pytest.mark.parametrize(
    ("name", "taps"),
    [("vit_s", (2, 3, 5, 11)), ("dinov3_vits", (2, 3, 5, 11)), ("fetalclip-tiny", (0, 1, 2, 3))],
)
def test_fewer_blocks_are_tapped_as_deep_in_proportion(name, taps):
    encoder = blank_encoder(name)
    tap_as_published(encoder)
    assert encoder.spec.taps == taps


@pytest.mark.parametrize("name", ["efficientnet_b0", "swin-demo"])
def test_other_kinds_of_encoder_are_refused(name):
    with pytest.raises(TrainingError, match="published recipe is one of plain vision transf"):
        tap_as_published(load_encoder(name))


def settings(task, **changes):
    published = {
        "recipe": "published",
        "learning_rate": 1e-2,
        "lora": LoraSettings(rank=2, alpha=4),
        "test_share": 0.5,
        "validation_share": 0.3,
    }
    return tiny_settings(task, **published | changes)


@pytest.mark.parametrize("task", ["cls", "seg"])
def test_what_never_trains_gets_no_gradient_and_has_no_effect(task):
    network = build_network(settings(task), None)
    plain = build_network(settings(task).model_copy(update={"recipe": "ours"}), None)
    plain.encoder.load_state_dict(network.encoder.state_dict(), strict=False)
    plain.head.load_state_dict(network.head.state_dict())
    network.train()
    images = torch.randn(2, 3, 56, 56)
    network(images).square().sum().backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None}
    assert reached == {name for name, p in network.named_parameters() if p.requires_grad}
    of_encoder = {name for name in reached if name.startswith("encoder.")}
    if task == "seg":
        assert not of_encoder
    else:
        assert len(of_encoder) == 4 * 2 * 2  # A and B of fc1 and fc2 of four blocks
        assert not any(".attn.proj." in name for name in of_encoder)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(images), plain.eval()(images))


@pytest.fixture
def deep(monkeypatch):
    """A row of the table with the 24 blocks of FetalCLIP, narrow."""
    row = registry.encoder_spec("fetalclip-tiny")
    options = {**row.timm_options, "depth": 24, "embed_dim": 16}
    spec = replace(row, name="deep", timm_options=options, taps=(5, 11, 17, 23))
    monkeypatch.setitem(registry._TABLE, "deep", spec)
    return "deep"


def test_the_taps_are_in_the_folder_and_it_loads_and_predicts(tmp_path, deep):
    network = build_network(settings("seg", encoder=deep), None)
    card = ModelCard(name="x", task="seg", encoder=deep, encoder_weights="own", image_size=56)
    save_model(network, tmp_path / "seg", card)
    assert load_card(tmp_path / "seg").taps == (5, 7, 11, 23)
    model = load_model(tmp_path / "seg")
    assert model.encoder.spec.taps == (5, 7, 11, 23)
    images = torch.randn(1, 3, 56, 56)
    with torch.no_grad():
        assert torch.equal(model(images), network.eval()(images))
    frames = torch.randint(255, (3, 42, 56), dtype=torch.uint8).numpy()
    (batch,) = FramePredictor(segmenter=model, device="cpu").predict(frames)
    assert batch.masks.shape == (3, 42, 56)


def test_after_a_fit_of_a_classifier_the_mlp_has_learnt_and_the_projection_has_not(data, tmp_path):
    card = fit(data, tmp_path / "cls", settings("cls"))
    model = load_model(tmp_path / "cls")
    learnt = {n: bool(p.any()) for n, p in model.named_parameters() if ".lora_B." in n}
    assert learnt == {name: ".attn.proj." not in name for name in learnt}
    assert card.training["settings"]["recipe"] == "published"
    assert card.training["untrained_adapter_parameters"] == 4 * 2 * (64 + 64)
    assert card.training["trainable_parameters"] == 4 * 2 * 2 * (64 + 4 * 64) + 64 + 1


@pytest.mark.parametrize("strategy", ["linear", "full"])
def test_it_is_a_recipe_of_lora(strategy):
    with pytest.raises(ValueError, match="the published recipe trains LoRA, not"):
        settings("cls", strategy=strategy)
