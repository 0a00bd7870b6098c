import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fetal_iqa.geometry.overlap import dice

pixels = st.sets(st.integers(0, 11))


@given(pixels, pixels)
@settings(deadline=None)
def test_dice_is_that_of_sets_of_pixels(first, second):
    masks = [np.isin(np.arange(12).reshape(3, 4), list(pixels)) for pixels in (first, second)]
    if not first and not second:
        assert dice(*masks, of_nothing=None) is None
    else:
        expected = 2 * len(first & second) / (len(first) + len(second))
        assert dice(*masks, of_nothing=None) == expected


@pytest.mark.parametrize("of_nothing", [None, 0.0, 1.0, math.inf])
def test_two_empty_masks_are_what_the_caller_takes_them_for(of_nothing):
    empty = np.zeros((3, 4), bool)
    assert dice(empty, empty, of_nothing=of_nothing) == of_nothing
    assert dice(empty, ~empty, of_nothing=of_nothing) == 0
    assert dice(~empty, ~empty, of_nothing=of_nothing) == 1
