"""LoRA and heads on SonoNet16, and its own classes fine-tuned: like on any encoder."""

import pytest
import torch

from fetal_iqa_models import WeightsStore, load_card, load_model, model_hash
from fetal_iqa_training.fitting.finetune import finetune
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.network import build_network
from fetal_iqa_training.settings import FinetuneSettings

from ..conftest import tiny_settings


@pytest.mark.parametrize("task", ["cls", "seg"])
@pytest.mark.parametrize("encoder", ["sononet16", "sononet16-planes"])
def test_all_that_is_to_be_trained_gets_a_gradient_from_the_loss(encoder, task, tmp_path):
    (stored,) = WeightsStore(tmp_path).entries(encoder)
    settings = tiny_settings(task, encoder=encoder)
    network = build_network(settings, stored.path)
    assert network.lora is not None
    learner = FrameLearner(network, settings)
    learner.train()
    random = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (2, 288, 288), dtype=torch.uint8, generator=random)
    masks = frames > 200
    learner.loss(learner.logits(frames), masks, torch.tensor([True, False])).backward()
    trained = {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
    assert any(".lora_" in name for name in trained)
    assert all(grad is not None for grad in trained.values())
    heads = [grad for name, grad in trained.items() if name.startswith("head.")]
    adapters = [grad for name, grad in trained.items() if ".lora_B" in name]
    assert all(grad.abs().sum() > 0 for grad in adapters)  # A has none while B is zero
    assert heads[-1].abs().sum() > 0


@pytest.mark.timeout(600)
def test_corrections_teach_its_classes_and_the_child_names_planes(corrected, tmp_path):
    store, *_ = corrected
    settings = FinetuneSettings(task="cls", steps=2, batch_size=4, device="cpu", patience=None)
    card = finetune([store], "sononet-cls", tmp_path / "child", settings)
    parent, child = load_card("sononet-cls"), load_model(tmp_path / "child")
    assert card == load_card(tmp_path / "child")
    assert card.classes == parent.classes
    assert card.parent == model_hash("sononet-cls")
    assert card.encoder_weights == parent.encoder_weights  # as LoRA, beside the shipped weights
    assert card.lora is not None
    images = torch.rand(1, 3, 288, 288)
    with torch.no_grad():
        found, before = child.scores(images), load_model("sononet-cls").scores(images)
    assert found.shape == (1, 14)
    assert not torch.equal(found, before)
