"""A network as one graph, from uint8 frames to what is told of them; needs torch, once a model."""

import copy
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.lora import merge_lora
from fetal_iqa_models.networks import FrameClassifier, FrameSegmenter, Network
from fetal_iqa_models.thresholds import MASK_THRESHOLD


class WholeGraph(nn.Module):
    """Preprocessing, network and what is read off it, with the adapter merged.

    Does what :class:`~fetal_iqa_models.FramePredictor` does, for frames of any size.

    Parameters
    ----------
    network : FrameClassifier or FrameSegmenter
    segmenter : FrameSegmenter, optional
        Of the same encoder as the classifier that ``network`` is then: one pass serves both.

    Raises
    ------
    ModelError
        Where the network sees frames resized as the published code does, in double precision.
    """

    def __init__(self, network: Network, segmenter: FrameSegmenter | None = None) -> None:
        super().__init__()
        if network.resize != "antialiased":
            raise ModelError("its frames are resized as the published code does")
        # together, so that one encoder stays one
        self.network, self.segmenter = copy.deepcopy((network, segmenter))
        merge_lora(self.network)
        if self.segmenter is not None:
            # it has the segmenter's taps
            merge_lora(self.segmenter)
            self.network.encoder = self.segmenter.encoder
        self.eval().requires_grad_(False)
        spec, card = network.encoder.spec, network.card
        self._size = spec.image_size
        self._temperature = 1.0 if card is None else card.temperature
        card = card if segmenter is None else segmenter.card
        self._mask_threshold = MASK_THRESHOLD if card is None else card.mask_threshold
        self._offset, self._scale = (
            torch.tensor(three).view(1, 3, 1, 1) * 255 for three in (spec.mean, spec.std)
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what :meth:`forward` gives."""
        outlined = ("probability", "area_fraction")
        if not isinstance(self.network, FrameClassifier):
            return outlined
        told = ("logits", "quality", *(("plane",) if self.network.classes else ()))
        return told if self.segmenter is None else (*told, *outlined)

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Tell of frames.

        Parameters
        ----------
        frames : (N, H, W) uint8 tensor

        Returns
        -------
        tuple of tensors
            Of a classifier: logits and quality, (N,), and the most probable class, (N,), where it
            tells some apart. Of a segmenter: the abdomen's probability in the padded square,
            (N, S, S), and the share of it that the mask covers, (N,). Of both: one after the other.
        """
        images = self._input(frames)
        if not isinstance(self.network, FrameClassifier):
            return self._outlined(self.network.scores(images))
        if self.segmenter is None:
            return self._told(self.network.scores(images).float())
        embeddings, maps = self.network.encoder.both(images)
        told = self._told(self.network.scores_of(embeddings).float())
        return (*told, *self._outlined(self.segmenter.head(images, maps)))

    def _told(self, scores: Tensor) -> tuple[Tensor, ...]:
        assert isinstance(self.network, FrameClassifier)
        logits = self.network.quality_of(scores)[:, 0]
        told = (logits, (logits / self._temperature).sigmoid())
        return (*told, scores.argmax(1)) if self.network.classes else told

    def _outlined(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        probability = scores.float()[:, 0].sigmoid()
        covered = probability > self._mask_threshold
        return probability, covered.float().mean((1, 2))

    def _input(self, frames: Tensor) -> Tensor:
        rows, columns = torch._shape_as_tensor(frames)[1:].unbind()
        side = torch.maximum(rows, columns)
        down = _resampling(side, (side - rows) // 2, rows, self._size)
        across = _resampling(side, (side - columns) // 2, columns, self._size)
        # along the rows first and clamped in between, as fetal_iqa_models.preprocess does
        grey = (down @ (frames.float() @ across.T).clamp(0, 255)).clamp(0, 255)
        return (grey[:, None] - self._offset) / self._scale


def _resampling(side: Tensor, before: Tensor, length: Tensor, size: int) -> Tensor:
    """(S, length) matrix of antialiased bicubic resampling from a padded line of pixels.

    The columns are those of the pixels, without the zeros before and behind; torch's own kernel,
    written so that the lengths may differ from call to call.
    """
    step = side.float() / size
    centre = (torch.arange(size) + 0.5)[:, None] * step
    wide = step.clamp(min=1)

    def kernel(pixels: Tensor) -> Tensor:
        d = (pixels.float() + 0.5 - centre).abs() / wide
        near = (1.5 * d - 2.5) * d * d + 1
        far = ((-0.5 * d + 2.5) * d - 4) * d + 2
        return torch.where(d < 1, near, torch.where(d < 2, far, torch.zeros_like(d)))

    # mypy knows no arange whose length is a tensor, which a trace needs for lengths that differ
    whole = kernel(torch.arange(side))  # type: ignore[call-overload]
    pixels = torch.arange(length) + before  # type: ignore[call-overload]
    return kernel(pixels) / whole.sum(1, keepdim=True)


def converted(graph: WholeGraph) -> Any:
    """Convert a graph for OpenVINO.

    Returns
    -------
    openvino.Model
        With dynamic shapes, and outputs named as :attr:`WholeGraph.outputs`.
    """
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(2, 40, 50, dtype=torch.uint8)
    with torch.inference_mode(), warnings.catch_warnings():
        # sizes that are the network's own are constants, which torch warns of, as it does of its
        # trace being old; its successor does not take frames of any size
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", FutureWarning)
        traced = torch.jit.trace(graph, example, check_trace=False)
    # the frontend itself: openvino.convert_model would tell the makers of OpenVINO of its use
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced)  # which must live as long as it is read
    model = frontend.convert(frontend.load(decoder))
    model.inputs[0].get_node().set_element_type(openvino.Type.u8)
    model.reshape(openvino.PartialShape([-1, -1, -1]))
    for output, name in zip(model.outputs, graph.outputs, strict=True):
        output.get_tensor().set_names({name})
    model.validate_nodes_and_infer_types()
    return model
