"""Sweeps that are known again by the place of their files."""

import os
import sys

import numpy as np
import pytest

from napari_fetal_iqa.storage.known_sweeps import KnownSweeps, remember
from napari_fetal_iqa.sweep import SweepVolume

SWEEP = SweepVolume(np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8))


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
@pytest.mark.parametrize("name", [b"plain.mha", b"\xff.mha", "\u00fc.mha".encode()])
def test_a_sweep_is_known_by_whatever_bytes_its_file_is_called(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"x")
    remember(path, [path], SWEEP)
    known = KnownSweeps()
    assert known.find(path, [path]).identity == SWEEP.identity
    known.close()
