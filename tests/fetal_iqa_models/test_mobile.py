"""MobileFetalCLIP's published layout, against the network written out by the published names."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fetal_iqa_models import WeightsError, encoder_spec, load_encoder
from fetal_iqa_models.mobile import image_tower

PREFIX = "visual.trunk."


class PublishedNetwork(dict[str, Tensor]):
    """FastViT MCi0 as functions of tensors by their published names.

    A tensor that is requested for the first time is made at random, so that running the network
    once makes a whole checkpoint. After arXiv 2303.14189, figures 2 and 3, and 2311.17049,
    appendix A; nothing of timm's is used.
    """

    def tensor(self, name: str, *shape: int, positive: bool = False) -> Tensor:
        if PREFIX + name not in self:
            fan_in = math.prod(shape[1:])
            values = torch.rand(shape) + 0.5 if positive else torch.randn(shape) / fan_in**0.5
            self[PREFIX + name] = values if positive or fan_in > 1 else 0.3 * values
        return self[PREFIX + name]

    def norm(self, x: Tensor, name: str) -> Tensor:
        channels = x.shape[1]
        self.setdefault(f"{PREFIX}{name}.num_batches_tracked", torch.tensor(7))
        return F.batch_norm(
            x,
            self.tensor(f"{name}.running_mean", channels),
            self.tensor(f"{name}.running_var", channels, positive=True),
            self.tensor(f"{name}.weight", channels, positive=True),
            self.tensor(f"{name}.bias", channels),
        )

    def conv(
        self, x: Tensor, name: str, out: int, size: int, stride: int = 1, groups: int = 1
    ) -> Tensor:
        """Convolution without bias, and its normalisation."""
        weight = self.tensor(f"{name}.conv.weight", out, x.shape[1] // groups, size, size)
        return self.norm(F.conv2d(x, weight, None, stride, size // 2, 1, groups), f"{name}.bn")

    def pointwise(self, x: Tensor, name: str, out: int) -> Tensor:
        weight = self.tensor(f"{name}.weight", out, x.shape[1], 1, 1)
        return F.conv2d(x, weight, self.tensor(f"{name}.bias", out))

    def excite(self, x: Tensor, squeeze: str, expand: str, ratio: float) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        inner = F.relu(self.pointwise(pooled, squeeze, int(x.shape[1] * ratio)))
        return x * torch.sigmoid(self.pointwise(inner, expand, x.shape[1]))

    def mobile_one(
        self,
        x: Tensor,
        name: str,
        out: int,
        size: int,
        stride: int = 1,
        groups: int = 1,
        branches: bool = True,
        excite: bool = False,
    ) -> Tensor:
        total = torch.zeros(())
        if x.shape[1] == out and stride == 1:
            total = total + self.norm(x, f"{name}.rbr_skip")
        if branches:
            total = total + self.conv(x, f"{name}.rbr_conv.0", out, size, stride, groups)
        if branches and size > 1:
            total = total + self.conv(x, f"{name}.rbr_scale", out, 1, stride, groups)
        if excite:
            total = self.excite(total, f"{name}.se.reduce", f"{name}.se.expand", 1 / 16)
        return total

    def mlp(self, x: Tensor, name: str) -> Tensor:
        channels = x.shape[1]
        x = self.conv(x, f"{name}.conv", channels, 7, groups=channels)
        x = F.gelu(self.pointwise(x, f"{name}.fc1", 3 * channels))
        return self.pointwise(x, f"{name}.fc2", channels)

    def mixer_block(self, x: Tensor, name: str) -> Tensor:
        channels = x.shape[1]
        mixer = f"{name}.token_mixer"
        mixed = self.mobile_one(x, f"{mixer}.mixer", channels, 3, groups=channels)
        plain = self.mobile_one(x, f"{mixer}.norm", channels, 3, branches=False)
        x = x + self.tensor(f"{mixer}.layer_scale", channels, 1, 1) * (mixed - plain)
        scale = self.tensor(f"{name}.layer_scale", channels, 1, 1)
        return x + scale * self.mlp(x, f"{name}.convffn")

    def attention_block(self, x: Tensor, name: str) -> Tensor:
        n, channels, rows, columns = x.shape
        tokens = self.norm(x, f"{name}.norm").flatten(2).transpose(1, 2)
        qkv = tokens @ self.tensor(f"{name}.token_mixer.qkv.weight", 3 * channels, channels).T
        q, k, v = (
            part.reshape(n, -1, channels // 32, 32).transpose(1, 2) for part in qkv.chunk(3, -1)
        )
        weights = (q @ k.transpose(-1, -2) / 32**0.5).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(n, -1, channels)
        mixed = mixed @ self.tensor(f"{name}.token_mixer.proj.weight", channels, channels).T
        mixed = mixed + self.tensor(f"{name}.token_mixer.proj.bias", channels)
        mixed = mixed.transpose(1, 2).reshape(n, channels, rows, columns)
        x = x + self.tensor(f"{name}.layer_scale_1", channels, 1, 1) * mixed
        scale = self.tensor(f"{name}.layer_scale_2", channels, 1, 1)
        return x + scale * self.mlp(x, f"{name}.convffn")

    def downsample(self, x: Tensor, name: str, out: int, excite: bool) -> Tensor:
        inputs = x.shape[1]
        large = self.conv(x, f"{name}.proj.0.lkb_origin", out, 7, 2, inputs)
        x = large + self.conv(x, f"{name}.proj.0.small_conv", out, 3, 2, inputs)
        if excite:
            x = self.excite(x, f"{name}.proj.0.se.fc1", f"{name}.proj.0.se.fc2", 1 / 4)
        return F.gelu(self.mobile_one(F.gelu(x), f"{name}.proj.1", out, 1))

    def __call__(self, x: Tensor) -> Tensor:
        x = F.gelu(self.mobile_one(x, "patch_embed.0", 64, 3, 2))
        x = F.gelu(self.mobile_one(x, "patch_embed.1", 64, 3, 2, 64))
        x = F.gelu(self.mobile_one(x, "patch_embed.2", 64, 1))
        for place, blocks, out in ((0, 2, 128), (2, 6, 256), (4, 10, 512)):
            for block in range(blocks):
                x = self.mixer_block(x, f"network.{place}.{block}")
            x = self.downsample(x, f"network.{place + 1}", out, excite=out > 128)
        weight = self.tensor("network.6.pe.weight", 512, 1, 7, 7)
        x = x + F.conv2d(x, weight, self.tensor("network.6.pe.bias", 512), 1, 3, 1, 512)
        for block in range(2):
            x = self.attention_block(x, f"network.7.{block}")
        x = F.gelu(self.mobile_one(x, "conv_exp", 1024, 3, groups=512, excite=True))
        embedding = x.mean((2, 3)) @ self.tensor("head.weight", 512, 1024).T
        return embedding + self.tensor("head.bias", 512)


@pytest.fixture(scope="module")
def network() -> PublishedNetwork:
    torch.manual_seed(3)
    network = PublishedNetwork()
    with torch.no_grad():
        network(torch.randn(1, 3, 64, 64))
    return network


@pytest.fixture(scope="module")
def published(network: PublishedNetwork) -> dict[str, Tensor]:
    """A checkpoint as open_clip's training leaves it: the image tower and the text side."""
    text = {
        "text.token_embedding.weight": torch.zeros(3, 4),
        "text.positional_embedding": torch.zeros(117, 4),
        "text.transformer.resblocks.0.ln_1.weight": torch.zeros(4),
        "text.ln_final.weight": torch.zeros(4),
        "text.text_projection": torch.zeros(4, 512),
        "logit_scale": torch.tensor(4.6),
    }
    return {**network, **text}


def test_the_published_layout_gives_the_published_networks_embeddings(
    network: PublishedNetwork, published: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "mobile_fetal_clip_weights.pt"
    torch.save({"state_dict": {f"module.{k}": v for k, v in published.items()}}, path)
    encoder = load_encoder("mobilefetalclip", path)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        found, expected = encoder(images), network(images)
    assert expected.std() > 0.1
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    assert len(network) == len(encoder.trunk.state_dict())
    # arXiv 2603.05421: 11.4 million parameters in the image encoder
    assert round(sum(p.numel() for p in encoder.parameters()) / 1e6, 1) == 11.4


def test_the_row_is_the_published_one() -> None:
    spec = encoder_spec("mobilefetalclip")
    assert spec.restricted
    assert (spec.image_size, spec.timm_options["num_classes"]) == (256, 512)
    assert (spec.mean, spec.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop(f"{PREFIX}head.bias"), r"missing: head\.fc\.bias$"),
        (lambda s: s.pop(f"{PREFIX}network.6.pe.weight"), r"missing: stages\.3\.pos_emb\.pos_enc"),
        (
            lambda s: s.update({f"{PREFIX}network.8.0.x": torch.zeros(1)}),
            r"unexpected: .*work\.8\.0\.x",
        ),
        (lambda s: s.update({f"{PREFIX}surprise": torch.zeros(1)}), "unexpected: .*surprise"),
        (
            lambda s: s.update({f"{PREFIX}conv_exp.se.fc1.bias": torch.zeros(64)}),
            r"unexpected: visual\.trunk\.conv_exp\.se\.fc1\.bias$",  # its place is taken
        ),
        (lambda s: s.update({"visual.head.proj.weight": torch.zeros(1)}), "not an open_clip check"),
        (
            lambda s: s.update({f"{PREFIX}head.weight": torch.zeros(512, 9)}),
            r"\(512, 9\) in place of",
        ),
    ],
)
def test_a_key_too_few_or_too_many_is_refused_by_its_name(
    published: dict[str, Tensor], tmp_path: Path, change: Change, message: str
) -> None:
    state = dict(published)
    change(state)
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(WeightsError, match=message) as caught:
        load_encoder("mobilefetalclip", path)
    assert "\n" not in str(caught.value)


def test_it_is_no_checkpoint_of_another_encoder(
    published: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    torch.save(published, path)
    with pytest.raises(WeightsError, match="not a checkpoint of this encoder"):
        load_encoder("fetalclip-tiny", path)


def test_every_tensor_has_a_place_of_its_own(published: dict[str, Tensor]) -> None:
    tower = image_tower(published)
    assert len(tower) == len([name for name in published if name.startswith(PREFIX)])
    assert not any(name.startswith(PREFIX) for name in tower)
