"""Low-rank adapters: add them to an encoder, merge them, and choose what trains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from fetal_iqa_models.cards import LoraSettings
from fetal_iqa_models.errors import ModelError, shown
from fetal_iqa_models.networks import FrameNetwork

if TYPE_CHECKING:
    from peft import LoraConfig

Strategy = Literal["lora", "linear", "full"]

_ADAPTER = "default"  # PEFT's own name for an only adapter; its files leave the name out
_PEFT_PREFIX = "base_model.model."


def add_lora(model: FrameNetwork, settings: LoraSettings | None = None) -> LoraSettings:
    """Put low-rank adapters on linear or convolutional layers of a network's encoder, in place.

    The adapter starts at zero: the network's output does not change.

    Parameters
    ----------
    model : FrameClassifier or FrameSegmenter
    settings : LoraSettings, optional
        By default those of arXiv 2507.22802.

    Returns
    -------
    LoraSettings
        With the targets spelled out; also as ``model.lora``.

    Raises
    ------
    ModelError
        Where the encoder has an adapter already, or has no layer to adapt.
    """
    from peft import inject_adapter_in_model  # it takes seconds to import

    spec = model.encoder.spec
    settings = settings or LoraSettings()
    if model.lora is not None:
        raise ModelError(f"{spec.name}: has a LoRA already; merge it before adding another")
    targets = settings.targets or spec.lora_targets
    if targets is None:
        raise ModelError(f"{spec.name}: has no layers named for a LoRA; train it in full")
    trunk = model.encoder.trunk
    check_targets(spec.name, trunk, targets)
    settings = settings.model_copy(update={"targets": targets})
    inject_adapter_in_model(peft_config(settings), trunk, _ADAPTER)
    model.lora = settings
    return settings


def check_targets(encoder: str, trunk: nn.Module, targets: Iterable[str]) -> None:
    """Refuse names that no linear or convolutional layer of an encoder has.

    Raises
    ------
    ModelError
    """
    layers = [
        name for name, layer in trunk.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    for target in targets:
        if not any(f".{name}".endswith(f".{target}") for name in layers):
            raise ModelError(
                f"{encoder}: takes no LoRA on {shown([target])}: no linear or convolutional layer "
                "is called so"
            )


def peft_config(settings: LoraSettings) -> LoraConfig:
    """Spell LoRA settings as PEFT does."""
    from peft import LoraConfig

    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets or ()),
        bias="none",
    )


def merge_lora(model: FrameNetwork) -> None:
    """Add the adapter to the weights that it adapts and take it off, in place, for prediction.

    A network without an adapter stays as it is.

    Parameters
    ----------
    model : FrameClassifier or FrameSegmenter
        Afterwards ``model.lora`` is None and the encoder's tensors have their bare names.
    """
    if model.lora is None:
        return
    from peft.tuners.lora import LoraLayer

    trunk = model.encoder.trunk
    adapted = [(n, m) for n, m in trunk.named_modules() if isinstance(m, LoraLayer)]
    for name, layer in adapted:
        layer.merge()
        parent, _, child = name.rpartition(".")
        setattr(trunk.get_submodule(parent), child, layer.get_base_layer())
    del trunk.peft_config
    model.lora = None


def adapter_state(trunk: nn.Module) -> dict[str, Tensor]:
    """Tensors of a trunk's adapter by the names that PEFT writes to a file."""
    return {
        _PEFT_PREFIX + key.replace(f".{_ADAPTER}.", "."): value
        for key, value in trunk.state_dict().items()
        if ".lora_" in key
    }


def load_adapter_state(trunk: nn.Module, state: dict[str, Tensor]) -> None:
    """Fill a trunk's adapter in place; ``state`` has the names of :func:`adapter_state`."""
    own = {
        key: state[_PEFT_PREFIX + key.replace(f".{_ADAPTER}.", ".")]
        for key in trunk.state_dict()
        if ".lora_" in key
    }
    trunk.load_state_dict(own, strict=False, assign=True)


def base_state(trunk: nn.Module) -> dict[str, Tensor]:
    """Tensors of a trunk without its adapter, by the names that the bare trunk has."""
    return {
        key.replace(".base_layer.", "."): value
        for key, value in trunk.state_dict().items()
        if ".lora_" not in key
    }


def trainable_parameters(model: nn.Module) -> int:
    """Count the parameters that training would change.

    Parameters
    ----------
    model : nn.Module

    Returns
    -------
    int
        Numbers, not tensors.
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def set_strategy(
    model: FrameNetwork, strategy: Strategy, settings: LoraSettings | None = None
) -> None:
    """Choose what training changes, in place.

    Parameters
    ----------
    model : FrameClassifier or FrameSegmenter
    strategy : "lora", "linear" or "full"
        The adapter and the head (an adapter is added where there is none); the head alone; or
        everything. Parts of the encoder that the output does not depend on, such as the final
        norm for a segmenter, never train.
    settings : LoraSettings, optional
        Of an adapter to add.

    Raises
    ------
    ModelError
        Where the encoder takes no LoRA, or ``"full"`` is requested of one that carries one.
    """
    if strategy == "lora" and model.lora is None:
        add_lora(model, settings)
    if strategy == "full" and model.lora is not None:
        raise ModelError("full training of a model with LoRA: merge the LoRA first")
    training = model.training
    model.eval()  # tracing must leave the running statistics of batch normalisation alone
    in_use = _parameters_in_use(model)
    for name, parameter in model.named_parameters():
        chosen = (
            strategy == "full"
            or name.startswith("head.")
            or (strategy == "lora" and ".lora_" in name)
        )
        parameter.requires_grad_(chosen and name in in_use)
    model.train(training)


def _parameters_in_use(model: FrameNetwork) -> set[str]:
    """Names of the parameters that the output depends on, traced without computing anything."""
    meta = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
    }
    names = [name for name, _ in model.named_parameters()]
    for name in names:
        meta[name].requires_grad_()
    size = model.encoder.spec.image_size
    with torch.enable_grad():
        output = functional_call(model, meta, torch.empty(1, 3, size, size, device="meta"))
    gradients = torch.autograd.grad(output.sum(), [meta[n] for n in names], allow_unused=True)
    return {name for name, gradient in zip(names, gradients, strict=True) if gradient is not None}
