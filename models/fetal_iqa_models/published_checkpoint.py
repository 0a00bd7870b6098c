"""Make a network of a checkpoint of the published FetalCLIP-IQA code, equal to the published one.

The checkpoint is read once, within bounds, and nothing in it is run. Its LoRA stays an adapter, so
that the folder is small where the encoder below it is the fetched one, and can be trained on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from fetal_iqa_models.cards import EncoderWeights, LoraSettings, ModelCard, Task
from fetal_iqa_models.checkpoints import apart, match_trunk, read_checkpoint
from fetal_iqa_models.encoders import Encoder, blank_encoder
from fetal_iqa_models.errors import ModelError, WeightsError, shown
from fetal_iqa_models.lora import add_lora, load_adapter_state
from fetal_iqa_models.networks import FrameClassifier, FrameSegmenter, Network
from fetal_iqa_models.published_layout import ADAPTED, PublishedLayout, read_layout
from fetal_iqa_models.weights.recording import bytes_record, weights_record
from fetal_iqa_models.weights.store import WeightsStore

_RANK, _ALPHA, _DROPOUT = 8, 16, 0.1
"""Of the published LoRA; alpha and dropout are in no checkpoint."""

_NEVER_CALLED = "attn.proj"
"""PyTorch's attention takes this layer's weight and never calls the layer, so its LoRA has no part
in what the published network computes."""


@dataclass(frozen=True)
class ImportedNetwork:
    """A network made of a published checkpoint.

    Parameters
    ----------
    network : FrameClassifier or FrameSegmenter
        float32, on the CPU, in evaluation mode.
    card : ModelCard
        For its folder.
    notes : tuple of str
        What its user should know, a line each.
    """

    network: Network
    card: ModelCard
    notes: tuple[str, ...]


def import_published(
    file: Path | str,
    task: Task,
    *,
    encoder: str = "fetalclip",
    alpha: int | None = None,
    weights_folder: Path | str | None = None,
    tool_version: str = "",
) -> ImportedNetwork:
    """Make a network of a checkpoint that the published FetalCLIP-IQA code wrote.

    Parameters
    ----------
    file : path
        Lightning's ``.ckpt``, or its ``state_dict`` alone; a segmenter's encoder may be wrapped
        either way, with LoRA or without.
    task : "cls" or "seg"
        Must be that of the checkpoint.
    encoder : str
        Of FetalCLIP's architecture, in the table of encoders; its sizes must be the checkpoint's.
    alpha : int, optional
        Of the LoRA; 16, as published, for a rank of 8, and to be given for any other. None
        without LoRA.
    weights_folder : path, optional
        Of the store of pretrained weights: where the checkpoint's encoder is found there, the
        card names it in place of keeping another copy.
    tool_version : str
        For the card.

    Returns
    -------
    ImportedNetwork

    Raises
    ------
    WeightsError
        Where the file is missing, damaged, holds what is never read, or is not such a checkpoint
        tensor by tensor.
    ModelError
        Where the encoder is not of FetalCLIP's architecture.
    """
    path = Path(file)
    network = _blank(encoder, task)
    trunk, head = network.encoder.trunk.state_dict(), network.head.state_dict()

    def look(tensors: Mapping[str, Tensor]) -> PublishedLayout:
        layout = read_layout(tensors, task, trunk, head, path)
        _lora_settings(layout, alpha, path)
        return layout

    tensors = read_checkpoint(path, look)
    layout = look(tensors)
    for name, tensor in tensors.items():
        # as the network has them: float64 may hold more than float32 can
        if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
            raise WeightsError(
                f"{path}: {shown([name])} holds values that are no numbers in float32"
            )
    notes = _fill(network, layout, apart(tensors), _lora_settings(layout, alpha, path))
    network.resize = "published"
    base = _stored(network.encoder, weights_folder)
    if base is None:
        notes.append(
            f"its encoder is not among the pretrained weights here, so the model keeps it whole; "
            f"with those that it was trained from (weights fetch {encoder}) it would be small"
        )
    return ImportedNetwork(network.eval(), _card(network, path, base, tool_version), tuple(notes))


def _blank(name: str, task: Task) -> Network:
    """Build the published network without values in it."""
    encoder = blank_encoder(name)
    depth = len(getattr(encoder.trunk, "blocks", ()))
    if not depth or not hasattr(encoder.trunk, "norm_pre") or not encoder.trunk.num_classes:
        raise ModelError(f"{name}: not of FetalCLIP's architecture, as the published networks are")
    if task == "cls":
        with torch.device("meta"):
            return FrameClassifier(encoder)
    taps = (depth // 4 - 1, depth // 3 - 1, depth // 2 - 1, depth - 1)
    if sorted(set(taps)) != list(taps) or taps[0] < 0:
        raise ModelError(f"{name}: has {depth} blocks, too few for the published taps")
    encoder.spec = replace(encoder.spec, taps=taps)
    with torch.device("meta"):
        return FrameSegmenter(encoder, decoder="published")


def _lora_settings(layout: PublishedLayout, alpha: int | None, path: Path) -> LoraSettings | None:
    if layout.rank is None:
        if alpha is not None:
            raise WeightsError(f"{path}: holds no LoRA, so it has no alpha; leave --alpha away")
        return None
    if alpha is None and layout.rank != _RANK:
        raise WeightsError(
            f"{path}: its LoRA has rank {layout.rank}, the published code's {_RANK}, and its alpha "
            "is not in the file; give --alpha"
        )
    return LoraSettings(
        rank=layout.rank,
        alpha=alpha or _ALPHA,
        dropout=_DROPOUT,
        targets=tuple(ADAPTED.values()),
    )


def _fill(
    network: Network,
    layout: PublishedLayout,
    tensors: dict[str, Tensor],
    lora: LoraSettings | None,
) -> list[str]:
    """Give a network its values, in place; return what is to be said of them."""
    own = network.encoder.trunk.state_dict()
    state = {}
    for ours, theirs in layout.trunk.items():
        value = tensors.pop(theirs).float()
        value = value.T if ours == "head.weight" else value
        state[ours] = value.contiguous().view(own[ours].shape)
    if "head.bias" in own:  # open_clip's projection has none
        state["head.bias"] = torch.zeros(own["head.bias"].shape)
    network.encoder.trunk.load_state_dict(state, assign=True)
    head = {
        ours: tensors.pop(theirs).to(network.head.state_dict()[ours].dtype)
        for ours, theirs in layout.head.items()
    }
    network.head.load_state_dict(head, assign=True)
    if lora is None:
        return []
    notes = []
    if any(
        tensors[theirs].any()
        for layer, theirs in layout.lora_b.items()
        if layer.endswith(_NEVER_CALLED)
    ):
        notes.append(
            "its LoRA on attn.out_proj is not zero, as it is in genuine files; the published "
            "network computes without it, and so does this one: it was set to zero"
        )
    with torch.device("meta"):
        add_lora(network, lora)
    adapter = {}
    for side, names in (("A", layout.lora_a), ("B", layout.lora_b)):
        for layer, theirs in names.items():
            value = tensors.pop(theirs).float()
            if side == "B" and layer.endswith(_NEVER_CALLED):
                value = torch.zeros_like(value)
            adapter[f"base_model.model.{layer}.lora_{side}.weight"] = value
    load_adapter_state(network.encoder.trunk, adapter)
    return notes


def _stored(encoder: Encoder, folder: Path | str | None) -> EncoderWeights | None:
    """Find the pretrained weights that an encoder has below its adapter, bit by bit."""
    if folder is None:
        return None
    own = {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in encoder.trunk.state_dict().items()
        if ".lora_" not in name
    }
    blank = blank_encoder(encoder.spec.name).trunk
    for stored in WeightsStore(folder).entries(encoder.spec.name):

        def match(tensors: Mapping[str, Tensor], path: Path = stored.path) -> dict[str, Tensor]:
            return match_trunk(blank, tensors, path)

        weights = match(read_checkpoint(stored.path, match))
        if all(torch.equal(weights[name].float(), tensor) for name, tensor in own.items()):
            return weights_record(stored.path, folder)
    return None


def _card(
    network: Network, path: Path, base: EncoderWeights | None, tool_version: str
) -> ModelCard:
    spec = network.encoder.spec
    record = bytes_record(path)
    return ModelCard(
        name=f"{spec.name} {network.task}, imported from FetalCLIP-IQA",
        task=network.task,
        encoder=spec.name,
        encoder_weights=base or "own",
        image_size=spec.image_size,
        resize="published",
        licence=spec.licence,
        training={
            "imported": {
                "file": shown([record.name]),
                "sha256": record.sha256,
                "made_by": "the published FetalCLIP-IQA code (arXiv 2507.22802)",
                "note": "somebody's own training: what it learnt from is not in the file",
            }
        },
        tool_version=tool_version,
    )
