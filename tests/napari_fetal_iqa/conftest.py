"""Volumes that tests of several folders write and read."""

import numpy as np
import pytest


@pytest.fixture
def volume() -> np.ndarray:
    """(7, 24, 32) uint8 with all grey values, no two frames alike, black at the corners."""
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 256, (7, 24, 32), np.uint8)
    frames[:, :4, :4] = 0
    return frames


@pytest.fixture
def smooth_volume() -> np.ndarray:
    """(7, 48, 64) uint8 that lossy codecs keep well: a blob that moves over a ramp."""
    rows, columns = np.mgrid[:48, :64]
    frames = [
        40 + columns + 120 * np.exp(-((rows - 24) ** 2 + (columns - 10 - 6 * n) ** 2) / 150)
        for n in range(7)
    ]
    return np.rint(frames).astype(np.uint8)
