"""Which frames a training step sees, and in which order: fixed by the seed alone."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from fetal_iqa_training.data.frame_set import Draw

_LARGEST_SEED = 2**63


class EveryFrame(Sampler[Draw]):
    """Each frame once as it is and as augmented copies, shuffled; other copies in each epoch.

    Parameters
    ----------
    n_frames : int
    copies : int
        Augmented copies of each frame; the paper has two.
    seed : int
    """

    def __init__(self, n_frames: int, copies: int, seed: int) -> None:
        self._n_frames = n_frames
        self._copies = copies
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that is drawn next; Lightning calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._n_frames * (1 + self._copies)

    def __iter__(self) -> Iterator[Draw]:
        random = np.random.default_rng([self._seed, self._epoch])
        for number in random.permutation(len(self)):
            copy, frame = divmod(int(number), self._n_frames)
            seed = int(random.integers(_LARGEST_SEED))
            yield Draw(frame, seed if copy else None)


def same_copies(n_frames: int, copies: int, seed: int) -> list[Draw]:
    """List each frame as it is, then each as a first copy, and so on, for use in every epoch."""
    random = np.random.default_rng(seed)
    seeds = random.integers(_LARGEST_SEED, size=(copies, n_frames)).tolist()
    return [
        Draw(frame, seed)
        for of_copy in ([None] * n_frames, *seeds)
        for frame, seed in enumerate(of_copy)
    ]


class BalancedDraws(Sampler[Draw]):
    """A budget of draws in each epoch, as many of each kind of frame however few there are of it.

    For few frames: every frame of a kind is drawn before one is drawn again, one draw in three
    is the frame as it is and the others are augmented copies. Kinds without frames are left out.

    Parameters
    ----------
    kinds : sequence of (n,) int arrays
        Frame numbers: of the positive and the negative corrections, say.
    draws : int
        In an epoch.
    seed : int
    """

    def __init__(self, kinds: Sequence[NDArray[np.intp]], draws: int, seed: int) -> None:
        self._kinds = [kind for kind in kinds if len(kind)]
        self._draws = draws
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that is drawn next; Lightning calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._draws

    def __iter__(self) -> Iterator[Draw]:
        random = np.random.default_rng([self._seed, self._epoch])
        rounds = [_rounds(kind, random) for kind in self._kinds]
        for number in range(self._draws):
            frame = next(rounds[number % len(rounds)])
            seed = int(random.integers(_LARGEST_SEED))
            yield Draw(frame, seed if random.random() < 2 / 3 else None)


def _rounds(frames: NDArray[np.intp], random: np.random.Generator) -> Iterator[int]:
    while True:
        yield from map(int, random.permutation(frames))
