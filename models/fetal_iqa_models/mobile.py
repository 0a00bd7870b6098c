"""MobileFetalCLIP's checkpoint: the names of its image tower, and timm's for the same tensors.

MobileFetalCLIP is MobileCLIP2-S0, fine-tuned by an open_clip training run whose image tower is
Apple's own FastViT (MCi0) under ``visual.trunk``: a flat network of stages, downsampling layers
and a positional encoding. timm builds the same network as ``fastvit_mci0``.

References
----------
Saeed et al., MobileFetalCLIP, arXiv 2603.05421, and its repository numanai/MobileFetalCLIP
(``models/factory.py``, ``models/mci_registry.py``); Vasu et al., MobileCLIP, CVPR 2024, and
FastViT, ICCV 2023.
"""

from collections.abc import Mapping

from torch import Tensor

TRUNK = "visual.trunk."
"""What the names of the image tower begin with."""

_PLACES = {
    "patch_embed": "stem",
    "network.0": "stages.0.blocks",
    "network.1": "stages.1.downsample",
    "network.2": "stages.1.blocks",
    "network.3": "stages.2.downsample",
    "network.4": "stages.2.blocks",
    "network.5": "stages.3.downsample",
    "network.6": "stages.3.pos_emb",
    "network.7": "stages.3.blocks",
    "conv_exp": "final_conv",
    "head": "head.fc",
}
"""The parts of the network, in their order, and where timm keeps them."""

_LAYERS = {
    "rbr_conv": "conv_kxk",
    "rbr_scale": "conv_scale",
    "rbr_skip": "identity",
    "lkb_origin": "large_conv",
    "convffn": "mlp",
    "reduce": "fc1",
    "expand": "fc2",
    "pe": "pos_enc",
    "layer_scale": "layer_scale.gamma",
    "layer_scale_1": "layer_scale_1.gamma",
    "layer_scale_2": "layer_scale_2.gamma",
}
"""Layers within a part that have another name in timm."""


def timm_name(name: str) -> str | None:
    """Translate the name of one tensor of the image tower; None where it has no such part."""
    parts = name.removeprefix(TRUNK).split(".")
    length = 2 if parts[0] == "network" else 1
    place = _PLACES.get(".".join(parts[:length]))
    if place is None:
        return None
    return ".".join([place, *(_LAYERS.get(part, part) for part in parts[length:])])


def image_tower(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the image tower's tensors by timm's names; the text side is left out.

    A tensor that has no place in timm's network, or whose place is taken, keeps its name, so
    that a strict check finds it.
    """
    tower: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.startswith(TRUNK):
            place = timm_name(name)
            tower[name if place is None or place in tower else place] = tensor
    return tower
