"""Training frames at the network's own size, memory-mapped: never the whole set in memory."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from fetal_iqa_models import preprocess
from fetal_iqa_models.cards import Resize
from fetal_iqa_models.opencv_resize import nearest_as_opencv
from fetal_iqa_training.data.labelled_frames import LabelledFrames
from fetal_iqa_training.transforms.augmentation import Augmentation

Example = tuple[Tensor, Tensor, bool]
"""Frame (S, S) uint8, mask (S, S) bool, positive."""

MakeCopy = Callable[[NDArray[np.uint8], NDArray[np.bool_], int], tuple[Tensor, Tensor]]
"""Frame, mask and seed to a copy's frame and mask."""

CHUNK = 32
"""Frames resized at once: all 140 of a sweep of full size would take 300 MB as float32."""


@dataclass(frozen=True, eq=False)
class FrameSet:
    """Frames padded to a square and resized as for prediction, with masks and labels.

    Parameters
    ----------
    frames : (N, S, S) uint8 array, memory-mapped
    masks : (N, S, S) bool array, memory-mapped
    positive : (N,) bool array
    data_hash : str
        sha256 of the frames as they came from their files, their masks and labels, in order.
    contents : tuple of str
        Hashes of the sources' frames, by which a sweep is known again under any name.
    copies : tuple of FrameSet
        Augmented copies that were made once, each of all frames in their order.
    """

    frames: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    data_hash: str
    contents: tuple[str, ...] = ()
    copies: tuple["FrameSet", ...] = ()

    def __len__(self) -> int:
        return len(self.positive)


def build_frame_set(
    sources: Iterable[LabelledFrames],
    image_size: int,
    folder: Path,
    report: Callable[[int], None] = lambda done: None,
    resize: Resize = "antialiased",
) -> FrameSet:
    """Bring frames to the network's size, once, in a folder of memory-mapped files.

    Parameters
    ----------
    sources : iterable of LabelledFrames
        Taken one at a time; only one is in memory.
    image_size : int
        Side S of the network's square input.
    folder : Path
        Made where it is missing; holds ``frames`` and ``masks``, S x S bytes a frame each, and
        ``positive``, a byte a frame.
    report : callable, optional
        Called with the number of sources taken in so far.
    resize : "antialiased" or "published"
        As the model that they are for has it.

    Returns
    -------
    FrameSet
        Without frames where there is no source.
    """
    folder.mkdir(parents=True, exist_ok=True)
    positive: list[NDArray[np.bool_]] = []
    data_hash = DataHash()
    contents: list[str] = []
    with (
        (folder / "frames").open("wb") as frames_file,
        (folder / "masks").open("wb") as masks_file,
    ):
        for done, source in enumerate(sources, start=1):
            data_hash.take_in(source)
            contents.append(source.content)
            for frames, masks in _chunks(source):
                frames_file.write(resize_frames(frames, image_size, resize).tobytes())
                masks_file.write(resize_masks(masks, image_size, resize).tobytes())
            positive.append(source.positive)
            report(done)
    labels = np.concatenate(positive) if positive else np.zeros(0, bool)
    (folder / "positive").write_bytes(labels.tobytes())
    return open_frame_set(folder, image_size, data_hash.hexdigest(), contents)


def open_frame_set(
    folder: Path, image_size: int, data_hash: str, contents: Sequence[str] = ()
) -> FrameSet:
    """Open what :func:`build_frame_set` made, memory-mapped.

    Raises
    ------
    OSError, ValueError
        Where a file is missing or too short.
    """
    positive = np.fromfile(folder / "positive", np.bool_)
    shape = (len(positive), image_size, image_size)
    return FrameSet(
        frames=_mapped(folder / "frames", np.uint8, shape),
        masks=_mapped(folder / "masks", np.bool_, shape),
        positive=positive,
        data_hash=data_hash,
        contents=tuple(contents),
    )


def hash_frames(sources: Iterable[LabelledFrames]) -> str:
    """Return the ``data_hash`` that a frame set of these sources has, without making it."""
    data_hash = DataHash()
    for source in sources:
        data_hash.take_in(source)
    return data_hash.hexdigest()


def hash_truth(sources: Iterable[LabelledFrames]) -> str:
    """Return the :class:`TruthHash` of sources."""
    truth = TruthHash()
    for source in sources:
        truth.take_in(source)
    return truth.hexdigest()


class TruthHash:
    """Identity of what models are judged on: equal ones judge alike, frame by frame.

    Beside the frames, their masks and labels that is everything that a figure is made of: the
    spacing, where outlines end, and whose sweep each is, which says what is resampled and paired.
    """

    def __init__(self) -> None:
        self._data = DataHash()
        self._digest = hashlib.sha256()

    def take_in(self, source: LabelledFrames) -> None:
        """Add a source."""
        self._data.take_in(source)
        numbers = None if source.numbers is None else source.numbers.tolist()
        known = source.sweep, source.case, source.subject, source.spacing_mm, numbers
        self._digest.update(repr(known).encode())
        if source.field_of_view is not None:
            self._digest.update(np.packbits(source.field_of_view).tobytes())

    def passing(self, sources: Iterable[LabelledFrames]) -> Iterator[LabelledFrames]:
        """Hand on frames as they are, and take them in."""
        for source in sources:
            self.take_in(source)
            yield source

    def hexdigest(self) -> str:
        """Return the hash of what was taken in so far."""
        both = f"{self._data.hexdigest()} {self._digest.hexdigest()}"
        return hashlib.sha256(both.encode()).hexdigest()


class DataHash:
    """Running ``data_hash`` of sources, taken in one after the other."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def take_in(self, source: LabelledFrames) -> None:
        """Add the frames, masks and labels of a source."""
        for frames, masks in _chunks(source):
            self._digest.update(repr(frames.shape).encode())
            self._digest.update(frames.tobytes())
            self._digest.update(masks.tobytes())
        self._digest.update(source.positive.tobytes())

    def hexdigest(self) -> str:
        """Return the hash of what was taken in so far."""
        return self._digest.hexdigest()


def _chunks(source: LabelledFrames) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    for start in range(0, len(source.frames), CHUNK):
        part = slice(start, start + CHUNK)
        yield source.frames[part], source.masks[part]


def resize_frames(
    frames: NDArray[np.uint8], image_size: int, resize: Resize = "antialiased"
) -> NDArray[np.uint8]:
    """Pad to a centred square and resize as :func:`fetal_iqa_models.preprocess` does.

    Parameters
    ----------
    frames : (N, H, W) uint8 array
    image_size : int
    resize : "antialiased" or "published"

    Returns
    -------
    (N, S, S) uint8 array
    """
    grey = preprocess(frames, image_size, (0.0,) * 3, (1.0,) * 3, resize)[:, 0]
    return (grey * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def resize_masks(
    masks: NDArray[np.bool_], image_size: int, resize: Resize = "antialiased"
) -> NDArray[np.bool_]:
    """Bring masks to the network's square by the geometry of its frames.

    Parameters
    ----------
    masks : (N, H, W) bool array
    image_size : int
    resize : "antialiased" or "published"
        Ours covers a pixel where the mask covers half of it; the published code takes what lies
        nearest.

    Returns
    -------
    (N, S, S) bool array
    """
    if resize == "published":
        squares = torch.from_numpy(np.stack([square(mask) for mask in masks]))
        return nearest_as_opencv(squares, image_size).numpy()
    return resize_frames(masks.astype(np.uint8) * np.uint8(255), image_size) > 127


def square(image: NDArray[Any]) -> NDArray[Any]:
    """Pad with zeros to a centred square, as :func:`fetal_iqa_models.preprocess` does."""
    rows, columns = image.shape
    side = max(rows, columns)
    top, left = (side - rows) // 2, (side - columns) // 2
    return np.pad(image, ((top, side - rows - top), (left, side - columns - left)))


def _mapped(path: Path, dtype: type, shape: tuple[int, ...]) -> NDArray:
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, mode="r", shape=shape)


@dataclass(frozen=True)
class Sample:
    """One training example to make: a frame as it is, or an augmented copy by its seed."""

    frame: int
    seed: int | None = None


class FrameDataset(Dataset[Example]):
    """Examples of a frame set, made on demand; indexed by :class:`Sample` or frame number.

    Parameters
    ----------
    frame_set : FrameSet
    augmentation : callable
        Makes the copy where a sample has a seed; see
        :class:`~fetal_iqa_training.transforms.augmentation.Augmentation`. An outlined abdomen that
        leaves the copy leaves it without one: its label is read again from the moved mask.
    """

    def __init__(self, frame_set: FrameSet, augmentation: MakeCopy | None = None) -> None:
        self._set = frame_set
        self._augmentation = augmentation or Augmentation()

    def __len__(self) -> int:
        return len(self._set)

    def __getitem__(self, item: Sample | int) -> Example:
        sample = item if isinstance(item, Sample) else Sample(item)
        frame, mask = self._set.frames[sample.frame], self._set.masks[sample.frame]
        positive = bool(self._set.positive[sample.frame])
        if sample.seed is None:
            return torch.from_numpy(np.array(frame)), torch.from_numpy(np.array(mask)), positive
        image, moved = self._augmentation(frame, mask, sample.seed)
        # a frame that somebody called good need not be outlined
        left = bool(moved.any()) or not mask.any()
        return image, moved, positive and left
