"""USFM's published layout, against the network written out by the published names."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from fetal_iqa_models import (
    FrameClassifier,
    WeightsError,
    WeightsStore,
    encoder_spec,
    import_weights,
    load_encoder,
    registry,
    set_strategy,
)
from fetal_iqa_models.checkpoints import match_trunk
from fetal_iqa_models.encoders import blank_encoder

Shapes = dict[str, tuple[int, ...]]


def published(width: int = 768, depth: int = 12, heads: int = 12, grid: int = 14) -> Shapes:
    """Names and shapes of the tensors of ``USFM_latest.pth``."""
    shapes: Shapes = {
        "cls_token": (1, 1, width),
        "mask_token": (1, 1, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
        "rel_pos_bias.relative_position_bias_table": ((2 * grid - 1) ** 2 + 3, heads),
        "rel_pos_bias.relative_position_index": (grid**2 + 1, grid**2 + 1),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for block in range(depth):
        for name, shape in {
            **dict.fromkeys(("gamma_1", "gamma_2", "attn.q_bias", "attn.v_bias"), (width,)),
            **{f"norm{n}.{part}": (width,) for n in (1, 2) for part in ("weight", "bias")},
            "attn.qkv.weight": (3 * width, width),
            "attn.proj.weight": (width, width),
            "attn.proj.bias": (width,),
            "mlp.fc1.weight": (4 * width, width),
            "mlp.fc1.bias": (4 * width,),
            "mlp.fc2.weight": (width, 4 * width),
            "mlp.fc2.bias": (width,),
        }.items():
            shapes[f"blocks.{block}.{name}"] = shape
    return shapes


def run(tensors: dict[str, Tensor], images: Tensor, heads: int, depth: int) -> list[Tensor]:
    """Tokens after each block; after Bao et al., BEiT, with nothing of timm's."""

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-6).sqrt()
        return x * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    patches = F.conv2d(
        images, tensors["patch_embed.proj.weight"], tensors["patch_embed.proj.bias"], 16
    )
    grid = patches.shape[-1]
    x = patches.flatten(2).transpose(1, 2)
    x = torch.cat([tensors["cls_token"].expand(len(x), -1, -1), x], 1)
    bias = torch.zeros(grid**2 + 1, grid**2 + 1, heads)
    table = tensors["rel_pos_bias.relative_position_bias_table"]
    for one in range(grid**2):
        for other in range(grid**2):
            down = one // grid - other // grid + grid - 1
            right = one % grid - other % grid + grid - 1
            bias[one + 1, other + 1] = table[down * (2 * grid - 1) + right]
    bias[0, :], bias[:, 0], bias[0, 0] = table[-3], table[-2], table[-1]
    states = []
    for block in range(depth):
        of = f"blocks.{block}."
        qkv = norm(x, f"{of}norm1") @ tensors[f"{of}attn.qkv.weight"].T
        q, k, v = qkv.chunk(3, -1)
        q, v = q + tensors[f"{of}attn.q_bias"], v + tensors[f"{of}attn.v_bias"]
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias.permute(2, 0, 1)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + tensors[f"{of}gamma_1"] * linear(mixed, f"{of}attn.proj")
        inner = F.gelu(linear(norm(x, f"{of}norm2"), f"{of}mlp.fc1"))
        x = x + tensors[f"{of}gamma_2"] * linear(inner, f"{of}mlp.fc2")
        states.append(x)
    pooled = norm(x[:, 1:].mean(1), "norm")
    return [*states, pooled]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The row of the table, of a small network."""
    size = {"width": 32, "depth": 4, "heads": 4, "grid": 3}
    row = encoder_spec("usfm")
    options = {**row.timm_options, "embed_dim": 32, "depth": 4, "num_heads": 4, "img_size": 48}
    spec = replace(row, timm_options=options, image_size=48, taps=(0, 1, 2, 3))
    monkeypatch.setitem(registry._TABLE, "usfm", spec)
    return size


def random_checkpoint(size: dict[str, int]) -> dict[str, Tensor]:
    return {
        name: torch.randint(9, shape) if name.endswith("index") else 0.3 * torch.randn(shape)
        for name, shape in published(**size).items()
    }


def test_the_published_file_is_taken_tensor_by_tensor() -> None:
    tensors = {name: torch.empty(shape, device="meta") for name, shape in published().items()}
    assert len(tensors) == 188
    trunk = blank_encoder("usfm").trunk
    assert match_trunk(trunk, tensors, Path("f")).keys() == trunk.state_dict().keys()


@pytest.mark.parametrize("kind", [".pth", ".safetensors"])
def test_features_and_embedding_are_those_of_the_network_by_its_published_names(
    small: dict[str, int], tmp_path: Path, kind: str
) -> None:
    tensors = random_checkpoint(small)
    path = tmp_path / f"USFM_latest{kind}"
    save_file(tensors, path) if kind == ".safetensors" else torch.save(tensors, path)
    encoder = load_encoder("usfm", path)
    images = torch.randn(2, 3, 48, 48)
    *states, embedding = run(tensors, images, heads=4, depth=4)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), embedding, rtol=1e-4, atol=1e-5)
        for found, state in zip(encoder.features(images), states, strict=True):
            expected = state[:, 1:].transpose(1, 2).unflatten(2, (3, 3))
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("blocks.1.gamma_2"), r"missing: blocks\.1\.gamma_2"),
        (lambda t: t.update({"pos_embed": torch.zeros(1, 10, 32)}), "unexpected: pos_embed"),
        (
            lambda t: t.update({"rel_pos_bias.relative_position_bias_table": torch.zeros(84, 4)}),
            r"wrong shape: rel_pos_bias\.relative_position_bias_table",
        ),
    ],
)
def test_a_file_that_differs_in_one_tensor_is_refused(
    small: dict[str, int], tmp_path: Path, change, message: str
) -> None:
    tensors = random_checkpoint(small)
    change(tensors)
    torch.save(tensors, tmp_path / "f.pth")
    with pytest.raises(WeightsError, match=message):
        load_encoder("usfm", tmp_path / "f.pth")


def test_an_imported_file_gives_the_encoder_of_the_file(
    small: dict[str, int], tmp_path: Path
) -> None:
    torch.save(random_checkpoint(small), tmp_path / "f.pth")
    stored = import_weights("usfm", tmp_path / "f.pth", WeightsStore(tmp_path / "store"))
    assert not stored.published  # random: by its sha256
    images = torch.randn(1, 3, 48, 48)
    with torch.no_grad():
        one, other = (load_encoder("usfm", f)(images) for f in (tmp_path / "f.pth", stored.path))
    assert torch.equal(one, other)


def test_its_lora_trains(small: dict[str, int]) -> None:
    network = FrameClassifier(load_encoder("usfm"))
    set_strategy(network, "lora")
    network(torch.randn(2, 3, 48, 48)).sum().backward()
    trained = {n: p for n, p in network.named_parameters() if p.requires_grad}
    assert len(trained) == 4 * 3 * 2 + 2
    assert all(parameter.grad is not None for parameter in trained.values())
