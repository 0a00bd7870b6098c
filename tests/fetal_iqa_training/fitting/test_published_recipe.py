"""What the published recipe trains, and what it leaves as it began."""

from dataclasses import replace

import numpy as np
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
    preprocess,
    registry,
    save_model,
    set_strategy,
    trainable_parameters,
)
from fetal_iqa_models.encoders import blank_encoder, load_encoder
from fetal_iqa_training.data.correction_set import read_correction_set
from fetal_iqa_training.data.fit_data import choose_data
from fetal_iqa_training.data.fixed_copies import build_with_copies
from fetal_iqa_training.data.frame_set import build_frame_set
from fetal_iqa_training.data.labelled_frames import frames_of
from fetal_iqa_training.data.prepared import build_prepared
from fetal_iqa_training.data.split import split_list
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.finetune_context import FinetuneContext
from fetal_iqa_training.fitting.fit import fit
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.network import build_network
from fetal_iqa_training.fitting.published_recipe import (
    hold_back_as_published,
    tap_as_published,
    untrained_adapter_parameters,
)
from fetal_iqa_training.progress import silent
from fetal_iqa_training.settings import FinetuneSettings
from fetal_iqa_training.transforms.augmentation import PAPER
from napari_fetal_iqa.corrections.sweep_finder import SweepFinder
from napari_fetal_iqa.io import list_cases

from ..conftest import tiny_settings

RANK, WIDTH, BLOCKS = 8, 1024, 24
OUT_PROJ = BLOCKS * RANK * (WIDTH + WIDTH)
MLP = BLOCKS * 2 * RANK * (WIDTH + 4 * WIDTH)


def full_size(kind):
    """FetalCLIP's network at its full size, without numbers in it, by the published recipe."""
    with torch.device("meta"):
        encoder = blank_encoder("fetalclip")
        tap_as_published(encoder)
        decoder = {"decoder": "published"} if kind is FrameSegmenter else {}
        network = kind(encoder, **decoder)
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
    assert trainable_parameters(network) == decoder == 1_591_941
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
    plain.head = network.head
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


def test_a_fit_of_a_segmenter_trains_the_published_decoder_on_frames_that_it_keeps_resizing_so(
    data, tmp_path
):
    before = build_network(settings("seg"), None)
    card = fit(data, tmp_path / "seg", settings("seg"))
    assert (card.decoder, card.resize, card.decoder_width) == ("published", "published", 32)
    model = load_model(tmp_path / "seg")
    assert model.resize == "published"
    assert not any(bool(p.any()) for n, p in model.named_parameters() if ".lora_B." in n)
    learnt = {
        name: not torch.equal(value, before.head.state_dict()[name])
        for name, value in model.head.state_dict().items()
    }
    assert learnt["decoder9.block.1.block.weight"]
    assert learnt["decoder0_header.1.block.4.running_var"]
    assert "dice_pooled" in card.metrics["test"]


def test_a_batch_that_is_not_whole_is_dropped(data, tmp_path, monkeypatch):
    taken = []

    def training_step(learner, batch, index):
        taken.append(len(batch[0]))
        return learner.loss(learner.logits(batch[0]), batch[1], batch[2])

    monkeypatch.setattr(FrameLearner, "training_step", training_step)
    card = fit(data, tmp_path / "cls", settings("cls", copies=1, batch_size=50))
    seen = 2 * card.training["frames"]
    assert seen % 50
    assert taken == [50] * (seen // 50)


def test_too_few_frames_for_one_whole_batch_are_told(data, tmp_path):
    with pytest.raises(TrainingError, match="drops a batch of less than 5000: add cases, or "):
        fit(data, tmp_path / "cls", settings("cls", batch_size=5000))


def test_frames_and_copies_are_resized_as_published_after_they_were_augmented(data, tmp_path):
    """Oracle: the steps by hand, for one frame."""
    chosen = choose_data(data, settings("seg", copies=1))
    assert (chosen.resize, chosen.recipe.resize) == ("published", "published")
    source = next(frames_of(chosen.cases.training))
    frames = build_with_copies([source], 28, tmp_path, chosen.recipe)
    number = int(source.positive.argmax())
    frame, mask = (
        np.pad(image[number], ((7, 7), (0, 0))) for image in (source.frames, source.masks)
    )
    identity = (0.0,) * 3, (1 / 255,) * 3
    assert np.array_equal(
        frames.frames[number], preprocess(frame[None], 28, *identity, "published")[0, 0]
    )
    assert np.array_equal(frames.masks[number], mask[::2, ::2])
    seed = int(np.random.SeedSequence([0, 1, number]).generate_state(1, np.uint64)[0])
    image, outline = PAPER(frame, mask, seed)
    (copies,) = frames.copies
    copied = preprocess(image.numpy()[None], 28, *identity, "published")[0, 0]
    assert np.array_equal(copies.frames[number], copied)
    assert not np.array_equal(copied, preprocess(image.numpy()[None], 28, *identity)[0, 0].round())
    assert np.array_equal(copies.masks[number], outline[::2, ::2])
    assert np.array_equal(copies.positive, copies.masks.any((1, 2)))


def test_what_was_built_ahead_in_our_way_is_but_a_list(data, tmp_path):
    build_prepared(data, split_list(list_cases(data), (0.3, 0.5), 0), {}, 56, tmp_path / "built")
    published = choose_data(data, settings("seg"), prepared=tmp_path / "built")
    ours = settings("seg").model_copy(update={"recipe": "ours"})
    built = choose_data(data, ours, prepared=tmp_path / "built")
    assert (published.folder, built.folder) == (None, tmp_path / "built")
    assert published.split == built.split
    assert published.cases == built.cases
    training, _ = published.frame_sets(tmp_path / "read", lambda progress: None)
    assert training.data_hash == built.prepared.training.data_hash


def test_a_published_model_is_fine_tuned_on_frames_that_are_resized_as_it_sees_them(
    tmp_path, corrected, monkeypatch
):
    seen = []

    def build(sources, size, folder, report, resize):
        seen.append(resize)
        return build_frame_set(sources, size, folder, report, resize)

    monkeypatch.setattr("fetal_iqa_training.fitting.finetune_context.build_frame_set", build)
    corrections = read_correction_set([corrected[0]], "seg")
    quick = FinetuneSettings(task="seg", device="cpu")
    network = build_network(settings("seg"), None)
    context = FinetuneContext(network, corrections, SweepFinder([]), quick, silent)
    frames, whose = context.frame_set(None, tmp_path / "frames")
    assert seen == ["published"]
    assert len(frames) == len(whose) > 0


@pytest.mark.parametrize("strategy", ["linear", "full"])
def test_it_is_a_recipe_of_lora(strategy):
    with pytest.raises(ValueError, match="the published recipe trains LoRA, not"):
        settings("cls", strategy=strategy)
