"""EfficientNet-Lite0 by the other code's names is the network that timm has."""

import timm
import torch

from fetal_iqa_models import lite
from fetal_iqa_models.checkpoints import match_trunk
from fetal_iqa_models.encoders import blank_encoder

OTHERS = {
    "conv_stem": "_conv_stem", "conv_head": "_conv_head", "bn1": "_bn0", "bn2": "_bn1",
    "classifier": "_fc",
}  # fmt: skip
FIRST = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
LATER = {
    "conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1",
    "conv_pwl": "_project_conv", "bn3": "_bn2",
}  # fmt: skip


def renamed(model):
    """Name timm's tensors as the other code does, by walking its modules in their order."""
    state, named = model.state_dict(), {}
    number = -1
    for stage, blocks in enumerate(model.blocks):
        for block in range(len(blocks)):
            number += 1
            for timms, theirs in (LATER if number else FIRST).items():
                named[f"blocks.{stage}.{block}.{timms}"] = f"_blocks.{number}.{theirs}"
    found = {}
    for key, value in state.items():
        layer, _, rest = key.rpartition(".")
        found[f"{named.get(layer) or OTHERS[layer]}.{rest}"] = value
    return found


def test_every_tensor_finds_its_place(tmp_path):
    model = timm.create_model("tf_efficientnet_lite0").eval()
    for tensor in model.state_dict().values():  # no two alike
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.1)
    theirs = renamed(model)
    assert lite.is_checkpoint(theirs)
    trunk = blank_encoder("efficientnet_lite0").trunk
    found = match_trunk(trunk, theirs, tmp_path)
    assert found.keys() == trunk.state_dict().keys()
    own = model.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in found.items())
