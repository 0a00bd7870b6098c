"""The published FetalCLIP-IQA networks, written down once more from their description.

open_clip's own visual tower and PEFT's own LoRA for the encoder; the decoder as plain functions of
named tensors, so that it has nothing in common with the program's.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from open_clip.transformer import VisionTransformer
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])
FILTERS = 32

State = dict[str, Tensor]
Layers = list[tuple[str, str, int, int]]


def tower(width: int, blocks: int, heads: int, size: int, embedding: int) -> VisionTransformer:
    """FetalCLIP's visual tower, at some size."""
    return VisionTransformer(
        image_size=size, patch_size=14, width=width, layers=blocks, heads=heads, mlp_ratio=4.0,
        output_dim=embedding,
    )  # fmt: skip


class Taps(nn.Module):
    """The published wrapper: the tower, and what its blocks n // 4, n // 3, n // 2 and n give."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.transformer = nn.Module()
        self.transformer.visual_encoder = visual

    def forward(self, images: Tensor) -> list[Tensor]:
        visual: Any = self.transformer.visual_encoder
        bare = getattr(visual, "base_model", None)
        blocks = (visual if bare is None else bare.model).transformer.resblocks
        seen: dict[int, Tensor] = {}
        hooks = [
            block.register_forward_hook(lambda m, i, o, n=n: seen.update({n: o}))
            for n, block in enumerate(blocks, start=1)
        ]
        visual(images)
        for hook in hooks:
            hook.remove()
        n = len(blocks)
        maps = []
        for tap in (n // 4, n // 3, n // 2, n):
            tokens = seen[tap][:, 1:]
            side = round(tokens.shape[1] ** 0.5)
            grid = tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
            sixteenth = images.shape[-1] // 16
            maps.append(
                F.interpolate(grid, size=(sixteenth,) * 2, mode="bilinear", align_corners=False)
            )
        return maps


def with_lora(module: nn.Module, rank: int = 8, alpha: int = 16) -> Any:
    """Wrap as the published code does, with some effect; out_proj's lora_B stays zero."""
    wrapped = get_peft_model(
        module,  # type: ignore[arg-type]
        LoraConfig(
            r=rank, lora_alpha=alpha, lora_dropout=0.1, bias="none",
            target_modules=["out_proj", "c_fc", "c_proj"],
        ),
    )  # fmt: skip
    for name, parameter in wrapped.named_parameters():
        if ".lora_B." in name and ".out_proj." not in name:
            nn.init.normal_(parameter, std=0.05)
    return wrapped


# The decoder: (name, kind, inputs, outputs), in the order in which each part runs.
def parts(width: int, f: int = FILTERS) -> dict[str, Layers]:
    def several(name: str, *layers: tuple[str, int, int]) -> Layers:
        return [(f"{name}.{n}", *layer) for n, layer in enumerate(layers)]

    return {
        "decoder0": several("decoder0", ("C", 3, f), ("C", f, f)),
        "decoder3": several(
            "decoder3", ("D", width, 8 * f), ("D", 8 * f, 4 * f), ("D", 4 * f, 2 * f)
        ),
        "decoder6": several("decoder6", ("D", width, 8 * f), ("D", 8 * f, 4 * f)),
        "decoder9": [("decoder9", "D", width, 8 * f)],
        "decoder12_upsampler": [("decoder12_upsampler", "U", width, 8 * f)],
        "decoder9_upsampler": several(
            "decoder9_upsampler",
            ("C", 16 * f, 8 * f), ("C", 8 * f, 8 * f), ("C", 8 * f, 8 * f), ("U", 8 * f, 4 * f),
        ),
        "decoder6_upsampler": several(
            "decoder6_upsampler", ("C", 8 * f, 4 * f), ("C", 4 * f, 4 * f), ("U", 4 * f, 2 * f)
        ),
        "decoder3_upsampler": several(
            "decoder3_upsampler", ("C", 4 * f, 2 * f), ("C", 2 * f, 2 * f), ("U", 2 * f, f)
        ),
        "decoder0_header": several(
            "decoder0_header", ("C", 2 * f, f), ("C", f, f), ("conv", f, 1)
        ),
    }  # fmt: skip


def _steps(kind: str) -> list[str]:
    separable = ["depthwise", "norm", "relu", "pointwise", "norm", "relu"]
    return {
        "C": separable,
        "D": ["double", *separable],
        "U": ["double", "pointwise"],
        "conv": ["pointwise"],
    }[kind]


def _names(name: str, kind: str) -> Iterator[tuple[str, str]]:
    for index, step in enumerate(_steps(kind)):
        inner = name if kind == "conv" else f"{name}.block.{index}"
        yield step, inner if step in ("norm", "relu") else f"{inner}.block"


def random_decoder(width: int) -> State:
    """Make up a decoder's tensors by their names."""
    state: State = {}
    for layers in parts(width).values():
        for name, kind, inputs, outputs in layers:
            channels = inputs
            for step, inner in _names(name, kind):
                if step == "pointwise":
                    state[f"{inner}.weight"] = (
                        torch.randn(outputs, inputs, 1, 1) * (3 / inputs) ** 0.5
                    )
                    channels = outputs
                elif step == "norm":
                    state[f"{inner}.weight"] = torch.rand(channels) + 0.5
                    state[f"{inner}.running_mean"] = torch.randn(channels) * 0.1
                    state[f"{inner}.running_var"] = torch.rand(channels) + 0.5
                    state[f"{inner}.num_batches_tracked"] = torch.tensor(7)
                elif step != "relu":
                    kernel = 2 if step == "double" else 3
                    state[f"{inner}.weight"] = torch.randn(inputs, 1, kernel, kernel) / kernel
                if step != "relu":
                    state[f"{inner}.bias"] = torch.randn(channels) * 0.1
    return state


def _through(state: State, layers: Layers, maps: Tensor) -> Tensor:
    for name, kind, *_ in layers:
        for step, inner in _names(name, kind):
            if step == "relu":
                maps = maps.clamp(min=0)
                continue
            weight, bias = state[f"{inner}.weight"], state[f"{inner}.bias"]
            if step == "norm":
                mean, variance = state[f"{inner}.running_mean"], state[f"{inner}.running_var"]
                scale = weight / (variance + 1e-5).sqrt()
                maps = (maps - mean[:, None, None]) * scale[:, None, None] + bias[:, None, None]
            elif step == "double":
                maps = F.conv_transpose2d(maps, weight, bias, stride=2, groups=len(weight))
            elif step == "depthwise":
                maps = F.conv2d(maps, weight, bias, padding=1, groups=len(weight))
            else:
                maps = F.conv2d(maps, weight, bias)
    return maps


def decode(state: State, images: Tensor, maps: list[Tensor]) -> Tensor:
    """Run the decoder on the image and the four maps: (N, 1, S, S) logits."""
    z3, z6, z9, z12 = maps
    of = parts(z12.shape[1])

    def run(part: str, *inputs: Tensor) -> Tensor:
        return _through(state, of[part], torch.cat(inputs, dim=1))

    up = run("decoder12_upsampler", z12)
    up = run("decoder9_upsampler", run("decoder9", z9), up)
    up = run("decoder6_upsampler", run("decoder6", z6), up)
    up = run("decoder3_upsampler", run("decoder3", z3), up)
    return run("decoder0_header", run("decoder0", images), up)


def _cubic(x: float) -> float:
    """OpenCV's INTER_CUBIC: Keys' kernel with a = -0.75."""
    x = abs(x)
    if x < 1:
        return (1.25 * x - 2.25) * x * x + 1
    return ((-0.75 * x + 3.75) * x - 6) * x + 3 if x < 2 else 0.0


def inputs_of(frames: NDArray[np.uint8], size: int) -> Tensor:
    """Pad to a square, resize as OpenCV does, to whole grey levels, and normalise."""
    rows, columns = frames.shape[1:]
    side = max(rows, columns)
    squares = np.zeros((len(frames), side, side))
    top, left = (side - rows) // 2, (side - columns) // 2
    squares[:, top : top + rows, left : left + columns] = frames
    line = np.zeros((size, side))
    for out in range(size):
        place = (out + 0.5) * side / size - 0.5
        for tap in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            line[out, min(max(tap, 0), side - 1)] += _cubic(place - tap)
    grey = np.clip(np.rint(line @ squares @ line.T), 0, 255)[:, None] / 255
    normalised = (grey - MEAN[:, None, None]) / STD[:, None, None]
    return torch.from_numpy(normalised.astype(np.float32))
