"""UltraSam's published layout, against the network written out by the published names."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fetal_iqa_models import (
    FrameClassifier,
    FrameSegmenter,
    WeightsError,
    encoder_spec,
    load_encoder,
    registry,
    set_strategy,
)
from fetal_iqa_models.checkpoints import match_trunk
from fetal_iqa_models.encoders import blank_encoder

Shapes = dict[str, tuple[int, ...]]
GLOBAL = (2, 5, 8, 11)


def published(
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    grid: int = 64,
    window: int = 14,
    whole: tuple[int, ...] = GLOBAL,
) -> Shapes:
    """Names and shapes in mmpretrain's ViTSAM, and some of the parts of SAM beside it."""
    shapes: Shapes = {
        "pos_embed": (1, grid, grid, width),
        "patch_embed.projection.weight": (width, 3, 16, 16),
        "patch_embed.projection.bias": (width,),
        "channel_reduction.0.weight": (256, width, 1, 1),
        "channel_reduction.2.weight": (256, 256, 3, 3),
        **{f"channel_reduction.{n}.{part}": (256,) for n in (1, 3) for part in ("weight", "bias")},
    }
    for layer in range(depth):
        reach = 2 * (grid if layer in whole else window) - 1
        for name, shape in {
            **{f"ln{n}.{part}": (width,) for n in (1, 2) for part in ("weight", "bias")},
            "attn.rel_pos_h": (reach, width // heads),
            "attn.rel_pos_w": (reach, width // heads),
            "attn.qkv.weight": (3 * width, width),
            "attn.qkv.bias": (3 * width,),
            "attn.proj.weight": (width, width),
            "attn.proj.bias": (width,),
            "ffn.layers.0.0.weight": (4 * width, width),
            "ffn.layers.0.0.bias": (4 * width,),
            "ffn.layers.1.weight": (width, 4 * width),
            "ffn.layers.1.bias": (width,),
        }.items():
            shapes[f"layers.{layer}.{name}"] = shape
    return {f"backbone.{name}": shape for name, shape in shapes.items()} | {
        "prompt_encoder.label_encoder.point_embedding.weight": (4, 256),
        "decoder.layers.0.self_attn.qkv.weight": (8, 8),
        "bbox_head.iou_prediction_head.0.weight": (8, 8),
    }


SMALL = {"width": 32, "depth": 4, "heads": 4, "grid": 4, "window": 3, "whole": (1, 3)}


def run(tensors: dict[str, Tensor], images: Tensor) -> tuple[list[Tensor], Tensor]:
    """Maps after each layer, and the embedding; after mmpretrain's ViTSAM, nothing of timm's."""

    def of(name: str) -> Tensor:
        return tensors[f"backbone.{name}"]

    def norm(x: Tensor, name: str, axis: int = -1) -> Tensor:
        shape = [1] * x.ndim
        shape[axis] = -1
        x = (x - x.mean(axis, keepdim=True)) / (
            x.var(axis, keepdim=True, correction=0) + 1e-6
        ).sqrt()
        return x * of(f"{name}.weight").view(shape) + of(f"{name}.bias").view(shape)

    def attend(x: Tensor, name: str) -> Tensor:
        n, rows, columns, width = x.shape
        qkv = x.reshape(n, -1, width) @ of(f"{name}.qkv.weight").T + of(f"{name}.qkv.bias")
        q, k, v = (part.unflatten(-1, (4, -1)).transpose(1, 2) for part in qkv.chunk(3, -1))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        for one in range(rows * columns):
            for other in range(rows * columns):
                down = one // columns - other // columns + rows - 1
                right = one % columns - other % columns + columns - 1
                place = of(f"{name}.rel_pos_h")[down] + of(f"{name}.rel_pos_w")[right]
                scores[:, :, one, other] += q[:, :, one] @ place
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, rows, columns, width)
        return mixed @ of(f"{name}.proj.weight").T + of(f"{name}.proj.bias")

    x = F.conv2d(
        images, of("patch_embed.projection.weight"), of("patch_embed.projection.bias"), 16
    ).permute(0, 2, 3, 1) + of("pos_embed")
    maps = []
    for layer in range(4):
        name = f"layers.{layer}"
        inner = norm(x, f"{name}.ln1")
        if layer in (1, 3):
            mixed = attend(inner, f"{name}.attn")
        else:  # windows of 3 x 3 over 4 x 4 cells: the last are padded with zeros
            padded = F.pad(inner, (0, 0, 0, 2, 0, 2))
            mixed = torch.zeros_like(padded)
            for row in (0, 3):
                for column in (0, 3):
                    part = (slice(None), slice(row, row + 3), slice(column, column + 3))
                    mixed[part] = attend(padded[part], f"{name}.attn")
            mixed = mixed[:, :4, :4]
        x = x + mixed
        inner = norm(x, f"{name}.ln2") @ of(f"{name}.ffn.layers.0.0.weight").T
        inner = F.gelu(inner + of(f"{name}.ffn.layers.0.0.bias"))
        x = x + inner @ of(f"{name}.ffn.layers.1.weight").T + of(f"{name}.ffn.layers.1.bias")
        maps.append(x.permute(0, 3, 1, 2))
    reduced = norm(F.conv2d(maps[-1], of("channel_reduction.0.weight")), "channel_reduction.1", 1)
    reduced = F.conv2d(reduced, of("channel_reduction.2.weight"), padding=1)
    return maps, norm(reduced, "channel_reduction.3", 1).mean((2, 3))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row of the table, of a small network."""
    row = encoder_spec("ultrasam")
    options = {
        **row.timm_options,
        "embed_dim": 32,
        "depth": 4,
        "num_heads": 4,
        "img_size": 64,
        "window_size": 3,
        "global_attn_indexes": (1, 3),
    }
    spec = replace(row, timm_options=options, image_size=64, taps=(0, 1, 2, 3))
    monkeypatch.setitem(registry._TABLE, "ultrasam", spec)


def random_checkpoint() -> dict[str, Tensor]:
    return {name: 0.3 * torch.randn(shape) for name, shape in published(**SMALL).items()}


def save(tensors: dict[str, Tensor], path: Path) -> Path:
    torch.save({"meta": {"iter": 30000}, "state_dict": tensors}, path)
    return path


def test_the_published_layout_is_taken_tensor_by_tensor() -> None:
    tensors = {name: torch.empty(shape, device="meta") for name, shape in published().items()}
    trunk = blank_encoder("ultrasam").trunk
    assert match_trunk(trunk, tensors, Path("f")).keys() == trunk.state_dict().keys()
    assert len(trunk.state_dict()) == len(tensors) - 3


@pytest.mark.usefixtures("small")
def test_features_and_embedding_are_those_of_the_network_by_its_published_names(
    tmp_path: Path,
) -> None:
    tensors = random_checkpoint()
    encoder = load_encoder("ultrasam", save(tensors, tmp_path / "UltraSam.pth"))
    images = torch.randn(2, 3, 64, 64)
    maps, embedding = run(tensors, images)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), embedding, rtol=1e-4, atol=1e-4)
        for found, expected in zip(encoder.features(images), maps, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("backbone.layers.1.ln2.bias"), r"missing: blocks\.1\.norm2\.bias"),
        (lambda t: t.update({"backbone.cls_token": torch.zeros(1)}), "unexpected: cls_token"),
        (lambda t: t.update({"neck.0.weight": torch.zeros(1)}), "wrong shape: neck.0.weight"),
        (
            lambda t: t.update({"backbone.pos_embed": torch.zeros(1, 5, 5, 32)}),
            "wrong shape: pos_embed",
        ),
    ],
)
@pytest.mark.usefixtures("small")
def test_a_file_that_differs_in_one_tensor_is_refused(tmp_path: Path, change, message: str) -> None:
    tensors = random_checkpoint()
    change(tensors)
    with pytest.raises(WeightsError, match=message):
        load_encoder("ultrasam", save(tensors, tmp_path / "f.pth"))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", [FrameClassifier, FrameSegmenter])
def test_its_lora_trains(kind) -> None:
    network = kind(load_encoder("ultrasam"))
    set_strategy(network, "lora")
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    trained = {n: p for n, p in network.named_parameters() if p.requires_grad}
    assert len([name for name in trained if ".lora_" in name]) == 4 * 3 * 2
    assert all(parameter.grad is not None for parameter in trained.values())
