"""A sweep that is quick to analyse."""

import numpy as np
import pytest

from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.sweep import SweepVolume


@pytest.fixture(scope="session")
def sweep() -> SweepVolume:
    return make_phantom(PhantomSettings.small(), seed=3).sweep


@pytest.fixture
def blank_sweep() -> SweepVolume:
    """Twenty non-black frames of two sweeps, the last two of them black."""
    frames = np.full((20, 30, 40), 100, np.uint8)
    frames[18:] = 0
    return SweepVolume(frames, spacing_mm=(0.5, 0.5), bounds=((0, 10), (10, 20)))
