"""Several processes, one training: who is who, and whose share of a batch is whose."""

import os
from collections.abc import Iterator

import torch.distributed
from torch.utils.data import Sampler

from fetal_iqa_training.data.frame_set import Draw


def rank() -> int:
    """Number of this process in the training; 0 writes and reports.

    From the environment that torchrun and Lightning's own launcher set, so that it is known
    before the processes know each other.
    """
    if "RANK" in os.environ:
        return int(os.environ["RANK"])
    node, devices = int(os.environ.get("NODE_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return node * devices + int(os.environ.get("LOCAL_RANK", 0))


def under_torchrun() -> bool:
    """Tell whether torchrun started this process and says how many there are."""
    return "TORCHELASTIC_RUN_ID" in os.environ


class Share(Sampler[Draw]):
    """One process's share of each batch of another sampler; all of it where it is alone.

    The batches of all processes together are those that one process alone would take, so that
    the mean of their gradients is its gradient.

    Parameters
    ----------
    whole : sampler
    batch_size : int
        Of all processes together.
    """

    def __init__(self, whole: Sampler[Draw], batch_size: int) -> None:
        self._whole = whole
        self._batch_size = batch_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that is drawn next; Lightning calls this."""
        self._whole.set_epoch(epoch)  # type: ignore[attr-defined]

    def __len__(self) -> int:
        full, rest = divmod(len(self._whole), self._batch_size)  # type: ignore[arg-type]
        _, processes = _place()
        return (full * self._batch_size + rest - rest % processes) // processes

    def __iter__(self) -> Iterator[Draw]:
        number, processes = _place()
        draws = list(self._whole)
        for start in range(0, len(draws), self._batch_size):
            batch = draws[start : start + self._batch_size]
            yield from batch[number : len(batch) - len(batch) % processes : processes]


def _place() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
