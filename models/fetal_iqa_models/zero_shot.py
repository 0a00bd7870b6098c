"""Zero-shot scoring: which of some descriptions in words fits a frame best."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from open_clip import tokenize
from open_clip.transformer import TextTransformer
from torch import Tensor

from fetal_iqa_models.checkpoints import check_keys, read_checkpoint
from fetal_iqa_models.devices import choose_device
from fetal_iqa_models.encoders import load_encoder
from fetal_iqa_models.errors import WeightsError
from fetal_iqa_models.preprocessing import preprocess

SHARPNESS = 100.0  # CLIP's training clips its scale of logits there (Radford et al. 2021, 2.5)
_WIDTH_OF_A_HEAD = 64
"""Of CLIP's text transformers (Radford et al. 2021, table 20)."""

_VOCABULARY = 49408
"""Words of open_clip's own tokeniser."""

_NO_TEXT = re.compile(r"visual\.|logit_scale$|logit_bias$|attn_mask$")


def zero_shot(
    frames: NDArray[np.uint8],
    prompts: Mapping[str, Sequence[str]],
    weights: Path | str,
    encoder: str = "fetalclip",
    device: str = "auto",
    batch_size: int = 16,
) -> NDArray[np.float32]:
    """Score frames against descriptions in words, without any training.

    Parameters
    ----------
    frames : (N, H, W) uint8 array
    prompts : mapping of str to sequence of str
        For each label the prompts that describe it, one or more; what has several is described
        by the mean of their embeddings.
    weights : path
        An open_clip checkpoint with its text side, as FetalCLIP is published, or what
        ``import_weights`` made of it.
    encoder : str
        Name of the encoder that the checkpoint is of.
    device : "auto", "cuda", "mps" or "cpu"
    batch_size : int
        Frames at a time.

    Returns
    -------
    (N, L) float32 array
        Probability of each label, in the order of ``prompts``: softmax of 100 times the cosine
        between the embeddings of frame and label. Rows sum to one.

    Raises
    ------
    ValueError
        Where a label has no prompt or there is no label.
    WeightsError
        Where the file is missing, damaged, not of this encoder, or has no such text side.
    DeviceError
        Where there is no such device.

    References
    ----------
    Radford et al., CLIP, ICML 2021, section 3.1.4; arXiv 2502.14807 (FetalCLIP).
    """
    chosen = choose_device(device)
    labels = embed_prompts(prompts, weights).to(chosen)
    tower = load_encoder(encoder, weights).to(chosen)
    spec = tower.spec
    scores = np.empty((len(frames), len(labels)), np.float32)
    with torch.inference_mode():
        for start in range(0, len(frames), batch_size):
            part = slice(start, start + batch_size)
            batch = torch.from_numpy(np.array(frames[part])).to(chosen)
            images = preprocess(batch, spec.image_size, spec.mean, spec.std)
            cosines = F.normalize(tower(images), dim=-1) @ labels.T
            scores[part] = (SHARPNESS * cosines).softmax(-1).cpu().numpy()
    return scores


def embed_prompts(prompts: Mapping[str, Sequence[str]], weights: Path | str) -> Tensor:
    """Embed labels: the mean of the unit embeddings of each one's prompts, made unit again.

    Parameters
    ----------
    prompts, weights
        See :func:`zero_shot`.

    Returns
    -------
    (L, D) float32 tensor
        On the CPU; rows have length one.

    Raises
    ------
    ValueError, WeightsError
        See :func:`zero_shot`.
    """
    if not prompts or not all(prompts.values()):
        raise ValueError("expected one label or more, with one prompt or more each")
    if any(isinstance(texts, str) for texts in prompts.values()):
        raise ValueError("expected a list of prompts for each label, found a single text")
    path = Path(weights)
    text_side = _text_side(read_checkpoint(path), path)
    with torch.inference_mode():
        return torch.stack([_embed(texts, text_side) for texts in prompts.values()])


def _embed(texts: Sequence[str], text_side: TextTransformer) -> Tensor:
    tokens = tokenize(list(texts), text_side.context_length)
    return F.normalize(F.normalize(text_side(tokens), dim=-1).mean(0), dim=-1)


def _text_side(tensors: Mapping[str, Tensor], path: Path) -> TextTransformer:
    """Build open_clip's text tower from a checkpoint, whose shapes say all but its heads."""
    if "text.token_embedding.weight" in tensors:
        raise WeightsError(
            f"{path}: the text side of MobileFetalCLIP is not supported: the file does not say "
            "whether its attention looks ahead; use FetalCLIP's"
        )
    tensors = {key: value for key, value in tensors.items() if not _NO_TEXT.match(key)}
    try:
        vocabulary, width = tensors["token_embedding.weight"].shape
        context, _ = tensors["positional_embedding"].shape
        _, embedding = tensors["text_projection"].shape
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"{path}: holds no text side; give the checkpoint as it was published"
        ) from error
    if vocabulary != _VOCABULARY or width % _WIDTH_OF_A_HEAD:
        raise WeightsError(
            f"{path}: expected a text side of {_VOCABULARY} words and a width in steps of "
            f"{_WIDTH_OF_A_HEAD}, found {vocabulary} and {width}"
        )
    layers = {key.split(".")[2] for key in tensors if key.startswith("transformer.resblocks.")}
    text_side = TextTransformer(
        context, vocabulary, width, width // _WIDTH_OF_A_HEAD, len(layers), output_dim=embedding
    )
    check_keys(text_side.state_dict(), tensors, path)
    text_side.load_state_dict(tensors)
    return text_side.eval()
