"""The two networks: a frame's quality and a frame's abdomen."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from fetal_iqa_models.cards import DecoderName, LoraSettings, ModelCard, Resize, Task
from fetal_iqa_models.class_head import ClassHead
from fetal_iqa_models.classes import FrameClass
from fetal_iqa_models.decoder import MaskDecoder
from fetal_iqa_models.encoders import Encoder
from fetal_iqa_models.errors import ModelError, shown
from fetal_iqa_models.published_decoder import FILTERS, PublishedDecoder


class FrameNetwork(nn.Module):
    """An encoder and a head; base of both networks.

    Attributes
    ----------
    encoder : Encoder
    head : nn.Module
    lora : LoraSettings or None
        Of the adapter that the encoder carries.
    resize : "antialiased" or "published"
        How frames become its input.
    card : ModelCard or None
    hash : str or None
        Of the folder that the network was loaded from; None for one that was just made.
    """

    task: Task
    head: nn.Module

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.lora: LoraSettings | None = None
        self.resize: Resize = "antialiased"
        self.card: ModelCard | None = None
        self.hash: str | None = None

    def scores(self, images: Tensor) -> Tensor:
        """Return all that the network says of frames; here its logits."""
        logits: Tensor = self(images)
        return logits

    def train(self, mode: bool = True) -> Self:
        """Set training mode; an encoder of which nothing trains stays in evaluation mode.

        Its batch normalisation would go on adapting otherwise.
        """
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.encoder.parameters()):
            self.encoder.eval()
        return self


class FrameClassifier(FrameNetwork):
    """FetalCLIP_CLS: an encoder and one linear layer score a frame's quality.

    Parameters
    ----------
    encoder : Encoder
    classes : sequence of FrameClass, optional
        What it tells apart, where that is more than good and not; the head is then a
        :class:`~fetal_iqa_models.class_head.ClassHead`, and the quality that of the targets.

    Attributes
    ----------
    classes : tuple of FrameClass or None

    References
    ----------
    arXiv 2507.22802.
    """

    task: Task = "cls"

    def __init__(self, encoder: Encoder, classes: Sequence[FrameClass] | None = None) -> None:
        super().__init__(encoder)
        self.classes = None if classes is None else tuple(classes)
        dim = encoder.embedding_dim
        self.head = nn.Linear(dim, 1) if classes is None else ClassHead(dim, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Score frames.

        Parameters
        ----------
        images : (N, 3, S, S) float tensor
            As :func:`~fetal_iqa_models.preprocess` makes them.

        Returns
        -------
        (N, 1) tensor of logits
        """
        return self.head(self.encoder(images))

    def scores(self, images: Tensor) -> Tensor:
        """Score frames for each class.

        Parameters
        ----------
        images : (N, 3, S, S) float tensor

        Returns
        -------
        (N, L) float32 tensor
            Logits of a softmax over the classes; without classes those of :meth:`forward`, (N, 1).
        """
        if isinstance(self.head, ClassHead):
            return self.scores_of(self.encoder(images))
        return super().scores(images)

    def scores_of(self, embeddings: Tensor) -> Tensor:
        """Return what :meth:`scores` gives, from the encoder's (N, D) embeddings."""
        if isinstance(self.head, ClassHead):
            return self.head.class_scores(embeddings)
        logits: Tensor = self.head(embeddings)
        return logits

    def quality_of(self, scores: Tensor) -> Tensor:
        """Return what :meth:`forward` gives, (N, 1) logits, from what :meth:`scores` gives."""
        return self.head.of_targets(scores) if isinstance(self.head, ClassHead) else scores


class FrameSegmenter(FrameNetwork):
    """FetalCLIP_SEG: an encoder and a U-shaped decoder outline the abdomen.

    Parameters
    ----------
    encoder : Encoder
    decoder_width : int, optional
        Channels of the decoder's finest stage; by default the encoder's own setting, and 32 for
        the published decoder.
    decoder : "ours" or "published"
        Ours fits every encoder; the published one those whose maps all have one width.

    References
    ----------
    arXiv 2507.22802; the feature maps are evenly spaced as in UNETR (WACV 2022).
    """

    task: Task = "seg"

    def __init__(
        self, encoder: Encoder, decoder_width: int | None = None, decoder: DecoderName = "ours"
    ) -> None:
        super().__init__(encoder)
        self.decoder = decoder
        channels = encoder.feature_channels()
        if decoder == "ours":
            self.decoder_width = decoder_width or encoder.spec.decoder_width
            self.head = MaskDecoder(channels, self.decoder_width)
        elif len(set(channels)) == 1:
            self.decoder_width = decoder_width or FILTERS
            self.head = PublishedDecoder(channels, self.decoder_width)
        else:
            raise ModelError(
                f"{encoder.spec.name}: its feature maps have {shown(map(str, channels))} channels, "
                "and the published decoder takes maps of one width"
            )

    def forward(self, images: Tensor) -> Tensor:
        """Outline frames.

        Parameters
        ----------
        images : (N, 3, S, S) float tensor
            As :func:`~fetal_iqa_models.preprocess` makes them.

        Returns
        -------
        (N, 1, S, S) tensor of logits
        """
        return self.head(images, self.encoder.features(images))


Network = FrameClassifier | FrameSegmenter


def share_encoder(classifier: FrameClassifier, segmenter: FrameSegmenter) -> bool:
    """Return whether two networks see frames through the same tensors: one pass serves both."""
    one, other = classifier.encoder, segmenter.encoder
    if one.spec.name != other.spec.name or classifier.resize != segmenter.resize:
        return False
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(
        torch.equal(tensor, second[name]) for name, tensor in first.items()
    )
