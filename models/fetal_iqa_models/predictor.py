"""Run the networks over frames: batch by batch, in any order, on whatever device there is."""

import copy
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fetal_iqa_models.batching import AIMS
from fetal_iqa_models.batchwise import BatchwisePredictor
from fetal_iqa_models.cards import Resize
from fetal_iqa_models.devices import choose_device
from fetal_iqa_models.errors import DeviceError, ModelError
from fetal_iqa_models.lora import merge_lora
from fetal_iqa_models.memory import empty_cache, is_out_of_memory
from fetal_iqa_models.networks import (
    FrameClassifier,
    FrameNetwork,
    FrameSegmenter,
    share_encoder,
)
from fetal_iqa_models.prediction_batch import STAGES, PredictionBatch, nothing_outlined
from fetal_iqa_models.preprocessing import preprocess, restore_masks
from fetal_iqa_models.thresholds import MASK_THRESHOLD

logger = logging.getLogger(__name__)

_CORES = torch.get_num_threads()
"""As torch chose it. The number is one for the whole process, so it is asked once, unchanged."""

_Input = tuple[int, tuple[float, float, float], tuple[float, float, float], Resize]
"""Image size, mean and standard deviation of an encoder's input, and how frames are resized."""
_Network = TypeVar("_Network", bound=FrameNetwork)


class _StageClock:
    """Seconds of each stage; waits for the device, so that each pays for its own work."""

    def __init__(self, device: torch.device) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._device = device

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self._device.type != "cpu":
            torch.accelerator.synchronize(self._device)
        self.seconds[name] += time.perf_counter() - start


class FramePredictor(BatchwisePredictor):
    """Scores and outlines frames; one pass over them serves both networks.

    The networks are copied, their LoRA merged, and run without gradients: in bfloat16 on a
    CUDA device that has it, else in float32. A classifier's quality is
    ``sigmoid(logit / temperature)``, the temperature being that of its card. The caller's
    networks stay as they are. Results depend on neither batch size nor order beyond rounding.

    Parameters
    ----------
    classifier : FrameClassifier, optional
    segmenter : FrameSegmenter, optional
        One of the two at least.
    device : "auto", "cuda", "mps" or "cpu"
    batch_size : int, optional
        Frames per batch to begin with; found by itself by default, by the time that batches
        take. Where the device's memory does not hold a batch it is halved, down to one frame,
        and then the CPU goes on; each step is logged as a warning.

    Attributes
    ----------
    device : torch.device
    precision : str
        ``"bfloat16"`` or ``"float32"``.
    batch_size : int
        Of the next batch.

    Raises
    ------
    ModelError
        Without any network.
    DeviceError
        Where there is no such device, or no memory for the networks.
    """

    engine = "torch"
    device: torch.device

    def __init__(
        self,
        classifier: FrameClassifier | None = None,
        segmenter: FrameSegmenter | None = None,
        device: str = "auto",
        batch_size: int | None = None,
    ) -> None:
        if classifier is None and segmenter is None:
            raise ModelError("nothing to predict with: give a classifier, a segmenter, or both")
        self.device = choose_device(device)
        super().__init__(AIMS[self.device.type], batch_size)
        self._temperature = 1.0
        if classifier is not None and classifier.card is not None:
            self._temperature = classifier.card.temperature
        self._mask_threshold = MASK_THRESHOLD
        if segmenter is not None and segmenter.card is not None:
            self._mask_threshold = segmenter.card.mask_threshold
        self._classifier = _for_prediction(classifier)
        self._segmenter = _for_prediction(segmenter)
        self._one_pass = (
            self._classifier is not None
            and self._segmenter is not None
            and share_encoder(self._classifier, self._segmenter)
        )
        if self._one_pass and self._classifier is not None and self._segmenter is not None:
            # its taps are those of the segmenter, where they differ from the table's
            self._classifier.encoder = self._segmenter.encoder
        self._settle()

    def use_cores(self, half: bool) -> None:
        """Compute with all cores that torch takes by itself, or with half of them, from now on."""
        wanted = max(1, _CORES // 2) if half else _CORES
        if torch.get_num_threads() != wanted:
            torch.set_num_threads(wanted)

    def _settle(self) -> None:
        """Move the networks to the device, or to the CPU where its memory is too short."""
        try:
            self._move_networks()
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if self.device.type == "cpu":
            raise DeviceError("no memory for the networks; close other programs")
        logger.warning("%s: no memory for the networks, going on on the CPU", self.device)
        self._leave_for_cpu()

    def _leave_for_cpu(self) -> None:
        left, self.device = self.device, torch.device("cpu")
        self._batches.start_again(AIMS["cpu"])
        self._move_networks()
        empty_cache(left)

    def _move_networks(self) -> None:
        for network in (self._classifier, self._segmenter):
            if network is not None:
                network.to(self.device)

    @property
    def precision(self) -> str:
        """Number format of the arithmetic: ``"bfloat16"`` on a GPU that has it."""
        reduced = self.device.type == "cuda" and torch.cuda.is_bf16_supported(False)
        return "bfloat16" if reduced else "float32"

    def _is_out_of_memory(self, error: Exception) -> bool:
        return is_out_of_memory(error)

    def _retreat(self) -> None:
        """Ask less of the memory: half the batch, and from a single frame on, the CPU."""
        empty_cache(self.device)
        if self.batch_size == 1 and self.device.type != "cpu":
            logger.warning("%s: no memory for one frame, going on on the CPU", self.device)
            self._leave_for_cpu()
        else:
            super()._retreat()

    @torch.inference_mode()
    def _predict_batch(
        self, numbers: NDArray[np.int64], images: NDArray[np.uint8], read_seconds: float
    ) -> PredictionBatch:
        clock = _StageClock(self.device)
        clock.seconds["read"] = read_seconds
        frames = self._upload(images)
        inputs: dict[_Input, Tensor] = {}
        quality = logits = area_fraction = masks = plane = None
        maps: list[Tensor] | None = None
        if self._classifier is not None:
            if self._one_pass:
                found, maps = self._run_both(self._classifier, frames, inputs, clock)
            else:
                found = self._run(self._classifier, frames, inputs, clock)
            if found.shape[1] > 1:
                plane = found.argmax(1).cpu().numpy()
                found = self._classifier.quality_of(found)
            scores = found[:, 0]
            logits = scores.cpu().numpy()
            quality = (scores / self._temperature).sigmoid().cpu().numpy()
        if self._segmenter is not None:
            seen = self._seen_by_segmenter(quality)
            if seen is None:
                area_fraction, masks = self._outline(self._segmenter, frames, inputs, clock, maps)
            else:
                area_fraction, masks = nothing_outlined(images.shape)
                if seen.any():
                    chosen = torch.from_numpy(seen).to(self.device)
                    part = {key: ready[chosen] for key, ready in inputs.items()}
                    seen_maps = None if maps is None else [one[chosen] for one in maps]
                    outlined = self._outline(
                        self._segmenter, frames[chosen], part, clock, seen_maps
                    )
                    area_fraction[seen], masks[seen] = outlined
        return PredictionBatch(numbers, quality, area_fraction, masks, clock.seconds, logits, plane)

    def _outline(
        self,
        segmenter: FrameSegmenter,
        frames: Tensor,
        inputs: dict[_Input, Tensor],
        clock: _StageClock,
        maps: list[Tensor] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return areas and masks; of feature maps where the encoder has been through."""
        if maps is None:
            outlines = self._run(segmenter, frames, inputs, clock)
        else:
            images = self._input(segmenter, frames, inputs, clock)
            with clock.stage("seg"), self._reduced():
                outlines = segmenter.head(images, maps).float()
        with clock.stage("restore"):
            probabilities = outlines[:, 0].sigmoid()
            covered = probabilities > self._mask_threshold
            area_fraction = covered.float().mean((1, 2)).cpu().numpy()
            shape = (frames.shape[1], frames.shape[2])
            masks = restore_masks(probabilities, shape, self._mask_threshold).cpu().numpy()
        return area_fraction, masks

    def _upload(self, images: NDArray[np.uint8]) -> Tensor:
        frames = torch.from_numpy(images)
        if self.device.type == "cuda":
            frames = frames.pin_memory()
        return frames.to(self.device, non_blocking=True)

    def _run(
        self,
        network: FrameNetwork,
        frames: Tensor,
        inputs: dict[_Input, Tensor],
        clock: _StageClock,
    ) -> Tensor:
        """Logits or scores of classes, in float32.

        Networks of one kind of encoder share the preprocessed input.
        """
        images = self._input(network, frames, inputs, clock)
        with clock.stage(network.task), self._reduced():
            return network.scores(images).float()

    def _run_both(
        self,
        classifier: FrameClassifier,
        frames: Tensor,
        inputs: dict[_Input, Tensor],
        clock: _StageClock,
    ) -> tuple[Tensor, list[Tensor]]:
        """Scores in float32, and the feature maps of the same pass for the segmenter's head."""
        images = self._input(classifier, frames, inputs, clock)
        with clock.stage("cls"), self._reduced():
            embeddings, maps = classifier.encoder.both(images)
            return classifier.scores_of(embeddings).float(), maps

    def _input(
        self,
        network: FrameNetwork,
        frames: Tensor,
        inputs: dict[_Input, Tensor],
        clock: _StageClock,
    ) -> Tensor:
        spec = network.encoder.spec
        key = (spec.image_size, spec.mean, spec.std, network.resize)
        if key not in inputs:
            with clock.stage("preprocess"):
                inputs[key] = preprocess(frames, *key)
        return inputs[key]

    def _reduced(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, self.precision == "bfloat16")


def _for_prediction(network: _Network | None) -> _Network | None:
    if network is None:
        return None
    private = copy.deepcopy(network)
    merge_lora(private)
    return private.eval().requires_grad_(False)
