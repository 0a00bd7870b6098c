"""The encoder: one timm trunk that gives embeddings and feature maps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from fetal_iqa_models import sononet  # noqa: F401, timm builds it by its name
from fetal_iqa_models.checkpoints import load_pretrained
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.registry import EncoderSpec, encoder_spec


class Encoder(nn.Module):
    """A timm trunk of the table of encoders.

    Parameters
    ----------
    spec : EncoderSpec
        Its row; the trunk is initialised at random.

    Attributes
    ----------
    spec : EncoderSpec
    trunk : nn.Module
        The timm model.
    embedding_dim : int
        Length D of an embedding.
    """

    trunk: Any

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = timm.create_model(spec.timm_name, pretrained=False, **spec.timm_options)
        depth = len(self.trunk.feature_info)
        if list(spec.taps) != sorted(set(spec.taps) & set(range(depth))):
            raise ModelError(
                f"{spec.name}: taps must rise within 0 to {depth - 1}, not {spec.taps}"
            )
        self.embedding_dim = int(self.trunk.num_classes or self.trunk.head_hidden_size)

    def forward(self, images: Tensor) -> Tensor:
        """Embed images.

        Parameters
        ----------
        images : (N, 3, S, S) float tensor
            As :func:`~fetal_iqa_models.preprocess` gives them, S being ``spec.image_size``.

        Returns
        -------
        (N, D) tensor
        """
        return self.trunk(images)

    def features(self, images: Tensor) -> list[Tensor]:
        """Compute the feature maps of the tapped blocks, shallow to deep.

        Parameters
        ----------
        images : (N, 3, S, S) float tensor

        Returns
        -------
        list of (N, C, h, w) tensors
            As many as ``spec.taps``; a transformer's all have the same grid, a convolutional
            network's halve from tap to tap.
        """
        return self.trunk.forward_intermediates(
            images, indices=list(self.spec.taps), output_fmt="NCHW", intermediates_only=True
        )

    def both(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Embed images and compute their feature maps in one pass.

        Parameters
        ----------
        images : (N, 3, S, S) float tensor

        Returns
        -------
        embeddings : (N, D) tensor
            As :meth:`forward` gives them.
        maps : list of (N, C, h, w) tensors
            As :meth:`features` gives them.
        """
        final, maps = self.trunk.forward_intermediates(
            images, indices=list(self.spec.taps), output_fmt="NCHW", intermediates_only=False
        )
        return self.trunk.forward_head(final), maps

    def feature_channels(self) -> tuple[int, ...]:
        """Count the channels of each tapped feature map.

        Returns
        -------
        tuple of int
            As many as ``spec.taps``, shallow to deep.
        """
        return tuple(self.trunk.feature_info[tap]["num_chs"] for tap in self.spec.taps)


def load_encoder(
    name: str,
    weights: Path | str | None = None,
    taps: tuple[int, int, int, int] | None = None,
) -> Encoder:
    """Build an encoder of the table, with pretrained weights where a file is given.

    Parameters
    ----------
    name : str
        One of :func:`~fetal_iqa_models.list_encoders`.
    weights : path, optional
        For the FetalCLIP encoders an open_clip checkpoint, ``.pt`` or ``.safetensors``, in the
        layout in which FetalCLIP is published; for the others the ``model.safetensors`` that
        timm publishes. Without it the encoder is initialised at random, which is only of use
        for training from scratch and for tests.
    taps : four ints, optional
        Blocks that give the feature maps, in place of the table's; 0-based, shallow to deep.

    Returns
    -------
    Encoder
        float32, on the CPU, in evaluation mode.

    Raises
    ------
    ModelError
        Where there is no such encoder, or no such tap.
    WeightsError
        Where the file is missing, damaged, or does not fit the encoder key by key.
    """
    if weights is None:
        return Encoder(_spec(name, taps)).eval()
    encoder = blank_encoder(name, taps)
    load_pretrained(encoder.trunk, Path(weights))
    return encoder.eval()


def blank_encoder(name: str, taps: tuple[int, int, int, int] | None = None) -> Encoder:
    """Build an encoder whose tensors are still to be assigned, from a file: none is filled.

    That saves the seconds that random initialisation takes at full size. Encoders that
    compute some of their tensors are built in full all the same.
    """
    spec = _spec(name, taps)
    with torch.device("meta"):
        encoder = Encoder(spec)
    computed = {key for key, _ in encoder.named_buffers()} - encoder.state_dict().keys()
    return Encoder(spec) if computed else encoder


def _spec(name: str, taps: tuple[int, int, int, int] | None) -> EncoderSpec:
    spec = encoder_spec(name)
    return spec if taps is None else replace(spec, taps=taps)
