"""Sweeps that are known again by the place of their files."""

import os
import sys

import numpy as np
import pytest

from napari_fetal_iqa.storage.known_sweeps import KnownSweeps, remember
from napari_fetal_iqa.sweep import SweepVolume

SWEEP = SweepVolume(np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8))


BYTES_ALONE = pytest.param(
    b"\xff.mha",
    marks=pytest.mark.skipif(
        sys.platform != "linux", reason="the system takes no file name that is not text"
    ),
)


@pytest.mark.parametrize("name", ["plain.mha", "\u00fc.mha", BYTES_ALONE])
def test_a_sweep_is_known_by_whatever_its_file_is_called(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"x")
    remember(path, [path], SWEEP)
    known = KnownSweeps()
    assert known.find(path, [path]).identity == SWEEP.identity
    known.close()
