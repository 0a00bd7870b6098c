import lightning
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from fetal_iqa_models import (
    FrameClassifier,
    FrameSegmenter,
    encoder_spec,
    load_encoder,
    preprocess,
    set_strategy,
)
from fetal_iqa_training.fitting.losses import label_loss, mask_loss
from fetal_iqa_training.fitting.module import FrameLearner, _cosine
from fetal_iqa_training.fitting.trainer import Schedule, run_training
from fetal_iqa_training.settings import RunSettings


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return load_encoder("fetalclip-tiny")


CLS, SEG = RunSettings(task="cls"), RunSettings(task="seg")


def batch(n=4, side=56):
    random = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (n, side, side), dtype=torch.uint8, generator=random)
    masks = frames > 128
    return frames, masks, torch.arange(n) % 2 == 0


def test_input_is_normalised_as_for_prediction(encoder):
    frames, _, _ = batch()
    spec = encoder_spec("fetalclip-tiny")
    expected = preprocess(frames, 56, spec.mean, spec.std)
    found = FrameLearner(FrameClassifier(encoder), CLS).normalise(frames)
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_classifier_learns_labels_and_a_segmenter_masks(encoder):
    _, masks, positive = batch()
    classifier, segmenter = FrameLearner(FrameClassifier(encoder), CLS), FrameSegmenter(encoder)
    logits = torch.randn(4, 1)
    assert classifier.loss(logits, masks, positive) == label_loss(logits, positive)
    maps = torch.randn(4, 1, 56, 56)
    assert FrameLearner(segmenter, SEG).loss(maps, masks, positive) == mask_loss(maps, masks)


def test_cross_entropy_is_added_to_the_mask_loss_where_it_has_a_weight(encoder):
    _, masks, positive = batch()
    settings = RunSettings(task="seg", cross_entropy=0.5)
    maps = torch.randn(4, 1, 56, 56)
    pixels = nn.functional.binary_cross_entropy(maps.sigmoid()[:, 0], masks.float())
    found = FrameLearner(FrameSegmenter(encoder), settings).loss(maps, masks, positive)
    assert float(found) == pytest.approx(float(mask_loss(maps, masks) + 0.5 * pixels), rel=1e-5)


def test_the_validation_loss_does_not_hang_on_how_frames_fell_into_batches(encoder, tmp_path):
    frames, masks, _ = batch()
    masks[1:] = False  # as most frames of a sweep: no abdomen
    examples = list(zip(frames, masks, masks.flatten(1).any(1), strict=True))
    learner = FrameLearner(FrameSegmenter(encoder), SEG)
    for size in (1, 2, 4):
        trainer = lightning.Trainer(
            accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path
        )
        trainer.validate(learner, DataLoader(examples, batch_size=size), verbose=False)
    losses = [found["loss"] for found in learner.validation]
    with torch.no_grad():
        whole = float(mask_loss(learner.logits(frames), masks))
    assert losses == pytest.approx([whole] * 3, rel=1e-4)


def test_each_process_draws_its_own_dropout_and_the_same_step_the_same(encoder, monkeypatch):
    learner = FrameLearner(FrameClassifier(encoder), CLS)

    def drawn():
        learner.on_train_batch_start(None, 0)
        return torch.rand(4).tolist()

    alone = drawn()
    monkeypatch.setenv("RANK", "0")
    assert drawn() == alone
    monkeypatch.setenv("RANK", "1")
    other = drawn()
    assert other != alone
    assert drawn() == other


def test_a_checkpoint_holds_only_what_is_trained(encoder):
    model = FrameClassifier(load_encoder("fetalclip-tiny"))
    set_strategy(model, "linear")
    learner = FrameLearner(model, CLS)
    checkpoint = {"state_dict": learner.state_dict()}
    learner.on_save_checkpoint(checkpoint)
    assert set(checkpoint["state_dict"]) == {"model.head.weight", "model.head.bias"}


def test_a_frozen_encoders_batch_statistics_stay_as_they_are():
    model = FrameClassifier(load_encoder("resnet50"))
    set_strategy(model, "linear")
    learner = FrameLearner(model, CLS).train()
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    set_strategy(model, "full")
    learner.train()
    assert all(norm.training for norm in norms)


def test_a_network_from_a_folder_trains_with_its_dropout(encoder, tmp_path):
    model = FrameClassifier(encoder)
    set_strategy(model, "full")
    model.eval()  # as it is loaded
    training = []
    frames = DataLoader(list(zip(*batch(), strict=True)), batch_size=2)
    run_training(
        FrameLearner(model, CLS),
        frames,
        frames,
        tmp_path,
        RunSettings(task="cls", device="cpu"),
        Schedule(epochs=1),
        lambda progress: training.append(model.training) if progress.event == "step" else None,
    )
    assert training == [True, True]
    assert not model.training


def test_the_cosine_rises_for_a_twentieth_and_falls_to_zero():
    rates = [_cosine(step, 200) for step in range(201)]
    assert rates[9] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[105] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0)
