"""Frames of the next batch are read while the one before is computed."""

import time
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.errors import DeviceError


class Frames(Protocol):
    """Anything (T, H, W) of uint8 that gives one frame at a time."""

    def __len__(self) -> int: ...

    def __getitem__(self, frame: int, /) -> NDArray[np.uint8]: ...


_Read = tuple[NDArray[np.int64], NDArray[np.uint8], float]
"""Frame numbers, their images, and the seconds that reading took."""


def read_ahead(
    frames: Frames | NDArray[np.uint8], blocks: Iterable[NDArray[np.int64]]
) -> Generator[_Read, None, None]:
    """Read each block of frames while the one before is in use."""
    with ThreadPoolExecutor(1, "fetal-iqa-read") as reader:
        pending: Future[_Read] | None = None
        for block in blocks:
            following = reader.submit(_read, frames, block)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


def _read(frames: Frames | NDArray[np.uint8], numbers: NDArray[np.int64]) -> _Read:
    start = time.perf_counter()
    try:
        images = np.stack([np.asarray(frames[int(number)]) for number in numbers])
    except MemoryError as error:
        raise DeviceError(
            f"no memory to read {len(numbers)} frames; close other programs, or ask for smaller "
            "batches"
        ) from error
    return numbers, images, time.perf_counter() - start
