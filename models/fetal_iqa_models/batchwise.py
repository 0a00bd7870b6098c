"""The loop of every engine: frames are read ahead and predicted batch by batch; torch-free."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.batching import BatchAim, BatchSize
from fetal_iqa_models.errors import DeviceError, ModelError
from fetal_iqa_models.prediction_batch import PredictionBatch
from fetal_iqa_models.read_ahead import Frames, read_ahead

logger = logging.getLogger(__name__)


class BatchwisePredictor(ABC):
    """Base of the engines.

    Parameters
    ----------
    aim : BatchAim
    batch_size : int, optional
        Frames per batch to begin with; found by itself by default, by the time that batches take.

    Attributes
    ----------
    engine : str
        What computes: ``"torch"`` or ``"openvino"``.
    device : torch.device or str
    cascade : float or None
        Least quality of a frame that the segmenter sees; None, as at first, where it sees all.

    Raises
    ------
    ModelError
        Where a batch would hold no frame.
    """

    engine: str
    device: Any

    def __init__(self, aim: BatchAim, batch_size: int | None) -> None:
        if batch_size is not None and batch_size < 1:
            raise ModelError(f"a batch holds one frame or more, not {batch_size}")
        self._batches = BatchSize(aim, batch_size)
        self.cascade: float | None = None

    @property
    @abstractmethod
    def precision(self) -> str:
        """Number format of the arithmetic, as ``"float32"``."""

    @abstractmethod
    def use_cores(self, half: bool) -> None:
        """Compute with all cores that the engine takes by itself, or with half of them."""

    @property
    def batch_size(self) -> int:
        """Frames of the next batch."""
        return self._batches.frames

    def predict(
        self,
        frames: Frames | NDArray[np.uint8],
        order: Sequence[int] | Callable[[int], Sequence[int]] | None = None,
    ) -> Generator[PredictionBatch, None, None]:
        """Predict frames, yielding each batch as it is ready.

        Close the generator to cancel: nothing runs on after the batch in hand.

        Parameters
        ----------
        frames : (T, H, W) uint8 array or array-like
            Read frame by frame, from another thread.
        order : sequence of int, or callable, optional
            Frame numbers, in the order wanted; by default all from the first to the last. Or what
            gives the numbers of the next block, at most as many as it is asked for, and none at
            the end: it is asked for one block before the results of the last one are there.

        Yields
        ------
        PredictionBatch

        Raises
        ------
        DeviceError
            Where not even the CPU's memory holds a single frame.
        """
        if callable(order):
            blocks = self._taken(order)
        else:
            numbers = np.arange(len(frames)) if order is None else np.asarray(order, np.int64)
            blocks = self._blocks(numbers)
        with closing(read_ahead(frames, blocks)) as read:
            for block, images, seconds in read:
                yield from self._predict_block(block, images, seconds)

    def _blocks(self, numbers: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        start = 0
        while start < len(numbers):
            stop = start + self.batch_size
            yield numbers[start:stop]
            start = stop

    def _taken(self, take: Callable[[int], Sequence[int]]) -> Iterator[NDArray[np.int64]]:
        while len(numbers := take(self.batch_size)):
            yield np.asarray(numbers, np.int64)

    def _seen_by_segmenter(self, quality: NDArray[np.float32] | None) -> NDArray[np.bool_] | None:
        """Return the frames that the cascade leaves to the segmenter; None for all."""
        if self.cascade is None or quality is None:
            return None
        seen = quality >= self.cascade
        return None if seen.all() else seen

    def _predict_block(
        self, numbers: NDArray[np.int64], images: NDArray[np.uint8], read_seconds: float
    ) -> Iterator[PredictionBatch]:
        start = 0
        while start < len(numbers):
            part = slice(start, start + self.batch_size)
            share = len(numbers[part]) / len(numbers)
            batch = None
            began = time.perf_counter()
            try:
                batch = self._predict_batch(numbers[part], images[part], read_seconds * share)
            except (RuntimeError, MemoryError) as error:
                if not self._is_out_of_memory(error):
                    raise
            if batch is None:  # only now the error has let go of the memory
                self._retreat()
                continue
            start += len(batch.frames)
            self._batches.took(len(batch.frames), time.perf_counter() - began)
            yield batch

    @abstractmethod
    def _predict_batch(
        self, numbers: NDArray[np.int64], images: NDArray[np.uint8], read_seconds: float
    ) -> PredictionBatch: ...

    def _is_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError)

    def _retreat(self) -> None:
        """Ask less of the memory: half the batch."""
        if self.batch_size == 1:
            raise DeviceError("no memory for a single frame; close other programs")
        self._batches.halve()
        logger.warning(
            "%s: out of memory, going on with %d frames per batch", self.device, self.batch_size
        )
