"""The same as scipy.ndimage says, whatever the area."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_fetal_iqa.geometry.connected_parts import dilated, filled_holes, largest_part, opened

SIDES = ndimage.generate_binary_structure(2, 1)
AREAS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.booleans())


@given(AREAS)
def test_the_largest_part_is_that_of_scipy(area):
    parts, count = ndimage.label(area)
    expected = np.zeros_like(area)
    if count:
        expected = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    assert np.array_equal(largest_part(area), expected)


@given(AREAS)
def test_holes_are_filled_as_scipy_fills_them(area):
    assert np.array_equal(filled_holes(area), ndimage.binary_fill_holes(area))


@given(AREAS, st.integers(1, 3))
def test_growing_and_opening_are_those_of_scipy(area, times):
    disc = ndimage.iterate_structure(SIDES, times)
    assert np.array_equal(dilated(area, times), ndimage.binary_dilation(area, disc))
    assert np.array_equal(opened(area, times), ndimage.binary_opening(area, disc))
