"""What stands where in a checkpoint of the published FetalCLIP-IQA code.

Its encoder is open_clip's visual tower, perhaps inside PEFT's wrapper, its head ``classifier`` or
``decoder``. Every name that belongs is listed here, with its shape, before any value is read.

References
----------
The code of arXiv 2507.22802; where each of its tensors belongs in timm's transformer is open_clip's
own correspondence of the two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fetal_iqa_models.cards import Task
from fetal_iqa_models.errors import WeightsError, shown

HEADS: dict[Task, str] = {"cls": "classifier.", "seg": "decoder."}
"""What the names of a task's head begin with."""

_WRAPPED = "base_model.model."
_PREFIXES: dict[Task, tuple[str, ...]] = {
    "cls": (f"encoder.{_WRAPPED}", "encoder."),
    "seg": (
        # by whether LoRA was put on the tower or on the wrapper that taps it
        f"encoder.transformer.visual_encoder.{_WRAPPED}",
        f"encoder.{_WRAPPED}transformer.visual_encoder.",
        "encoder.transformer.visual_encoder.",
    ),
}
"""What the names of the encoder begin with; the longer one is looked for first."""

_ONCE = {
    "class_embedding": "cls_token",
    "positional_embedding": "pos_embed",
    "proj": "head.weight",
    "conv1.weight": "patch_embed.proj.weight",
    "ln_pre.weight": "norm_pre.weight",
    "ln_pre.bias": "norm_pre.bias",
    "ln_post.weight": "norm.weight",
    "ln_post.bias": "norm.bias",
}
"""open_clip's names, and timm's."""

ADAPTED = {"attn.out_proj": "attn.proj", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
"""Layers of a block that have a LoRA there, by open_clip's names and timm's."""

_IN_EACH_BLOCK = {
    "attn.in_proj_weight": "attn.qkv.weight",
    "attn.in_proj_bias": "attn.qkv.bias",
    **{
        f"{theirs}.{kind}": f"{ours}.{kind}"
        for theirs, ours in ({"ln_1": "norm1", "ln_2": "norm2"} | ADAPTED).items()
        for kind in ("weight", "bias")
    },
}


@dataclass(frozen=True)
class PublishedLayout:
    """Where the tensors of one checkpoint belong.

    Parameters
    ----------
    trunk : dict of str to str
        Names in the file, by those of timm's trunk; the projection has its axes the other way.
    lora_a, lora_b : dict of str to str
        Names in the file, by the layer of the trunk that is adapted; empty without LoRA.
    head : dict of str to str
        Names in the file, by those of the head.
    rank : int or None
        Of the LoRA; None without one.
    """

    trunk: dict[str, str]
    lora_a: dict[str, str]
    lora_b: dict[str, str]
    head: dict[str, str]
    rank: int | None


def read_layout(
    tensors: Mapping[str, Tensor],
    task: Task,
    trunk: Mapping[str, Tensor],
    head: Mapping[str, Tensor],
    path: Path,
) -> PublishedLayout:
    """Find a network's tensors in a checkpoint, strictly: none too few, none too many.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Names, shapes and types are looked at, never values.
    task : "cls" or "seg"
    trunk, head : mapping of str to Tensor
        Of the network that they are for, without values; the head's names are the published ones.
    path : Path
        For messages.

    Raises
    ------
    WeightsError
        Where the file is of the other task or of something else, or a tensor is missing, unexpected
        or of the wrong shape or type; in the file's own names.
    """
    _check_task(tensors, task, path)
    prefix = next((p for p in _PREFIXES[task] if any(key.startswith(p) for key in tensors)), None)
    if prefix is None:
        raise WeightsError(
            f"{path}: holds no encoder by the names of the published code ({_PREFIXES[task][-1]}…)"
        )
    of_trunk = _trunk_names(trunk, path)
    depth = sum(name.endswith(".attn.proj.weight") for name in of_trunk)
    rank = _rank(tensors, path)
    expected: dict[str, Tensor] = {}
    found = PublishedLayout({}, {}, {}, {}, rank)
    for ours, theirs in of_trunk.items():
        name = prefix + (_as_base(theirs) if rank else theirs)
        found.trunk[ours] = name
        expected[name] = _as_published(theirs, trunk[ours])
    for block in range(depth if rank else 0):
        for theirs, layer in ADAPTED.items():
            name = f"{prefix}transformer.resblocks.{block}.{theirs}"
            ours = f"blocks.{block}.{layer}"
            outputs, inputs = trunk[f"{ours}.weight"].shape
            found.lora_a[ours] = f"{name}.lora_A.default.weight"
            found.lora_b[ours] = f"{name}.lora_B.default.weight"
            expected[found.lora_a[ours]] = _blank(rank or 0, inputs)
            expected[found.lora_b[ours]] = _blank(outputs, rank or 0)
    for name, own in head.items():
        found.head[name] = HEADS[task] + name
        expected[found.head[name]] = own
    _compare(expected, tensors, path)
    return found


def _check_task(tensors: Iterable[str], task: Task, path: Path) -> None:
    heads = [of for of, begin in HEADS.items() if any(key.startswith(begin) for key in tensors)]
    if task in heads:
        return
    if heads:
        raise WeightsError(
            f"{path}: is a {heads[0]} checkpoint ({HEADS[heads[0]]}…) and the task is {task}; "
            f"give --task {heads[0]}"
        )
    raise WeightsError(
        f"{path}: not a checkpoint of the published FetalCLIP-IQA code; no {HEADS[task]}… is in it"
    )


def _trunk_names(trunk: Mapping[str, Tensor], path: Path) -> dict[str, str]:
    """Return open_clip's names by timm's; a bias of the projection is none of open_clip's."""
    names = {ours: theirs for theirs, ours in _ONCE.items()}
    block = 0
    while f"blocks.{block}.attn.qkv.weight" in trunk:
        for theirs, ours in _IN_EACH_BLOCK.items():
            names[f"blocks.{block}.{ours}"] = f"transformer.resblocks.{block}.{theirs}"
        block += 1
    if (names.keys() ^ trunk.keys()) - {"head.bias"}:
        raise WeightsError(
            f"{path}: the published code's encoder is of FetalCLIP's architecture, and the one "
            "that was asked for is not"
        )
    return names


def _as_base(name: str) -> str:
    """Return the name of a tensor of a layer as it is below a LoRA."""
    layer, _, kind = name.rpartition(".")
    return f"{layer}.base_layer.{kind}" if layer.endswith(tuple(ADAPTED)) else name


def _as_published(name: str, own: Tensor) -> Tensor:
    """Return a tensor of the trunk in the shape that it has there."""
    match name:
        case "class_embedding":
            return own.flatten()
        case "positional_embedding":
            return own.flatten(0, 1)
        case "proj":
            return own.T
    return own


def _rank(tensors: Mapping[str, Tensor], path: Path) -> int | None:
    """Return the rank of the LoRA by the first that there is; None where there is none."""
    first = next((key for key in sorted(tensors) if ".lora_A." in key), None)
    if first is None:
        return None
    shape = tensors[first].shape
    if len(shape) != 2 or not 1 <= shape[0] <= 1024:
        raise WeightsError(f"{path}: {shown([first])} is no LoRA, its shape is {tuple(shape)}")
    return int(shape[0])


def _blank(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def _compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    there = [name for name in expected if name in found]
    faults = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "of the wrong shape": [
            f"{name} {tuple(found[name].shape)} in place of {tuple(expected[name].shape)}"
            for name in there
            if found[name].shape != expected[name].shape
        ],
        "of the wrong type": [
            f"{name} {found[name].dtype}"
            for name in there
            if found[name].is_floating_point() != expected[name].is_floating_point()
            or found[name].is_complex()
        ],
    }
    told = [f"{what}: {shown(names)}" for what, names in faults.items() if names]
    if told:
        raise WeightsError(
            f"{path}: not a checkpoint of the published FetalCLIP-IQA code; {'; '.join(told)}"
        )
