"""Checks that hold for files of several formats."""

import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import describe, read_sweep


@pytest.fixture
def count_refused_cuts():
    """Cut a file at each length; count those refused, as what is read must still be whole."""

    def count(path, whole, lengths):
        data = path.read_bytes()
        refused = 0
        for length in lengths:
            path.write_bytes(data[:length])
            try:
                sweep = read_sweep(path)
            except SweepError:
                refused += 1
            else:
                assert np.array_equal(sweep.frames, whole)
        return refused

    return count


@pytest.fixture
def check_that_no_name_is_kept():
    """Read a volume whose header names Doe, and the same cut by a byte: neither may show it."""

    def check(path, volume):
        sweep = read_sweep(path)
        cut = path.with_stem("cut")
        cut.write_bytes(path.read_bytes()[:-1])  # not in place: it is mapped
        with pytest.raises(SweepError) as caught:
            describe(read_sweep(cut))

        assert np.array_equal(sweep.frames, volume)
        assert "Doe" not in repr(vars(sweep)) + str(describe(sweep)) + str(caught.value)

    return check
