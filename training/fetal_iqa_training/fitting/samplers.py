"""Which frames a training step sees, and in which order: fixed by the seed alone."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch.distributed
from numpy.typing import NDArray
from torch.utils.data import Sampler

from fetal_iqa_training.data.frame_set import Sample

_LARGEST_SEED = 2**63


class _SeededSampler(Sampler[Sample]):
    """An order that depends on seed and epoch alone, so that a cut-off training goes on with it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that is drawn next; Lightning calls this."""
        self._epoch = epoch

    def _random(self) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._epoch])


class EveryFrame(_SeededSampler):
    """Each frame once as it is and as augmented copies, shuffled; other copies in each epoch.

    Parameters
    ----------
    n_frames : int
    copies : int
        Augmented copies of each frame; the paper has two.
    seed : int
    """

    def __init__(self, n_frames: int, copies: int, seed: int) -> None:
        super().__init__(seed)
        self._n_frames = n_frames
        self._copies = copies

    def __len__(self) -> int:
        return self._n_frames * (1 + self._copies)

    def __iter__(self) -> Iterator[Sample]:
        random = self._random()
        for number in random.permutation(len(self)):
            copy, frame = divmod(int(number), self._n_frames)
            seed = int(random.integers(_LARGEST_SEED))
            yield Sample(frame, seed if copy else None)


def same_copies(n_frames: int, copies: int, seed: int) -> list[Sample]:
    """List each frame as it is, then each as a first copy, and so on, for use in every epoch."""
    random = np.random.default_rng(seed)
    seeds = random.integers(_LARGEST_SEED, size=(copies, n_frames)).tolist()
    return [
        Sample(frame, seed)
        for of_copy in ([None] * n_frames, *seeds)
        for frame, seed in enumerate(of_copy)
    ]


class BalancedSampler(_SeededSampler):
    """A budget of samples an epoch, as many of each kind of frame however few there are of it.

    For few frames: every frame of a kind is drawn before one is drawn again, one sample in three
    is the frame as it is and the others are augmented copies. Kinds without frames are left out.

    Parameters
    ----------
    kinds : sequence of (n,) int arrays
        Frame numbers: of the positive and the negative corrections, say.
    n_samples : int
        In an epoch.
    seed : int
    """

    def __init__(self, kinds: Sequence[NDArray[np.intp]], n_samples: int, seed: int) -> None:
        super().__init__(seed)
        self._kinds = [kind for kind in kinds if len(kind)]
        self._n_samples = n_samples

    def __len__(self) -> int:
        return self._n_samples

    def __iter__(self) -> Iterator[Sample]:
        random = self._random()
        rounds = [_rounds(kind, random) for kind in self._kinds]
        for number in range(self._n_samples):
            frame = next(rounds[number % len(rounds)])
            seed = int(random.integers(_LARGEST_SEED))
            yield Sample(frame, seed if random.random() < 2 / 3 else None)


def _rounds(frames: NDArray[np.intp], random: np.random.Generator) -> Iterator[int]:
    while True:
        yield from map(int, random.permutation(frames))


class BatchShard(Sampler[Sample]):
    """One process's share of each batch of another sampler; all of it where it is alone.

    The batches of all processes together are those that one process alone would take, so that
    the mean of their gradients is its gradient.

    Parameters
    ----------
    whole : sampler
    batch_size : int
        Of all processes together.
    drop_last : bool
        Leave out a last batch that is not whole.
    """

    def __init__(self, whole: Sampler[Sample], batch_size: int, drop_last: bool = False) -> None:
        self._whole = whole
        self._batch_size = batch_size
        self._drop_last = drop_last

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that is drawn next; Lightning calls this."""
        self._whole.set_epoch(epoch)  # type: ignore[attr-defined]

    def __len__(self) -> int:
        full, rest = divmod(len(self._whole), self._batch_size)  # type: ignore[arg-type]
        _, processes = _place()
        rest = 0 if self._drop_last else rest
        return (full * self._batch_size + rest - rest % processes) // processes

    def __iter__(self) -> Iterator[Sample]:
        number, processes = _place()
        samples = list(self._whole)
        for start in range(0, len(samples), self._batch_size):
            batch = samples[start : start + self._batch_size]
            if self._drop_last and len(batch) < self._batch_size:
                return
            # of the last batch a rest is left out: a process with a step more than the others
            # would wait for their gradients for good
            yield from batch[number : len(batch) - len(batch) % processes : processes]


def _place() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
