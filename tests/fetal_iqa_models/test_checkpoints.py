import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from open_clip import CLIP
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save_file

from fetal_iqa_models import WeightsError, load_encoder, weights_record
from fetal_iqa_models.checkpoints import load_pretrained, match_trunk, read_checkpoint

State = dict[str, Any]


@pytest.fixture(scope="module")
def clip() -> CLIP:
    """An open_clip model of random weights, of the size of the smallest encoder."""
    torch.manual_seed(1)
    vision = CLIPVisionCfg(layers=4, width=64, head_width=32, patch_size=14, image_size=56)
    text = CLIPTextCfg(context_length=7, vocab_size=11, width=16, heads=2, layers=1)
    return CLIP(embed_dim=64, vision_cfg=vision, text_cfg=text).eval()


@pytest.fixture
def checkpoint(clip: CLIP, tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    torch.save(clip.state_dict(), path)
    return path


WRAPPINGS: dict[str, Callable[[State, Path], None]] = {
    "plain": torch.save,
    "state_dict": lambda state, path: torch.save({"epoch": 3, "state_dict": state}, path),
    "module": lambda state, path: torch.save({f"module.{k}": v for k, v in state.items()}, path),
    "both": lambda state, path: torch.save(
        {"state_dict": {f"module.{k}": v for k, v in state.items()}}, path
    ),
    "half": lambda state, path: torch.save({k: v.half() for k, v in state.items()}, path),
    "older layout": lambda state, path: torch.save(
        state, path, _use_new_zipfile_serialization=False
    ),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_open_clips_checkpoint_gives_open_clips_embeddings(
    clip: CLIP, tmp_path: Path, images: torch.Tensor, wrapping: str
) -> None:
    path = tmp_path / "weights.pt"
    WRAPPINGS[wrapping](clip.state_dict(), path)
    encoder = load_encoder("fetalclip-tiny", path)
    tolerance = 2e-2 if wrapping == "half" else 1e-4
    with torch.no_grad():
        difference = encoder(images) - clip.encode_image(images)
    assert difference.abs().max() < tolerance
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert all(p.requires_grad for p in encoder.parameters())
    assert not encoder.training


def test_the_same_keys_as_safetensors_give_the_same(
    clip: CLIP, checkpoint: Path, images: torch.Tensor
) -> None:
    other = checkpoint.with_suffix(".safetensors")
    save_file(clip.state_dict(), other)
    first, second = (load_encoder("fetalclip-tiny", path) for path in (checkpoint, other))
    assert torch.equal(first(images), second(images))


def test_the_encoder_does_not_hang_on_the_file(checkpoint: Path, images: torch.Tensor) -> None:
    encoder = load_encoder("fetalclip-tiny", checkpoint)
    before = encoder(images)
    checkpoint.write_bytes(bytes(checkpoint.stat().st_size))
    assert torch.equal(encoder(images), before)


@pytest.mark.parametrize("classifier", [True, False])
def test_timms_own_files_load_without_their_classifier(tmp_path: Path, classifier: bool) -> None:
    encoder = load_encoder("efficientnet_b0")
    state = encoder.trunk.state_dict()
    if classifier:
        state |= {
            "classifier.weight": torch.zeros(1000, 1280),
            "classifier.bias": torch.zeros(1000),
        }
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    images = torch.randn(1, 3, 224, 224)
    assert torch.equal(load_encoder("efficientnet_b0", path)(images), encoder(images))


def test_published_swin_files_hold_computed_tensors_that_are_left_out(tmp_path: Path) -> None:
    def make() -> torch.nn.Module:
        return timm.create_model(
            "swin_tiny_patch4_window7_224", img_size=56, embed_dim=12, depths=(1, 2),
            num_heads=(1, 2), num_classes=0,
        )  # fmt: skip

    published = make()
    state = published.state_dict() | {"layers.1.blocks.1.attn_mask": torch.zeros(1, 49, 49)}
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    trunk = make()
    load_pretrained(trunk, path)
    images = torch.randn(1, 3, 56, 56)
    assert torch.equal(trunk.eval()(images), published.eval()(images))


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("pos_embed", (1, 577, 384)),  # of 384 x 384 images
        ("pos_embed", (1, 196, 384)),  # without a place for the class token
        ("patch_embed.proj.weight", (384, 3, 32, 32)),
    ],
)
def test_timms_files_of_another_size_are_not_resampled(
    tmp_path: Path, key: str, shape: tuple[int, ...]
) -> None:
    state = load_encoder("vit_s").trunk.state_dict() | {key: torch.zeros(shape)}
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    with pytest.raises(WeightsError, match=f"wrong shape: {key} ") as caught:
        load_encoder("vit_s", path)
    assert f"{shape} in place of" in str(caught.value)


def test_swins_of_other_windows_are_not_resampled(tmp_path: Path) -> None:
    state = load_encoder("swin-demo").trunk.state_dict()
    key = next(name for name in state if name.endswith("relative_position_bias_table"))
    path = tmp_path / "model.safetensors"
    save_file(state | {key: torch.zeros(529, state[key].shape[1])}, path)
    with pytest.raises(WeightsError, match="relative_position_bias_table"):
        load_encoder("swin-demo", path)


def test_an_encoder_with_computed_tensors_loads_too(tmp_path: Path) -> None:
    encoder = load_encoder("dinov3_vits")  # its rotary frequencies are computed, not stored
    path = tmp_path / "model.safetensors"
    save_file(encoder.trunk.state_dict(), path)
    images = torch.randn(1, 3, 224, 224)
    assert torch.equal(load_encoder("dinov3_vits", path)(images), encoder(images))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("visual.proj"), r"missing: head\.weight"),
        (lambda s: s.pop("visual.conv1.weight"), r"missing: visual\.conv1\.weight"),
        (lambda s: s.update({"visual.surprise": torch.zeros(1)}), "unexpected: surprise"),
        (lambda s: s.update({"visual.a\nb": torch.zeros(1)}), "unexpected: a b$"),
        (lambda s: s.update({"surprise": torch.zeros(1)}), "not an open_clip checkpoint.*surprise"),
        (lambda s: s.update({"visual.proj": torch.zeros(64, 65)}), r"head\.weight \(65, 64\)"),
        (
            lambda s: s.update({"visual.positional_embedding": torch.zeros(26, 64)}),
            r"positional_embedding \(26, 64\) in place of \(17, 64\)",  # of 70 x 70 images
        ),
        (
            lambda s: s.update({"visual.conv1.weight": torch.zeros(64, 3, 16, 16)}),
            r"conv1\.weight \(64, 3, 16, 16\) in place of",
        ),
        (
            lambda s: [s.pop(k) for k in list(s) if ".resblocks.3." in k],
            "missing: blocks.3.* and 9 more",
        ),
        (
            lambda s: s.update({"visual.proj": "text"}),
            r"found str at visual\.proj; save its state_dict alone$",
        ),
    ],
)
def test_a_checkpoint_of_anything_else_is_refused_by_the_keys_names(
    clip: CLIP, tmp_path: Path, change: Callable[[State], object], message: str
) -> None:
    state = dict(clip.state_dict())
    change(state)
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(WeightsError, match=message) as caught:
        load_encoder("fetalclip-tiny", path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layout", ["open_clip", "timm", "swin"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 2), (1, 1, 1, 1, 1)])
def test_a_tensor_of_any_other_shape_is_refused_in_one_line(
    clip: CLIP, tmp_path: Path, layout: str, shape: tuple[int, ...]
) -> None:
    encoder = "swin-demo" if layout == "swin" else "fetalclip-tiny"
    trunk = load_encoder(encoder).trunk
    state = clip.state_dict() if layout == "open_clip" else trunk.state_dict()
    path = tmp_path / "weights.pt"
    for key in [*state][:: len(state) // 20]:
        if layout != "open_clip" or key.startswith("visual."):
            with pytest.raises(WeightsError, match="not a checkpoint of this encoder"):
                match_trunk(trunk, {**state, key: torch.zeros(shape)}, path)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.complex64, torch.bool])
def test_weights_that_are_no_fractions_are_refused(
    clip: CLIP, tmp_path: Path, dtype: torch.dtype
) -> None:
    state = clip.state_dict()
    key = "visual.transformer.resblocks.0.mlp.c_fc.weight"
    path = tmp_path / "weights.pt"
    torch.save({**state, key: state[key].to(dtype)}, path)
    with pytest.raises(WeightsError, match=rf"wrong type: .*mlp.* {dtype} in place of torch.flo"):
        load_encoder("fetalclip-tiny", path)


def test_another_encoders_checkpoint_is_refused(checkpoint: Path) -> None:
    for name in ("swin-demo", "vit_s", "resnet50"):
        with pytest.raises(WeightsError, match="not a checkpoint of this encoder"):
            load_encoder(name, checkpoint)


class Bomb:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return self.target.touch, ()


@pytest.mark.parametrize("layout", ["zip", "older", "bare pickle", "in a state_dict"])
def test_a_malicious_pickle_never_runs(clip: CLIP, tmp_path: Path, layout: str) -> None:
    exploded = tmp_path / "exploded"
    path = tmp_path / "weights.pt"
    bomb: object = Bomb(exploded)
    if layout == "in a state_dict":
        bomb = {"state_dict": {**clip.state_dict(), "visual.proj": bomb}}
    if layout == "bare pickle":
        path.write_bytes(pickle.dumps(bomb))
    else:
        torch.save(bomb, path, _use_new_zipfile_serialization=layout != "older")
    reason = "a pickle of another program" if layout == "bare pickle" else "more than tensors"
    reasons = {".pt": reason, ".bin": reason, ".safetensors": "not a readable weights file"}
    for suffix, reason in reasons.items():
        renamed = path.rename(path.with_suffix(suffix))
        for read in (read_checkpoint, lambda p: load_encoder("fetalclip-tiny", p)):
            with pytest.raises(WeightsError, match=reason) as caught:
                read(renamed)
            assert "\n" not in str(caught.value)
        path = renamed
    assert not exploded.exists()
    if layout == "bare pickle":  # the bomb is live: plain pickle does run it
        pickle.loads(path.read_bytes())  # noqa: S301
        assert exploded.exists()


@pytest.mark.parametrize("keep", [0, 3, 1000, -100])
def test_a_truncated_checkpoint_is_refused(checkpoint: Path, keep: int) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="not a readable weights file, download it again"):
        read_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "content", [[1, 2], 3, "text", {}, {"state_dict": {}}, {1: torch.zeros(1)}]
)
def test_a_file_without_tensors_by_name_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(WeightsError, match="expected tensors by name"):
        read_checkpoint(path)


def test_a_hostile_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(WeightsError, match="not a readable weights file"):
        read_checkpoint(path)


def test_a_missing_file_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.pt: no such weights file"):
        load_encoder("fetalclip-tiny", tmp_path / "nowhere.pt")
    with pytest.raises(WeightsError, match=r"nowhere\.pt: cannot be read \(No such file"):
        weights_record(tmp_path / "nowhere.pt")


def test_the_record_of_a_file_is_its_name_and_sha256(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"abc")
    record = weights_record(path)
    assert record.name == "weights.pt"
    # FIPS 180-2, appendix B.1
    assert record.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.slow
def test_a_full_size_fetalclip_checkpoint_gives_open_clips_embeddings(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vision = CLIPVisionCfg(layers=24, width=1024, patch_size=14, image_size=224)
    text = CLIPTextCfg(context_length=117, width=768, heads=12, layers=12)
    clip = CLIP(embed_dim=768, vision_cfg=vision, text_cfg=text).eval()
    path = tmp_path / "FetalCLIP_weights.pt"
    torch.save(clip.state_dict(), path)
    assert abs(path.stat().st_size / 1_710_766_661 - 1) < 1e-3  # as large as the published one
    frames = torch.randn(3, 3, 224, 224)
    with torch.inference_mode():
        expected = clip.encode_image(frames)
        del clip
        found = load_encoder("fetalclip", path)(frames)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
