"""UltraSam's checkpoint: the image encoder of SAM, trained on further ultrasound with OpenMMLab.

``UltraSam.pth`` holds a detector of mmdet whose ``backbone`` is mmpretrain's ViTSAM (base, 1024
pixels, 256 channels after the reduction). timm builds the same network as ``samvit_base_patch16``.
SAM's prompts and decoder are left out.

References
----------
Meyer et al., UltraSam, IJCARS 2025 (arXiv 2411.16222), and its repository CAMMA-public/UltraSam
(``configs/_base_/models/sam.py``); mmpretrain's ``models/backbones/vit_sam.py`` and mmcv's ``FFN``;
Kirillov et al., Segment Anything, ICCV 2023.
"""

from collections.abc import Mapping

from torch import Tensor

_ENCODER = "backbone."
_OTHER_PARTS = ("prompt_encoder.", "decoder.", "bbox_head.")

_NAMES = (
    ("patch_embed.projection.", "patch_embed.proj."),
    ("channel_reduction.", "neck."),
    ("layers.", "blocks."),
    (".ln1.", ".norm1."),
    (".ln2.", ".norm2."),
    (".ffn.layers.0.0.", ".mlp.fc1."),
    (".ffn.layers.1.", ".mlp.fc2."),
)
"""Parts of names in mmpretrain and in timm: beginnings, and with a dot before them, within."""


def is_checkpoint(tensors: Mapping[str, Tensor]) -> bool:
    """Whether these tensors are UltraSam's, by what only mmpretrain's ViTSAM has."""
    return f"{_ENCODER}channel_reduction.0.weight" in tensors


def encoder(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the image encoder's tensors by timm's names.

    A tensor that is neither the encoder's nor of a part of SAM, or whose place is taken, keeps its
    name, so that a strict check finds it.
    """
    tower: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not name.startswith(_OTHER_PARTS):
            place = _timm_name(name)
            tower[name if place in tower else place] = tensor
    return tower


def _timm_name(name: str) -> str:
    if not name.startswith(_ENCODER):
        return name
    name = name.removeprefix(_ENCODER)
    for theirs, ours in _NAMES:
        if theirs.startswith("."):
            name = name.replace(theirs, ours)
        elif name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return name
