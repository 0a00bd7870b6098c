"""What a teacher says of frames: probabilities, masks and embeddings, asked once and kept."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from fetal_iqa_models import FrameClassifier, FramePredictor, choose_device, preprocess
from fetal_iqa_models.atomic_file import atomic_file
from fetal_iqa_models.lora import merge_lora
from fetal_iqa_models.networks import Network
from fetal_iqa_training.data.frame_set import resize_frames, resize_masks
from fetal_iqa_training.data.labelled_frames import LabelledFrames, content_of
from fetal_iqa_training.errors import TrainingError

BATCH = 16
LEVELS = 255
"""Of a pixel's probability: a byte each."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a student learns of n frames.

    Parameters
    ----------
    frames : (n, S, S) uint8 array
        At the student's size.
    quality : (n,) float32 array
        The teacher's probability that the frame is good; of a segmenter 1 where its mask counts.
    masks : (n, S, S) uint8 array
        Probabilities of the abdomen times 255; of a classifier (n, 0, 0).
    embeddings : (n, D) float32 array
        The teacher's; D is 0 where the student's have another length.
    """

    frames: NDArray[np.uint8]
    quality: NDArray[np.float32]
    masks: NDArray[np.uint8]
    embeddings: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.quality)

    def sha256(self) -> str:
        """Hash all of it."""
        digest = hashlib.sha256()
        for values in (self.frames, self.quality, self.masks, self.embeddings):
            digest.update(repr(values.shape).encode())
            digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()


def keep_answers(parts: Iterable[Answers], folder: Path, size: int, dim: int) -> Answers:
    """Put the answers of several sweeps one after the other, frames and masks in files.

    Parameters
    ----------
    parts : iterable of Answers
        Taken one at a time.
    folder : Path
    size, dim : int
        Side of the frames, and length of the embeddings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    quality, embeddings = [np.zeros(0, np.float32)], [np.zeros((0, dim), np.float32)]
    with (folder / "frames").open("wb") as frames, (folder / "masks").open("wb") as masks:
        for part in parts:
            frames.write(part.frames.tobytes())
            masks.write(part.masks.tobytes())
            quality.append(part.quality)
            embeddings.append(part.embeddings)
    told = np.concatenate(quality)
    n = len(told)
    masked = (folder / "masks").stat().st_size > 0
    return Answers(
        np.memmap(folder / "frames", np.uint8, "r", shape=(n, size, size))
        if n
        else np.zeros((0, size, size), np.uint8),
        told,
        np.memmap(folder / "masks", np.uint8, "r", shape=(n, size, size))
        if masked
        else np.zeros((n, 0, 0), np.uint8),
        np.concatenate(embeddings),
    )


class Teacher:
    """A model that is asked what it thinks of frames.

    Parameters
    ----------
    network : FrameClassifier or FrameSegmenter
        With its card; its adapter is merged in place.
    student_size : int
        Side of the student's square input.
    student_dim : int
        Length of the student's embeddings.
    device : str
    go_on : callable
        Asked before each batch; where it gives False, the work ends.
    """

    def __init__(
        self,
        network: Network,
        student_size: int,
        student_dim: int,
        device: str = "auto",
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._predictor = FramePredictor(
            classifier=network if isinstance(network, FrameClassifier) else None,
            segmenter=network if not isinstance(network, FrameClassifier) else None,
            device=device,
        )
        merge_lora(network)
        self._device = choose_device(device)
        self._network = network.to(self._device).eval().requires_grad_(False)
        assert network.card is not None
        self._card = network.card
        self._size = student_size
        same = isinstance(network, FrameClassifier) and student_dim == network.encoder.embedding_dim
        self._dim = student_dim if same else 0
        self._go_on = go_on

    @property
    def dim(self) -> int:
        """Length of the embeddings that it gives; 0 where the student's have another."""
        return self._dim

    def answers(self, source: LabelledFrames, kept: Path, truth: bool = False) -> Answers:
        """Ask about the frames of a sweep, or read what was asked before.

        Parameters
        ----------
        source : LabelledFrames
        kept : Path
            Folder of the answers of this teacher to this student.
        truth : bool
            Take the labels and masks of the source in place of the teacher's.
        """
        small = resize_frames(source.frames, self._size)
        if truth and not self._dim:  # then the teacher has nothing to add
            return self._true(source, small)
        path = kept / f"{content_of(source.frames)}.npz"
        if not path.is_file():
            told = self._ask(source.frames)
            kept.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as new, new.open("wb") as file:
                np.savez_compressed(
                    file, quality=told.quality, masks=told.masks, embeddings=told.embeddings
                )
        with np.load(path) as found:
            told = Answers(small, found["quality"], found["masks"], found["embeddings"])
        return self._true(source, small, told.embeddings) if truth else told

    def _true(
        self,
        source: LabelledFrames,
        small: NDArray[np.uint8],
        embeddings: NDArray[np.float32] | None = None,
    ) -> Answers:
        masks = np.zeros((len(small), 0, 0), np.uint8)
        if self._card.task == "seg":
            masks = resize_masks(source.masks, self._size).astype(np.uint8) * np.uint8(LEVELS)
        if embeddings is None:
            embeddings = np.zeros((len(small), 0), np.float32)
        return Answers(small, source.positive.astype(np.float32), masks, embeddings)

    def labelled(self, sources: Iterable[LabelledFrames]) -> Iterator[LabelledFrames]:
        """Give frames the labels and masks that `analyse` would give them by the teacher.

        Who stopped the student while it learnt wants it judged, so this goes on.
        """
        for source in sources:
            positive = np.zeros(len(source.frames), bool)
            masks = np.zeros(source.frames.shape, bool)
            for batch in self._predictor.predict(source.frames):
                if batch.quality is not None:
                    positive[batch.frames] = batch.quality > self._card.quality_threshold
                if batch.masks is not None and batch.area_fraction is not None:
                    counts = batch.area_fraction >= self._card.area_threshold
                    positive[batch.frames] = counts
                    masks[batch.frames] = batch.masks & counts[:, None, None]
            yield replace(source, masks=masks, positive=positive)

    def _check(self) -> None:
        if not self._go_on():
            raise TrainingError("stopped before the end: no model was written")

    @torch.inference_mode()
    def _ask(self, frames: NDArray[np.uint8]) -> Answers:
        spec, quality, masks, embeddings = self._network.encoder.spec, [], [], []
        key = (spec.image_size, spec.mean, spec.std, self._network.resize)
        for start in range(0, len(frames), BATCH):
            self._check()
            images = preprocess(torch.from_numpy(np.array(frames[start : start + BATCH])), *key)
            images = images.to(self._device)
            if isinstance(self._network, FrameClassifier):
                embedded = self._network.encoder(images)
                logits = self._network.head(embedded)[:, 0] / self._card.temperature
                quality.append(logits.sigmoid().float().cpu().numpy())
                embeddings.append(embedded[:, : self._dim].float().cpu().numpy())
                masks.append(np.zeros((len(images), 0, 0), np.uint8))
                continue
            found = self._network(images).sigmoid()
            counts = (found > self._card.mask_threshold).float().mean((1, 2, 3))
            quality.append((counts >= self._card.area_threshold).float().cpu().numpy())
            size = (self._size, self._size)
            if found.shape[-2:] != size:
                found = F.interpolate(found, size, mode="bilinear", antialias=True)
            levels = (found[:, 0] * LEVELS).round().clamp(0, LEVELS)
            masks.append(levels.to(torch.uint8).cpu().numpy())
            embeddings.append(np.zeros((len(images), 0), np.float32))
        none = np.zeros((len(frames), 0, 0), np.uint8)
        return Answers(none, *map(np.concatenate, (quality, masks, embeddings)))
