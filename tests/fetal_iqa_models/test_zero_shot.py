import math
import socket
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from fetal_iqa_models import WeightsError, WeightsStore, import_weights, preprocess, zero_shot
from fetal_iqa_models.zero_shot import embed_prompts

PROMPTS = {
    "abdomen": [
        "Ultrasound image of the fetal abdomen.",
        "A standard plane for measuring the abdominal circumference.",
    ],
    "head": ["Ultrasound image of the fetal head."],
    "nothing": ["No fetus in view.", "Only maternal tissue.", "A black image."],
}


@pytest.fixture(scope="module")
def clip() -> open_clip.CLIP:
    """An open_clip model with FetalCLIP's context and tokens, and a small text side."""
    torch.manual_seed(2)
    vision = CLIPVisionCfg(layers=4, width=64, head_width=32, patch_size=14, image_size=56)
    text = CLIPTextCfg(context_length=117, width=128, heads=2, layers=2)
    model = open_clip.CLIP(embed_dim=64, vision_cfg=vision, text_cfg=text).eval()
    with torch.no_grad():  # as training leaves them: biases that matter
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def checkpoint(clip: open_clip.CLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "weights.pt"
    torch.save(clip.state_dict(), path)
    return path


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (5, 40, 70), np.uint8)


def by_hand(clip: open_clip.CLIP, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """As FetalCLIP's authors score: open_clip's own towers, in float64 from the embeddings on."""
    tokenizer = open_clip.SimpleTokenizer(context_length=117)
    with torch.no_grad():
        images = clip.encode_image(preprocess(frames, 56)).double().numpy()
        labels = []
        for texts in PROMPTS.values():
            rows = clip.encode_text(tokenizer(texts)).double().numpy()
            mean = np.mean([row / np.linalg.norm(row) for row in rows], axis=0)
            labels.append(mean / np.linalg.norm(mean))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    odds = np.exp(100 * images @ np.array(labels).T)
    return odds / odds.sum(1, keepdims=True)


def score(frames: NDArray[np.uint8], weights: Path, **options: Any) -> NDArray[np.float32]:
    prompts = options.pop("prompts", PROMPTS)
    return zero_shot(frames, prompts, weights, "fetalclip-tiny", device="cpu", **options)


def test_scores_are_open_clips_own(
    clip: open_clip.CLIP, checkpoint: Path, frames: NDArray[np.uint8]
) -> None:
    expected = by_hand(clip, frames)
    found = score(frames, checkpoint, batch_size=2)
    assert found.shape == (5, 3)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 2e-3
    assert np.allclose(found.sum(1), 1)
    assert expected.std() > 0.01  # the frames differ, so agreement means something


def test_imported_weights_score_as_the_original_does(
    checkpoint: Path, frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    stored = import_weights("fetalclip-tiny", checkpoint, WeightsStore(tmp_path))
    assert np.array_equal(score(frames, stored.path), score(frames, checkpoint))


def test_neither_the_order_of_labels_nor_a_repeated_prompt_matters(
    checkpoint: Path, frames: NDArray[np.uint8]
) -> None:
    found = score(frames, checkpoint)
    turned = {label: [*texts, *texts] for label, texts in reversed(PROMPTS.items())}
    assert np.allclose(score(frames, checkpoint, prompts=turned), found[:, ::-1], atol=1e-5)


def test_labels_are_unit_vectors(checkpoint: Path) -> None:
    labels = embed_prompts(PROMPTS, checkpoint)
    assert labels.shape == (3, 64)
    assert torch.allclose(labels.norm(dim=1), torch.ones(3))


def test_no_frames_give_no_scores(checkpoint: Path) -> None:
    assert score(np.zeros((0, 9, 9), np.uint8), checkpoint).shape == (0, 3)


def test_neither_words_nor_weights_need_a_network(
    checkpoint: Path, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert math.isclose(score(frames[:1], checkpoint).sum(), 1, rel_tol=1e-5)


@pytest.mark.parametrize("prompts", [{}, {"abdomen": []}, {"abdomen": "a single text"}])
def test_a_label_without_a_list_of_prompts_is_refused(checkpoint: Path, prompts: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        embed_prompts(prompts, checkpoint)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("token_embedding.weight"), "holds no text side"),
        (lambda s: s.pop("text_projection"), "holds no text side"),
        (lambda s: s.pop("ln_final.bias"), r"missing: ln_final\.bias"),
        (
            lambda s: s.update({"transformer.more": torch.zeros(1)}),
            r"unexpected: transformer\.more",
        ),
        (lambda s: s.update({"ln_final.bias": torch.zeros(3)}), r"ln_final\.bias \(3,\)"),
        (lambda s: s.update({"token_embedding.weight": torch.zeros(9, 128)}), "found 9 and 128"),
        (lambda s: s.update({"token_embedding.weight": torch.zeros(49408, 40)}), "49408 and 40"),
        (
            lambda s: s.update({"text.token_embedding.weight": torch.zeros(1)}),
            "MobileFetalCLIP is not supported",
        ),
    ],
)
def test_a_file_without_such_a_text_side_is_refused(
    clip: open_clip.CLIP, tmp_path: Path, change: Any, message: str
) -> None:
    state = dict(clip.state_dict())
    change(state)
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(WeightsError, match=message) as caught:
        embed_prompts(PROMPTS, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
