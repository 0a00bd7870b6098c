"""The published code's choices where they differ from ours, so that the two can be compared."""

from dataclasses import replace

from fetal_iqa_models import Encoder
from fetal_iqa_models.networks import Network
from fetal_iqa_training.errors import TrainingError

_TAPPED_OF_24 = (6, 8, 12, 24)
"""Blocks whose features the published decoder takes, counted from 1."""

_NEVER_CALLED = "attn.proj"
"""The layer that the published LoRA adapts and whose forward PyTorch's attention never calls."""


def tap_as_published(encoder: Encoder) -> None:
    """Take features from blocks 6, 8, 12 and 24 of 24, in place; ours are evenly spaced.

    Where there are fewer blocks, from those as deep in proportion, each another one.

    Raises
    ------
    TrainingError
        Where the encoder is no plain vision transformer.
    """
    depth = len(getattr(encoder.trunk, "blocks", ()))
    if not depth or _NEVER_CALLED not in (encoder.spec.lora_targets or ()):
        raise TrainingError(
            f"{encoder.spec.name}: the published recipe is one of plain vision transformers such "
            "as fetalclip; use --recipe ours"
        )
    taps: list[int] = []
    for block in _TAPPED_OF_24:
        taps.append(max(round(block * depth / 24) - 1, taps[-1] + 1 if taps else 0))
    encoder.spec = replace(encoder.spec, taps=(taps[0], taps[1], taps[2], taps[3]))


def hold_back_as_published(network: Network) -> None:
    """Leave untrained what gets no gradient in the published code, in place.

    A segmenter's encoder runs without gradients there, so that none of its LoRA learns; a
    classifier's LoRA on the attention's output projection is never reached by the forward pass.
    Both stay as they began, without effect, and are kept in the model folder.
    """
    for name, parameter in network.encoder.named_parameters():
        if network.task == "seg" or f".{_NEVER_CALLED}.lora_" in name:
            parameter.requires_grad_(False)


def untrained_adapter_parameters(network: Network) -> int:
    """Count the parameters of an adapter that no training changes."""
    return sum(
        parameter.numel()
        for name, parameter in network.encoder.named_parameters()
        if ".lora_" in name and not parameter.requires_grad
    )
