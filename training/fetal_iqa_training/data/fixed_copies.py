"""Augmented copies that are made once, before frames are resized; the same in each epoch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from fetal_iqa_models.cards import Resize
from fetal_iqa_training.data.frame_set import (
    Example,
    FrameSet,
    Sample,
    build_frame_set,
    open_frame_set,
    resize_frames,
    resize_masks,
    square,
)
from fetal_iqa_training.data.labelled_frames import LabelledFrames
from fetal_iqa_training.transforms.augmentation import PAPER

_CHUNK = 32


@dataclass(frozen=True)
class CopyRecipe:
    """Which copies are made.

    Parameters
    ----------
    copies : int
        Of each frame; the paper has two.
    seed : int
        Every run and every strategy of this seed sees the same copies.
    workers : int
        Processes that make them; they change nothing but the time.
    resize : "antialiased" or "published"
        Of the frames and of the copies.

    References
    ----------
    arXiv 2507.22802 and its code: two copies a frame, made once, at full size, with colour jitter
    of probability one half; a copy's label is read again from its moved mask.
    """

    copies: int
    seed: int
    workers: int = 0
    resize: Resize = "antialiased"


def build_with_copies(
    sources: Iterable[LabelledFrames],
    image_size: int,
    folder: Path,
    recipe: CopyRecipe,
    report: Callable[[int], None] = lambda done: None,
) -> FrameSet:
    """Bring frames to the network's size as :func:`build_frame_set` does, and copies of them.

    Parameters
    ----------
    sources, image_size, folder, report
        See :func:`~fetal_iqa_training.data.frame_set.build_frame_set`.
    recipe : CopyRecipe
        The copies lie in ``copy-1``, ``copy-2`` of the folder, in the order of the frames.

    Returns
    -------
    FrameSet
        With its ``copies``.
    """
    places = copy_folders(folder, recipe.copies)
    with ExitStack() as open_:
        pool = None
        if recipe.workers:
            # forked processes would inherit torch's threads, and may hang
            pool = open_.enter_context(
                ProcessPoolExecutor(recipe.workers, mp_context=get_context("spawn"))
            )
        writers = [
            open_.enter_context(_Writer(place, number, recipe, image_size, pool))
            for number, place in enumerate(places, start=1)
        ]
        through = _through(writers, sources)
        frames = build_frame_set(through, image_size, folder, report, recipe.resize)
    return replace(frames, copies=open_copies(folder, image_size, recipe.copies))


def copy_folders(folder: Path, copies: int) -> list[Path]:
    """Name the folders of the copies of a frame set."""
    return [folder / f"copy-{number}" for number in range(1, copies + 1)]


def open_copies(folder: Path, image_size: int, copies: int) -> tuple[FrameSet, ...]:
    """Open the copies of a frame set, memory-mapped.

    Raises
    ------
    OSError, ValueError
        Where a file is missing or too short.
    """
    return tuple(open_frame_set(place, image_size, "") for place in copy_folders(folder, copies))


class CopiesDataset(Dataset[Example]):
    """Frames as they are, then their first copies, and so on; indexed by :class:`Sample` or row.

    Parameters
    ----------
    frame_set : FrameSet
    """

    def __init__(self, frame_set: FrameSet) -> None:
        self._parts = (frame_set, *frame_set.copies)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """(N,) bool: of each row."""
        return np.concatenate([part.positive for part in self._parts])

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __getitem__(self, item: Sample | int) -> Example:
        row = item.frame if isinstance(item, Sample) else item
        copy, frame = divmod(row, len(self._parts[0]))
        part = self._parts[copy]
        image, mask = np.array(part.frames[frame]), np.array(part.masks[frame])
        return torch.from_numpy(image), torch.from_numpy(mask), bool(part.positive[frame])


class _Writer:
    """Files of one copy of every frame."""

    def __init__(
        self, folder: Path, copy: int, recipe: CopyRecipe, image_size: int, pool: Executor | None
    ) -> None:
        self._folder = folder
        self._seed = [recipe.seed, copy]
        self._resize = recipe.resize
        self._image_size = image_size
        self._pool = pool
        self._done = 0
        self._positive: list[bool] = []

    def __enter__(self) -> "_Writer":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._frames: BinaryIO = (self._folder / "frames").open("wb")
        self._masks: BinaryIO = (self._folder / "masks").open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.close()
        self._masks.close()
        (self._folder / "positive").write_bytes(np.array(self._positive, bool).tobytes())

    def take(self, source: LabelledFrames) -> None:
        """Write the copies of a source's frames."""
        for start in range(0, len(source.frames), _CHUNK):
            part = slice(start, start + _CHUNK)
            tasks = [
                (frame, mask, int(self._frame_seed(number)), self._image_size, self._resize)
                for number, (frame, mask) in enumerate(
                    zip(source.frames[part], source.masks[part], strict=True), self._done
                )
            ]
            made = map(_copied, tasks) if self._pool is None else self._pool.map(_copied, tasks)
            for frame, mask, shows in made:
                self._frames.write(frame.tobytes())
                self._masks.write(mask.tobytes())
                self._positive.append(shows)
            self._done += len(tasks)

    def _frame_seed(self, number: int) -> np.uint64:
        seed: np.uint64 = np.random.SeedSequence([*self._seed, number]).generate_state(
            1, np.uint64
        )[0]
        return seed


def _copied(
    task: tuple[NDArray[np.uint8], NDArray[np.bool_], int, int, Resize],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], bool]:
    """Pad a frame to a square, augment it, and only then resize it."""
    frame, mask, seed, image_size, resize = task
    image, outline = PAPER(square(frame), square(mask), seed)
    moved = outline.numpy()
    small = resize_frames(image.numpy()[None], image_size, resize)[0]
    small_mask = resize_masks(moved[None], image_size, resize)[0]
    # the published code reads a label from what is left of the mask
    left = small_mask if resize == "published" else moved
    return small, small_mask, bool(left.any())


def _through(
    writers: Sequence[_Writer], sources: Iterable[LabelledFrames]
) -> Iterator[LabelledFrames]:
    for source in sources:
        for writer in writers:
            writer.take(source)
        yield source
