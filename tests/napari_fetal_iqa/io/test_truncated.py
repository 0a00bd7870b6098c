"""Files cut at any byte: a typed error, or the whole volume."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

FORMATS = runpy.run_path(str(Path(__file__).with_name("fuzz_reading.py")))["FORMATS"]

HEADER_BYTES, TRAILER_BYTES, CUTS_BETWEEN = 400, 60, 40
SMALL = [name for name in FORMATS if name not in ("mp4", "mov", "avi")]  # see test_video


@pytest.mark.parametrize("name", SMALL)
def test_a_file_cut_at_any_byte_is_refused_or_whole(tmp_path, name):
    path = FORMATS[name](tmp_path)
    whole = np.array(read_sweep(path).frames)
    target = min(path.iterdir()) if path.is_dir() else path
    data = target.read_bytes()
    header, trailer = range(1, min(HEADER_BYTES, len(data))), range(1, TRAILER_BYTES)
    between = range(HEADER_BYTES, len(data), max(1, len(data) // CUTS_BETWEEN))

    refused = 0
    for length in sorted({*header, *between, *(len(data) - cut for cut in trailer)}):
        target.write_bytes(data[:length])
        try:
            frames = np.asarray(read_sweep(path).frames)
        except SweepError:
            refused += 1
        else:
            assert np.array_equal(frames, whole), f"cut at {length} of {len(data)}"
    assert refused > 100
