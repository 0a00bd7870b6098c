"""Numbers in half the bytes, where none is lost beyond rounding."""

import torch
from torch import Tensor, nn


def halved(tensor: Tensor) -> Tensor:
    """Return a tensor as float16; as float32 where one of its numbers is too large for that.

    Whole numbers stay as they are. Variances of a network that sees pixels times 255 reach
    millions; float16 ends at 65,504 and makes them infinite.
    """
    if not tensor.is_floating_point():
        return tensor
    half = tensor.to(torch.float16)
    same = torch.isfinite(half) == torch.isfinite(tensor)
    return half if bool(same.all()) else tensor.to(torch.float32)


def round_to_half(network: nn.Module) -> None:
    """Round the weights of a network, in place, as :func:`halved` would store them."""
    state = network.state_dict()
    network.load_state_dict({name: halved(value).to(value.dtype) for name, value in state.items()})
