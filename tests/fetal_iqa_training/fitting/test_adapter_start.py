import numpy as np
import pytest
import torch

from fetal_iqa_models import LoraSettings, ModelCard, load_encoder, save_model, set_strategy
from fetal_iqa_models.lora import adapter_state
from fetal_iqa_models.networks import FrameClassifier, FrameSegmenter
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.adapter_start import take_adapter
from fetal_iqa_training.fitting.losses import label_loss, positive_weight


def adapted(kind, rank=8):
    network = kind(load_encoder("fetalclip-tiny"))
    set_strategy(network, "lora", LoraSettings(rank=rank, alpha=2 * rank))
    return network


def test_an_adapter_starts_as_that_of_the_other_task_ended_and_trains_on(tmp_path):
    other = adapted(FrameSegmenter)
    for tensor in adapter_state(other.encoder.trunk).values():
        torch.nn.init.normal_(tensor)
    card = ModelCard(
        name="seg", task="seg", encoder="fetalclip-tiny", encoder_weights="own", image_size=56,
        lora=other.lora,
    )  # fmt: skip
    save_model(other, tmp_path / "seg", card)
    network = adapted(FrameClassifier)
    before = {n for n, p in network.named_parameters() if p.requires_grad}
    take_adapter(network, tmp_path / "seg")
    theirs = adapter_state(other.encoder.trunk)
    assert all(torch.equal(v, theirs[k]) for k, v in adapter_state(network.encoder.trunk).items())
    assert {n for n, p in network.named_parameters() if p.requires_grad} == before
    with pytest.raises(TrainingError, match="adapter of rank 8 of fetalclip-tiny, not of rank 4"):
        take_adapter(adapted(FrameClassifier, rank=4), tmp_path / "seg")


def test_frames_with_an_abdomen_count_as_often_as_they_are_rarer():
    positive = np.array([True, False, False, False])
    assert positive_weight(None, positive) == 1
    assert positive_weight(2.5, positive) == 2.5
    assert positive_weight("balanced", positive) == 3
    assert positive_weight("balanced", ~np.zeros(4, bool)) == 1
    logits, labels = torch.zeros(4, 1), torch.from_numpy(positive)
    ln2 = np.log(2)
    assert float(label_loss(logits, labels)) == pytest.approx(ln2)
    assert float(label_loss(logits, labels, 3.0)) == pytest.approx((3 + 3) / 4 * ln2)
