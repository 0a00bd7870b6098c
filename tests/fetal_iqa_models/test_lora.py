from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fetal_iqa_models import (
    FrameClassifier,
    FrameSegmenter,
    LoraSettings,
    ModelError,
    add_lora,
    load_encoder,
    load_model,
    merge_lora,
    save_model,
    set_strategy,
    trainable_parameters,
)

Network = FrameClassifier | FrameSegmenter


def test_a_new_adapter_changes_nothing(network: Network, images: torch.Tensor) -> None:
    before = network(images)
    add_lora(network)
    assert torch.equal(network.eval()(images), before)


def test_merging_keeps_the_output_and_leaves_plain_layers(
    network: Network, images: torch.Tensor, stir: Callable[[Network], None]
) -> None:
    names = set(network.state_dict())
    bare = network(images)
    add_lora(network)
    stir(network)
    network.eval()
    adapted = network(images)
    assert (adapted - bare).abs().max() > 1e-3
    merge_lora(network)
    assert (network(images) - adapted).abs().max() < 1e-5
    assert set(network.state_dict()) == names
    assert network.lora is None
    merge_lora(network)  # nothing to merge: stays as it is
    add_lora(network)
    assert (network.eval()(images) - adapted).abs().max() < 1e-5


def test_the_scale_is_alpha_over_rank(images: torch.Tensor) -> None:
    # independent of PEFT: the adapted layer by the formula of the LoRA paper
    classifier = FrameClassifier(load_encoder("fetalclip-tiny"))
    add_lora(classifier, LoraSettings(rank=2, alpha=6, dropout=0.0, targets=("mlp.fc1",)))
    layer = classifier.encoder.trunk.blocks[0].mlp.fc1
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    torch.nn.init.normal_(up)
    x = torch.randn(3, 64)
    expected = layer.base_layer(x) + 6 / 2 * x @ down.T @ up.T
    torch.testing.assert_close(layer(x), expected)


def test_targets_are_layers_of_blocks_and_never_the_patch_embedding(network: Network) -> None:
    settings = add_lora(network)
    adapted = {n.split(".lora_A")[0] for n, _ in network.named_parameters() if ".lora_A" in n}
    assert settings == network.lora
    assert settings.targets == ("attn.proj", "mlp.fc1", "mlp.fc2")
    assert len(adapted) == 4 * 3
    assert not any("patch_embed" in name for name in adapted)


def test_qkv_is_an_option() -> None:
    classifier = FrameClassifier(load_encoder("fetalclip-tiny"))
    set_strategy(classifier, "lora", LoraSettings(rank=3, targets=("attn.qkv",)))
    assert trainable_parameters(classifier) == 4 * 3 * (64 + 3 * 64) + 64 + 1


def test_strategies_choose_what_trains(network: Network) -> None:
    head = sum(p.numel() for p in network.head.parameters())
    set_strategy(network, "full")
    everything = trainable_parameters(network)
    set_strategy(network, "linear")
    assert trainable_parameters(network) == head < everything
    set_strategy(network, "lora")
    lora = 4 * 8 * ((64 + 64) + 2 * (64 + 256))
    assert trainable_parameters(network) == lora + head
    set_strategy(network, "lora")  # carries an adapter already: none is added
    assert trainable_parameters(network) == lora + head


def test_choosing_a_strategy_leaves_the_mode_and_the_statistics_alone() -> None:
    classifier = FrameClassifier(load_encoder("efficientnet_b0")).train()
    statistics = {n: b.clone() for n, b in classifier.named_buffers()}
    set_strategy(classifier, "full")
    assert classifier.training
    assert all(torch.equal(b, statistics[n]) for n, b in classifier.named_buffers())


def test_what_cannot_be_is_refused_in_one_line() -> None:
    transformer = FrameClassifier(load_encoder("fetalclip-tiny"))
    with pytest.raises(ModelError, match=r"no LoRA on attn\.prj"):
        add_lora(transformer, LoraSettings(targets=("attn.prj",)))
    with pytest.raises(ModelError, match="no LoRA on norm1"):
        add_lora(transformer, LoraSettings(targets=("norm1",)))
    add_lora(transformer)
    with pytest.raises(ModelError, match="merge it before"):
        add_lora(transformer)
    with pytest.raises(ModelError, match="merge the LoRA first"):
        set_strategy(transformer, "full")
    with pytest.raises(ModelError, match="no layers named for a LoRA"):
        set_strategy(FrameClassifier(load_encoder("efficientnet_b0")), "lora")


def test_convolutions_take_adapters_too(
    stir: Callable[[Network], None], make_card: Callable, tmp_path: Path
) -> None:
    classifier = FrameClassifier(load_encoder("resnet-demo")).eval()
    images = torch.randn(2, 3, 128, 128)
    bare = classifier(images)
    set_strategy(classifier, "lora")
    assert torch.equal(classifier.eval()(images), bare)
    trained = [p for p in classifier.parameters() if p.requires_grad]
    assert trainable_parameters(classifier) < 0.15 * sum(p.numel() for p in classifier.parameters())
    stir(classifier)
    for layer in classifier.modules():  # a new one shuts its branches: all scales are zero
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(layer.weight)
    adapted = classifier.eval()(images)
    adapted.sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in trained)
    folder = save_model(classifier, tmp_path / "cls", make_card(classifier))
    assert torch.equal(load_model(folder)(images), adapted)
    merge_lora(classifier)
    assert (classifier(images) - adapted).abs().max() < 1e-5
    assert (adapted - bare).abs().max() > 1e-3
